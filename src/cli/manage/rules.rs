//! `prefetch-rules`: what the rules of this node want, and asking for it.
//!
//! Rules stand in the configuration and look into the database, so this is done on the node, with or without a
//! running service: what is asked for lies in the directory.

use serde_json::{Value, json};
use tokio::runtime;

use super::Options;
use super::change::agreed;
use crate::cache::Directory;
use crate::cli::console::Console;
use crate::cli::table::{self, Align};
use crate::cli::{Error, Exit, Result, database, directory};
use crate::config::{PrefetchRule, Sources, ToolConfig};
use crate::domain::units;
use crate::ops::rules::{Plan, State, Wanted, plans};

const NAME: &str = "glance-cache-manage";

pub fn run(
    sources: &Sources,
    name: Option<&str>,
    options: &Options,
    console: &mut Console<'_>,
) -> Result<Exit> {
    let loaded = ToolConfig::load(sources, NAME)?;
    for warning in &loaded.warnings {
        if options.verbose {
            console.say(warning.to_string());
        }
    }
    let config = loaded.config;
    let cache = config.cache.as_ref().ok_or(Error::NoCache)?;
    let rules = &cache.rules;
    // As section names count in the configuration.
    let name = name.map(str::to_lowercase);
    if let Some(name) = &name
        && !rules.iter().any(|rule| rule.name == *name)
    {
        let names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
        return Err(Error::NoRule(name.clone(), names.join(", ")));
    }
    let directory = directory::open(cache)?;
    let mut plans = look(&config, rules, &directory)?;
    plans.retain(|plan| name.as_ref().is_none_or(|name| plan.rule == *name));
    if options.dry_run {
        return show(&plans, rules, options, console);
    }
    ask(&plans, &directory, options, console)
}

/// What all rules want: those that are more important keep their room, whichever is asked about.
fn look(config: &ToolConfig, rules: &[PrefetchRule], directory: &Directory) -> Result<Vec<Plan>> {
    let inventory = directory.inventory()?;
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    let looked = runtime.block_on(async {
        let db = database::open(config).await?;
        let plans = plans(&db, rules, &inventory).await;
        db.close().await;
        plans.map_err(|error| error.to_string())
    });
    looked.map_err(Error::NoDatabase)
}

fn show(
    plans: &[Plan],
    rules: &[PrefetchRule],
    options: &Options,
    console: &mut Console<'_>,
) -> Result<Exit> {
    if options.json {
        let rules: Vec<Value> = plans.iter().map(as_json).collect();
        console.json(&json!({ "dry_run": true, "rules": rules }))?;
        return Ok(Exit::Success);
    }
    if plans.is_empty() {
        console.result("No rules of prefetching.")?;
    }
    for plan in plans {
        console.result(summary(plan, rules))?;
        if !plan.images.is_empty() {
            console.result(table_of(plan, options.human))?;
        }
    }
    Ok(Exit::Success)
}

/// `Rule gold, on upload, priority 5: 3 images, 2 cached, 1 to ask for (10.0 MiB); all fit`
fn summary(plan: &Plan, rules: &[PrefetchRule]) -> String {
    let when = rules.iter().find(|rule| rule.name == plan.rule);
    let when = when.map_or(String::new(), |rule| {
        format!(", {}, priority {}", rule.when(), rule.priority)
    });
    let count = |state| plan.in_state(state).count();
    let states = [State::Cached, State::Growing, State::Queued].map(|state| (count(state), state));
    let here = states.iter().filter(|(count, _)| *count > 0);
    let here: Vec<String> = here
        .map(|(count, state)| format!(", {count} {}", state.as_str()))
        .collect();
    let here = here.concat();
    let fits = if plan.fits() {
        "all fit"
    } else if count(State::NoRoom) > 0 {
        "it stops where there is no room"
    } else {
        "what is larger than the cache is passed over"
    };
    format!(
        "Rule {}{when}: {} images{here}, {} to ask for ({}); {fits}",
        plan.rule,
        plan.images.len(),
        count(State::Missing),
        units::size(plan.bytes_missing()),
    )
}

fn table_of(plan: &Plan, human: bool) -> String {
    let columns = [
        ("ID", Align::Center),
        ("Size", Align::Right),
        ("State", Align::Center),
        ("Why", Align::Center),
    ];
    let row = |image: &Wanted| {
        let size = if human {
            units::size(image.size)
        } else {
            image.size.to_string()
        };
        let state = image.state.as_str().to_owned();
        vec![image.id.to_string(), size, state, image.why.clone()]
    };
    let rows: Vec<_> = plan.images.iter().map(row).collect();
    table::draw(&columns, &rows)
}

fn as_json(plan: &Plan) -> Value {
    let image = |image: &Wanted| {
        json!({
            "image_id": image.id.as_str(), "name": image.name, "size": image.size,
            "state": image.state.as_str(), "why": image.why,
        })
    };
    let images: Vec<Value> = plan.images.iter().map(image).collect();
    json!({
        "rule": plan.rule, "fits": plan.fits(), "bytes_missing": plan.bytes_missing(),
        "images": images,
    })
}

fn ask(
    plans: &[Plan],
    directory: &Directory,
    options: &Options,
    console: &mut Console<'_>,
) -> Result<Exit> {
    let missing = |plan: &Plan| plan.in_state(State::Missing).count();
    let count: usize = plans.iter().map(missing).sum();
    if count > 0
        && !agreed(
            &format!("Queue {count} images for caching?"),
            options,
            console,
        )?
    {
        return Ok(Exit::Success);
    }
    let mut queued = Vec::new();
    for plan in plans {
        for image in plan.in_state(State::Missing) {
            if directory.queue_for_rule(image.id, &plan.rule)? {
                queued.push(image.id.to_string());
                if options.verbose && !options.json {
                    let (id, rule) = (image.id, &plan.rule);
                    console.result(format!("Queued image {id} for rule {rule}"))?;
                }
            }
        }
        if let Some(image) = plan.in_state(State::NoRoom).next() {
            console.say(format!(
                "Rule {} stops at image {} of {} bytes: there is no room for it",
                plan.rule, image.id, image.size
            ));
        }
    }
    if options.json {
        console.json(&json!({ "queued": queued }))?;
    }
    let stops = |plan: &Plan| plan.in_state(State::NoRoom).next().is_some();
    Ok(if plans.iter().any(stops) {
        Exit::Failure
    } else {
        Exit::Success
    })
}

//! `glance-manage policy`: the rules in force, and what they make of a caller.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::console::Console;
use super::schema::patiently;
use super::{Error, Exit, Result};
use crate::config::{DatabaseConfig, ManageConfig, hide_passwords};
use crate::db::{self, Db};
use crate::domain::{Caller, Image, ImageId, Sight};
use crate::policy::{Explanation, ImageFacts, Listed, Origin, Policy, Step, Target};

#[derive(Debug, Subcommand)]
pub enum Action {
    /// Prints the rules in force, by name, and where each comes from.
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Says whether a rule lets a caller in, and why.
    Check(Question),
}

#[derive(Debug, Args)]
pub struct Output {
    /// How it is printed.
    #[arg(short, long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Who asks for what.
#[derive(Debug, Args)]
pub struct Question {
    /// The rule that is asked, by name.
    #[arg(long)]
    rule: String,
    /// The roles of the caller, implied ones included.
    #[arg(long = "as", value_name = "ROLE,...", value_delimiter = ',')]
    roles: Vec<String>,
    /// The project of its token.
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Its token is for the whole cloud.
    #[arg(long, conflicts_with_all = ["project", "domain"])]
    system: bool,
    /// Its token is for this domain.
    #[arg(long, value_name = "ID", conflicts_with = "project")]
    domain: Option<String>,
    /// What it is about; without it, something that the caller's own project has or makes.
    #[arg(long, value_name = "ID")]
    image: Option<String>,
    #[command(flatten)]
    output: Output,
}

/// Does what the command line says.
pub async fn run(
    action: &Action,
    config: ManageConfig,
    console: &mut Console<'_>,
) -> Result<ExitCode> {
    let policy = Policy::load(&config.policy?)?;
    match action {
        Action::List { output } => list(&policy.list(), output.format, console),
        Action::Check(question) => check(question, &policy, &config.database, console).await,
    }
}

fn list(rules: &[Listed], format: Format, console: &mut Console<'_>) -> Result<ExitCode> {
    for rule in rules.iter().filter(|_| format == Format::Text) {
        console.result(format!("{}: {}", rule.name, rule.rule))?;
        console.result(format!("    {}", origin(&rule.origin)))?;
    }
    if format == Format::Json {
        console.json(&rules.iter().map(described).collect())?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn check(
    question: &Question,
    policy: &Policy,
    database: &DatabaseConfig,
    console: &mut Console<'_>,
) -> Result<ExitCode> {
    let mut caller = question.caller();
    caller.is_admin = policy.is_admin(&caller).await;
    let mut explanation = if let Some(id) = &question.image {
        let (image, seen) = image(id, &caller, database, console).await?;
        let facts = ImageFacts::new(&image, &caller);
        let mut explanation = policy.explain(&caller, &question.rule, &facts).await;
        if !seen {
            explanation.allowed = false;
            explanation.needs =
                Some("to see the image at all: it is not shared with the project".to_owned());
        }
        explanation
    } else {
        let project = caller.project_id.clone().map_or(Value::Null, Value::from);
        let own = Target::from([("project_id", project.clone()), ("owner", project)]);
        policy.explain(&caller, &question.rule, &own).await
    };
    let needs = explanation.needs.take();
    match question.output.format {
        Format::Json => console.json(&explained(&explanation, needs.as_deref()))?,
        Format::Text => {
            console.result(match (explanation.allowed, &needs) {
                (true, _) => "allowed".to_owned(),
                (false, Some(needs)) => format!("denied: needs {needs}"),
                (false, None) => "denied".to_owned(),
            })?;
            tell(&question.rule, &explanation, console)?;
        }
    }
    Ok(if explanation.allowed {
        ExitCode::SUCCESS
    } else {
        Exit::Failure.into()
    })
}

impl Question {
    fn caller(&self) -> Caller {
        Caller {
            user_id: self.user.clone(),
            project_id: self.project.clone(),
            domain_id: self.domain.clone(),
            system_scope: self.system.then(|| "all".to_owned()),
            roles: self.roles.iter().map(|role| role.to_lowercase()).collect(),
            ..Caller::default()
        }
    }
}

/// An image, and whether the caller gets to know of it. Nothing is made where there is no database.
async fn image(
    id: &str,
    caller: &Caller,
    config: &DatabaseConfig,
    console: &mut Console<'_>,
) -> Result<(Image, bool)> {
    let id: ImageId = id.parse().map_err(|_| Error::NotAnId(id.to_owned()))?;
    let unanswered = |source| Error::Database {
        url: hide_passwords(&config.connection),
        source,
    };
    let state = patiently(config, console, db::schema_state).await?;
    if matches!(state, db::SchemaState::Empty) {
        return Err(Error::NoSuchImage(id));
    }
    let db = Db::open(config).await.map_err(unanswered)?;
    let image = db.image(id).await.map_err(unanswered)?;
    let image = image.ok_or(Error::NoSuchImage(id))?;
    let seen = match image.sight(caller) {
        Sight::Seen => true,
        Sight::Unseen => false,
        Sight::OfMember(project) => {
            let member = db.member(id, project).await.map_err(unanswered)?;
            member.is_some()
        }
    };
    db.close().await;
    Ok((image, seen))
}

fn tell(asked: &str, explanation: &Explanation, console: &mut Console<'_>) -> Result<()> {
    if let Some(rule) = &explanation.rule {
        if rule.name != asked {
            console.result(format!(
                "no rule is called {asked}: {} judges what has none of its own",
                rule.name
            ))?;
        }
        console.result(format!("{}: {}", rule.name, rule.rule))?;
        console.result(format!("    {}", origin(&rule.origin)))?;
    }
    for step in &explanation.steps {
        let indent = "  ".repeat(step.depth);
        console.result(format!("  {:<3} {indent}{}", met(step), step.check))?;
    }
    Ok(())
}

fn met(step: &Step) -> &'static str {
    match step.met {
        Some(true) => "yes",
        Some(false) => "no",
        None => "?",
    }
}

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::BuiltIn => "built in".to_owned(),
        Origin::BuiltInOrOlder => "built in, or as it was before".to_owned(),
        Origin::File(file) => format!("from {}", file.display()),
    }
}

fn described(rule: &Listed) -> Value {
    let mut described = json!({"name": rule.name, "rule": rule.rule});
    described["origin"] = match &rule.origin {
        Origin::BuiltIn => "default".into(),
        Origin::BuiltInOrOlder => "default or deprecated".into(),
        Origin::File(file) => file.display().to_string().into(),
    };
    described
}

fn explained(explanation: &Explanation, needs: Option<&str>) -> Value {
    let step = |step: &Step| json!({"depth": step.depth, "check": step.check, "met": step.met});
    json!({
        "allowed": explanation.allowed,
        "needs": needs,
        "rule": explanation.rule.as_ref().map(described),
        "steps": explanation.steps.iter().map(step).collect::<Vec<_>>(),
    })
}

//! The verdicts of oslo.policy itself, on thousands of rules, callers and targets: `tests/policy/triples.py`
//! asked it and wrote them down. CI asks it anew.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Target;
use super::defaults::{self, DEFAULTS};
use super::file;
use super::remote;
use super::rule::Said;
use super::rules::{Manner, Rules};
use crate::domain::Caller;

#[derive(Deserialize)]
struct Triples {
    named: Map<String, Value>,
    callers: Vec<Map<String, Value>>,
    targets: Vec<Map<String, Value>>,
    /// Name, rule, whether it is for projects, the older rule, answers.
    defaults: Vec<(String, String, bool, Option<String>, String)>,
    /// Name, and the answers where the older rules let in as well.
    older: Vec<(String, String)>,
    /// A policy file, whether the older rules are out of force, and the answers of all rules.
    sites: Vec<(Map<String, Value>, bool, Vec<String>)>,
    /// What another server is told of each caller and one of the targets.
    told: Vec<Map<String, Value>>,
    /// Rule, answers.
    rules: Vec<(Value, String)>,
    /// Rules with a reference to nothing under a `not`, and the answers where `@` stands there instead.
    fewer: HashMap<String, String>,
}

impl Triples {
    fn read() -> Self {
        serde_json::from_str(include_str!("../../tests/policy/triples.json")).unwrap()
    }

    /// The answers to `action` as the file has them: a bit per pair, callers outermost.
    fn answers(&self, rules: &Rules, action: &str) -> String {
        let targets: Vec<Target> = self.targets.iter().map(target).collect();
        let mut bits = 0_u64;
        for (at, (caller, target)) in self
            .callers
            .iter()
            .map(caller)
            .flat_map(|caller| targets.iter().map(move |target| (caller.clone(), target)))
            .enumerate()
        {
            let allowed = rules.judge(&caller, action, target, &Said::new()) == Ok(true);
            bits |= u64::from(allowed) << at;
        }
        format!("{bits:x}")
    }

    /// The named rules, and `rule` as the one that is asked.
    fn rules_with(&self, rule: &Value) -> Rules {
        let mut policy = self.named.clone();
        policy.insert("asked".to_owned(), rule.clone());
        let text = Value::from(policy).to_string();
        let definitions = file::definitions("policy.json".as_ref(), &text).unwrap();
        Rules::new(definitions, &Manner::default()).unwrap()
    }
}

fn target(facts: &Map<String, Value>) -> Target {
    let fact = |(name, value): (&String, &Value)| (&*name.clone().leak(), value.clone());
    facts.iter().map(fact).collect()
}

fn caller(values: &Map<String, Value>) -> Caller {
    let text = |name: &str| values.get(name)?.as_str().map(str::to_owned);
    let list = |name: &str| {
        let list = values
            .get(name)
            .cloned()
            .unwrap_or_else(|| Vec::<Value>::new().into());
        serde_json::from_value(list).unwrap()
    };
    Caller {
        user_id: text("user_id"),
        project_id: text("project_id"),
        domain_id: text("domain_id"),
        user_domain_id: text("user_domain_id"),
        project_domain_id: text("project_domain_id"),
        system_scope: text("system_scope"),
        roles: list("roles"),
        is_admin_project: values.get("is_admin_project") != Some(&false.into()),
        service_user_id: text("service_user_id"),
        service_user_domain_id: text("service_user_domain_id"),
        service_project_id: text("service_project_id"),
        service_project_domain_id: text("service_project_domain_id"),
        service_roles: list("service_roles"),
        ..Caller::default()
    }
}

#[test]
fn every_rule_is_judged_as_the_original_judges_it() {
    let triples = Triples::read();
    let wrong: Vec<_> = triples
        .rules
        .iter()
        .map(|(rule, expected)| {
            let rules = triples.rules_with(rule);
            // The one difference, and on purpose: the original takes `not rule:nothing` for met.
            let fewer = rule.as_str().and_then(|rule| triples.fewer.get(rule));
            let expected = fewer.unwrap_or(expected);
            (rule, expected, triples.answers(&rules, "asked"))
        })
        .filter(|(_, expected, answers)| *expected != answers)
        .collect();
    assert!(triples.rules.len() > 1000, "{} rules", triples.rules.len());
    assert!(wrong.is_empty(), "{} wrong: {wrong:#?}", wrong.len());
}

/// Where ours differ they are stricter, and only where a reference to nothing stands under a `not`.
#[test]
fn a_reference_to_nothing_lets_in_nobody_whom_the_original_refuses() {
    let triples = Triples::read();
    let bits = |answers: &str| u64::from_str_radix(answers, 16).unwrap();
    let mut stricter = 0;
    for (rule, answers) in &triples.rules {
        let Some(fewer) = rule.as_str().and_then(|rule| triples.fewer.get(rule)) else {
            continue;
        };
        let spelled = rule.to_string().to_lowercase();
        assert!(spelled.contains("not ") && spelled.contains("rule:absent"));
        assert_eq!(bits(fewer) & !bits(answers), 0, "{rule}");
        stricter += usize::from(fewer != answers);
    }
    assert!(stricter > 4, "{stricter} of {}", triples.fewer.len());
}

#[test]
fn the_built_in_rules_are_the_originals_and_judge_alike() {
    let triples = Triples::read();
    let rules = Rules::new(Vec::new(), &Manner::default()).unwrap();
    let ours: Vec<_> = DEFAULTS
        .iter()
        .map(|default| {
            (
                default.name.to_owned(),
                default.rule.to_owned(),
                defaults::is_for_projects(default.name),
                defaults::older(default.name).map(str::to_owned),
                triples.answers(&rules, default.name),
            )
        })
        .collect();
    assert_eq!(ours, triples.defaults);
}

#[test]
fn the_older_rules_let_in_whom_the_original_lets_in() {
    let triples = Triples::read();
    let manner = Manner {
        older: true,
        ..Manner::default()
    };
    let rules = Rules::new(Vec::new(), &manner).unwrap();
    let ours: Vec<_> = DEFAULTS
        .iter()
        .map(|default| {
            (
                default.name.to_owned(),
                triples.answers(&rules, default.name),
            )
        })
        .collect();
    assert_eq!(ours, triples.older);
}

#[test]
fn policy_files_stand_over_the_built_in_rules_and_the_older_ones() {
    let triples = Triples::read();
    assert!(triples.sites.len() > 20);
    for (file, new_defaults, expected) in &triples.sites {
        let text = Value::from(file.clone()).to_string();
        let definitions = file::definitions("policy.json".as_ref(), &text).unwrap();
        let manner = Manner {
            older: !new_defaults,
            ..Manner::default()
        };
        let rules = Rules::new(definitions, &manner).unwrap();
        for (default, expected) in DEFAULTS.iter().zip(expected) {
            let answers = triples.answers(&rules, default.name);
            assert_eq!(*expected, answers, "{} of {text}", default.name);
        }
    }
}

#[test]
fn another_server_is_told_what_the_original_tells_it() {
    let triples = Triples::read();
    let targets = triples.targets.iter().cycle().map(target);
    let asked = triples.callers.iter().map(caller).zip(targets);
    for ((caller, target), told) in asked.zip(&triples.told) {
        let question = remote::question("asked", &caller, &target);
        let question = question.map(|(name, part)| (name.to_owned(), part));
        assert_eq!(Map::from_iter(question), *told, "{caller:?}");
    }
    assert_eq!(triples.told.len(), triples.callers.len());
}

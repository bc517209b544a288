//! A set of rules: the built-in ones, and over them those of the policy files.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use super::Error;
use super::defaults::{self, DEFAULTS};
use super::facts::Facts;
use super::file::Definition;
use super::parse;
use super::remote;
use super::rule::{Open, Question, Rule, Said};
use crate::client::Judge;
use crate::config::policy::RemoteConfig;
use crate::domain::Caller;

/// How the built-in rules count.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    /// The rule for what has no rule of its own.
    pub(super) default: String,
    /// What a built-in rule was before lets in as well.
    pub(super) older: bool,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            default: "default".to_owned(),
            older: false,
        }
    }
}

/// Rules that refer to each other without going in circles.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) by_name: HashMap<String, Rule>,
    /// The files of those rules that are not built in.
    pub(super) files: BTreeMap<String, PathBuf>,
    /// The rule for what has no rule of its own.
    default: String,
    /// There only where a rule needs one.
    judge: Option<Judge>,
    warnings: Vec<Warning>,
}

/// A rule that does less than its writer may think.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Warning {
    pub(super) file: PathBuf,
    pub(super) rule: String,
    pub(super) problem: String,
}

impl Rules {
    /// The built-in rules with `definitions` over them; later ones replace earlier ones.
    pub(super) fn new(definitions: Vec<Definition>, manner: &Manner) -> Result<Self, Error> {
        let mut by_name: HashMap<_, _> = DEFAULTS
            .iter()
            .map(|default| (default.name.to_owned(), built_in(default, manner)))
            .collect();
        // By name, so that the same files always give the same complaints.
        let mut defined = BTreeMap::new();
        for Definition { file, name, parsed } in definitions {
            by_name.insert(name.clone(), parsed.rule);
            defined.insert(name, (file, parsed.problems));
        }

        let mut warnings = Vec::new();
        let mut files = BTreeMap::new();
        for (name, (file, problems)) in defined {
            // The built-in rules are free of circles, so that one of these is in every circle there is.
            if let Some(circle) = circle(&name, &by_name) {
                let rule = name;
                return Err(Error::Circle { file, rule, circle });
            }
            let problems = problems.into_iter().chain(undefined(&name, &by_name));
            warnings.extend(problems.map(|problem| Warning {
                file: file.clone(),
                rule: name.clone(),
                problem,
            }));
            files.insert(name, file);
        }
        let default = manner.default.clone();
        Ok(Self {
            by_name,
            files,
            default,
            judge: None,
            warnings,
        })
    }

    /// The same with the way to other servers, where a rule asks any.
    pub(super) fn asking(mut self, config: &RemoteConfig) -> Result<Self, Error> {
        let mut rules = self.by_name.values();
        if rules.any(Rule::asks_others) {
            self.judge = Some(Judge::new(config)?);
        }
        Ok(self)
    }

    /// What the writer of the policy files should know.
    pub(super) fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Whether `caller` may do `action`; one without a rule is judged by `default`.
    pub(super) async fn allow(&self, caller: &Caller, action: &str, facts: &dyn Facts) -> bool {
        self.decide(caller, action, facts, &mut Said::new()).await
    }

    /// The same, and notes what other servers say.
    ///
    /// Rules are judged at once. Where one stops at a server that has not said anything yet, that one is asked
    /// and the rules are judged anew. A server that fails is no answer, which lets nobody in.
    pub(super) async fn decide(
        &self,
        caller: &Caller,
        action: &str,
        facts: &dyn Facts,
        said: &mut Said,
    ) -> bool {
        loop {
            let url = match self.judge(caller, action, facts, said) {
                Ok(allowed) => return allowed,
                Err(Open::NoAnswer) => return false,
                Err(Open::Unasked(url)) => url,
            };
            let Some(judge) = &self.judge else {
                return false;
            };
            match judge
                .says_yes(&url, &remote::question(action, caller, facts))
                .await
            {
                Ok(yes) => drop(said.insert(url, yes)),
                Err(silence) => {
                    tracing::warn!(
                        "{action} is refused: nothing from the server at {url}: {silence}"
                    );
                    return false;
                }
            }
        }
    }

    /// Whether `caller` may do `action` by what other servers have said so far.
    pub(super) fn judge(
        &self,
        caller: &Caller,
        action: &str,
        facts: &dyn Facts,
        said: &Said,
    ) -> Result<bool, Open> {
        if is_elsewhere(caller, action) {
            return Ok(false);
        }
        let question = Question {
            caller,
            facts,
            rules: &self.by_name,
            said,
        };
        match self.judging(action).and_then(|name| self.by_name.get(name)) {
            Some(rule) => question.judge(rule),
            None => Ok(false),
        }
    }

    /// The name of the rule that judges `action`, where there is one.
    pub(super) fn judging<'a>(&'a self, action: &'a str) -> Option<&'a str> {
        let mut names = [action, self.default.as_str()].into_iter();
        names.find(|name| self.by_name.contains_key(*name))
    }
}

/// Whether the token of `caller` is for something else: the API is a project's, and a token for a domain or
/// for the cloud opens nothing of it, whatever the rule says.
pub(super) fn is_elsewhere(caller: &Caller, action: &str) -> bool {
    let elsewhere = caller.has_system_scope() || caller.has_domain_scope();
    elsewhere && defaults::is_for_projects(action)
}

fn built_in(default: &defaults::Default, manner: &Manner) -> Rule {
    let rule = parse::text(default.rule).rule;
    match defaults::older(default.name).filter(|_| manner.older) {
        Some(older) => Rule::Any(vec![rule, parse::text(older).rule]),
        None => rule,
    }
}

/// The references of `name` that lead nowhere.
fn undefined(name: &str, rules: &HashMap<String, Rule>) -> Vec<String> {
    let references = rules.get(name).map(Rule::references).unwrap_or_default();
    references
        .into_iter()
        .filter(|other| !rules.contains_key(*other))
        .map(|other| format!("\"rule:{other}\" denies: there is no rule of that name"))
        .collect()
}

/// The way from `start` back to itself, if there is one.
fn circle(start: &str, rules: &HashMap<String, Rule>) -> Option<String> {
    let mut seen = HashSet::new();
    let mut ways = vec![vec![start]];
    while let Some(way) = ways.pop() {
        let last = *way.last()?;
        for next in rules.get(last).map(Rule::references).unwrap_or_default() {
            let mut way = way.clone();
            way.push(next);
            if next == start {
                return Some(way.join(" -> "));
            }
            if seen.insert(next) {
                ways.push(way);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::Target;
    use super::*;

    fn definitions(rules: &[(&str, &str)]) -> Vec<Definition> {
        let definition = |&(name, rule): &(&str, &str)| Definition {
            file: "policy.yaml".into(),
            name: name.to_owned(),
            parsed: parse::text(rule),
        };
        rules.iter().map(definition).collect()
    }

    fn rules(rules: &[(&str, &str)]) -> Rules {
        Rules::new(definitions(rules), &Manner::default()).unwrap()
    }

    fn allow(rules: &Rules, caller: &Caller, action: &str) -> bool {
        rules.judge(caller, action, &Target::new(), &Said::new()) == Ok(true)
    }

    fn reader() -> Caller {
        Caller {
            project_id: Some("p".to_owned()),
            roles: vec!["reader".to_owned()],
            ..Caller::default()
        }
    }

    #[test]
    fn the_built_in_rules_stand_without_a_warning() {
        let names = DEFAULTS.iter().map(|default| (default.name, default.rule));
        let spelled_out = rules(&names.collect::<Vec<_>>());
        assert_eq!(spelled_out.warnings(), []);
    }

    #[test]
    fn a_circle_is_refused_with_its_way() {
        let circular = [
            ("a", "rule:b"),
            ("b", "role:x and not rule:c"),
            ("c", "rule:a"),
        ];
        let error = Rules::new(definitions(&circular), &Manner::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "policy file policy.yaml: rule \"a\" refers to itself: a -> b -> c -> a"
        );
    }

    #[test]
    fn a_circle_through_a_built_in_rule_is_refused() {
        let circular = [("context_is_admin", "rule:publicize_image")];
        assert!(Rules::new(definitions(&circular), &Manner::default()).is_err());
    }

    #[test]
    fn two_references_to_one_rule_are_no_circle() {
        let rules = rules(&[("a", "rule:b or rule:c"), ("b", "rule:c"), ("c", "@")]);
        assert!(allow(&rules, &reader(), "a"));
    }

    #[test]
    fn a_reference_to_nothing_denies_and_is_warned_about() {
        let rules = rules(&[("get_images", "rule:absent or role:auditor")]);
        assert!(!allow(&rules, &reader(), "get_images"));
        let [warning] = rules.warnings() else {
            panic!("{:?}", rules.warnings());
        };
        assert_eq!(warning.rule, "get_images");
        assert_eq!(
            warning.problem,
            "\"rule:absent\" denies: there is no rule of that name"
        );
    }

    #[test]
    fn the_opposite_of_a_reference_to_nothing_denies_too() {
        let through = ("through", "not rule:absent");
        for rule in [
            "not rule:absent",
            "not (not (not rule:absent))",
            "not (rule:absent and role:reader)",
            "rule:through",
        ] {
            let rules = rules(&[("get_images", rule), through]);
            assert!(!allow(&rules, &reader(), "get_images"), "{rule}");
            let warning = rules.warnings().last().unwrap();
            assert_eq!(
                warning.problem,
                "\"rule:absent\" denies: there is no rule of that name"
            );
        }
        // What is known decides where it can.
        for rule in [
            "not rule:absent or role:reader",
            "not (rule:absent and role:auditor)",
        ] {
            assert!(allow(
                &rules(&[("get_images", rule)]),
                &reader(),
                "get_images"
            ));
        }
    }

    #[test]
    fn an_action_without_a_rule_is_judged_by_default() {
        let asked = |rules: &Rules| allow(rules, &reader(), "billing");
        assert!(asked(&rules(&[])));
        assert!(!asked(&rules(&[("default", "role:auditor")])));
        assert!(asked(&rules(&[
            ("default", "!"),
            ("billing", "role:reader")
        ])));
    }

    #[test]
    fn another_rule_may_judge_what_has_none() {
        let manner = Manner {
            default: "ours".to_owned(),
            older: false,
        };
        let asked = |rules: &[(&str, &str)]| {
            let rules = Rules::new(definitions(rules), &manner).unwrap();
            allow(&rules, &reader(), "billing")
        };
        assert!(asked(&[("ours", "role:reader"), ("default", "!")]));
        assert!(!asked(&[("ours", "role:auditor")]));
        assert!(!asked(&[]));
    }

    #[test]
    fn the_older_rules_let_in_as_well_where_no_file_says_otherwise() {
        let manner = Manner {
            older: true,
            ..Manner::default()
        };
        let rules = Rules::new(definitions(&[("delete_image", "role:admin")]), &manner).unwrap();
        let asked = |action| allow(&rules, &reader(), action);
        assert!(asked("add_image"));
        assert!(!asked("delete_image"));
        assert!(!asked("publicize_image"));
    }

    #[test]
    fn a_token_for_the_whole_cloud_opens_no_project_action() {
        let rules = rules(&[("get_images", "@"), ("own_rule", "@")]);
        let mut caller = reader();
        caller.system_scope = Some("all".to_owned());
        assert!(!allow(&rules, &caller, "get_images"));
        assert!(allow(&rules, &caller, "own_rule"));
        caller.system_scope = None;
        caller.domain_id = Some("d".to_owned());
        assert!(!allow(&rules, &caller, "get_images"));
    }

    #[test]
    fn the_opposite_of_no_answer_lets_nobody_in() {
        let rules = rules(&[("get_images", "not user_id:100%")]);
        assert!(!allow(&rules, &reader(), "get_images"));
    }
}

//! What is in force, and why a caller may or may not do what it asks: for people who run a site.

use std::path::PathBuf;

use super::Policy;
use super::defaults;
use super::facts::Facts;
use super::rule::{Question, Rule, Said, Sense};
use super::rules::{Rules, is_elsewhere};
use crate::domain::Caller;

/// A rule in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub name: String,
    /// As it is judged: what stands in a file may be spelled otherwise.
    pub rule: String,
    pub origin: Origin,
}

/// Where a rule comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    BuiltIn,
    /// What it was before lets in as well.
    BuiltInOrOlder,
    File(PathBuf),
}

/// What came of a question, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    pub allowed: bool,
    /// What judged: the rule of the action, or the one for what has none.
    pub rule: Option<Listed>,
    /// The parts of the rule, from the outside in and from the left to the right, as far as they were judged.
    pub steps: Vec<Step>,
    /// What would have let the caller in.
    pub needs: Option<String>,
}

/// A part of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub depth: usize,
    /// None where it has no answer.
    pub met: Option<bool>,
    pub check: String,
}

impl Policy {
    /// The rules in force, by name. There are none where everything is allowed.
    pub fn list(&self) -> Vec<Listed> {
        let Some(live) = &self.0 else {
            return Vec::new();
        };
        let rules = live.rules();
        let mut names: Vec<_> = rules.by_name.keys().cloned().collect();
        names.sort_unstable();
        names
            .iter()
            .filter_map(|name| rules.listed(name, live.manner.older))
            .collect()
    }

    /// Judges as [`Policy::allows`] does, and says why.
    pub async fn explain(&self, caller: &Caller, action: &str, facts: &dyn Facts) -> Explanation {
        let Some(live) = &self.0 else {
            return Explanation {
                allowed: true,
                rule: None,
                steps: Vec::new(),
                needs: None,
            };
        };
        let rules = live.rules();
        let mut said = Said::new();
        let allowed = rules.decide(caller, action, facts, &mut said).await;
        let name = rules.judging(action);
        let mut explanation = Explanation {
            allowed,
            rule: name.and_then(|name| rules.listed(name, live.manner.older)),
            steps: Vec::new(),
            needs: None,
        };
        if is_elsewhere(caller, action) {
            explanation.needs =
                Some("a token for a project, not for a domain or the cloud".to_owned());
            return explanation;
        }
        let question = Question {
            caller,
            facts,
            rules: &rules.by_name,
            said: &said,
        };
        let Some(rule) = name.and_then(|name| rules.by_name.get(name)) else {
            explanation.needs = Some(format!("a rule of the name {action}: there is none"));
            return explanation;
        };
        question.walk(rule, Sense::default(), 0, &mut explanation.steps);
        if !allowed {
            explanation.needs = Some(question.needs(rule));
        }
        explanation
    }
}

impl Rules {
    fn listed(&self, name: &str, older: bool) -> Option<Listed> {
        let rule = self.by_name.get(name)?;
        let origin = match self.files.get(name) {
            Some(file) => Origin::File(file.clone()),
            None if older && defaults::older(name).is_some() => Origin::BuiltInOrOlder,
            None => Origin::BuiltIn,
        };
        Some(Listed {
            name: name.to_owned(),
            rule: rule.to_string(),
            origin,
        })
    }
}

impl Question<'_> {
    /// The part and what it is made of, in the order in which it is judged.
    fn walk(&self, rule: &Rule, sense: Sense, depth: usize, steps: &mut Vec<Step>) {
        steps.push(Step {
            depth,
            met: self.met(rule, sense),
            check: self.filled(rule),
        });
        let inside = depth + 1;
        match rule {
            Rule::Not(rule) => self.walk(rule, sense.turned(), inside, steps),
            Rule::All(rules) => {
                for rule in rules {
                    self.walk(rule, sense, inside, steps);
                    if self.judge_in(rule, sense) != Ok(true) {
                        break;
                    }
                }
            }
            Rule::Any(rules) => {
                for rule in rules {
                    self.walk(rule, sense, inside, steps);
                    if self.judge_in(rule, sense) != Ok(false) {
                        break;
                    }
                }
            }
            Rule::Reference(name) => {
                if let Some(rule) = self.rules.get(name) {
                    self.walk(rule, sense, inside, steps);
                }
            }
            _ => {}
        }
    }

    /// None where the check has no answer, and where it is a reference that leads nowhere.
    fn met(&self, rule: &Rule, sense: Sense) -> Option<bool> {
        match rule {
            Rule::Reference(name) if !self.rules.contains_key(name) => None,
            rule => self.judge_in(rule, sense).ok(),
        }
    }

    /// What of a rule that does not let in is missing.
    fn needs(&self, rule: &Rule) -> String {
        self.missing(rule).0
    }

    /// The same, and what holds it together, for it needs brackets among others.
    fn missing(&self, rule: &Rule) -> (String, Bond) {
        let nowhere = |name: &str| format!("a rule of the name {name}: there is none");
        let text = match rule {
            Rule::All(rules) => {
                let missing = rules.iter().filter(|rule| self.judge(rule) != Ok(true));
                return joined(missing.map(|rule| self.missing(rule)), Bond::And);
            }
            Rule::Any(rules) => {
                return joined(rules.iter().map(|rule| self.missing(rule)), Bond::Or);
            }
            Rule::Reference(name) => match self.rules.get(name) {
                Some(rule) => return self.missing(rule),
                None => nowhere(name),
            },
            Rule::Not(inner) => match &**inner {
                Rule::Reference(name) if !self.rules.contains_key(name) => nowhere(name),
                _ => self.filled(rule),
            },
            Rule::Deny => "another rule: this one lets nobody in".to_owned(),
            other => self.filled(other),
        };
        (text, Bond::None)
    }

    /// The check with what it is compared with; what has no such fact keeps its name.
    fn filled(&self, rule: &Rule) -> String {
        let spelled = rule.to_string();
        let filled = match rule {
            Rule::Reference(name) if !self.rules.contains_key(name) => {
                return format!("{spelled} (there is no rule of that name)");
            }
            Rule::Role(text) | Rule::Literal(_, text) | Rule::Credential(_, text) => text
                .fill(self.facts)
                .ok()
                .flatten()
                .map(|fact| (text, fact)),
            _ => None,
        };
        match filled {
            Some((text, fact)) if text.has_facts() => {
                let (left, _) = spelled.split_once(':').unwrap_or((&spelled, ""));
                format!("{left}:{fact} ({text})")
            }
            _ => spelled,
        }
    }
}

/// What holds parts of a sentence together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bond {
    /// It has no parts.
    None,
    And,
    Or,
}

impl Bond {
    fn word(self) -> &'static str {
        match self {
            Self::None => "",
            Self::And => " and ",
            Self::Or => ", or ",
        }
    }
}

/// The parts as one; those that are held together by something else stand in brackets.
fn joined(parts: impl Iterator<Item = (String, Bond)>, bond: Bond) -> (String, Bond) {
    let mut all = Vec::new();
    for part in parts {
        // Two ways to an administrator are one.
        if !all.contains(&part) {
            all.push(part);
        }
    }
    if all.len() == 1 {
        return all.swap_remove(0);
    }
    let bracketed = all.into_iter().map(|(text, inner)| match inner {
        Bond::None => text,
        inner if inner == bond => text,
        Bond::And | Bond::Or => format!("({text})"),
    });
    (bracketed.collect::<Vec<_>>().join(bond.word()), bond)
}

//! Rules as a tree, and judging one.

use std::collections::HashMap;
use std::fmt;

use super::credential;
use super::facts::Facts;
use super::template::Template;
use crate::domain::Caller;

/// A rule of the policy language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rule {
    /// `@`, or no text at all.
    Allow,
    /// `!`
    Deny,
    Not(Box<Rule>),
    All(Vec<Rule>),
    Any(Vec<Rule>),
    /// `rule:name`
    Reference(String),
    /// `role:name`
    Role(Template),
    /// `'public':%(visibility)s`, `True:%(protected)s`
    Literal(String, Template),
    /// `project_id:%(project_id)s`; dots lead into a credential.
    Credential(Vec<String>, Template),
    /// `http://host/path`, `https:...`: another server says whether.
    Remote(Template),
    /// A check that has no answer where its facts are there: neither it nor its opposite lets anybody in.
    Unanswerable(Template),
}

/// A question came to a check that has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoAnswer;

/// Why a question cannot be decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Open {
    NoAnswer,
    /// The server at this address is to be asked first.
    Unasked(String),
}

impl From<NoAnswer> for Open {
    fn from(_: NoAnswer) -> Self {
        Self::NoAnswer
    }
}

/// Whether it speaks for the caller that a part of a rule is met, or against.
///
/// A reference that leads nowhere has to deny, and not only by itself: under a `not` it is taken for met. So of
/// each such reference the rule has the answer that lets fewer in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Sense {
    #[default]
    For,
    /// Under a `not`.
    Against,
}

impl Sense {
    pub(super) fn turned(self) -> Self {
        match self {
            Self::For => Self::Against,
            Self::Against => Self::For,
        }
    }

    fn of_what_is_not_known(self) -> bool {
        self == Self::Against
    }
}

/// What other servers have said, by address.
pub(super) type Said = HashMap<String, bool>;

/// Who asks, about what, under which rules.
pub(super) struct Question<'a> {
    pub(super) caller: &'a Caller,
    pub(super) facts: &'a dyn Facts,
    /// Free of circles: whoever made it has looked.
    pub(super) rules: &'a HashMap<String, Rule>,
    pub(super) said: &'a Said,
}

impl Question<'_> {
    /// Whether `rule` lets the caller in. The left side of `and` and `or` comes first and may decide alone.
    pub(super) fn judge(&self, rule: &Rule) -> Result<bool, Open> {
        self.judge_in(rule, Sense::default())
    }

    /// The same for a part of a rule, which counts in this sense.
    pub(super) fn judge_in(&self, rule: &Rule, sense: Sense) -> Result<bool, Open> {
        match rule {
            Rule::Allow => Ok(true),
            Rule::Deny => Ok(false),
            Rule::Not(rule) => Ok(!self.judge_in(rule, sense.turned())?),
            Rule::All(rules) => {
                for rule in rules {
                    if !self.judge_in(rule, sense)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Rule::Any(rules) => {
                for rule in rules {
                    if self.judge_in(rule, sense)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Rule::Reference(name) => match self.rules.get(name) {
                Some(rule) => self.judge_in(rule, sense),
                None => Ok(sense.of_what_is_not_known()),
            },
            Rule::Role(name) => Ok(name.fill(self.facts)?.is_some_and(|name| {
                let name = name.to_lowercase();
                let mut roles = self.caller.roles.iter();
                roles.any(|role| role.to_lowercase() == name)
            })),
            Rule::Literal(text, expected) => {
                Ok(expected.fill(self.facts)?.as_deref() == Some(text.as_str()))
            }
            Rule::Credential(path, expected) => match expected.fill(self.facts)? {
                Some(expected) => Ok(credential::is(self.caller, path, &expected)?),
                None => Ok(false),
            },
            Rule::Remote(address) => {
                let address = address.fill_address(self.facts)?;
                let said = self.said.get(&address).copied();
                said.ok_or(Open::Unasked(address))
            }
            Rule::Unanswerable(expected) => match expected.fill(self.facts)? {
                Some(_) => Err(Open::NoAnswer),
                None => Ok(false),
            },
        }
    }
}

/// As a policy file would have it, with parentheses around what belongs together.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |rules: &[Rule], between: &str| {
            let rules: Vec<_> = rules.iter().map(Rule::to_string).collect();
            format!("({})", rules.join(between))
        };
        match self {
            Rule::Allow => f.write_str("@"),
            Rule::Deny => f.write_str("!"),
            Rule::Not(rule) => write!(f, "not {rule}"),
            Rule::All(rules) => f.write_str(&joined(rules, " and ")),
            Rule::Any(rules) => f.write_str(&joined(rules, " or ")),
            Rule::Reference(name) => write!(f, "rule:{name}"),
            Rule::Role(name) => write!(f, "role:{name}"),
            Rule::Literal(text, expected) if text.contains('\'') => {
                write!(f, "\"{text}\":{expected}")
            }
            Rule::Literal(text, expected) => write!(f, "'{text}':{expected}"),
            Rule::Credential(path, expected) => write!(f, "{}:{expected}", path.join(".")),
            Rule::Remote(address) => write!(f, "{address}"),
            Rule::Unanswerable(expected) => write!(f, "?:{expected}"),
        }
    }
}

impl Rule {
    /// The names of the rules that this one refers to.
    pub(super) fn references(&self) -> Vec<&str> {
        match self {
            Rule::Reference(name) => vec![name],
            Rule::Not(rule) => rule.references(),
            Rule::All(rules) | Rule::Any(rules) => {
                rules.iter().flat_map(Rule::references).collect()
            }
            Rule::Allow
            | Rule::Deny
            | Rule::Role(_)
            | Rule::Literal(..)
            | Rule::Credential(..)
            | Rule::Remote(_)
            | Rule::Unanswerable(_) => Vec::new(),
        }
    }

    /// Whether another server has a say in it.
    pub(super) fn asks_others(&self) -> bool {
        match self {
            Rule::Remote(_) => true,
            Rule::Not(rule) => rule.asks_others(),
            Rule::All(rules) | Rule::Any(rules) => rules.iter().any(Rule::asks_others),
            Rule::Allow
            | Rule::Deny
            | Rule::Reference(_)
            | Rule::Role(_)
            | Rule::Literal(..)
            | Rule::Credential(..)
            | Rule::Unanswerable(_) => false,
        }
    }
}

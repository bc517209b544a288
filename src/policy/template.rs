//! The right side of a check: text with `%(name)s` in it, filled in from what the rule is asked about.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::facts::Facts;
use super::rule::NoAnswer;

/// All that has, or may have, a meaning in an address.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Text and the names of facts, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Fact(String),
    /// A `%` that begins neither `%(name)s` nor `%%`. What comes after it is never reached.
    Malformed,
}

impl Template {
    /// Reads Python's `%` formatting as far as policies use it.
    pub(super) fn parse(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            parts.push(Part::Text(before.to_owned()));
            if let Some(after) = after.strip_prefix('%') {
                parts.push(Part::Text("%".to_owned()));
                rest = after;
                continue;
            }
            let named = named(after);
            parts.extend(named.map(|(name, _)| Part::Fact(name.to_owned())));
            // A fact that is missing is missed before its format is looked at.
            let Some(after) = named.and_then(|(_, format)| format.strip_prefix('s')) else {
                parts.push(Part::Malformed);
                return Self(parts);
            };
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Self(parts)
    }

    /// Whether it stands for a value that is found out when it is asked.
    pub(super) fn has_facts(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Fact(_)))
    }

    /// Whether it can be filled, where the facts are there.
    pub(super) fn is_well_formed(&self) -> bool {
        !self.0.contains(&Part::Malformed)
    }

    /// The text, or none where a fact is missing: such a check is not met.
    pub(super) fn fill(&self, facts: &dyn Facts) -> Result<Option<String>, NoAnswer> {
        self.fill_with(facts, |fact| Ok(fact.into()))
    }

    /// The text as an address. A fact is one part of it, whatever stands in it: an image that is called
    /// `@elsewhere` or `../other` leads to no other place. Where a fact is missing there is no address.
    pub(super) fn fill_address(&self, facts: &dyn Facts) -> Result<String, NoAnswer> {
        self.fill_with(facts, escaped)?.ok_or(NoAnswer)
    }

    fn fill_with(
        &self,
        facts: &dyn Facts,
        spelled: impl Fn(&str) -> Result<Cow<'_, str>, NoAnswer>,
    ) -> Result<Option<String>, NoAnswer> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Fact(name) => match facts.text(name) {
                    Some(fact) => text.push_str(&spelled(&fact)?),
                    None => return Ok(None),
                },
                Part::Malformed => return Err(NoAnswer),
            }
        }
        Ok(Some(text))
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.0 {
            match part {
                Part::Text(text) => f.write_str(&text.replace('%', "%%"))?,
                Part::Fact(name) => write!(f, "%({name})s")?,
                Part::Malformed => f.write_str("%")?,
            }
        }
        Ok(())
    }
}

/// The fact as one part of an address. Dots alone are steps of a path, however they are spelled.
fn escaped(fact: &str) -> Result<Cow<'_, str>, NoAnswer> {
    let is_step = fact.ends_with('.') && fact.bytes().all(|byte| byte == b'.');
    if is_step {
        return Err(NoAnswer);
    }
    Ok(utf8_percent_encode(fact, RESERVED).into())
}

/// Splits `(name)...` after the parenthesis that closes the name; names may hold pairs of their own.
fn named(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('(')?;
    let mut open = 1_usize;
    for (at, c) in inner.char_indices() {
        match c {
            '(' => open += 1,
            ')' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some((&inner[..at], &inner[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Target;

    fn filled(text: &str) -> Result<Option<String>, NoAnswer> {
        let target = Target::from([
            ("name", "cirros".into()),
            ("size", 7.into()),
            ("public", true.into()),
            ("owner", serde_json::Value::Null),
        ]);
        Template::parse(text).fill(&target)
    }

    #[test]
    fn facts_are_spelled_as_python_spells_them() {
        assert_eq!(
            filled("%(name)s/%(size)s/%(public)s/%(owner)s"),
            Ok(Some("cirros/7/True/None".to_owned()))
        );
    }

    #[test]
    fn two_percent_signs_are_one() {
        assert_eq!(filled("100%%s"), Ok(Some("100%s".to_owned())));
    }

    #[test]
    fn a_missing_fact_leaves_no_text() {
        assert_eq!(filled("%(absent)s"), Ok(None));
        assert_eq!(filled("%(absent)d"), Ok(None));
    }

    #[test]
    fn a_fact_leads_an_address_nowhere_else() {
        let address = |fact: &str| {
            let target = Target::from([("name", fact.into())]);
            Template::parse("http://host/%(name)s?x=1").fill_address(&target)
        };
        assert_eq!(address("a-b"), Ok("http://host/a-b?x=1".to_owned()));
        assert_eq!(address("n é"), Ok("http://host/n%20%C3%A9?x=1".to_owned()));
        assert_eq!(
            address("../a@b:c?d#e"),
            Ok("http://host/..%2Fa%40b%3Ac%3Fd%23e?x=1".to_owned())
        );
        assert_eq!(address(".."), Err(NoAnswer));
        assert_eq!(
            Template::parse("http://host/%(absent)s").fill_address(&Target::new()),
            Err(NoAnswer)
        );
    }

    #[test]
    fn other_formats_have_no_answer() {
        for text in ["100%", "%s", "%(name)d", "%(name", "%(name)", "%(a(b)s"] {
            assert!(!Template::parse(text).is_well_formed(), "{text}");
            assert_eq!(filled(text), Err(NoAnswer), "{text}");
        }
    }
}

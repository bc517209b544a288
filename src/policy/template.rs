//! The right side of a check: text with `%(name)s` in it, filled in from what the rule is asked about.

use super::facts::Facts;

/// Text and the names of facts, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Fact(String),
}

/// A `%` that begins neither `%(name)s` nor `%%`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl Template {
    /// Reads Python's `%` formatting as far as policies use it.
    pub(super) fn parse(text: &str) -> Result<Self, Malformed> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            plain.push_str(before);
            if let Some(after) = after.strip_prefix('%') {
                plain.push('%');
                rest = after;
                continue;
            }
            let (name, after) = named(after).ok_or(Malformed)?;
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Fact(name.to_owned()));
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self(parts))
    }

    /// The text, or none where a fact is missing: such a check is not met.
    pub(super) fn fill(&self, facts: &dyn Facts) -> Option<String> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Fact(name) => text.push_str(&facts.text(name)?),
            }
        }
        Some(text)
    }
}

/// Splits `(name)s...` after the parenthesis that closes the name; names may hold pairs of their own.
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
            let after = inner[at..].strip_prefix(")s")?;
            return Some((&inner[..at], after));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Target;

    fn filled(text: &str) -> Option<String> {
        let target = Target::from([
            ("name", "cirros".into()),
            ("size", 7.into()),
            ("public", true.into()),
            ("owner", serde_json::Value::Null),
        ]);
        Template::parse(text).unwrap().fill(&target)
    }

    #[test]
    fn facts_are_spelled_as_python_spells_them() {
        assert_eq!(
            filled("%(name)s/%(size)s/%(public)s/%(owner)s").as_deref(),
            Some("cirros/7/True/None")
        );
    }

    #[test]
    fn two_percent_signs_are_one() {
        assert_eq!(filled("100%%").as_deref(), Some("100%"));
    }

    #[test]
    fn a_missing_fact_leaves_no_text() {
        assert_eq!(filled("%(absent)s"), None);
    }

    #[test]
    fn other_formats_are_malformed() {
        for text in ["100%", "%s", "%(name)d", "%(name", "%(name)", "%(a(b)s"] {
            assert_eq!(Template::parse(text), Err(Malformed), "{text}");
        }
    }
}

//! Every option that glance knows, in one table: `options.tsv`.
//!
//! It holds the original's options with their defaults and limits, those that the original lost
//! with its own server, those that old files still write though nothing reads them (`removed`),
//! and ours in `[server]`, `[image_cache]`, `[metrics]` and the sections of [`RULE`]. A default stands
//! there and nowhere else.

use std::str::FromStr;
use std::sync::LazyLock;

use super::ini::values;
use super::schedule::Schedule;

/// One row of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    pub section: &'static str,
    pub option: &'static str,
    pub kind: Kind,
    /// As it would stand in a file. Empty is none.
    pub default: &'static str,
    pub limits: Limits,
    /// Older names, as `(section, option)`.
    pub deprecated: Vec<(&'static str, &'static str)>,
    /// Why setting it does nothing here, where that is so.
    pub note: &'static str,
}

/// What the text of an option means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// Never shown.
    Secret,
    /// Shown without the passwords in it.
    Url,
    /// Where a service is: `http://host:port`.
    Address,
    Flag,
    Integer,
    Float,
    Size,
    /// Bytes a second.
    Rate,
    List,
    Bracketed,
    Dict,
    /// The option may stand several times, and all of them count.
    Multi,
    Schedule,
    /// Accepted, and without a meaning.
    Removed,
}

/// Which values of its kind an option takes.
#[derive(Debug, Clone, PartialEq)]
pub enum Limits {
    None,
    /// From the first to the second, both included.
    Range(f64, f64),
    /// The same of whole numbers.
    Whole(i128, i128),
    Choices(Vec<&'static str>),
    /// Choices in upper or lower case.
    Words(Vec<&'static str>),
}

static TABLE: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let rows = include_str!("options.tsv").lines().skip(1);
    rows.filter_map(parse).collect()
});

/// The section that stands in the table for those of all rules: `[image_cache_prefetch:NAME]`.
pub const RULE: &str = "image_cache_prefetch:NAME";

/// The name of the rule that a section is of. One that names none is refused where files are read.
pub fn rule_of(section: &str) -> Option<&str> {
    section.strip_prefix("image_cache_prefetch:")
}

/// The names of the options that a rule may have, with commas between them.
pub fn of_a_rule() -> String {
    let of_a_rule = TABLE.iter().filter(|known| known.section == RULE);
    let names: Vec<&str> = of_a_rule.map(|known| known.option).collect();
    names.join(", ")
}

/// Every known option, in the order in which they are printed.
pub fn all() -> &'static [Known] {
    &TABLE
}

/// The option of that section and name.
pub fn find(section: &str, option: &str) -> Option<&'static Known> {
    TABLE
        .iter()
        .find(|known| known.option == option && known.section == section)
}

/// The option that once had that section and name.
pub fn find_deprecated(section: &str, option: &str) -> Option<&'static Known> {
    TABLE
        .iter()
        .find(|known| known.deprecated.contains(&(section, option)))
}

impl Known {
    /// Says what `text` must be where it is not.
    pub fn check(&self, text: &str) -> Result<(), values::Must> {
        let number = match self.kind {
            // As in the original, a number that is left empty is not set; no schedule means never.
            Kind::Integer | Kind::Float | Kind::Schedule if text.trim().is_empty() => {
                return Ok(());
            }
            Kind::Integer => return self.check_whole(values::integer(text)?),
            Kind::Rate => return self.check_whole(values::rate(text)?.into()),
            Kind::Size => return self.check_whole(values::size(text)?.into()),
            Kind::Float => values::float(text)?,
            Kind::Address => return values::address(text),
            Kind::Flag => return values::flag(text).map(drop),
            Kind::Bracketed => return values::bracketed(text).map(drop),
            Kind::Dict => return values::dict(text).map(drop),
            Kind::Schedule => return Schedule::parse(text).map(drop),
            Kind::Text | Kind::Secret | Kind::Url | Kind::List | Kind::Multi | Kind::Removed => {
                return self.check_choice(text);
            }
        };
        match self.limits {
            Limits::Range(min, _) if number < min => Err(format!("{min} or more")),
            Limits::Range(_, max) if number > max => Err(format!("{max} or less")),
            _ => Ok(()),
        }
    }

    fn check_whole(&self, number: i128) -> Result<(), values::Must> {
        match self.limits {
            Limits::Whole(min, _) if number < min => Err(format!("{min} or more")),
            Limits::Whole(_, max) if number > max => Err(format!("{max} or less")),
            _ => Ok(()),
        }
    }

    fn check_choice(&self, text: &str) -> Result<(), values::Must> {
        let (choices, fits) = match &self.limits {
            Limits::Choices(choices) => (choices, choices.contains(&text)),
            Limits::Words(words) => (
                words,
                words.iter().any(|word| word.eq_ignore_ascii_case(text)),
            ),
            Limits::None | Limits::Range(..) | Limits::Whole(..) => return Ok(()),
        };
        if fits {
            return Ok(());
        }
        let choices: Vec<_> = choices.iter().copied().filter(|c| !c.is_empty()).collect();
        Err(format!("one of {}", choices.join(", ")))
    }
}

/// Reads a row. One that cannot be read is left out, and a test counts them.
fn parse(row: &'static str) -> Option<Known> {
    let mut columns = row.split('\t').chain(std::iter::repeat(""));
    let (section, option) = (columns.next()?, columns.next()?);
    let kind = kind(columns.next()?)?;
    Some(Known {
        section,
        option,
        kind,
        default: columns.next()?,
        limits: limits(columns.next()?, kind)?,
        deprecated: columns
            .next()?
            .split_whitespace()
            .filter_map(|name| name.split_once('/'))
            .collect(),
        note: columns.next()?,
    })
}

fn kind(name: &str) -> Option<Kind> {
    Some(match name {
        "text" => Kind::Text,
        "secret" => Kind::Secret,
        "url" => Kind::Url,
        "address" => Kind::Address,
        "flag" => Kind::Flag,
        "int" => Kind::Integer,
        "float" => Kind::Float,
        "size" => Kind::Size,
        "rate" => Kind::Rate,
        "list" => Kind::List,
        "bracketed" => Kind::Bracketed,
        "dict" => Kind::Dict,
        "multi" => Kind::Multi,
        "schedule" => Kind::Schedule,
        "removed" => Kind::Removed,
        _ => return None,
    })
}

/// `1..10` with either end open, `a|b`, or `~a|b` for choices in any case.
fn limits(text: &'static str, kind: Kind) -> Option<Limits> {
    if text.is_empty() {
        return Some(Limits::None);
    }
    if let Some(words) = text.strip_prefix('~') {
        return Some(Limits::Words(words.split('|').collect()));
    }
    let Some((min, max)) = text.split_once("..") else {
        return Some(Limits::Choices(text.split('|').collect()));
    };
    Some(if kind == Kind::Float {
        let (min, max) = ends(min, max, (f64::NEG_INFINITY, f64::INFINITY))?;
        Limits::Range(min, max)
    } else {
        let (min, max) = ends(min, max, (i128::MIN, i128::MAX))?;
        Limits::Whole(min, max)
    })
}

/// Both ends, where they are given.
fn ends<T: FromStr>(min: &str, max: &str, open: (T, T)) -> Option<(T, T)> {
    let end = |text: &str, open: T| match text {
        "" => Some(open),
        number => number.parse().ok(),
    };
    Some((end(min, open.0)?, end(max, open.1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_can_be_read() {
        assert_eq!(all().len(), include_str!("options.tsv").lines().count() - 1);
    }

    #[test]
    fn every_default_is_a_value_of_its_kind() {
        for known in all().iter().filter(|known| !known.default.is_empty()) {
            assert_eq!(known.check(known.default), Ok(()), "{}", known.option);
        }
    }

    #[test]
    fn no_option_stands_twice() {
        let mut names: Vec<_> = all()
            .iter()
            .map(|known| (known.section, known.option))
            .collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all().len());
    }

    #[test]
    fn deprecated_names_lead_to_their_option() {
        let known = find_deprecated("DEFAULT", "disk_formats").unwrap();
        assert_eq!(
            (known.section, known.option),
            ("image_format", "disk_formats")
        );
    }

    #[test]
    fn limits_are_told() {
        let check = |option, text| find("DEFAULT", option).unwrap().check(text);
        assert_eq!(check("api_limit_max", "0"), Err("1 or more".to_owned()));
        assert_eq!(check("bind_port", "70000"), Err("65535 or less".to_owned()));
        assert_eq!(check("bind_port", ""), Ok(()));
        let largest = "9223372036854775808";
        assert_eq!(check("image_size_cap", largest), Ok(()));
        assert_eq!(
            check("image_size_cap", "9223372036854775809"),
            Err(format!("{largest} or less"))
        );
        assert_eq!(check("image_cache_driver", "SQLite"), Ok(()));
        assert_eq!(
            check("property_protection_rule_format", "Roles"),
            Err("one of roles, policies".to_owned())
        );
    }
}

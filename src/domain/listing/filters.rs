//! What the images of a list must be like.

use super::super::isotime;
use super::super::property::has_four_bytes;
use super::super::query::Comparison;
use super::{Filter, Unlistable, integer, quotes};

/// Columns with texts that may be asked for by operator.
const OPERATED: [&str; 5] = ["name", "id", "status", "container_format", "disk_format"];
/// Columns with texts that are asked for as they are.
const TEXTS: [&str; 4] = ["owner", "checksum", "os_hash_algo", "os_hash_value"];
const NUMBERS: [&str; 4] = ["size", "virtual_size", "min_disk", "min_ram"];
const TIMES: [&str; 2] = ["created_at", "updated_at"];
/// Names that are read elsewhere, or not a caller's to ask for.
const ELSEWHERE: [&str; 4] = ["visibility", "os_hidden", "deleted", "tags"];

/// The conditions; none where they can never hold.
pub(super) fn read(
    parameters: &[(String, String)],
    tags: &[String],
) -> Result<Option<Vec<Filter>>, Unlistable> {
    let mut filters: Vec<Filter> = tags.iter().cloned().map(Filter::Tag).collect();
    let mut possible = !tags.iter().any(|tag| has_four_bytes(tag));
    for (name, value) in parameters {
        if ELSEWHERE.contains(&name.as_str()) {
            continue;
        }
        match one(name, value)?.and_then(kept_by_all) {
            Some(filter) => filters.push(filter),
            None => possible = false,
        }
    }
    Ok(possible.then_some(filters))
}

/// The condition, or none where no image can be like that: of characters that MySQL cannot keep images have none,
/// on any engine, and MySQL cannot even be asked for them.
fn kept_by_all(filter: Filter) -> Option<Filter> {
    match filter {
        Filter::Text(_, text) if has_four_bytes(&text) => None,
        Filter::Property(name, value) if has_four_bytes(&name) || has_four_bytes(&value) => None,
        Filter::In(column, mut texts) => {
            texts.retain(|text| !has_four_bytes(text));
            (!texts.is_empty()).then_some(Filter::In(column, texts))
        }
        filter => Some(filter),
    }
}

fn one(name: &str, value: &str) -> Result<Option<Filter>, Unlistable> {
    if name == "protected" {
        return match value {
            "true" => Ok(Some(Filter::Protected(true))),
            "false" => Ok(Some(Filter::Protected(false))),
            _ => Err(Unlistable::NotABoolean {
                name: "protected",
                value: value.to_owned(),
            }),
        };
    }
    if let Some(bound) = bound(name, value)? {
        return Ok(Some(bound));
    }
    if let Some(column) = known(&TIMES, name) {
        return time(column, value).map(Some);
    }
    if let Some(column) = known(&OPERATED, name) {
        return operated(column, value);
    }
    if let Some(column) = known(&TEXTS, name) {
        return Ok(Some(Filter::Text(column, value.to_owned())));
    }
    if let Some(column) = known(&NUMBERS, name) {
        // A number is never equal to a text.
        return Ok(whole(value).map(|number| Filter::Number(column, number)));
    }
    if name == "deleted_at" {
        return Ok(None);
    }
    Ok(Some(Filter::Property(name.to_owned(), value.to_owned())))
}

/// `size_min=1`, `min_disk_max=2`. What is no number has no bounds, whatever its name.
fn bound(name: &str, value: &str) -> Result<Option<Filter>, Unlistable> {
    let Some((column, end)) = name.rsplit_once('_') else {
        return Ok(None);
    };
    if !matches!(end, "min" | "max") {
        return Ok(None);
    }
    let column = known(&NUMBERS, column).ok_or(Unlistable::RangeNotANumber)?;
    let number = integer(value).ok_or(Unlistable::RangeNotANumber)?;
    Ok(Some(match end {
        "min" => Filter::AtLeast(column, number),
        _ => Filter::AtMost(column, number),
    }))
}

/// `5`, and `5.0`, which databases take for the same.
fn whole(value: &str) -> Option<i64> {
    let (number, fraction) = value.trim().split_once('.').unwrap_or((value, ""));
    (fraction.bytes().all(|digit| digit == b'0')).then(|| integer(number))?
}

fn time(column: &'static str, value: &str) -> Result<Filter, Unlistable> {
    let (operator, time) = operator(value);
    let time = isotime::parse(time).ok_or_else(|| Unlistable::BadTime(column.to_owned()))?;
    let comparison = match operator {
        "gt" => Comparison::Gt,
        "gte" => Comparison::Gte,
        "lt" => Comparison::Lt,
        "lte" => Comparison::Lte,
        "neq" => Comparison::Neq,
        "eq" => Comparison::Eq,
        _ => return Err(Unlistable::UnknownComparison),
    };
    Ok(Filter::Time(column, comparison, time))
}

fn operated(column: &'static str, value: &str) -> Result<Option<Filter>, Unlistable> {
    match operator(value) {
        ("eq", text) => Ok(Some(Filter::Text(column, text.to_owned()))),
        ("in", list) => {
            let values = quotes::split(list)?;
            Ok((!values.is_empty()).then_some(Filter::In(column, values)))
        }
        (other, _) => Err(Unlistable::UnknownOperator(other.to_owned())),
    }
}

/// What stands before a colon, unless it is the colon of a time.
fn operator(value: &str) -> (&str, &str) {
    match value.split_once(':') {
        Some(parts) if isotime::parse(value).is_none() => parts,
        Some(_) | None => ("eq", value),
    }
}

fn known(names: &[&'static str], name: &str) -> Option<&'static str> {
    names.iter().copied().find(|known| *known == name)
}

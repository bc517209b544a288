//! The JSON schemas that clients can ask for, and whether a document is as they say.
//!
//! Of JSON Schema this knows what the schemas of the API say. A document may be wrong in many ways at once;
//! clients hear of the one that the original would name.

pub mod documents;
mod site;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use fancy_regex::Regex;
use serde_json::{Map, Value};

use super::literal::{literal, quoted};
use super::pretty::pretty;

pub use site::SiteProperties;

/// A schema and the name it goes by in error sentences.
#[derive(Debug)]
pub struct Schema {
    name: String,
    document: Value,
    patterns: BTreeMap<String, Regex>,
}

/// What is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "Provided object does not match schema '{schema}': {what}\n\nFailed validating {keyword} in schema{place}:\n    {demand}\n\nOn instance{instance}:\n    {value}"
)]
pub struct Mismatch {
    schema: String,
    /// The sentence that tells it.
    what: String,
    keyword: String,
    place: String,
    demand: String,
    instance: String,
    value: String,
}

/// A step into a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Item(usize),
    Member(String),
}

/// One way in which a document is wrong.
#[derive(Debug)]
struct Finding<'a> {
    path: Vec<Step>,
    place: Vec<String>,
    keyword: &'static str,
    demand: &'a Value,
    value: &'a Value,
    what: String,
}

impl Schema {
    /// A pattern that cannot be read demands nothing.
    pub fn new(name: impl Into<String>, document: Value) -> Self {
        let mut patterns = BTreeMap::new();
        collect_patterns(&document, &mut patterns);
        Self {
            name: name.into(),
            document,
            patterns,
        }
    }

    /// The schema itself.
    pub fn document(&self) -> &Value {
        &self.document
    }

    pub fn validate(&self, document: &Value) -> Result<(), Box<Mismatch>> {
        let mut findings = Vec::new();
        self.check(document, &self.document, &[], &[], &mut findings);
        // The last of equals is what `max_by` gives and the first is what is wanted.
        match findings.into_iter().rev().max_by(relevance) {
            None => Ok(()),
            Some(finding) => Err(Box::new(self.mismatch(finding))),
        }
    }

    fn mismatch(&self, finding: Finding<'_>) -> Mismatch {
        let place = finding.place.iter().map(|key| bracketed(&quoted(key)));
        let instance = finding.path.iter().map(|step| match step {
            Step::Item(i) => bracketed(&i.to_string()),
            Step::Member(name) => bracketed(&quoted(name)),
        });
        Mismatch {
            schema: self.name.clone(),
            keyword: quoted(finding.keyword),
            place: place.collect(),
            demand: pretty(finding.demand),
            instance: instance.collect(),
            value: pretty(finding.value),
            what: finding.what,
        }
    }

    fn check<'a>(
        &'a self,
        value: &'a Value,
        schema: &'a Value,
        path: &[Step],
        place: &[String],
        findings: &mut Vec<Finding<'a>>,
    ) {
        let Some(keywords) = schema.as_object() else {
            return;
        };
        for (keyword, demand) in keywords {
            let fault = match (keyword.as_str(), demand) {
                ("additionalProperties", Value::Bool(false)) => unexpected(value, keywords),
                (keyword, demand) => self.own_fault(value, keyword, demand),
            };
            if let Some((keyword, what)) = fault {
                findings.push(Finding {
                    path: path.to_vec(),
                    place: place.to_vec(),
                    keyword,
                    demand: schema,
                    value,
                    what,
                });
            }
        }
        if let (Some(items), Some(schema)) = (value.as_array(), keywords.get("items")) {
            for (i, item) in items.iter().enumerate() {
                let path = extended(path, Step::Item(i));
                let place = extended(place, "items".to_owned());
                self.check(item, schema, &path, &place, findings);
            }
        }
        if let Some(members) = value.as_object() {
            self.check_members(members, keywords, path, place, findings);
        }
    }

    fn check_members<'a>(
        &'a self,
        members: &'a Map<String, Value>,
        keywords: &'a Map<String, Value>,
        path: &[Step],
        place: &[String],
        findings: &mut Vec<Finding<'a>>,
    ) {
        let properties = keywords.get("properties").and_then(Value::as_object);
        for (name, member) in members {
            let path = extended(path, Step::Member(name.clone()));
            if let Some(schema) = properties.and_then(|known| known.get(name)) {
                let mut place = extended(place, "properties".to_owned());
                place.push(name.clone());
                self.check(member, schema, &path, &place, findings);
            } else if let Some(schema) = keywords.get("additionalProperties") {
                let place = extended(place, "additionalProperties".to_owned());
                self.check(member, schema, &path, &place, findings);
            }
        }
    }

    /// What `keyword` finds wrong with `value` itself, whatever is inside it.
    fn own_fault(
        &self,
        value: &Value,
        keyword: &str,
        demand: &Value,
    ) -> Option<(&'static str, String)> {
        match keyword {
            "type" => {
                let types: Vec<&str> = match demand {
                    Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
                    one => one.as_str().into_iter().collect(),
                };
                let wrong = !types.iter().any(|name| is_a(value, name));
                let types: Vec<String> = types.into_iter().map(quoted).collect();
                let what = || format!("{} is not of type {}", literal(value), types.join(", "));
                wrong.then(|| ("type", what()))
            }
            "enum" => {
                let wrong = !demand.as_array()?.contains(value);
                let what = || format!("{} is not one of {}", literal(value), literal(demand));
                wrong.then(|| ("enum", what()))
            }
            "maxLength" => {
                let wrong = characters(value)? > demand.as_u64()?;
                wrong.then(|| ("maxLength", format!("{} is too long", literal(value))))
            }
            "minLength" => {
                let wrong = characters(value)? < demand.as_u64()?;
                wrong.then(|| ("minLength", format!("{} is too short", literal(value))))
            }
            "pattern" => {
                let pattern = demand.as_str()?;
                // A pattern that takes too long to judge matches nothing.
                let matches = self.patterns.get(pattern)?.is_match(value.as_str()?);
                let wrong = !matches.unwrap_or(false);
                let what = || format!("{} does not match {}", literal(value), quoted(pattern));
                wrong.then(|| ("pattern", what()))
            }
            "required" => {
                let members = value.as_object()?;
                let mut names = demand.as_array()?.iter().filter_map(Value::as_str);
                let missing = names.find(|name| !members.contains_key(*name))?;
                let what = format!("{} is a required property", quoted(missing));
                Some(("required", what))
            }
            "dependentRequired" => {
                let members = value.as_object()?;
                let (name, missing) = (demand.as_object()?.iter())
                    .filter(|(name, _)| members.contains_key(*name))
                    .filter_map(|(name, wanted)| Some((name, wanted.as_array()?)))
                    .flat_map(|(name, wanted)| wanted.iter().map(move |one| (name, one)))
                    .filter_map(|(name, wanted)| Some((name, wanted.as_str()?)))
                    .find(|(_, wanted)| !members.contains_key(*wanted))?;
                let what = format!("{} is a dependency of {}", quoted(missing), quoted(name));
                Some(("dependentRequired", what))
            }
            _ => None,
        }
    }
}

/// Members that a schema without room for others does not know.
fn unexpected(value: &Value, keywords: &Map<String, Value>) -> Option<(&'static str, String)> {
    let known = keywords.get("properties").and_then(Value::as_object);
    let unknown: Vec<String> = (value.as_object()?.keys())
        .filter(|name| !known.is_some_and(|known| known.contains_key(*name)))
        .map(|name| quoted(name))
        .collect();
    let verb = match unknown.len() {
        0 => return None,
        1 => "was",
        _ => "were",
    };
    let names = unknown.join(", ");
    let what = format!("Additional properties are not allowed ({names} {verb} unexpected)");
    Some(("additionalProperties", what))
}

/// Fewer steps first, then the name that sorts last: the order in which the original picks.
fn relevance(a: &Finding<'_>, b: &Finding<'_>) -> Ordering {
    (b.path.len().cmp(&a.path.len())).then_with(|| a.path.cmp(&b.path))
}

fn is_a(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|f| f.fract() == 0.0)
        }
        _ => true,
    }
}

fn characters(value: &Value) -> Option<u64> {
    u64::try_from(value.as_str()?.chars().count()).ok()
}

fn collect_patterns(schema: &Value, patterns: &mut BTreeMap<String, Regex>) {
    let Some(members) = schema.as_object() else {
        return;
    };
    for (name, member) in members {
        if let ("pattern", Some(pattern)) = (name.as_str(), member.as_str()) {
            if let Ok(regex) = Regex::new(pattern) {
                patterns.insert(pattern.to_owned(), regex);
            }
        } else {
            collect_patterns(member, patterns);
        }
    }
}

fn extended<T: Clone>(steps: &[T], last: T) -> Vec<T> {
    let mut steps = steps.to_vec();
    steps.push(last);
    steps
}

fn bracketed(text: &str) -> String {
    format!("[{text}]")
}

//! Names for what differs from run to run, so that the rest can be compared.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::{Map, Value};

/// What a run has names for.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Values and their names, the longest value first.
    pairs: Vec<(String, String)>,
    /// What the scenario itself spells out, which stays as it is.
    literal: String,
}

/// What looks the same in every run, and is not.
static GENERAL: LazyLock<[(Regex, &str); 5]> = LazyLock::new(|| {
    [
        (&*format!("req-{UUID}"), "<request-id>"),
        (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "<time>"),
        (
            r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\.\d{6}\b",
            "<time-micros>",
        ),
        (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\b", "<time-bare>"),
        (UUID, ANY_UUID),
    ]
    .map(|(pattern, name)| (Regex::new(pattern).expect("a pattern"), name))
});

const UUID: &str = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
const ANY_UUID: &str = "<uuid>";

impl Names {
    pub(super) fn new(mut pairs: Vec<(String, String)>, literal: String) -> Self {
        pairs.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        Self { pairs, literal }
    }

    pub(super) fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (value, name) in &self.pairs {
            text = text.replace(value, name);
        }
        for (pattern, name) in GENERAL.iter() {
            let named = pattern.replace_all(&text, |found: &Captures| {
                let found = &found[0];
                let spelled_out = *name == ANY_UUID && self.literal.contains(found);
                if spelled_out { found } else { name }.to_owned()
            });
            text = named.into_owned();
        }
        text
    }

    pub(super) fn value(&self, value: &Value) -> Value {
        self.member("", value)
    }

    /// A value under its key, which tells what it is.
    fn member(&self, key: &str, value: &Value) -> Value {
        match (key, value) {
            (_, Value::String(text)) => self.text(text).into(),
            (_, Value::Object(members)) => {
                let member =
                    |(key, value): (&String, &Value)| (self.text(key), self.member(key, value));
                Value::Object(members.iter().map(member).collect::<Map<_, _>>())
            }
            (_, Value::Array(items)) => {
                let mut items: Vec<_> = items.iter().map(|item| self.value(item)).collect();
                // Tags are a set, and the listing of the cache has no order.
                if key == "cached_images" || key == "tags" && items.iter().all(Value::is_string) {
                    items.sort_by_cached_key(sorted);
                }
                items.into()
            }
            ("last_accessed" | "last_modified", Value::Number(time))
                if time.as_f64() != Some(0.0) =>
            {
                "<epoch>".into()
            }
            ("id", Value::Number(_)) => "<row>".into(),
            (_, other) => other.clone(),
        }
    }
}

/// What a value is sorted by: as text, whatever the order of its keys.
fn sorted(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => {
            let mut other = other.clone();
            other.sort_all_objects();
            other.to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KNOWN: &str = "11111111-1111-4111-8111-111111111111";
    const SPELLED_OUT: &str = "22222222-2222-4222-8222-222222222222";
    const OTHER: &str = "33333333-3333-4333-8333-333333333333";

    fn names() -> Names {
        let pairs = [
            ("127.0.0.1:1234", "${host}"),
            ("http://127.0.0.1:1234", "${endpoint}"),
            (KNOWN, "${image}"),
        ];
        let pairs = pairs.map(|(value, name)| (value.to_owned(), name.to_owned()));
        Names::new(pairs.into(), format!("GET /v2/images/{SPELLED_OUT}"))
    }

    #[test]
    fn the_longest_value_is_named_first() {
        assert_eq!(names().text("http://127.0.0.1:1234/v2"), "${endpoint}/v2");
        assert_eq!(names().text("ftp://127.0.0.1:1234/v2"), "ftp://${host}/v2");
    }

    #[test]
    fn an_id_has_the_name_of_who_made_it_or_none_at_all() {
        let text = format!("{KNOWN} {SPELLED_OUT} {OTHER} req-{OTHER}");
        let named = format!("${{image}} {SPELLED_OUT} <uuid> <request-id>");
        assert_eq!(names().text(&text), named);
    }

    #[test]
    fn times_are_told_apart_by_their_spelling() {
        let text = "2026-01-31T12:00:00Z 2026-01-31T12:00:00.123456 2026-01-31 12:00:00 2026-01-31";
        assert_eq!(
            names().text(text),
            "<time> <time-micros> <time-bare> 2026-01-31"
        );
    }

    #[test]
    fn only_what_has_no_order_is_sorted() {
        let value = json!({"tags": ["b", "a ", "a"], "images": ["b", "a"], "cached_images": [{"z": 1, "a": 2}, {"a": 1}]});
        let named = json!({"tags": ["a", "a ", "b"], "images": ["b", "a"], "cached_images": [{"a": 1}, {"z": 1, "a": 2}]});
        assert_eq!(names().value(&value), named);
    }

    #[test]
    fn rows_and_times_of_the_cache_are_any() {
        let value = json!({"id": 5, "last_accessed": 1.5, "last_modified": 0, "hits": 5});
        let named =
            json!({"id": "<row>", "last_accessed": "<epoch>", "last_modified": 0, "hits": 5});
        assert_eq!(names().value(&value), named);
    }
}

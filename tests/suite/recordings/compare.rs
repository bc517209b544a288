//! What differs between what should come and what came.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::expectation::{Content, EXACT, Expectation, WHERE_RECORDED};
use super::scenario::Ignored;

/// The differences, a line each.
pub(super) fn compare(want: &Expectation, got: &Expectation, ignored: &[Ignored]) -> Vec<String> {
    let mut differences = Vec::new();
    if want.status != got.status {
        differences.push(format!(
            "status: should be {}, is {}",
            want.status, got.status
        ));
    }
    headers(want, got, &mut differences);
    match (&want.content, &got.content) {
        (Content::Json(want), Content::Json(got)) => {
            let without_ignored = |value: &Value| {
                let mut value = value.clone();
                if let Some(members) = value.as_object_mut() {
                    members.retain(|key, _| !ignored.contains(&Ignored::Member(key.clone())));
                }
                value
            };
            values(
                &without_ignored(want),
                &without_ignored(got),
                "json",
                &mut differences,
            );
        }
        (Content::Error(_), Content::Error(_)) if ignored.contains(&Ignored::Sentence) => (),
        (Content::Error(want), Content::Error(got)) => {
            let parts = [
                ("kind of error", &want.kind, &got.kind),
                ("sentence", &want.sentence, &got.sentence),
            ];
            for (part, want, got) in parts.into_iter().filter(|(_, want, got)| want != got) {
                differences.push(format!("{part}: should be {want:?}, is {got:?}"));
            }
        }
        (Content::Text(want), Content::Text(got)) => texts(want, got, &mut differences),
        (want, got) if want != got => {
            differences.push(format!("content: should be {want:?}, is {got:?}"));
        }
        _ => (),
    }
    differences
}

fn headers(want: &Expectation, got: &Expectation, differences: &mut Vec<String>) {
    for name in EXACT.iter().chain(&WHERE_RECORDED) {
        let difference = match (want.headers.get(*name), got.headers.get(*name)) {
            (None, Some(got)) if EXACT.contains(name) => format!("should not be there: {got}"),
            (Some(want), None) => format!("missing, should be {want}"),
            (Some(want), Some(got)) if !same_header(name, want, got) => {
                format!("should be {want}, is {got}")
            }
            _ => continue,
        };
        differences.push(format!("header {name}: {difference}"));
    }
}

fn same_header(name: &str, want: &str, got: &str) -> bool {
    let set = |list: &str| -> BTreeSet<_> {
        list.split(',')
            .map(|item| item.trim().to_lowercase())
            .collect()
    };
    match name {
        "Allow"
        | "Vary"
        | "Access-Control-Allow-Methods"
        | "Access-Control-Allow-Headers"
        | "Access-Control-Expose-Headers" => set(want) == set(got),
        "Content-Type" => want
            .replace(' ', "")
            .eq_ignore_ascii_case(&got.replace(' ', "")),
        _ => want == got,
    }
}

fn texts(want: &str, got: &str, differences: &mut Vec<String>) {
    let (mut wanted, mut came) = (want.lines(), got.lines());
    for number in 1.. {
        match (wanted.next(), came.next()) {
            (None, None) => break,
            (want, got) if want != got => {
                differences.push(format!(
                    "text, line {number}: should be {want:?}, is {got:?}"
                ));
            }
            _ => (),
        }
    }
    if differences.is_empty() && want != got {
        differences.push("text: should end its lines otherwise".to_owned());
    }
}

fn values(want: &Value, got: &Value, path: &str, differences: &mut Vec<String>) {
    match (want, got) {
        (Value::Object(want), Value::Object(got)) => {
            for (key, value) in want {
                let path = format!("{path}.{key}");
                match got.get(key) {
                    Some(got) => values(value, got, &path, differences),
                    None => differences.push(format!("{path}: missing, should be {value}")),
                }
            }
            for (key, value) in got.iter().filter(|(key, _)| !want.contains_key(*key)) {
                differences.push(format!("{path}.{key}: should not be there: {value}"));
            }
        }
        (Value::Array(want), Value::Array(got)) => {
            if want.len() != got.len() {
                let (want, got) = (want.len(), got.len());
                differences.push(format!("{path}: should have {want} items, has {got}"));
            }
            for (at, (want, got)) in want.iter().zip(got).enumerate() {
                values(want, got, &format!("{path}[{at}]"), differences);
            }
        }
        (Value::String(want), Value::String(got)) if is_link(path) && link(want) == link(got) => (),
        // 1000 and 1000.0 are the same to clients.
        (Value::Number(want), Value::Number(got)) if want.as_f64() == got.as_f64() => (),
        _ if want != got => differences.push(format!("{path}: should be {want}, is {got}")),
        _ => (),
    }
}

fn is_link(path: &str) -> bool {
    ["next", "first"].contains(&path.rsplit('.').next().unwrap_or_default())
}

/// A link to a page: its path and its parameters, whatever their order and escaping.
fn link(text: &str) -> (&str, Vec<(String, String)>) {
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let decoded = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8_lossy().into_owned()
    };
    let parameters = query.split('&').map(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        (decoded(name), decoded(value))
    });
    let mut parameters: Vec<_> = parameters.collect();
    parameters.sort();
    (path, parameters)
}

#[cfg(test)]
mod tests;

//! A recording that was altered fails, step by step: otherwise none that passes would mean anything.

use serde_json::Value;

use super::expectation::{Content, Expectation};
use super::scenario::{Scenario, Step};
use super::{failures, recordings};

/// Errors, JSON, data and empty answers in a few steps.
const SCENARIO: &str = "scenarios/image-data/upload-download.yaml";

/// What fails of the scenario when `alter` has changed expectations, and how many it says it did.
fn altered(mut alter: impl FnMut(&mut Expectation) -> bool) -> (Vec<String>, usize) {
    let mut scenario = Scenario::read(&recordings().join(SCENARIO));
    let mut count = 0;
    for step in &mut scenario.steps {
        if let Step::Call(call) = step {
            count += usize::from(alter(&mut call.expect));
        }
    }
    (failures(&scenario, &mut None, usize::MAX), count)
}

/// Every altered step fails for `reason`, and no other does.
#[track_caller]
fn each_fails(reason: &str, alter: impl FnMut(&mut Expectation) -> bool) {
    let (failures, count) = altered(alter);
    assert!(count > 0, "nothing was altered");
    assert_eq!(failures.len(), count, "{}", failures.concat());
    for failure in failures {
        assert!(failure.contains(reason), "{failure}");
    }
}

#[test]
fn nothing_altered_nothing_fails() {
    assert_eq!(altered(|_| false), (Vec::new(), 0));
}

#[test]
fn an_altered_status_fails() {
    each_fails("status: should be", |expected| {
        expected.status += 1;
        true
    });
}

#[test]
fn an_altered_header_fails() {
    each_fails("header ", |expected| {
        let mut values = expected.headers.values_mut();
        values.next().map(|value| value.push('x')).is_some()
    });
}

#[test]
fn a_header_that_was_taken_out_fails() {
    each_fails("header Content-Type: should not be there", |expected| {
        expected.headers.remove("Content-Type").is_some()
    });
}

#[test]
fn an_altered_member_of_json_fails() {
    each_fails("json.name", |expected| match &mut expected.content {
        Content::Json(Value::Object(members)) => {
            members.insert("name".to_owned(), "altered".into());
            true
        }
        _ => false,
    });
}

#[test]
fn an_altered_sentence_fails() {
    each_fails("sentence: should be", |expected| {
        match &mut expected.content {
            Content::Error(refusal) => {
                refusal.sentence.push('!');
                true
            }
            _ => false,
        }
    });
}

#[test]
fn altered_data_fail() {
    each_fails("content: should be Bytes", |expected| {
        match &mut expected.content {
            Content::Bytes(data) => {
                data.sha256.replace_range(
                    ..1,
                    if data.sha256.starts_with('0') {
                        "1"
                    } else {
                        "0"
                    },
                );
                true
            }
            _ => false,
        }
    });
}

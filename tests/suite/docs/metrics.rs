//! What dashboards and alarms ask for is what the service tells.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::Value;

use super::read;
use crate::support::{Cloud, Exposition};

/// The page of a service that has done a little of everything.
async fn exposed() -> Exposition {
    let cloud = Cloud::with("[metrics]\npath = /metrics").await;
    let id = cloud.member().create_with(b"some bytes").await;
    for _ in 0..2 {
        let file = format!("/v2/images/{id}/file");
        cloud.member().get(&file).await;
    }
    Exposition::read(&cloud.reader().get("/metrics").await.text())
}

/// The metrics in a query that are ours, each with the labels that it must have.
fn asked(query: &str) -> Vec<(String, Vec<String>)> {
    let metric = Regex::new(r#"(glance_\w+)(\{(?:[^}"]|"[^"]*")*\})?"#).unwrap();
    let label = Regex::new(r#"(\w+)(=~?)"([^"]*)""#).unwrap();
    let metrics = metric.captures_iter(query);
    metrics
        .map(|found| {
            let labels = found.get(2).map_or("", |labels| labels.as_str());
            let labels = label.captures_iter(labels).filter(|label| {
                // Of those the first Prometheus knows, and the other any number may be had.
                !["instance", "status"].contains(&&label[1])
            });
            let labels = labels.flat_map(|label| {
                let values: Vec<_> = label[3].split('|').map(str::to_owned).collect();
                let name = label[1].to_owned();
                values
                    .into_iter()
                    .map(move |value| format!("{name}=\"{value}\""))
            });
            (found[1].to_owned(), labels.collect())
        })
        .collect()
}

#[track_caller]
fn is_exposed(page: &Exposition, query: &str) -> usize {
    let asked = asked(query);
    for (metric, labels) in &asked {
        let all = page.samples.keys().filter(|series| {
            let rest = series.strip_prefix(metric.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('{'))
        });
        let all: Vec<_> = all.collect();
        assert!(!all.is_empty(), "no metric {metric} for {query}");
        for label in labels {
            let has = all.iter().any(|series| series.contains(label.as_str()));
            assert!(has, "no {metric} has {label}, for {query}");
        }
    }
    asked.len()
}

/// The texts of all members with this name.
fn texts<'v>(value: &'v Value, name: &str, found: &mut BTreeSet<&'v str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get(name).and_then(Value::as_str));
            members.values().for_each(|value| texts(value, name, found));
        }
        Value::Array(values) => values.iter().for_each(|value| texts(value, name, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_dashboard_asks_for_what_there_is_and_for_all_of_it() {
    let page = exposed().await;
    let dashboard: Value = serde_json::from_str(&read("etc/grafana/glance.json")).unwrap();
    let mut queries = BTreeSet::new();
    texts(&dashboard, "expr", &mut queries);
    texts(&dashboard, "definition", &mut queries);
    assert!(queries.len() > 20, "{queries:?}");
    for query in &queries {
        assert!(is_exposed(&page, query) > 0, "nothing of ours in {query}");
    }
    for name in page.types.keys() {
        let shown = queries.iter().any(|query| query.contains(name.as_str()));
        assert!(shown, "nothing shows {name}");
    }
}

#[tokio::test]
async fn the_alarms_ask_for_what_there_is() {
    let page = exposed().await;
    let rules = read("etc/prometheus/glance.rules.yml");
    assert!(is_exposed(&page, &rules) > 10);
    // Each can be seen to be raised, but the slow first byte, which takes a histogram, and the missing directory.
    let tests = read("tests/prometheus/rules.yml");
    let alarms = rules
        .lines()
        .filter_map(|line| line.split_once("- alert: "));
    for (_, alarm) in alarms {
        let shown = tests.contains(&format!("alertname=\"{alarm}\""));
        let is_left = ["GlanceSlowFirstByte", "GlanceCacheUnreadable"].contains(&alarm);
        assert!(shown != is_left, "{alarm}");
    }
}

use chrono::{TimeZone as _, Utc};
use tracing::{info, info_span, warn};

use super::*;

fn clock() -> Clock {
    Clock::from_fn(|| Utc.timestamp_millis_opt(1_795_255_200_123).unwrap())
}

/// What `events` writes with `config`, logging to a file.
fn logged(config: LogConfig, events: impl FnOnce(&Handle)) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("glance-api.log");
    let config = LogConfig {
        file: Some(path.clone()),
        ..config
    };
    let (subscriber, handle) = subscriber(&config, clock()).unwrap();
    tracing::subscriber::with_default(subscriber, || events(&handle));
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn lines_look_as_those_of_the_original() {
    let text = logged(LogConfig::default(), |_| {
        info!(target: "glance::ops", size = 3_u64, from = "the cache", "sent");
        let _span = info_span!(target: "glance", "request", request.id = "req-1").entered();
        warn!(target: "glance.access", "a\nb");
    });
    let lines: Vec<&str> = text.lines().collect();
    let date = clock()
        .now()
        .with_timezone(&chrono::Local)
        .format("%Y-%m-%d %H:%M:%S");
    let begin = format!("{date}.123 {}", std::process::id());
    assert_eq!(
        lines,
        [
            format!("{begin} INFO glance.ops [-] sent size=3 from=\"the cache\""),
            format!("{begin} WARNING glance.access [req-1] a\\nb"),
        ]
    );
}

#[test]
fn json_lines_hold_the_fields_apart() {
    let config = LogConfig {
        json: true,
        ..LogConfig::default()
    };
    let text = logged(config, |_| {
        info!(target: "glance::ops", size = 3_u64, request.id = "req-2", "sent");
    });
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["message"], "sent");
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["name"], "glance.ops");
    assert_eq!(line["context"]["request_id"], "req-2");
    assert_eq!(line["extra"]["size"], 3);
}

#[test]
fn a_log_that_was_moved_away_is_followed_by_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("glance-api.log");
    let config = LogConfig {
        file: Some(path.clone()),
        ..LogConfig::default()
    };
    let (subscriber, handle) = subscriber(&config, clock()).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        info!(target: "glance", "one");
        std::fs::rename(&path, dir.path().join("old")).unwrap();
        info!(target: "glance", "two");
        handle.reopen().unwrap();
        info!(target: "glance", "three");
    });
    let lines = |path| std::fs::read_to_string(path).unwrap().lines().count();
    assert_eq!(lines(dir.path().join("old")), 2);
    assert_eq!(lines(path), 1);
}

#[test]
fn levels_change_while_running() {
    let text = logged(LogConfig::default(), |handle| {
        tracing::debug!(target: "glance", "one");
        let debug = LogConfig {
            debug: true,
            ..LogConfig::default()
        };
        handle.apply(&debug).unwrap();
        tracing::debug!(target: "glance", "two");
    });
    assert!(
        text.trim_end().ends_with("two") && text.lines().count() == 1,
        "{text}"
    );
}

#[test]
fn a_log_that_cannot_be_written_is_told() {
    let config = LogConfig {
        file: Some("/nowhere/glance-api.log".into()),
        ..LogConfig::default()
    };
    let error = Sink::open(&config).unwrap_err().to_string();
    assert_eq!(error, "cannot write the log /nowhere/glance-api.log");
}

#[test]
fn a_cause_that_an_error_names_itself_is_told_once() {
    #[derive(Debug, thiserror::Error)]
    #[error("cache directory c: {source}")]
    struct Inside {
        source: std::io::Error,
    }
    #[derive(Debug, thiserror::Error)]
    #[error("the image cache failed")]
    struct Outside(#[source] Inside);
    let source = std::io::Error::other("it is a file");
    let error = Outside(Inside { source });
    let text = logged(LogConfig::default(), |_| {
        tracing::error!(target: "glance::ops", error = &error as &dyn std::error::Error, "failed");
    });
    let told = "failed error=\"the image cache failed: cache directory c: it is a file\"\n";
    assert!(text.ends_with(told), "{text}");
}

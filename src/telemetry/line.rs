//! An event as a line: oslo.log's default format, or a JSON object.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use chrono::{DateTime, Local};
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::sink::Sink;
use crate::clock::Clock;

/// The field of a span or event that names the request.
const REQUEST_ID: &str = "request.id";

/// Writes events to a sink.
pub(super) struct Lines {
    sink: Arc<Sink>,
    clock: Clock,
    json: bool,
}

/// The request that a span belongs to.
struct RequestId(String);

impl Lines {
    pub(super) fn new(sink: Arc<Sink>, clock: Clock, json: bool) -> Self {
        Self { sink, clock, json }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let (Some(request), Some(span)) = (fields.request_id, context.span(id)) {
            span.extensions_mut().replace(RequestId(request));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        if fields.request_id.is_none() {
            let mut scope = context.event_scope(event).into_iter().flatten();
            fields.request_id = scope.find_map(|span| {
                let extensions = span.extensions();
                extensions
                    .get::<RequestId>()
                    .map(|request| request.0.clone())
            });
        }
        let time = self.clock.now().with_timezone(&Local);
        let line = if self.json {
            as_json(time, event.metadata(), &fields)
        } else {
            as_text(time, event.metadata(), &fields)
        };
        self.sink.write(&line);
    }
}

/// What an event or a span says.
#[derive(Default)]
struct Fields {
    message: String,
    request_id: Option<String>,
    others: Vec<(&'static str, Value)>,
}

impl Fields {
    fn add(&mut self, field: &Field, value: Value) {
        let text = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        match field.name() {
            "message" => self.message = text(value),
            REQUEST_ID => self.request_id = Some(text(value)),
            name => self.others.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, Value::String(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, Value::String(value.to_owned()));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        // With all that caused it: this is the one place where it is told.
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            let told = error.to_string();
            // Some name their cause in their own sentence.
            if !text.ends_with(&told) {
                let _ = write!(text, ": {told}");
            }
            cause = error.source();
        }
        self.add(field, Value::String(text));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, json!(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, json!(value));
    }
}

/// `2026-11-21 10:00:00.123 4242 INFO glance.ops [req-...] message name=value`
fn as_text(time: DateTime<Local>, metadata: &Metadata<'_>, fields: &Fields) -> String {
    let mut line = format!(
        "{} {} {} {} [{}] ",
        time.format("%Y-%m-%d %H:%M:%S%.3f"),
        std::process::id(),
        level(metadata),
        logger(metadata),
        fields.request_id.as_deref().unwrap_or("-"),
    );
    push_escaped(&mut line, &fields.message);
    for (name, value) in &fields.others {
        let _ = write!(line, " {name}=");
        match value {
            Value::String(text) if !text.contains([' ', '"', '=']) => push_escaped(&mut line, text),
            other => push_escaped(&mut line, &other.to_string()),
        }
    }
    line.push('\n');
    line
}

/// Text from outside may hold line breaks; an event stays one line.
fn push_escaped(line: &mut String, text: &str) {
    for character in text.chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
}

/// The object that oslo.log's JSON formatter writes, as far as it means something here.
fn as_json(time: DateTime<Local>, metadata: &Metadata<'_>, fields: &Fields) -> String {
    let extra: Map<String, Value> = fields
        .others
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    let object = json!({
        "message": fields.message,
        "time": time.format("%Y-%m-%d %H:%M:%S%.3f").to_string(),
        "name": logger(metadata),
        "level": level(metadata),
        "filename": metadata.file(),
        "lineno": metadata.line(),
        "process": std::process::id(),
        "context": fields.request_id.as_ref().map(|request| json!({ "request_id": request })),
        "extra": extra,
    });
    format!("{object}\n")
}

fn logger(metadata: &Metadata<'_>) -> String {
    metadata.target().replace("::", ".")
}

fn level(metadata: &Metadata<'_>) -> &'static str {
    match *metadata.level() {
        Level::TRACE => "TRACE",
        Level::DEBUG => "DEBUG",
        Level::INFO => "INFO",
        Level::WARN => "WARNING",
        Level::ERROR => "ERROR",
    }
}

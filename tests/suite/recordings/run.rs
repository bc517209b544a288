//! One conversation with one server.

use std::collections::BTreeMap;
use std::fs;
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use regex::{Captures, Regex};
use serde_json::Value;

use super::bodies::Body;
use super::callers::PROJECTS;
use super::compare::compare;
use super::expectation::Expectation;
use super::normalise::Names;
use super::scenario::{Call, Chore, Pick, Scenario, Step, Until};
use super::server::Server;
use super::wire::{Answer, Request, exchange};
use crate::support::PATIENCE;

#[derive(Debug)]
pub(super) struct Run<'r> {
    scenario: &'r Scenario,
    server: &'r Server,
    /// What steps and configurations call the places of the server, and the projects.
    places: BTreeMap<&'static str, String>,
    captured: BTreeMap<String, Value>,
    /// Which time it is, where a step is repeated.
    time: Option<u32>,
}

impl<'r> Run<'r> {
    pub(super) fn new(scenario: &'r Scenario, server: &'r Server) -> Self {
        let projects = PROJECTS.map(|(name, id)| (name, id.to_owned()));
        Self {
            scenario,
            server,
            places: server.values().into_iter().chain(projects).collect(),
            captured: BTreeMap::new(),
            time: None,
        }
    }

    /// What does not go as it should, a step each. Whoever has seen enough need not go on.
    pub(super) fn failures(mut self) -> impl Iterator<Item = String> + use<'r> {
        let steps = self.scenario.steps.iter().enumerate();
        steps.filter_map(move |(at, step)| match step {
            Step::Chore(chore) => {
                self.perform(chore);
                None
            }
            Step::Call(call) => {
                let problems = self.problems(call);
                let note = if call.note.is_empty() { "" } else { "  # " };
                let (caller, request, note) =
                    (call.caller, &call.request, note.to_owned() + &call.note);
                (!problems.is_empty()).then(|| {
                    let problems = problems.join("\n      ");
                    format!(
                        "  step {}, as {caller:?}: {request}{note}\n      {problems}\n",
                        at + 1
                    )
                })
            }
        })
    }

    fn perform(&self, chore: &Chore) {
        match chore {
            Chore::Touch(name) => drop(fs::File::create(self.server.path(name)).expect("a file")),
            Chore::Remove(name) => fs::remove_file(self.server.path(name)).expect("a file"),
            Chore::Sleep(seconds) => thread::sleep(Duration::from_secs_f64(*seconds)),
        }
    }

    fn problems(&mut self, call: &Call) -> Vec<String> {
        match self.answer(call) {
            Ok(answer) => {
                let got = Expectation::of(&answer, &self.names());
                compare(&call.expect, &got, &call.ignore)
            }
            Err(why) => vec![why],
        }
    }

    /// The answer that counts, with what is captured of it.
    fn answer(&mut self, call: &Call) -> Result<Answer, String> {
        self.time = call.repeat.map(|_| 1);
        let mut answer = self.send(call)?;
        for time in 2..=call.repeat.unwrap_or(1) {
            if answer.status >= 400 {
                break;
            }
            self.time = Some(time);
            answer = self.send(call)?;
        }
        self.time = None;
        if let Some(until) = &call.until {
            // Whoever recorded it had a machine of their own.
            let end = Instant::now() + Duration::from_secs_f64(until.within).max(PATIENCE);
            while !self.reached(until, &answer)? && Instant::now() < end {
                thread::sleep(Duration::from_millis(20));
                answer = self.send(call)?;
            }
        }
        let document = answer.json().unwrap_or_default();
        for (name, pick) in &call.capture {
            if let Some(value) = pick.from(&document) {
                self.captured.insert(name.clone(), value.clone());
            }
        }
        Ok(answer)
    }

    fn reached(&self, until: &Until, answer: &Answer) -> Result<bool, String> {
        let document = answer.json().unwrap_or_default();
        let found = |pick: &Pick| pick.from(&document).filter(|value| !value.is_null());
        let value = found(&until.path);
        let gone = until.gone.as_ref().and_then(found).is_none();
        let same = match &until.is {
            Some(wanted) => value == Some(&self.filled_in(wanted)?),
            None => value.is_some(),
        };
        Ok(gone && same)
    }

    fn send(&self, call: &Call) -> Result<Answer, String> {
        let request = self.filled(&call.request)?;
        let (method, path) = request.split_once(' ').ok_or("no method and path")?;
        let mut headers = call.caller.headers();
        headers.push(("Accept".to_owned(), "*/*".to_owned()));
        let body = self.body(call)?;
        if let Some((_, kind)) = &body {
            headers.push(("Content-Type".to_owned(), (*kind).to_owned()));
        }
        for (name, value) in &call.headers {
            headers.retain(|(old, _)| !old.eq_ignore_ascii_case(name));
            if let Some(value) = value {
                headers.push((name.clone(), self.filled(value)?));
            }
        }
        let request = Request {
            method,
            path,
            headers: &headers,
            body: body.as_ref().map(|(body, _)| &**body),
            chunked: call.chunked,
        };
        let answer = exchange(self.server.address(), &request);
        answer.map_err(|error| format!("no answer: {error}"))
    }

    fn body(&self, call: &Call) -> Result<Option<(Vec<u8>, &'static str)>, String> {
        Ok(match &call.body {
            None => None,
            Some(Body::Json(document)) => Some(Body::Json(self.filled_in(document)?).sent()),
            Some(Body::Text(text)) => Some(Body::Text(self.filled(text)?).sent()),
            Some(body) => Some(body.sent()),
        })
    }

    /// A text with values for its names.
    fn filled(&self, text: &str) -> Result<String, String> {
        static NAME: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"\$\{(\w+)(?::(\d+))?\}").expect("a pattern"));
        let mut unknown = None;
        let filled = NAME.replace_all(text, |found: &Captures| {
            let times = found.get(2).and_then(|times| times.as_str().parse().ok());
            self.meant(&found[1], times).unwrap_or_else(|| {
                unknown = Some(format!("{} was never captured", &found[0]));
                String::new()
            })
        });
        let filled = filled.into_owned();
        unknown.map_or(Ok(filled), Err)
    }

    fn meant(&self, name: &str, times: Option<usize>) -> Option<String> {
        match (name, times) {
            ("long", Some(times)) => Some("x".repeat(times)),
            ("n", None) => self.time.map(|time| format!("{time:02}")),
            _ => match self.captured.get(name) {
                Some(Value::String(text)) => Some(text.clone()),
                Some(other) => Some(other.to_string()),
                None => self.places.get(name).cloned(),
            },
        }
    }

    /// The same of every text in a document.
    fn filled_in(&self, document: &Value) -> Result<Value, String> {
        Ok(match document {
            Value::String(text) => self.filled(text)?.into(),
            Value::Array(items) => {
                let items = items.iter().map(|item| self.filled_in(item));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Value::Object(members) => {
                let member =
                    |(key, value): (&String, _)| Ok((self.filled(key)?, self.filled_in(value)?));
                Value::Object(members.iter().map(member).collect::<Result<_, String>>()?)
            }
            other => other.clone(),
        })
    }

    /// What differs from run to run, and what it is called instead.
    fn names(&self) -> Names {
        let places = ["endpoint", "host", "web", "web_host", "workdir"];
        let places = places.map(|name| (name.to_owned(), self.places[name].clone()));
        let captured = self.captured.iter().filter_map(|(name, value)| {
            let value = value.as_str().filter(|value| value.len() >= 8)?;
            Some((name.clone(), value.to_owned()))
        });
        let pairs = places.into_iter().chain(captured);
        let pairs = pairs.map(|(name, value)| (value, format!("${{{name}}}")));
        Names::new(pairs.collect(), self.scenario.sent.clone())
    }
}

//! A conversation, as its file tells it.

use std::collections::BTreeMap;
use std::path::Path;

use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::bodies::Body;
use super::callers::Caller;
use super::expectation::Expectation;

/// What somebody who replays it has to know of a conversation.
#[derive(Debug, Deserialize)]
pub(super) struct Scenario {
    pub(super) name: String,
    pub(super) area: String,
    pub(super) profile: String,
    /// Never on a server that was used before.
    #[serde(default)]
    pub(super) fresh: bool,
    pub(super) steps: Vec<Step>,
    /// What it sends, as text: ids that stand in there have no need of a name.
    #[serde(skip)]
    pub(super) sent: String,
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(super) enum Step {
    Call(Box<Call>),
    Chore(Chore),
}

/// A request, and the answer that it got.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Call {
    #[serde(default)]
    pub(super) note: String,
    #[serde(rename = "as", default)]
    pub(super) caller: Caller,
    /// Method and path.
    #[serde(rename = "do")]
    pub(super) request: String,
    /// Added or replaced; `null` takes one away.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, Option<String>>,
    #[serde(skip)]
    pub(super) body: Option<Body>,
    /// Sends the body without its length.
    #[serde(default)]
    pub(super) chunked: bool,
    pub(super) repeat: Option<u32>,
    /// Names for values of the answer.
    #[serde(default)]
    pub(super) capture: BTreeMap<String, Pick>,
    pub(super) until: Option<Until>,
    #[serde(default)]
    pub(super) ignore: Vec<Ignored>,
    pub(super) expect: Expectation,
}

/// What happens on the server's machine.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Chore {
    Touch(String),
    Remove(String),
    /// For a while, in seconds: what follows depends on a clock.
    Sleep(f64),
}

/// Asks again until that holds; the last answer counts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Until {
    pub(super) path: Pick,
    pub(super) is: Option<Value>,
    pub(super) gone: Option<Pick>,
    /// At most so many seconds.
    pub(super) within: f64,
}

/// A place in the JSON of an answer: `json.images.0.id`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Pick {
    pointer: String,
}

/// What of an answer is not compared.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) enum Ignored {
    Sentence,
    /// A member of the outermost JSON object.
    Member(String),
}

impl Scenario {
    pub(super) fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).expect("a file of text");
        let scenario = yaml(&text).and_then(Self::of);
        scenario.unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }

    fn of(document: Value) -> Result<Self, Problem> {
        let mut sent = document["steps"].clone();
        for step in sent.as_array_mut().into_iter().flatten() {
            step.as_object_mut().and_then(|step| step.remove("expect"));
        }
        let scenario = Self::deserialize(document)?;
        let sent = sent.to_string();
        Ok(Self { sent, ..scenario })
    }
}

type Problem = Box<dyn std::error::Error>;

impl TryFrom<Value> for Step {
    type Error = serde_json::Error;

    fn try_from(mut step: Value) -> Result<Self, Self::Error> {
        let Some(fields) = step.as_object_mut().filter(|step| step.contains_key("do")) else {
            return Chore::deserialize(step).map(Self::Chore);
        };
        let mut kinds = Body::KINDS.iter();
        let body = kinds.find_map(|kind| fields.remove_entry(*kind));
        let body = body.map(|(kind, value)| Body::deserialize(json!({ kind: value })));
        let body = body.transpose()?;
        let call = Call::deserialize(step)?;
        Ok(Self::Call(Box::new(Call { body, ..call })))
    }
}

impl Pick {
    pub(super) fn from<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        document.pointer(&self.pointer)
    }
}

impl TryFrom<String> for Pick {
    type Error = String;

    fn try_from(path: String) -> Result<Self, String> {
        let inner = path.strip_prefix("json").filter(|inner| !inner.is_empty());
        let pointer = inner.map(|inner| inner.replace('.', "/"));
        let pointer = pointer.ok_or_else(|| format!("{path:?} is nothing to pick"))?;
        Ok(Self { pointer })
    }
}

impl TryFrom<String> for Ignored {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match name.strip_prefix("json.") {
            Some(member) => Ok(Self::Member(member.to_owned())),
            None if name == "sentence" => Ok(Self::Sentence),
            None => Err(format!("{name:?} is nothing to ignore")),
        }
    }
}

fn yaml(text: &str) -> Result<Value, Problem> {
    let documents = Yaml::load_from_str(text)?;
    let [document] = &*documents else {
        return Err("not one document".into());
    };
    plain(document)
}

fn plain(node: &Yaml) -> Result<Value, Problem> {
    Ok(match node {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => (*value).into(),
        Yaml::Value(Scalar::Integer(value)) => (*value).into(),
        Yaml::Value(Scalar::FloatingPoint(value)) => value.into_inner().into(),
        Yaml::Value(Scalar::String(value)) => value.as_ref().into(),
        Yaml::Sequence(items) => items.iter().map(plain).collect::<Result<_, _>>()?,
        Yaml::Mapping(members) => {
            let member = |(key, value): (&Yaml, &Yaml)| match key.as_str() {
                Some(key) => Ok((key.to_owned(), plain(value)?)),
                None => Err(Problem::from(format!("{key:?} is no name"))),
            };
            let members = members.iter().map(member);
            Value::Object(members.collect::<Result<Map<_, _>, _>>()?)
        }
        other => return Err(format!("{other:?} has no place in JSON").into()),
    })
}

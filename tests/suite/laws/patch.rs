//! Changes to an image, in both dialects, against the plainest model of them.

use std::collections::BTreeMap;

use glance::clock::Clock;
use glance::domain::Image;
use glance::domain::draft::Draft;
use glance::domain::patch::{self, Dialect};
use glance::domain::schema::{Schema, documents};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// Everything of an image that callers change, by name.
type State = BTreeMap<String, Value>;

const ATTRIBUTES: [&str; 4] = ["name", "min_disk", "protected", "os_hidden"];
const PROPERTIES: [&str; 5] = ["colour", "a/b", "a~b", "~1", "é"];

fn schema() -> Schema {
    documents::image(&["raw".to_owned()], &["bare".to_owned()])
}

fn image() -> Image {
    let draft = json!({"name": "n", "colour": "red", "a/b": "c"});
    let draft = Draft::read(&draft, &schema()).expect("a draft");
    draft
        .into_image(Some("project"), Clock::system().now())
        .expect("an image")
}

fn state(image: &Image) -> State {
    let mut state = State::from([
        ("name".to_owned(), json!(image.name)),
        ("min_disk".to_owned(), json!(image.min_disk)),
        ("protected".to_owned(), json!(image.protected)),
        ("os_hidden".to_owned(), json!(image.hidden)),
    ]);
    for (name, value) in &image.properties {
        state.insert(name.clone(), json!(value));
    }
    state
}

#[derive(Debug, Clone)]
struct Step {
    operation: &'static str,
    name: &'static str,
    value: Value,
}

fn step() -> impl Strategy<Value = Step> {
    let names = ATTRIBUTES.into_iter().chain(PROPERTIES);
    let name = select(names.collect::<Vec<_>>());
    let operation = select(vec!["add", "replace", "remove"]);
    (operation, name, "[a-c]{0,2}", 0..9_u32, any::<bool>()).prop_map(
        |(operation, name, text, number, flag)| Step {
            operation,
            name,
            value: match name {
                "min_disk" => json!(number),
                "protected" | "os_hidden" => json!(flag),
                _ => json!(text),
            },
        },
    )
}

fn document(steps: &[Step], dialect: Dialect) -> Value {
    let one = |step: &Step| {
        let pointer = format!("/{}", step.name.replace('~', "~0").replace('/', "~1"));
        let mut operation = match dialect {
            Dialect::Draft4 => json!({ step.operation: pointer }),
            Dialect::Draft10 => json!({"op": step.operation, "path": pointer}),
        };
        if step.operation != "remove" {
            operation["value"] = step.value.clone();
        }
        operation
    };
    steps.iter().map(one).collect()
}

/// What becomes of a state; none where a step cannot be made.
fn modelled(mut state: State, steps: &[Step], dialect: Dialect) -> Option<State> {
    for step in steps {
        let there = state.contains_key(step.name);
        let fits = match (step.operation, dialect) {
            ("add", Dialect::Draft4) => !there,
            ("add", Dialect::Draft10) => true,
            ("replace", _) => there,
            _ => there && !ATTRIBUTES.contains(&step.name),
        };
        if !fits {
            return None;
        }
        if step.operation == "remove" {
            state.remove(step.name);
        } else {
            state.insert(step.name.to_owned(), step.value.clone());
        }
    }
    Some(state)
}

fn changed(image: &Image, document: &Value, dialect: Dialect) -> Option<Image> {
    let mut image = image.clone();
    for change in patch::read(document, dialect, &schema()).ok()? {
        change.apply(&mut image).ok()?;
    }
    Some(image)
}

/// The document that leads from one state to another.
fn way(from: &State, to: &State) -> Value {
    let pointer = |name: &str| format!("/{}", name.replace('~', "~0").replace('/', "~1"));
    let gone = from.keys().filter(|name| !to.contains_key(*name));
    let gone = gone.map(|name| json!({"op": "remove", "path": pointer(name)}));
    let given = to.iter().map(|(name, value)| {
        let operation = if from.contains_key(name) {
            "replace"
        } else {
            "add"
        };
        json!({"op": operation, "path": pointer(name), "value": value})
    });
    gone.chain(given).collect()
}

fn anything() -> impl Strategy<Value = Value> {
    let words = select(vec![
        "op",
        "path",
        "value",
        "add",
        "replace",
        "remove",
        "/name",
        "/tags",
        "/tags/0",
        "/locations",
        "/locations/-",
        "/",
        "//",
        "/~",
        "/colour",
        "",
        "/min_disk",
        "/id",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        words.clone().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((words.clone(), inner), 0..5).prop_map(|members| {
                let members = members.into_iter();
                Value::Object(
                    members
                        .map(|(name, value)| (name.to_owned(), value))
                        .collect(),
                )
            }),
        ]
    })
}

fn dialect() -> impl Strategy<Value = Dialect> {
    select(vec![Dialect::Draft4, Dialect::Draft10])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn a_patch_does_what_the_model_does(steps in vec(step(), 0..8), dialect in dialect()) {
        let image = image();
        let document = document(&steps, dialect);
        let changed = changed(&image, &document, dialect);
        prop_assert_eq!(
            changed.as_ref().map(state),
            modelled(state(&image), &steps, dialect),
            "{}", document
        );
    }

    #[test]
    fn the_way_back_leads_back(steps in vec(step(), 0..8)) {
        let image = image();
        let document = document(&steps, Dialect::Draft10);
        let Some(changed_once) = changed(&image, &document, Dialect::Draft10) else {
            return Ok(());
        };
        let back = way(&state(&changed_once), &state(&image));
        let again = changed(&changed_once, &back, Dialect::Draft10);
        prop_assert_eq!(again.as_ref(), Some(&image), "{} and {}", document, back);
    }

    #[test]
    fn any_document_is_made_or_refused(document in vec(anything(), 0..4), dialect in dialect()) {
        changed(&image(), &document.into(), dialect);
    }
}

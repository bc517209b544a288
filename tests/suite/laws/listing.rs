//! Lists, walked page by page: whatever is filtered and however it is sorted, each image comes once.

use std::cmp::Ordering;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::support::{Client, Cloud};

const IMAGES: usize = 24;
const NAMES: [Option<&str>; 5] = [None, Some("a"), Some("b"), Some("B"), Some("ü, x")];
const FORMATS: [Option<&str>; 3] = [None, Some("raw"), Some("qcow2")];
const TAGS: [&str; 3] = ["x", "y", "z"];

/// A condition as the list takes it, and as an image tells whether it holds.
#[derive(Debug, Clone)]
enum Condition {
    Name(&'static str),
    NameIn(Vec<&'static str>),
    Format(&'static str),
    Tag(&'static str),
    Colour(&'static str),
    DiskAtLeast(u64),
    DiskAtMost(u64),
    Protected(bool),
    Visibility(&'static str),
}

impl Condition {
    fn parameter(&self) -> String {
        match self {
            Self::Name(name) => format!("name={name}"),
            Self::NameIn(names) => {
                let quoted: Vec<_> = names.iter().map(|name| format!("%22{name}%22")).collect();
                format!("name=in:{}", quoted.join(","))
            }
            Self::Format(format) => format!("disk_format={format}"),
            Self::Tag(tag) => format!("tag={tag}"),
            Self::Colour(colour) => format!("colour={colour}"),
            Self::DiskAtLeast(least) => format!("min_disk_min={least}"),
            Self::DiskAtMost(most) => format!("min_disk_max={most}"),
            Self::Protected(protected) => format!("protected={protected}"),
            Self::Visibility(visibility) => format!("visibility={visibility}"),
        }
    }

    fn holds(&self, image: &Value) -> bool {
        match self {
            Self::Name(name) => image["name"] == *name,
            Self::NameIn(names) => names.iter().any(|name| image["name"] == *name),
            Self::Format(format) => image["disk_format"] == *format,
            Self::Tag(tag) => {
                let tags = image["tags"].as_array().expect("tags");
                tags.iter().any(|known| known == tag)
            }
            Self::Colour(colour) => image["colour"] == *colour,
            Self::DiskAtLeast(least) => image["min_disk"].as_u64() >= Some(*least),
            Self::DiskAtMost(most) => image["min_disk"].as_u64() <= Some(*most),
            Self::Protected(protected) => image["protected"] == *protected,
            Self::Visibility(visibility) => image["visibility"] == *visibility,
        }
    }
}

fn condition() -> impl Strategy<Value = Condition> {
    prop_oneof![
        select(vec!["a", "b", "B", "none"]).prop_map(Condition::Name),
        subsequence(vec!["a", "b", "B"], 1..3).prop_map(Condition::NameIn),
        select(vec!["raw", "qcow2"]).prop_map(Condition::Format),
        select(TAGS.to_vec()).prop_map(Condition::Tag),
        select(vec!["red", "blue"]).prop_map(Condition::Colour),
        (0..4_u64).prop_map(Condition::DiskAtLeast),
        (0..4_u64).prop_map(Condition::DiskAtMost),
        any::<bool>().prop_map(Condition::Protected),
        select(vec!["private", "shared", "community"]).prop_map(Condition::Visibility),
    ]
}

fn order() -> impl Strategy<Value = String> {
    let keys = [
        "name",
        "status",
        "container_format",
        "disk_format",
        "size",
        "id",
        "created_at",
        "updated_at",
    ];
    let some = subsequence(keys.to_vec(), 0..4).prop_shuffle();
    (some, vec(select(vec!["", ":asc", ":desc"]), 3)).prop_map(|(keys, directions)| {
        let keys = keys.iter().zip(directions);
        let keys: Vec<_> = keys
            .map(|(key, direction)| format!("{key}{direction}"))
            .collect();
        keys.join(",")
    })
}

/// A new image, the `n`th of as many different ones.
fn document(n: usize) -> Value {
    let tags: Vec<_> = (TAGS.iter().enumerate())
        .filter(|(i, _)| n >> i & 1 == 1)
        .map(|(_, tag)| tag)
        .collect();
    let visibility = ["private", "shared", "community"][n / 3 % 3];
    let container = ["bare", "ovf"].get(n % 4);
    let mut document = json!({
        "disk_format": FORMATS[n / 2 % 3],
        "container_format": container,
        "tags": tags,
        "min_disk": n % 4,
        "protected": n.is_multiple_of(3),
        "visibility": visibility,
    });
    if let Some(name) = NAMES[n % 5] {
        document["name"] = name.into();
    }
    if n.is_multiple_of(2) {
        document["colour"] = ["red", "blue"][n / 4 % 2].into();
    }
    document
}

fn ids(list: &Value) -> Vec<String> {
    let images = list["images"].as_array().expect("images").iter();
    images
        .map(|image| image["id"].as_str().expect("an id").to_owned())
        .collect()
}

/// The ids of all pages, by following the links.
async fn walked(client: &Client<'_>, path: String) -> Vec<String> {
    let mut seen = Vec::new();
    let mut next = Some(path);
    while let Some(path) = next {
        let page = client.get(&path).await.json();
        seen.extend(ids(&page));
        assert!(seen.len() <= IMAGES, "images come again: {path}");
        next = page["next"].as_str().map(str::to_owned);
    }
    seen
}

#[test]
fn the_pages_of_any_list_have_each_of_its_images_once() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let cloud = runtime.block_on(async {
        let cloud = Cloud::new().await;
        for n in 0..IMAGES {
            cloud.member().create(&document(n)).await;
        }
        cloud
    });
    let client = cloud.member();
    let all = runtime.block_on(client.get("/v2/images?visibility=all&limit=1000"));
    let all = all.json()["images"].as_array().expect("images").clone();
    assert_eq!(all.len(), IMAGES);

    let cases = (vec(condition(), 0..3), order(), 1..8_u32);
    let config = Config {
        failure_persistence: None,
        ..Config::with_cases(96)
    };
    let law = |(mut conditions, order, limit): (Vec<Condition>, String, u32)| {
        // Of two that name the same parameter the last would count.
        conditions.dedup_by(|one, other| kind(one).cmp(&kind(other)) == Ordering::Equal);
        let has_visibility = conditions
            .iter()
            .any(|one| matches!(one, Condition::Visibility(_)));
        let mut parameters: Vec<_> = conditions.iter().map(Condition::parameter).collect();
        if !has_visibility {
            parameters.push("visibility=all".to_owned());
        }
        if !order.is_empty() {
            parameters.push(format!("sort={order}"));
        }
        let query = parameters.join("&");
        let whole = runtime.block_on(client.get(&format!("/v2/images?{query}&limit=1000")));
        let whole = ids(&whole.json());
        let path = format!("/v2/images?{query}&limit={limit}");
        let pages = runtime.block_on(walked(&client, path));
        prop_assert_eq!(&pages, &whole, "{} by {}", query, limit);

        let matching = |image: &&Value| conditions.iter().all(|one| one.holds(image));
        let mut expected: Vec<_> = (all.iter().filter(matching))
            .map(|image| image["id"].as_str().expect("an id").to_owned())
            .collect();
        let mut found = whole;
        expected.sort();
        found.sort();
        prop_assert_eq!(found, expected, "{}", query);
        Ok(())
    };
    let outcome = TestRunner::new(config).run(&cases, law);
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

/// The parameter that a condition is about.
fn kind(condition: &Condition) -> String {
    let parameter = condition.parameter();
    let (name, _) = parameter.split_once('=').expect("a parameter");
    // Tags are asked for one by one.
    match name {
        "tag" => parameter,
        name => name.to_owned(),
    }
}

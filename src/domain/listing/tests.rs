use super::*;

fn read(query: &str) -> Result<Listing, Unlistable> {
    let parameters: Vec<_> = query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Listing::read(&parameters)
}

fn filters(query: &str) -> Vec<Filter> {
    let listing = read(query).expect("good parameters");
    listing.filters.expect("conditions that can hold")
}

fn sort(query: &str) -> Vec<(SortKey, Direction)> {
    read(query).expect("good parameters").sort
}

fn sentence(query: &str) -> String {
    read(query).expect_err("bad parameters").to_string()
}

#[test]
fn the_newest_come_first_unless_another_order_is_asked_for() {
    use Direction::{Asc, Desc};
    use SortKey::{CreatedAt, Id, Name, Size};
    assert_eq!(sort(""), [(CreatedAt, Desc), (Id, Desc)]);
    assert_eq!(sort("sort_dir=asc"), [(CreatedAt, Asc), (Id, Asc)]);
    assert_eq!(
        sort("sort=name:asc,size"),
        [(Name, Asc), (Size, Desc), (CreatedAt, Desc), (Id, Desc)]
    );
    assert_eq!(
        sort("sort_key=name&sort_key=id&sort_dir=asc"),
        [(Name, Asc), (Id, Asc), (CreatedAt, Asc)]
    );
}

#[test]
fn orders_that_make_no_sense_are_refused() {
    assert_eq!(sentence("sort=name:up"), "Invalid sort direction: up");
    assert_eq!(
        sentence("sort=name:asc&sort_key=name"),
        "Old and new sorting syntax cannot be combined"
    );
    assert_eq!(
        sentence("sort_key=name&sort_key=id&sort_key=status&sort_dir=asc&sort_dir=desc"),
        "Number of sort dirs does not match the number of sort keys"
    );
    assert!(sentence("sort=owner:asc").starts_with("Invalid sort key: owner. "));
}

#[test]
fn a_limit_is_a_number_and_is_cut_to_a_page() {
    let size = |query: &str| read(query).map(|listing| listing.page_size(25, 1000));
    assert_eq!(size(""), Ok(25));
    assert_eq!(size("limit=3"), Ok(3));
    assert_eq!(size("limit=99999999999999999999"), Ok(1000));
    assert_eq!(size("limit=-1"), Err(Unlistable::NegativeLimit));
    for text in ["x", "", "1.5"] {
        let query = format!("limit={text}");
        assert_eq!(size(&query), Err(Unlistable::LimitNotANumber));
    }
}

#[test]
fn a_second_limit_is_a_property() {
    let property = Filter::Property("limit".to_owned(), "3".to_owned());
    assert_eq!(filters("limit=2&limit=3"), [property]);
}

#[test]
fn columns_operators_and_properties_are_told_apart() {
    let text = |column, value: &str| Filter::Text(column, value.to_owned());
    assert_eq!(filters("name=eq:a"), [text("name", "a")]);
    assert_eq!(filters("owner=in:a"), [text("owner", "in:a")]);
    assert_eq!(
        filters("status=in:active,queued"),
        [Filter::In(
            "status",
            vec!["active".to_owned(), "queued".to_owned()]
        )]
    );
    assert_eq!(filters("size_min=1"), [Filter::AtLeast("size", 1)]);
    assert_eq!(filters("min_disk_max=2"), [Filter::AtMost("min_disk", 2)]);
    assert_eq!(filters("min_disk=2"), [Filter::Number("min_disk", 2)]);
    assert_eq!(
        filters("os_distro=in:a"),
        [Filter::Property("os_distro".to_owned(), "in:a".to_owned())]
    );
    assert_eq!(
        filters("tag=a&tag= b "),
        [Filter::Tag("a".to_owned()), Filter::Tag("b".to_owned())]
    );
}

#[test]
fn conditions_that_can_never_hold_make_an_empty_list() {
    for query in ["size=x", "visibility=", "name=in:", "limit=0"] {
        assert!(read(query).expect("good parameters").is_empty(), "{query}");
    }
    assert!(!read("size=1").expect("good parameters").is_empty());
}

#[test]
fn filters_that_make_no_sense_are_refused() {
    let cases = [
        (
            "protected=True",
            "Invalid value 'True' for 'protected' filter. Valid values are 'true' or 'false'.",
        ),
        (
            "os_hidden=Yes",
            "Invalid value 'yes' for 'os_hidden' filter. Valid values are 'true' or 'false'.",
        ),
        (
            "size_max=big",
            "Unable to filter on a range with a non-numeric value.",
        ),
        (
            "name=like:a",
            "Unable to filter by unknown operator 'like'.",
        ),
        (
            "created_at=gt:yesterday",
            "Bad \"created_at\" query filter format. Use ISO 8601 DateTime notation.",
        ),
        (
            "created_at=between:2000-01-01",
            "Unable to filter on a unknown operator.",
        ),
        (
            "changes-since=2000-01-01",
            "The \"changes-since\" filter is no longer available on v2.",
        ),
        ("visibility=Public", "Invalid visibility value: Public"),
        ("member_status=x", "Invalid status: x"),
    ];
    for (query, expected) in cases {
        assert_eq!(sentence(query), expected);
    }
}

#[test]
fn the_viewer_is_what_the_caller_may_see_as() {
    let caller = |project: Option<&str>, is_admin| Caller {
        project_id: project.map(str::to_owned),
        is_admin,
        ..Caller::default()
    };
    assert_eq!(viewer(&caller(None, true)), Viewer::Administrator);
    assert_eq!(
        viewer(&caller(Some("p"), true)),
        Viewer::AdministratorOf("p".to_owned())
    );
    assert_eq!(
        viewer(&caller(Some("p"), false)),
        Viewer::Project("p".to_owned())
    );
    assert_eq!(viewer(&caller(None, false)), Viewer::Anonymous);
}

#[test]
fn what_is_no_number_has_no_bounds() {
    for query in ["name_min=1", "created_at_max=2026-01-31", "colour_min=5"] {
        assert_eq!(
            sentence(query),
            "Unable to filter on a range with a non-numeric value."
        );
    }
    assert_eq!(filters("size_min=5"), [Filter::AtLeast("size", 5)]);
}

#[test]
fn a_whole_number_may_have_a_fraction_of_noughts() {
    assert_eq!(filters("size=5.00"), [Filter::Number("size", 5)]);
}

#[test]
fn a_text_of_tags_is_taken_apart() {
    let tag = |name: &str| Filter::Tag(name.to_owned());
    assert_eq!(filters("tags=xy"), [tag("x"), tag("y")]);
    assert_eq!(filters("tags=xy&tag=z"), [tag("z")]);
}

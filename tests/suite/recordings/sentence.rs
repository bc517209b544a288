//! The sentence of an error page: the part that clients show.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

/// The kind of an error page, and its sentence.
pub(super) fn of(content_type: &str, page: &str) -> (&'static str, String) {
    match content_type {
        "text/html" => ("html", within(&without_tags(inner(page)))),
        "application/json" => match serde_json::from_str::<Value>(page) {
            Ok(ref document) if let Some(message) = document["message"].as_str() => {
                static BREAK: LazyLock<Regex> = LazyLock::new(|| pattern("<br ?/?>"));
                ("json", within(&BREAK.replace_all(message, " ")))
            }
            _ => ("json", squeezed(page)),
        },
        _ => ("plain", cut(&squeezed(without_status(page)))),
    }
}

fn inner(page: &str) -> &str {
    let inner = page.split_once("</h1>");
    let inner = inner.and_then(|(_, rest)| rest.rsplit_once("</body>"));
    inner.map_or(page, |(inner, _)| inner)
}

fn without_tags(text: &str) -> String {
    static TAG: LazyLock<Regex> = LazyLock::new(|| pattern("<[^>]+>"));
    TAG.replace_all(text, " ").into_owned()
}

/// The first line of a page in plain text is the status.
fn without_status(page: &str) -> &str {
    static STATUS: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\d{3} "));
    let (first, rest) = page.split_once('\n').unwrap_or((page, ""));
    if STATUS.is_match(first) { rest } else { page }
}

fn within(escaped: &str) -> String {
    let text = escaped
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#x27;", "'")
        .replace("&#39;", "'")
        .replace("&amp;", "&");
    cut(&squeezed(&text))
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The complaint of a schema goes on with the schema itself; no client needs that part.
fn cut(sentence: &str) -> String {
    match sentence.split_once(" Failed validating ") {
        Some((complaint, _)) => format!("{complaint} ..."),
        None => sentence.to_owned(),
    }
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_kinds_of_pages_say_the_same() {
        let html = "<html><head><title>404 Not Found</title></head><body><h1>404 Not Found</h1>\n \
                    No image &#x27;x&#x27; &amp;c<br /><br />\n\n</body></html>";
        let json = r#"{"message": "No image &#x27;x&#x27; &amp;c<br /><br />\n", "code": "404"}"#;
        let plain = "404 Not Found\n\nNo image 'x' &c\n\n";
        assert_eq!(of("text/html", html), ("html", "No image 'x' &c".into()));
        assert_eq!(
            of("application/json", json),
            ("json", "No image 'x' &c".into())
        );
        assert_eq!(of("text/plain", plain), ("plain", "No image 'x' &c".into()));
    }

    #[test]
    fn the_complaint_of_a_schema_ends_before_the_schema() {
        let page =
            "400 Bad Request\n\n5 is not of type 'string'\n\nFailed validating 'type' in schema";
        let sentence = "5 is not of type 'string' ...".to_owned();
        assert_eq!(of("text/plain", page), ("plain", sentence));
    }
}

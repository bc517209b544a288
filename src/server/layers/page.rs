//! The forms of a fault page: HTML, JSON and plain text.

use std::fmt::Write as _;

/// An HTML page around a body that is escaped already.
pub fn html(status: &str, body: &str) -> String {
    format!(
        "<html>\n <head>\n  <title>{status}</title>\n </head>\n <body>\n  <h1>{status}</h1>\n  {body}\n </body>\n</html>"
    )
}

/// A JSON object, spaced as the original spaces it.
pub fn json(status: &str, title: &str, body: &str) -> String {
    format!(
        "{{\"message\": {}, \"code\": {}, \"title\": {}}}",
        ascii_json(body),
        ascii_json(status),
        ascii_json(title),
    )
}

/// A JSON string in ASCII.
fn ascii_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    let mut units = [0; 2];
    for char in serde_json::Value::from(text).to_string().chars() {
        if (' '..='~').contains(&char) {
            out.push(char);
        } else {
            for unit in char.encode_utf16(&mut units) {
                // Writing to a string does not fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

/// Text for an HTML page, in ASCII.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#x27;"),
            char if char.is_ascii() => out.push(char),
            char => {
                let _ = write!(out, "&#{};", u32::from(char));
            }
        }
    }
    out
}

/// The page without its tags: line breaks become lines, lines become blanks.
pub fn strip_tags(page: &str) -> String {
    let page = page.replace('\n', " ").replace('\r', "");
    let page = without(&page, "<br", "\n");
    let page = page.replace("<!--", "").replace("-->", "");
    without(&page, "<", "")
}

/// The page with `instead` in place of every tag that begins so, in whatever case. What is never closed is no tag.
fn without(page: &str, begins: &str, instead: &str) -> String {
    let mut out = String::with_capacity(page.len());
    let mut rest = page;
    while let Some(start) = find(rest, begins) {
        let Some(end) = rest[start..].find('>') else {
            break;
        };
        out.push_str(&rest[..start]);
        out.push_str(instead);
        rest = &rest[start + end + 1..];
    }
    out.push_str(rest);
    out
}

fn find(text: &str, word: &str) -> Option<usize> {
    let (text, word) = (text.as_bytes(), word.as_bytes());
    text.windows(word.len())
        .position(|window| window.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_and_json_are_ascii_whatever_the_text() {
        assert_eq!(escape("<'\"&\u{e9}>"), "&lt;&#x27;&quot;&amp;&#233;&gt;");
        assert_eq!(
            ascii_json("\"\n\u{e9}\u{1f600}"),
            r#""\"\n\u00e9\ud83d\ude00""#
        );
    }

    #[test]
    fn line_breaks_become_lines_and_other_tags_nothing() {
        assert_eq!(strip_tags("a\nb<br /><b>c</b> 1 < 2"), "a b\nc 1 < 2");
        assert_eq!(strip_tags("x<y is wrong. <BR />\nz"), "x<y is wrong. \n z");
    }
}

//! The three constants that the original reads in JSON beyond the standard: `NaN`, `Infinity`, `-Infinity`.
//!
//! No value of an image can be one of them, so all that is left of them is how a refusal spells them.

use serde_json::json;

use crate::domain::literal::CONSTANT;

const CONSTANTS: [(&str, &str); 3] = [("NaN", "nan"), ("Infinity", "inf"), ("-Infinity", "-inf")];

/// The document with stand-ins for the constants; none where it has no such constant.
pub(super) fn replaced(document: &str) -> Option<String> {
    let mut replaced = String::with_capacity(document.len());
    let mut rest = document;
    let mut found = false;
    while let Some(c) = rest.chars().next() {
        if c == '"' {
            let (text, after) = rest.split_at(text_end(rest));
            replaced.push_str(text);
            rest = after;
        } else if let Some((constant, spelled)) = constant_at(rest) {
            let stand_in = json!({ CONSTANT: spelled }).to_string();
            replaced.push_str(&stand_in);
            rest = rest.strip_prefix(constant).unwrap_or_default();
            found = true;
        } else {
            replaced.push(c);
            rest = rest.strip_prefix(c).unwrap_or_default();
        }
    }
    found.then_some(replaced)
}

/// Whether a constant is all that there is.
pub(super) fn is_one(document: &[u8]) -> bool {
    let document = document.trim_ascii();
    { CONSTANTS }
        .iter()
        .any(|(constant, _)| constant.as_bytes() == document)
}

fn constant_at(text: &str) -> Option<(&'static str, &'static str)> {
    { CONSTANTS }
        .into_iter()
        .find(|(constant, _)| text.starts_with(constant))
}

/// Behind the quote that closes the text which begins here.
fn text_end(text: &str) -> usize {
    // The quote that opens the text does not close it.
    let mut escaped = true;
    let close = text.bytes().position(|b| {
        let closes = b == b'"' && !escaped;
        escaped = b == b'\\' && !escaped;
        closes
    });
    close.map_or(text.len(), |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_found_outside_of_texts() {
        assert_eq!(
            replaced(r#"{"a": NaN, "NaN": -Infinity}"#),
            Some(format!(
                r#"{{"a": {{"{CONSTANT}":"nan"}}, "NaN": {{"{CONSTANT}":"-inf"}}}}"#
            ))
        );
    }

    #[test]
    fn texts_are_left_alone() {
        assert_eq!(replaced(r#"{"a": "NaN", "b": "\"NaN"}"#), None);
        assert_eq!(replaced(r#"{"a": "\\"}"#), None);
    }
}

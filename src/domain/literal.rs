//! How a JSON value is spelled in the sentences that clients see.
//!
//! The original is written in Python and puts values into its sentences as Python spells them: `None`,
//! `True`, `['a']`, `{'a': 1}`. Clients show these sentences, so we spell values alike.

use std::fmt::Write;

use serde_json::{Number, Value};

/// The only member of an object that stands for a constant which JSON does not have, and Python reads.
pub const CONSTANT: &str = "python constant";

/// The value as a Python literal.
#[must_use]
pub fn literal(value: &Value) -> String {
    let mut text = String::new();
    write_value(&mut text, value);
    text
}

/// The text as a Python literal, in the quotes that need no escapes where there are such.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut spelled = String::with_capacity(text.len() + 2);
    write_text(&mut spelled, text);
    spelled
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(number) => out.push_str(&number_literal(number)),
        Value::String(text) => write_text(out, text),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                write_value(out, item);
            }
            out.push(']');
        }
        Value::Object(members) => {
            if let (1, Some(Value::String(constant))) = (members.len(), members.get(CONSTANT)) {
                out.push_str(constant);
                return;
            }
            out.push('{');
            for (i, (name, member)) in members.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                write_text(out, name);
                out.push_str(": ");
                write_value(out, member);
            }
            out.push('}');
        }
    }
}

fn write_text(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => {
                // Control characters end at U+009F: two digits always do.
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push(quote);
}

fn number_literal(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => float_literal(float),
        _ => number.to_string(),
    }
}

/// The shortest digits that read back as the same float, with an exponent below 1e-4 and from 1e16 on.
fn float_literal(float: f64) -> String {
    let scientific = format!("{float:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..16).contains(&exponent) {
        let plain = format!("{float}");
        if plain.contains('.') {
            plain
        } else {
            format!("{plain}.0")
        }
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{digits}e{sign}{:02}", exponent.abs())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn constants_numbers_and_texts_are_spelled_as_in_python() {
        assert_eq!(literal(&json!(null)), "None");
        assert_eq!(literal(&json!(true)), "True");
        assert_eq!(literal(&json!(5)), "5");
        assert_eq!(literal(&json!(-1)), "-1");
        assert_eq!(literal(&json!("raw")), "'raw'");
    }

    #[test]
    fn floats_keep_a_fraction_and_get_an_exponent_where_python_gives_one() {
        assert_eq!(literal(&json!(1.5)), "1.5");
        assert_eq!(literal(&json!(1e3)), "1000.0");
        assert_eq!(literal(&json!(1e16)), "1e+16");
        assert_eq!(literal(&json!(1.25e-7)), "1.25e-07");
    }

    #[test]
    fn containers_are_spelled_with_their_contents() {
        assert_eq!(
            literal(&json!({"a": [1, "x", null]})),
            "{'a': [1, 'x', None]}"
        );
    }

    #[test]
    fn quotes_are_chosen_so_that_few_need_an_escape() {
        assert_eq!(quoted("it's"), "\"it's\"");
        assert_eq!(quoted("both ' and \""), "'both \\' and \"'");
        assert_eq!(quoted("a\nb\u{1}\u{e9}"), "'a\\nb\\x01\u{e9}'");
    }
}

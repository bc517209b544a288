//! `$name`, `${name}` and `${section.name}` in values, as Python's `string.Template` finds them.

use std::borrow::Cow;

/// Puts in what `lookup` knows of each name in `text`.
///
/// `$$` and `\$` are a dollar sign, and so is one that no name follows.
pub fn expand<E>(
    text: &str,
    mut lookup: impl FnMut(&str) -> Result<String, E>,
) -> Result<String, E> {
    let text = if text.contains(r"\$") {
        Cow::Owned(text.replace(r"\$", "$$"))
    } else {
        Cow::Borrowed(text)
    };
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text.as_ref();
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some((name, after)) = reference(rest) {
            expanded.push_str(&lookup(name)?);
            rest = after;
        } else {
            expanded.push('$');
        }
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// Writes `text` so that [`expand`] gives it back.
pub fn escape(text: &str) -> String {
    text.replace('$', "$$")
}

/// The name at the beginning of what follows a dollar sign, and what comes after it.
fn reference(text: &str) -> Option<(&str, &str)> {
    if let Some(braced) = text.strip_prefix('{') {
        let (name, after) = braced.split_once('}')?;
        return (name_length(name) == name.len() && !name.is_empty()).then_some((name, after));
    }
    match name_length(text) {
        0 => None,
        length => Some(text.split_at(length)),
    }
}

fn name_length(text: &str) -> usize {
    let is_first = |c: char| c == '_' || c.is_ascii_alphabetic();
    let is_further = |c: char| is_first(c) || c == '.' || c.is_ascii_digit();
    if !text.starts_with(is_first) {
        return 0;
    }
    text.find(|c| !is_further(c)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String, String> {
        expand(text, |name| match name {
            "host" => Ok("h".to_owned()),
            "cors.origin" => Ok("$o".to_owned()),
            other => Err(other.to_owned()),
        })
    }

    #[test]
    fn names_are_found_bare_and_in_braces() {
        assert_eq!(expanded("a$host/b").as_deref(), Ok("ah/b"));
        assert_eq!(expanded("a${host}b").as_deref(), Ok("ahb"));
        assert_eq!(expanded("${cors.origin}").as_deref(), Ok("$o"));
    }

    #[test]
    fn two_dollars_or_a_backslash_mean_one() {
        assert_eq!(expanded(r"$$host \$host").as_deref(), Ok("$host $host"));
    }

    #[test]
    fn a_dollar_without_a_name_stays() {
        assert_eq!(
            expanded("x$5 y$ ${} ${5} ${host").as_deref(),
            Ok("x$5 y$ ${} ${5} ${host")
        );
    }

    #[test]
    fn an_unknown_name_is_told() {
        assert_eq!(expanded("pa$word!"), Err("word".to_owned()));
    }

    #[test]
    fn what_was_escaped_comes_back() {
        assert_eq!(expanded(&escape(r"pa$host$$")).as_deref(), Ok("pa$host$$"));
    }
}

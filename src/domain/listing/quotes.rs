//! The values of `in:`, with commas between them and quotes around those that have commas inside.

use super::Unlistable;

/// The values one by one. A backslash keeps a quote from closing, and stays in the value.
pub(super) fn split(text: &str) -> Result<Vec<String>, Unlistable> {
    validate(text)?;
    let mut values = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (value, after) = next(rest);
        values.push(value.to_owned());
        rest = after;
    }
    Ok(values)
}

fn next(text: &str) -> (&str, &str) {
    let (value, after) = match text
        .strip_prefix('"')
        .map(|quoted| (quoted, closing(quoted)))
    {
        Some((quoted, Some(end))) => (&quoted[..end], &quoted[end + 1..]),
        Some((_, None)) | None => text.split_at(text.find(',').unwrap_or(text.len())),
    };
    (value, after.strip_prefix(',').unwrap_or(after))
}

/// Where the quote closes.
fn closing(quoted: &str) -> Option<usize> {
    let mut escaped = false;
    quoted.bytes().position(|b| {
        let closes = b == b'"' && !escaped;
        escaped = b == b'\\' && !escaped;
        closes
    })
}

fn validate(text: &str) -> Result<(), Unlistable> {
    let mut open = false;
    let bytes = text.as_bytes();
    for (i, _) in text.match_indices('"') {
        let before = i.checked_sub(1).and_then(|i| bytes.get(i)).copied();
        if before == Some(b'\\') {
            continue;
        }
        if open {
            if !matches!(bytes.get(i + 1), None | Some(b',')) {
                return Err(Unlistable::NoCommaAfter(text.to_owned()));
            }
        } else if !matches!(before, None | Some(b',')) {
            return Err(Unlistable::NoCommaBefore(text.to_owned()));
        }
        open = !open;
    }
    if open {
        return Err(Unlistable::OpenQuote(text.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_part_values_but_not_inside_quotes() {
        assert_eq!(split("a,b").as_deref(), Ok(&["a".into(), "b".into()][..]));
        assert_eq!(
            split("\"a,b\",c").as_deref(),
            Ok(&["a,b".into(), "c".into()][..])
        );
        assert_eq!(
            split(r#""say \"hi\"""#).as_deref(),
            Ok(&[r#"say \"hi\""#.into()][..])
        );
    }

    #[test]
    fn an_empty_value_stands_between_two_commas_and_nowhere_else() {
        assert_eq!(
            split("a,,b").as_deref(),
            Ok(&["a".into(), String::new(), "b".into()][..])
        );
        assert_eq!(split("a,").as_deref(), Ok(&["a".into()][..]));
        assert_eq!(split("").as_deref(), Ok(&[][..]));
    }

    #[test]
    fn quotes_stand_next_to_commas_and_close() {
        assert_eq!(split("\"a"), Err(Unlistable::OpenQuote("\"a".to_owned())));
        assert_eq!(
            split("al\"pha"),
            Err(Unlistable::NoCommaBefore("al\"pha".to_owned()))
        );
        assert_eq!(
            split("\"a\"b"),
            Err(Unlistable::NoCommaAfter("\"a\"b".to_owned()))
        );
    }
}

//! The types of oslo.config: text into values. An error says what the text must be.

use std::str::FromStr;

/// What a text must be, for the sentence `must be ...`.
pub type Must = String;

/// `true`, `1`, `on`, `yes` and their opposites, in any case.
pub fn flag(text: &str) -> Result<bool, Must> {
    match text.to_lowercase().as_str() {
        "true" | "1" | "on" | "yes" => Ok(true),
        "false" | "0" | "off" | "no" => Ok(false),
        _ => Err("true or false (or 1, on, yes, 0, off, no)".to_owned()),
    }
}

/// A whole number as Python's `int` reads it: a sign, and underscores between digits.
pub fn integer(text: &str) -> Result<i128, Must> {
    number(text).ok_or_else(|| "a whole number".to_owned())
}

/// A number, with or without a fraction.
pub fn float(text: &str) -> Result<f64, Must> {
    number(text)
        .filter(|value: &f64| value.is_finite())
        .ok_or_else(|| "a number".to_owned())
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    let text = text.trim();
    // An underscore must have a digit on either side.
    let ends = |part: &str| part.ends_with(|c: char| c.is_ascii_digit());
    let begins = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
    let parts: Vec<&str> = text.split('_').collect();
    if !parts
        .windows(2)
        .all(|pair| ends(pair[0]) && begins(pair[1]))
    {
        return None;
    }
    text.replace('_', "").parse().ok()
}

/// `a, b, c`. Commas at the end count for nothing, as in the original.
pub fn list(text: &str) -> Vec<String> {
    let text = text.trim().trim_end_matches(',');
    if text.is_empty() {
        return Vec::new();
    }
    text.split(',').map(|item| item.trim().to_owned()).collect()
}

/// `[a, "b, c"]`: brackets are required, quotes keep commas together.
pub fn bracketed(text: &str) -> Result<Vec<String>, Must> {
    let must = || "a list in brackets, such as [a, b]".to_owned();
    let inner = text
        .trim()
        .trim_end_matches(',')
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .ok_or_else(must)?;
    let mut items = Vec::new();
    let mut parts = inner.split(',');
    while let Some(part) = parts.next() {
        let mut item = part.to_owned();
        while is_open_quote(item.trim()) {
            let more = parts
                .next()
                .ok_or("a list in brackets whose quotes are closed")?;
            item.push(',');
            item.push_str(more);
        }
        items.push(unquote(item.trim()).to_owned());
    }
    // As in Python: `[]` holds nothing, `[ ]` and `[a,]` an empty item. Nobody means those.
    items.retain(|item| !item.is_empty());
    Ok(items)
}

fn is_open_quote(item: &str) -> bool {
    item.starts_with(['"', '\'']) && (item.len() == 1 || item.chars().next() != item.chars().last())
}

fn unquote(item: &str) -> &str {
    ['"', '\'']
        .iter()
        .find_map(|&quote| item.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(item)
}

/// `name:value, name:value`, in the order of writing. A part without a colon is the beginning of
/// a name with a comma in it.
pub fn dict(text: &str) -> Result<Vec<(String, String)>, Must> {
    let must = || "pairs such as name:value, name:value".to_owned();
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut parts = text.trim().split(',').filter(|_| !text.trim().is_empty());
    while let Some(part) = parts.next() {
        let mut pair = part.to_owned();
        while !pair.contains(':') {
            pair.push(',');
            pair.push_str(parts.next().ok_or_else(must)?);
        }
        let (name, value) = pair.split_once(':').ok_or_else(must)?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() {
            return Err(must());
        }
        if pairs.iter().any(|(other, _)| other == name) {
            return Err(format!("pairs of different names; {name} comes twice"));
        }
        pairs.push((name.to_owned(), value.to_owned()));
    }
    Ok(pairs)
}

/// Bytes: `1048576`, `10GB`, `512 MiB`. The factors are those of `user_storage_quota`: 1024.
pub fn size(text: &str) -> Result<u64, Must> {
    let must = || "a number of bytes, with KiB, MiB, GiB or TiB if you like".to_owned();
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (count, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim_start() {
        "" | "B" => 1,
        "K" | "KB" | "KiB" => 1 << 10,
        "M" | "MB" | "MiB" => 1 << 20,
        "G" | "GB" | "GiB" => 1 << 30,
        "T" | "TB" | "TiB" => 1 << 40,
        _ => return Err(must()),
    };
    let count: u64 = count.parse().map_err(|_| must())?;
    count.checked_mul(factor).ok_or_else(must)
}

/// Bytes a second: a size, and `/s` behind it if you like.
pub fn rate(text: &str) -> Result<u64, Must> {
    let text = text.trim();
    size(text.strip_suffix("/s").unwrap_or(text))
        .map_err(|_| "bytes a second, such as 100MiB or 100 MiB/s".to_owned())
}

/// Where a service is. Empty is not set.
pub fn address(text: &str) -> Result<(), Must> {
    let must = || "a URL such as http://127.0.0.1:9292, without a user in it".to_owned();
    let text = text.trim();
    if text.is_empty() {
        return Ok(());
    }
    let url: http::Uri = text.parse().map_err(|_| must())?;
    let is_http = matches!(url.scheme_str(), Some("http" | "https"));
    let authority = url.authority().ok_or_else(must)?;
    let named = !authority.host().is_empty() && !authority.as_str().contains('@');
    let port = authority.as_str().rsplit(']').next().unwrap_or_default();
    let has_port = port
        .split_once(':')
        .is_none_or(|(_, port)| port.parse::<u16>().is_ok());
    (is_http && named && has_port)
        .then_some(())
        .ok_or_else(must)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_url_of_a_server() {
        for right in [
            "",
            "http://node:9292",
            "https://[::1]:80/image",
            "http://node",
        ] {
            assert_eq!(address(right), Ok(()), "{right}");
        }
        for wrong in [
            "foo",
            "node:9292",
            "ftp://node",
            "http://",
            "http://u:p@node",
            "http://n:99999",
        ] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn flags_have_four_words_each() {
        for text in ["true", "1", "On", "YES"] {
            assert_eq!(flag(text), Ok(true));
        }
        for text in ["False", "0", "off", "no"] {
            assert_eq!(flag(text), Ok(false));
        }
        assert!(flag("t").is_err());
        assert!(flag("").is_err());
    }

    #[test]
    fn integers_are_those_of_python() {
        assert_eq!(integer(" 1_000 "), Ok(1000));
        assert_eq!(integer("+7"), Ok(7));
        assert_eq!(integer("-1"), Ok(-1));
        assert_eq!(integer("007"), Ok(7));
        for text in ["1.5", "0x10", "1__0", "_1", "-_1", "1_", "ten", ""] {
            assert!(integer(text).is_err(), "{text}");
        }
    }

    #[test]
    fn floats_are_finite() {
        assert_eq!(float("1.5"), Ok(1.5));
        assert_eq!(float("2"), Ok(2.0));
        assert!(float("nan").is_err());
        assert!(float("1s").is_err());
    }

    #[test]
    fn lists_are_divided_by_commas() {
        assert_eq!(list(" raw, qcow2 ,"), ["raw", "qcow2"]);
        assert_eq!(list("a,,b"), ["a", "", "b"]);
        assert_eq!(list("a,\nb"), ["a", "b"]);
        assert!(list(" ").is_empty());
    }

    #[test]
    fn bracketed_lists_need_their_brackets() {
        assert_eq!(bracketed("[a,b]").unwrap(), ["a", "b"]);
        assert_eq!(
            bracketed(r#"["a, b", 'c', d]"#).unwrap(),
            ["a, b", "c", "d"]
        );
        assert!(bracketed("[]").unwrap().is_empty());
        assert!(bracketed("a,b").is_err());
        assert!(bracketed("[a").is_err());
        assert!(bracketed("['a]").is_err());
    }

    #[test]
    fn dicts_keep_their_order_and_join_parts_without_a_name() {
        assert_eq!(
            dict("fast:file, cheap:file").unwrap(),
            [
                ("fast".to_owned(), "file".to_owned()),
                ("cheap".to_owned(), "file".to_owned())
            ]
        );
        assert_eq!(dict("a:b:c").unwrap(), [("a".to_owned(), "b:c".to_owned())]);
        assert!(dict("").unwrap().is_empty());
        assert!(dict("fast").is_err());
        assert!(dict("a:1,a:2").is_err());
        assert!(dict(":1").is_err());
    }

    #[test]
    fn sizes_have_units_of_1024() {
        assert_eq!(size("150000B"), Ok(150_000));
        assert_eq!(size("10GB"), Ok(10 << 30));
        assert_eq!(size("2 MiB"), Ok(2 << 20));
        assert_eq!(size("0"), Ok(0));
        for text in ["", "10 %", "-1", "1.5GB", "99999999999TB"] {
            assert!(size(text).is_err(), "{text}");
            assert!(rate(text).is_err(), "{text}");
        }
        assert_eq!(rate("100 MiB/s"), Ok(100 << 20));
        assert_eq!(rate("100MiB"), Ok(100 << 20));
    }
}

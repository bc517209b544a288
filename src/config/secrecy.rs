//! What may be shown of a value.

use super::options::{Kind, Known};

const STARS: &str = "***";

/// `text` as logs, errors and `--print-config` show it: without passwords, keys and tokens.
pub fn shown(known: &Known, text: &str) -> String {
    match known.kind {
        Kind::Secret if !text.is_empty() => STARS.to_owned(),
        Kind::Url | Kind::Address => hide_passwords(text),
        _ => text.to_owned(),
    }
}

/// `mysql://glance:secret@db/glance` as `mysql://glance:***@db/glance`, and so for each host of a
/// message bus. Rather hides too much where the URL is malformed.
pub fn hide_passwords(url: &str) -> String {
    let (url, query) = match url.split_once('?') {
        Some((url, query)) => (url, Some(query)),
        None => (url, None),
    };
    let (scheme, rest) = match url.find("://") {
        Some(end) => url.split_at(end + "://".len()),
        None => ("", url),
    };
    let mut parts = rest.split('@').peekable();
    let mut hidden = scheme.to_owned();
    let mut is_first = true;
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            hidden.push_str(part);
        } else {
            hidden.push_str(&hide_in_authority(part, is_first));
            hidden.push('@');
        }
        is_first = false;
    }
    if let Some(query) = query {
        hidden.push('?');
        hidden.push_str(&hide_in_query(query));
    }
    hidden
}

/// Hides the password of `user:password`, before which there may be a host and a comma.
fn hide_in_authority(part: &str, is_first: bool) -> String {
    let (host, user) = if is_first {
        ("", part)
    } else if let Some(comma) = part.find(',') {
        part.split_at(comma + 1)
    } else {
        // The end of a password with an @ in it.
        return STARS.to_owned();
    };
    match user.split_once(':') {
        Some((user, _)) => format!("{host}{user}:{STARS}"),
        None => format!("{host}{user}"),
    }
}

fn hide_in_query(query: &str) -> String {
    let is_secret = |name: &str| {
        let name = name.to_lowercase();
        ["pass", "secret", "key", "token"]
            .iter()
            .any(|word| name.contains(word))
    };
    let parameters: Vec<String> = query
        .split('&')
        .map(|parameter| match parameter.split_once('=') {
            Some((name, _)) if is_secret(name) => format!("{name}={STARS}"),
            _ => parameter.to_owned(),
        })
        .collect();
    parameters.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lose_their_passwords_and_nothing_else() {
        for (url, shown) in [
            (
                "sqlite:////var/lib/glance/glance.db?timeout=30",
                "sqlite:////var/lib/glance/glance.db?timeout=30",
            ),
            (
                "mysql+pymysql://glance:s3/cr:t@db/glance",
                "mysql+pymysql://glance:***@db/glance",
            ),
            (
                "postgresql://glance@db/glance",
                "postgresql://glance@db/glance",
            ),
            (
                "mysql://glance:p@ss@db/glance",
                "mysql://glance:***@***@db/glance",
            ),
            (
                "rabbit://a:b@one:5672,c:d@two:5672/v",
                "rabbit://a:***@one:5672,c:***@two:5672/v",
            ),
            (
                "mysql://db/glance?user=u&password=p",
                "mysql://db/glance?user=u&password=***",
            ),
            ("glance:secret@db", "glance:***@db"),
        ] {
            assert_eq!(hide_passwords(url), shown);
        }
    }
}

//! What a client would like to be answered in (RFC 9110, 12.5.1), decided as the original decides.

use http::{HeaderMap, header::ACCEPT};

/// The offer that the client likes best, the first of those it likes equally. None where it accepts none of
/// them, and where it says nothing.
pub fn preferred(headers: &HeaderMap, offers: &[&'static str]) -> Option<&'static str> {
    let header = headers.get(ACCEPT)?.to_str().unwrap_or("invalid");
    let Some(ranges) = parse(header) else {
        // A header that makes no sense excludes nothing.
        return offers.first().copied();
    };
    let mut best: Option<(&'static str, f32)> = None;
    for &offer in offers {
        let quality = quality(&ranges, offer);
        if quality > 0.0 && best.is_none_or(|(_, other)| quality > other) {
            best = Some((offer, quality));
        }
    }
    best.map(|(offer, _)| offer)
}

/// A media range and how much it is liked.
struct Range<'h> {
    kind: &'h str,
    subkind: &'h str,
    quality: f32,
}

fn parse(header: &str) -> Option<Vec<Range<'_>>> {
    header
        .split(',')
        .map(str::trim)
        .filter(|element| !element.is_empty())
        .map(|element| {
            let mut parts = element.split(';').map(str::trim);
            let (kind, subkind) = parts.next()?.split_once('/')?;
            if !is_token(kind) || !is_token(subkind) || (kind == "*" && subkind != "*") {
                return None;
            }
            let mut quality = 1.0;
            let mut exact = true;
            for parameter in parts {
                let (name, value) = parameter.split_once('=')?;
                if name.eq_ignore_ascii_case("q") {
                    quality = value.parse().ok().filter(|q| (0.0..=1.0).contains(q))?;
                    break;
                }
                exact = false;
            }
            Some(Range {
                kind,
                // A range with parameters is none of the plain types that are on offer.
                subkind: if exact { subkind } else { "" },
                quality,
            })
        })
        .collect()
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// How much an offer is liked: the most specific range that holds it says so.
fn quality(ranges: &[Range<'_>], offer: &str) -> f32 {
    let (kind, subkind) = offer.split_once('/').unwrap_or((offer, ""));
    let mut best = (0, 0.0);
    for range in ranges {
        let specificity = if range.kind.eq_ignore_ascii_case(kind)
            && range.subkind.eq_ignore_ascii_case(subkind)
        {
            3
        } else if range.kind.eq_ignore_ascii_case(kind) && range.subkind == "*" {
            2
        } else if range.kind == "*" && range.subkind == "*" {
            1
        } else {
            continue;
        };
        if specificity > best.0 {
            best = (specificity, range.quality);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn choice(accept: Option<&'static str>) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        if let Some(accept) = accept {
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
        }
        preferred(&headers, &["text/html", "application/json"])
    }

    #[test]
    fn the_best_liked_offer_wins_and_the_first_of_equals() {
        assert_eq!(choice(Some("*/*")), Some("text/html"));
        assert_eq!(choice(Some("application/*")), Some("application/json"));
        assert_eq!(
            choice(Some("text/html;q=0.3, application/json;q=0.9")),
            Some("application/json")
        );
        assert_eq!(
            choice(Some("application/json;q=0.5, text/html;q=0.4")),
            Some("application/json")
        );
    }

    #[test]
    fn the_most_specific_range_decides_about_an_offer() {
        assert_eq!(choice(Some("*/*, text/html;q=0")), Some("application/json"));
    }

    #[test]
    fn nothing_fits_what_is_not_asked_for() {
        assert_eq!(choice(None), None);
        assert_eq!(choice(Some("")), None);
        assert_eq!(choice(Some("image/png")), None);
        assert_eq!(choice(Some("text/html;level=1")), None);
    }

    #[test]
    fn a_header_that_makes_no_sense_excludes_nothing() {
        assert_eq!(choice(Some("nonsense")), Some("text/html"));
        assert_eq!(choice(Some("*/html")), Some("text/html"));
    }
}

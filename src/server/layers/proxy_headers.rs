//! Where the client is and where it thinks that we are: what the connection says, or, where the operator
//! trusts a proxy in front of us, what that says in `Forwarded` or `X-Forwarded-*`.

use std::net::SocketAddr;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http::header::{FORWARDED, HOST};

/// The two ends of a connection; the listener puts it on every request.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    pub client: SocketAddr,
    pub local: SocketAddr,
}

/// How the client reached us: `http://host:port`, and the prefix under which a proxy shows us. It ends
/// without a slash; links and `Location` begin with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(pub String);

/// The client's address, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client(pub String);

/// Who sent the request to us, or to the proxy that we trust: the last address that there is word of, for those
/// before it are what clients say of themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender(pub String);

/// The layer; its state tells whether a proxy is trusted.
pub async fn layer(State(trusted): State<bool>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    let told = if trusted {
        Told::by(request.headers())
    } else {
        Told::default()
    };
    let base = base_url(&told, request.headers(), peer);
    let connected = || peer.map(|peer| peer.client.ip().to_string());
    let client = told.client.or_else(connected);
    let client = client.unwrap_or_else(|| "-".to_owned());
    if let Some(sender) = told.sender.or_else(connected) {
        request.extensions_mut().insert(Sender(sender));
    }
    request.extensions_mut().insert(BaseUrl(base));
    request.extensions_mut().insert(Client(client));
    next.run(request).await
}

/// What a proxy told.
#[derive(Debug, Default)]
struct Told {
    scheme: Option<String>,
    host: Option<String>,
    client: Option<String>,
    sender: Option<String>,
    prefix: String,
}

impl Told {
    fn by(headers: &HeaderMap) -> Self {
        let client = text(headers, "x-forwarded-for");
        let last = |list: &String| Some(list.rsplit(',').next()?.trim().to_owned());
        let mut told = Self {
            scheme: text(headers, "x-forwarded-proto").map(|scheme| scheme.to_ascii_lowercase()),
            host: text(headers, "x-forwarded-host"),
            sender: client.as_ref().and_then(last),
            client,
            prefix: text(headers, "x-forwarded-prefix").unwrap_or_default(),
        };
        let Some(forwarded) = text(headers, FORWARDED.as_str()) else {
            return told;
        };
        // What it says counts more; proxies that write both do not write all of it there.
        let last = forwarded.rsplit(',').next().unwrap_or_default();
        let mut pairs = last.split(';').filter_map(|pair| pair.split_once('='));
        let sender = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
        told.sender = sender
            .map(|(_, value)| value.trim().to_owned())
            .or(told.sender);
        // The first proxy is the one that saw the client.
        let first = forwarded.split(',').next().unwrap_or_default();
        for pair in first.split(';') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
            match name.trim().to_ascii_lowercase().as_str() {
                "proto" => told.scheme = value.or(told.scheme),
                "host" => told.host = value.or(told.host),
                "for" => told.client = value.or(told.client),
                _ => {}
            }
        }
        told
    }
}

/// A header's text. One that came several times is one with commas.
fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let values: Vec<&str> = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    Some(values.join(", ")).filter(|text| !text.is_empty())
}

fn base_url(told: &Told, headers: &HeaderMap, peer: Option<Peer>) -> String {
    let scheme = told.scheme.as_deref().unwrap_or("http");
    let host = told
        .host
        .clone()
        .or_else(|| text(headers, HOST.as_str()))
        .or_else(|| peer.map(|peer| peer.local.to_string()))
        .unwrap_or_else(|| "localhost".to_owned());
    let usual_port = match scheme {
        "https" => ":443",
        _ => ":80",
    };
    let host = host.strip_suffix(usual_port).unwrap_or(&host);
    format!("{scheme}://{host}{}", told.prefix.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn base(trusted: bool, headers: &[(&'static str, &'static str)]) -> (String, Option<String>) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        let told = if trusted {
            Told::by(&map)
        } else {
            Told::default()
        };
        (base_url(&told, &map, None), told.client)
    }

    #[test]
    fn what_the_standard_header_leaves_out_is_read_from_the_others() {
        let told = [
            ("forwarded", "for=1.2.3.4"),
            ("x-forwarded-proto", "HTTPS"),
            ("x-forwarded-for", "5.6.7.8"),
            ("host", "a"),
        ];
        let expected = ("https://a".to_owned(), Some("1.2.3.4".to_owned()));
        assert_eq!(base(true, &told), expected);
    }

    #[test]
    fn the_host_header_says_where_we_are() {
        assert_eq!(base(false, &[("host", "a:9292")]).0, "http://a:9292");
        assert_eq!(base(false, &[("host", "a:80")]).0, "http://a");
        assert_eq!(
            base(false, &[("host", "a:9292"), ("host", "b")]).0,
            "http://a:9292, b"
        );
    }

    #[test]
    fn a_proxy_is_believed_only_where_it_is_trusted() {
        let headers = [
            ("host", "inside"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "images.example:443"),
            ("x-forwarded-prefix", "/image"),
            ("x-forwarded-for", "192.0.2.7"),
        ];
        assert_eq!(base(false, &headers), ("http://inside".to_owned(), None));
        assert_eq!(
            base(true, &headers),
            (
                "https://images.example/image".to_owned(),
                Some("192.0.2.7".to_owned())
            )
        );
    }

    #[test]
    fn the_sender_is_whom_the_nearest_proxy_saw() {
        for (name, value) in [
            ("x-forwarded-for", "10.9.9.9, 192.0.2.7"),
            ("forwarded", "for=10.9.9.9, proto=https;For=192.0.2.7"),
        ] {
            let headers = HeaderMap::from_iter([(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )]);
            assert_eq!(Told::by(&headers).sender.as_deref(), Some("192.0.2.7"));
        }
    }

    #[test]
    fn the_standard_header_goes_before_the_older_ones() {
        let headers = [
            ("host", "inside"),
            (
                "forwarded",
                "for=192.0.2.60;proto=https;Host=first, host=second",
            ),
            ("x-forwarded-host", "ignored"),
        ];
        assert_eq!(
            base(true, &headers),
            ("https://first".to_owned(), Some("192.0.2.60".to_owned()))
        );
    }
}

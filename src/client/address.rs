//! Where an API listens, in the ways people write it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::error::{Error, Result};

/// `http://host:port` or `https://host:port`, with a path in front of `/v2` where a proxy put one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    base: reqwest::Url,
}

impl Address {
    /// Reads a host name, an IPv4 or IPv6 address with or without brackets, or a whole URL. `port` counts
    /// where the host brings none; an address that means "all of mine" becomes the loopback one.
    pub fn new(host: &str, port: u16) -> Result<Self> {
        let host = host.trim();
        let wrong = || Error::Address(host.to_owned());
        let text = if host.contains("://") {
            host.to_owned()
        } else {
            format!("http://{}", bracketed(host))
        };
        let mut base = reqwest::Url::parse(&text).map_err(|_| wrong())?;
        if !matches!(base.scheme(), "http" | "https") || !base.username().is_empty() {
            return Err(wrong());
        }
        // The parser drops a port that is the scheme's own, so ask the text whether there was one.
        if !names_port(&text) {
            base.set_port(Some(port)).map_err(|()| wrong())?;
        }
        if let Some(loopback) = loopback_for(base.host_str()) {
            base.set_ip_host(loopback).map_err(|()| wrong())?;
        }
        base.set_query(None);
        base.set_fragment(None);
        Ok(Self { base })
    }

    /// Reads how a node calls itself: a URL, which means the port of its scheme where it names none, or the name of
    /// its machine, to which `port` belongs.
    pub fn of_node(name: &str, port: u16) -> Result<Self> {
        let port = match name.trim().split_once("://") {
            Some(("https", _)) => 443,
            Some(_) => 80,
            None => port,
        };
        Self::new(name, port)
    }

    pub fn is_https(&self) -> bool {
        self.base.scheme() == "https"
    }

    /// The URL of `path`, which begins with a slash.
    pub(super) fn url(&self, path: &str) -> String {
        let base = self.base.as_str().trim_end_matches('/');
        format!("{}{path}", base.trim_end_matches("/v2"))
    }
}

/// `host:port`, as the operator knows it.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.base.port_or_known_default().unwrap_or_default();
        write!(f, "{}:{port}", self.base.host_str().unwrap_or_default())
    }
}

fn bracketed(host: &str) -> String {
    match host.parse::<Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => host.to_owned(),
    }
}

fn names_port(url: &str) -> bool {
    let authority = url
        .split_once("://")
        .map_or(url, |(_, rest)| rest)
        .split(['/', '?', '#'])
        .next()
        .unwrap_or_default();
    let after_address = authority.rsplit(']').next().unwrap_or_default();
    after_address.contains(':')
}

fn loopback_for(host: Option<&str>) -> Option<IpAddr> {
    match host? {
        "0.0.0.0" => Some(Ipv4Addr::LOCALHOST.into()),
        "[::]" => Some(Ipv6Addr::LOCALHOST.into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(host: &str) -> String {
        Address::new(host, 9292).unwrap().url("/v2/cache")
    }

    #[test]
    fn a_plain_host_takes_the_port_of_its_own_option() {
        assert_eq!(url("glance.example"), "http://glance.example:9292/v2/cache");
    }

    #[test]
    fn an_address_that_listens_everywhere_is_asked_on_loopback() {
        assert_eq!(url("0.0.0.0"), "http://127.0.0.1:9292/v2/cache");
        assert_eq!(url("::"), "http://[::1]:9292/v2/cache");
    }

    #[test]
    fn ipv6_needs_no_brackets() {
        assert_eq!(url("::1"), "http://[::1]:9292/v2/cache");
        assert_eq!(url("[2001:db8::7]:80"), "http://[2001:db8::7]/v2/cache");
    }

    #[test]
    fn a_url_brings_scheme_port_and_path() {
        assert_eq!(
            url("https://cloud.example"),
            "https://cloud.example:9292/v2/cache"
        );
        assert_eq!(
            url("https://cloud.example:443"),
            "https://cloud.example/v2/cache"
        );
        assert_eq!(
            url("https://cloud.example:443/image/v2/"),
            "https://cloud.example/image/v2/cache"
        );
    }

    #[test]
    fn a_node_is_reached_where_it_says() {
        let url = |name| Address::of_node(name, 9292).unwrap().url("/v2/cache");
        assert_eq!(url("http://one:9393"), "http://one:9393/v2/cache");
        assert_eq!(url("https://one/image"), "https://one/image/v2/cache");
        assert_eq!(url("http://one"), "http://one/v2/cache");
        assert_eq!(url("one"), "http://one:9292/v2/cache");
    }

    #[test]
    fn it_is_shown_as_host_and_port() {
        let shown = |host| Address::new(host, 9292).unwrap().to_string();
        assert_eq!(shown("0.0.0.0"), "127.0.0.1:9292");
        assert_eq!(
            shown("https://cloud.example:443/image"),
            "cloud.example:443"
        );
        assert_eq!(shown("::1"), "[::1]:9292");
    }

    #[test]
    fn what_is_no_address_is_refused_by_name() {
        for wrong in ["", "two words", "ftp://a", "http://user:secret@a"] {
            assert!(Address::new(wrong, 1).is_err(), "{wrong:?}");
        }
    }
}

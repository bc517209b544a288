//! Which addresses outside may be fetched from because a client names them.
//!
//! A client could make us knock at doors that only we can reach. So a URI is held to what the operator
//! allows, and what it resolves to is never this machine nor its own link, unless the operator names the host.

use std::net::{IpAddr, Ipv6Addr};

use url::{Host, Url};

/// `[import_filtering_opts]`. Of each pair the first counts where there is something in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UriFilter {
    pub allowed_schemes: Vec<String>,
    pub disallowed_schemes: Vec<String>,
    pub allowed_hosts: Vec<String>,
    pub disallowed_hosts: Vec<String>,
    pub allowed_ports: Vec<u16>,
    pub disallowed_ports: Vec<u16>,
}

/// A host that may be asked for its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// A name, or an address in its usual form.
    pub host: String,
    pub port: u16,
}

impl UriFilter {
    /// Where a URI leads, as far as it may be followed. Anything that two readers could read in two ways is
    /// refused: what is judged here must be what is fetched.
    #[must_use]
    pub fn candidate(&self, uri: &str) -> Option<Candidate> {
        let url = Url::parse(uri).ok()?;
        let scheme = url.scheme();
        if !passes(scheme, &self.allowed_schemes, &self.disallowed_schemes) {
            return None;
        }
        let (written, written_port) = authority(uri)?;
        let host = match url.host()? {
            Host::Domain(name) if name == written => name.to_owned(),
            Host::Ipv4(address) if address.to_string() == written => written,
            Host::Ipv6(address) if written.parse::<Ipv6Addr>() == Ok(address) => {
                address.to_string()
            }
            // Spelled so that it is something else than it seems: 0x7f000001, 127.1, full-width digits.
            _ => return None,
        };
        if !passes(&host, &self.allowed_hosts, &self.disallowed_hosts) {
            return None;
        }
        if let Some(port) = written_port.filter(|port| *port != 0)
            && !passes(&port, &self.allowed_ports, &self.disallowed_ports)
        {
            return None;
        }
        let port = url.port_or_known_default()?;
        Some(Candidate { host, port })
    }

    /// Whether one of the addresses of `host` may be talked to.
    #[must_use]
    pub fn allows_one_of(&self, host: &str, addresses: &[IpAddr]) -> bool {
        if self.allowed_hosts.iter().any(|allowed| allowed == host) {
            return !addresses.is_empty();
        }
        let none = Vec::new();
        let disallowed = if self.allowed_hosts.is_empty() {
            &self.disallowed_hosts
        } else {
            &none
        };
        let named = |address: &IpAddr| {
            let parsed = disallowed.iter().filter(|name| *name != host);
            parsed
                .filter_map(|name| name.parse::<IpAddr>().ok())
                .any(|one| one == *address)
        };
        addresses
            .iter()
            .any(|address| !is_near(*address) && !named(address))
    }
}

/// Whether a value is one of those allowed, or where none is, not one of the others.
fn passes<T: PartialEq<U>, U: ?Sized>(value: &U, allowed: &[T], disallowed: &[T]) -> bool {
    if allowed.is_empty() {
        !disallowed.iter().any(|one| one == value)
    } else {
        allowed.iter().any(|one| one == value)
    }
}

/// Host and port as they are written, without credentials. None where they are not to be told for sure.
fn authority(uri: &str) -> Option<(String, Option<u16>)> {
    let (_, rest) = uri.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..end)?;
    if authority.contains(['\\', '%']) || authority.chars().any(char::is_whitespace) {
        return None;
    }
    let at = authority.rfind('@').map_or(0, |at| at + 1);
    let place = authority.get(at..)?;
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => place.split_at(place.find(':').unwrap_or(place.len())),
    };
    let port = match port.strip_prefix(':') {
        None | Some("") if port.len() < 2 => None,
        Some(number) => Some(number.parse().ok()?),
        None => return None,
    };
    Some((host.to_ascii_lowercase(), port))
}

/// This machine, or whatever is on its own link, where clouds keep the secrets of machines.
fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_link_local() || address.is_unspecified()
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unicast_link_local() || address.is_unspecified()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> UriFilter {
        UriFilter {
            allowed_schemes: vec!["http".to_owned(), "https".to_owned()],
            allowed_ports: vec![80, 443],
            ..UriFilter::default()
        }
    }

    fn leads_to(uri: &str) -> Option<String> {
        let candidate = shipped().candidate(uri)?;
        Some(format!("{} {}", candidate.host, candidate.port))
    }

    #[test]
    fn schemes_and_ports_are_those_allowed() {
        assert_eq!(leads_to("http://a.example/x").unwrap(), "a.example 80");
        assert_eq!(
            leads_to("https://u:p@A.example:443/x").unwrap(),
            "a.example 443"
        );
        assert_eq!(leads_to("http://[::1]/x").unwrap(), "::1 80");
        for uri in [
            "ftp://a.example/",
            "http://a.example:8080/",
            "http:///x",
            "x",
        ] {
            assert_eq!(leads_to(uri), None, "{uri}");
        }
    }

    #[test]
    fn an_address_in_disguise_is_refused() {
        for uri in [
            "http://0x7f000001/",
            "http://2130706433/",
            "http://127.1/",
            "http://017700000001/",
            "http://allowed.example\\@127.0.0.1/",
            "http://127.0.0.1%2f@x/",
            "http://a\t.example/",
            "http:/\\127.0.0.1/",
        ] {
            assert_eq!(leads_to(uri), None, "{uri}");
        }
    }

    #[test]
    fn a_list_of_allowed_hosts_shuts_out_the_others() {
        let filter = UriFilter {
            allowed_hosts: vec!["a.example".to_owned()],
            disallowed_hosts: vec!["a.example".to_owned()],
            ..UriFilter::default()
        };
        assert!(filter.candidate("http://a.example/").is_some());
        assert!(filter.candidate("http://b.example/").is_none());
        let filter = UriFilter {
            disallowed_hosts: vec!["b.example".to_owned()],
            ..UriFilter::default()
        };
        assert!(filter.candidate("http://a.example/").is_some());
        assert!(filter.candidate("http://b.example/").is_none());
    }

    #[test]
    fn this_machine_and_its_link_are_out_of_reach_unless_named() {
        let addresses = |text: &[&str]| -> Vec<IpAddr> {
            text.iter().map(|one| one.parse().unwrap()).collect()
        };
        let filter = UriFilter {
            disallowed_hosts: vec!["10.0.0.9".to_owned()],
            ..UriFilter::default()
        };
        let allows = |text| filter.allows_one_of("a.example", &addresses(&[text]));
        assert!(allows("10.0.0.8"));
        assert!(allows("2001:db8::1"));
        for near in [
            "127.0.0.1",
            "169.254.169.254",
            "::1",
            "fe80::1",
            "::ffff:127.0.0.1",
        ] {
            assert!(!allows(near), "{near}");
        }
        assert!(!allows("10.0.0.9"));
        let named = UriFilter {
            allowed_hosts: vec!["127.0.0.1".to_owned()],
            ..UriFilter::default()
        };
        assert!(named.allows_one_of("127.0.0.1", &addresses(&["127.0.0.1"])));
    }
}

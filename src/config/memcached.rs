//! `[keystone_authtoken] memcached_servers`: where services share what Keystone said of tokens.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::error::Error;
use super::ini::{Section, Settings};

const PORT: u16 = 11211;

/// Servers that are shared with other services, and how what they keep is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemcachedConfig {
    /// In their order, which decides what lies where.
    pub servers: Vec<MemcachedServer>,
    pub protection: Protection,
    /// `memcache_pool_socket_timeout`: how long one answer may take.
    pub socket_timeout: Duration,
    /// `memcache_pool_dead_retry`: a server that fails again and again is left alone for so long.
    pub dead_retry: Duration,
    /// `memcache_pool_maxsize`: open connections to each of them at most; zero is any number.
    pub pool_size: usize,
    /// `memcache_pool_unused_timeout`: a connection that nobody used for so long is closed.
    pub unused_timeout: Duration,
}

/// Where one of them listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemcachedServer {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

/// `memcache_security_strategy`, with `memcache_secret_key`.
#[derive(Clone, PartialEq, Eq)]
pub enum Protection {
    None,
    /// Signed.
    Mac(String),
    /// Signed and encrypted.
    Encrypt(String),
}

impl MemcachedConfig {
    /// None where no servers are named.
    pub(super) fn from(settings: &Settings) -> Result<Option<Self>, Error> {
        let section = settings.section("keystone_authtoken");
        let named = section.list("memcached_servers")?;
        if named.is_empty() {
            return Ok(None);
        }
        let servers: Option<Vec<_>> = named.iter().map(|name| server(name)).collect();
        let servers = servers.ok_or_else(|| {
            let forms = "a list of host:port, inet6:[address]:port and unix:path";
            section.refuse("memcached_servers", forms)
        })?;
        for option in ["memcache_sasl_enabled", "memcache_tls_enabled"] {
            if section.flag(option)? {
                let must = "false: memcached is asked in its text protocol over plain connections, which \
                    know neither SASL nor TLS";
                return Err(section.refuse(option, must));
            }
        }
        Ok(Some(Self {
            servers,
            protection: protection(&section)?,
            socket_timeout: section.seconds("memcache_pool_socket_timeout")?,
            dead_retry: section.seconds("memcache_pool_dead_retry")?,
            pool_size: usize::try_from(section.number::<i64>("memcache_pool_maxsize")?)
                .unwrap_or_default(),
            unused_timeout: section.seconds("memcache_pool_unused_timeout")?,
        }))
    }
}

fn protection(section: &Section) -> Result<Protection, Error> {
    let strategy = section.string("memcache_security_strategy")?;
    if strategy.eq_ignore_ascii_case("none") {
        return Ok(Protection::None);
    }
    let Some(key) = section.text("memcache_secret_key")? else {
        let must = "None without a memcache_secret_key";
        return Err(section.refuse("memcache_security_strategy", must));
    };
    match strategy.as_str() {
        "MAC" => Ok(Protection::Mac(key)),
        "ENCRYPT" => Ok(Protection::Encrypt(key)),
        // The original takes `encrypt`, and encrypts nothing.
        _ => Err(section.refuse(
            "memcache_security_strategy",
            "None, MAC or ENCRYPT, in these letters",
        )),
    }
}

/// As python-memcached writes them, and an IPv6 address in brackets without `inet6:`.
fn server(name: &str) -> Option<MemcachedServer> {
    if let Some(path) = name.strip_prefix("unix:") {
        return Some(MemcachedServer::Unix(path.into()));
    }
    let rest = name
        .strip_prefix("inet6:")
        .or_else(|| name.strip_prefix("inet:"))
        .unwrap_or(name);
    let (host, port) = match rest.strip_prefix('[') {
        Some(address) => address.split_once(']')?,
        None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
    };
    let port = match port {
        "" => PORT,
        port => port.strip_prefix(':')?.parse().ok()?,
    };
    (!host.is_empty()).then(|| MemcachedServer::Tcp {
        host: host.to_owned(),
        port,
    })
}

impl fmt::Display for MemcachedServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Debug for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Mac(_) => "Mac(***)",
            Self::Encrypt(_) => "Encrypt(***)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_written_as_python_memcached_writes_them() {
        for (name, shown) in [
            ("cache", "cache:11211"),
            ("10.0.0.1:11212", "10.0.0.1:11212"),
            ("inet:cache:1", "cache:1"),
            ("inet6:[::1]:11212", "[::1]:11212"),
            ("inet6:[::1]", "[::1]:11211"),
            ("[fe80::1]:5", "[fe80::1]:5"),
            ("unix:/run/m.sock", "/run/m.sock"),
        ] {
            assert_eq!(server(name).unwrap().to_string(), shown, "{name}");
        }
        for name in ["", ":11211", "cache:port", "[::1", "[::1]11211", "a:1:2"] {
            assert_eq!(server(name), None, "{name}");
        }
    }
}

//! Where web servers may send us on to, and for which addresses a name may stand.
//!
//! An address was judged when a client named it, and that is not enough: its server may send on to another one,
//! and its name may mean another machine by the next time. So a redirect to elsewhere is held to the rules for
//! what clients name, and of the addresses of a name those are connected to that may be talked to.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;
use tracing::warn;
use url::Url;

use crate::config::stores::HttpStoreConfig;
use crate::domain::uri_filter::UriFilter;

/// What may be talked to.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    filter: UriFilter,
    /// The hosts of proxies: the operator named them.
    proxies: Vec<String>,
}

impl Reach {
    pub(super) fn new(config: &HttpStoreConfig) -> Self {
        let host = |(_, address): &(String, String)| {
            let address = match address.split_once("://") {
                Some(_) => address.clone(),
                None => format!("http://{address}"),
            };
            Some(Url::parse(&address).ok()?.host_str()?.to_owned())
        };
        Self {
            filter: config.filter.clone(),
            proxies: config.proxies.iter().filter_map(host).collect(),
        }
    }

    /// Whether a server may send us from one address to another, which was written so.
    pub(super) fn leads(&self, from: &Url, to: &Url, written: &str) -> bool {
        if from.origin() == to.origin() {
            return true;
        }
        let Some(candidate) = self.filter.candidate(written) else {
            return false;
        };
        match candidate.host.parse() {
            Ok(address) => self.filter.allows_one_of(&candidate.host, &[address]),
            // What a name stands for is seen when it is connected to.
            Err(_) => true,
        }
    }
}

impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let filter = (!self.proxies.contains(&host)).then(|| self.filter.clone());
        Box::pin(async move {
            // The port of the URL counts.
            let mut open: Vec<_> = lookup_host((host.as_str(), 0)).await?.collect();
            if let Some(filter) = filter {
                open.retain(|address| filter.allows_one_of(&host, &[address.ip()]));
            }
            if open.is_empty() {
                warn!(
                    "nothing is read from {host}: it stands for this machine or its own link, or for what is \
                     disallowed; [import_filtering_opts] allowed_hosts can name it"
                );
                return Err("out of reach".into());
            }
            Ok(Box::new(open.into_iter()) as Addrs)
        })
    }
}

//! Whether clients may have us fetch from an address.

use std::net::IpAddr;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;

use super::Glance;

/// How long the name of a host may take to become its addresses.
const LOOKUP: Duration = Duration::from_secs(10);

impl Glance {
    /// Whether the operator lets us fetch what is at `uri` because a client says so.
    pub(super) async fn may_fetch(&self, uri: &str) -> bool {
        let filter = &self.config.image.filter;
        let Some(candidate) = filter.candidate(uri) else {
            return false;
        };
        let addresses: Vec<IpAddr> = if let Ok(address) = candidate.host.parse() {
            vec![address]
        } else {
            let found = lookup_host((candidate.host.as_str(), candidate.port));
            match timeout(LOOKUP, found).await {
                Ok(Ok(found)) => found.map(|found| found.ip()).collect(),
                Ok(Err(_)) | Err(_) => return false,
            }
        };
        filter.allows_one_of(&candidate.host, &addresses)
    }
}

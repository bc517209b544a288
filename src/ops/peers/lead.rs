//! Of the nodes that want the same image in the same moment one reads the store, and the others read along with it.
//!
//! Which one that is, the node says that comes first in the image's order (see [`super::turn`]): the one that asked it
//! first. Who finds nothing there takes the lead itself. So nobody has to agree on anything, a node that is gone costs
//! one question, and where the first node is not known to all alike the store is read once more.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{Given, MOST, Peers};
use crate::client::NoCopy;
use crate::domain::{Caller, ImageId};
use crate::ops::{Error, Glance, Result};
use crate::stream::ByteRange;

/// So many images are remembered. What is forgotten costs one more read of a store.
const REMEMBERED: usize = 10_000;

/// Who brings in which image.
#[derive(Debug, Default)]
pub struct Leads(Mutex<HashMap<ImageId, String>>);

impl Leads {
    /// Who brings the image in: who asks, unless somebody did before. The node where the asker found nothing is
    /// nobody.
    fn of(&self, id: ImageId, asker: &str, instead_of: Option<&str>) -> String {
        // A map is whole whatever happened to the thread that held it.
        let mut leads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if leads.len() >= REMEMBERED {
            leads.clear();
        }
        let lead = leads.entry(id).or_insert_with(|| asker.to_owned());
        if instead_of == Some(lead.as_str()) {
            asker.clone_into(lead);
        }
        lead.clone()
    }
}

impl Glance {
    /// Who brings an image in: this node where it has a copy or makes one, the asker where nobody asked before it.
    pub async fn lead(
        &self,
        caller: &Caller,
        id: ImageId,
        asker: &str,
        instead_of: Option<&str>,
    ) -> Result<String> {
        let image = self.readable(caller, id).await?;
        let (cache, peers) = self
            .caching()
            .zip(self.peers_for(&image))
            .ok_or(Error::NoCache)?;
        let Peers(inner) = &peers;
        if !inner
            .db
            .node_names()
            .await?
            .iter()
            .any(|node| node == asker)
        {
            return Err(Error::UnknownNode);
        }
        if instead_of != Some(&inner.own)
            && (inner.feeds.may_be_from_store(id) || cache.has(id).await?)
        {
            return Ok(inner.own.clone());
        }
        Ok(inner.leads.of(id, asker, instead_of))
    }
}

impl Peers {
    /// An image of so many bytes, or a range of it, from the node that is bringing it in. None where that is this one.
    /// So much of the time for asking is spent.
    pub(super) async fn open_at_lead(
        &self,
        id: ImageId,
        size: u64,
        range: Option<ByteRange>,
        spent: Duration,
    ) -> Option<Given> {
        let nodes = self.0.db.node_names().await.ok()?;
        let begun = Instant::now();
        let mut tried: Option<String> = None;
        for _ in 0..MOST {
            if spent + begun.elapsed() > self.enough() {
                break;
            }
            let first = self.first_of(nodes.clone(), id);
            let lead = match &first {
                Some(first) => self.ask_for_lead(first, id, tried.as_deref()).await,
                None => Ok((self.0.leads).of(id, &self.0.own, tried.as_deref())),
            };
            let lead = match (lead, first) {
                (Ok(lead), _) => lead,
                (Err(NoCopy::Away(why)), Some(first)) => {
                    self.rest(id, &first, &why);
                    continue;
                }
                // A node of the original, say.
                (Err(_), _) => return None,
            };
            if lead == self.0.own {
                return None;
            }
            // Nobody is sent to where no node is.
            let known = nodes.iter().filter(|node| **node == lead).cloned();
            for node in self.awake(known.collect()) {
                if let Some(bytes) = self.try_open(&node, id, size, range).await {
                    return Some(Given {
                        node,
                        bytes,
                        grows: true,
                    });
                }
            }
            tried = Some(lead);
        }
        None
    }

    async fn ask_for_lead(
        &self,
        first: &str,
        id: ImageId,
        instead_of: Option<&str>,
    ) -> std::result::Result<String, NoCopy> {
        let (api, own) = (&self.0.api, &self.0.own);
        self.with_token(async |token| api.lead(first, id, own, instead_of, token).await)
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_first_leads_until_somebody_finds_nothing_there() {
        let (leads, id) = (Leads::default(), ImageId::random());
        let of = |asker, instead_of| leads.of(id, asker, instead_of);
        assert_eq!(of("a", None), "a");
        assert_eq!(of("b", None), "a");
        assert_eq!(of("b", Some("a")), "b");
        // Who comes late with the same does not take it over again.
        assert_eq!(of("c", Some("a")), "b");
        assert_eq!(of("a", None), "b");
    }
}

//! Where an image's data is, as clients say it in a patch.

use serde_json::{Map, Value, json};

use super::limits::signed;
use super::{Error, Glance, Result, quota};
use crate::domain::evidence::Evidence;
use crate::domain::literal::literal;
use crate::domain::location::{self, Moves, NoPlace};
use crate::domain::patch::LocationChange;
use crate::domain::{Caller, Image, Location, Status};
use crate::store;

/// What the changes of a patch do to the locations of an image.
#[derive(Debug, Default)]
pub(super) struct Moving {
    touched: bool,
    /// All of them are noted anew, in their new order.
    rewritten: bool,
    /// Whose data is to go.
    pub(super) removed: Vec<Location>,
}

/// What is found at a location.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Bytes(u64),
    Nothing,
    /// It cannot be asked, or may not.
    NoAddress,
}

impl Moving {
    /// The way from the locations before to those after, where there is one to go.
    pub(super) fn moves(&self, before: &[Location], after: &[Location]) -> Option<Moves> {
        self.touched.then(|| Moves {
            from: before.to_vec(),
            removed: if self.rewritten {
                before.to_vec()
            } else {
                without(before, after)
            },
            removed_as: None,
            added: if self.rewritten {
                after.to_vec()
            } else {
                without(after, before)
            },
        })
    }
}

/// Those that are not among the others, each of which counts once.
fn without(some: &[Location], others: &[Location]) -> Vec<Location> {
    let mut others: Vec<&Location> = others.iter().collect();
    let mut left = Vec::new();
    for one in some {
        match others.iter().position(|other| other.is(one)) {
            Some(at) => drop(others.remove(at)),
            None => left.push(one.clone()),
        }
    }
    left
}

impl Glance {
    /// Makes one change to where the data is. Whether the caller may do so has been asked.
    pub(super) async fn relocate(
        &self,
        caller: &Caller,
        image: &mut Image,
        change: &LocationChange,
        moving: &mut Moving,
    ) -> Result<()> {
        moving.touched = true;
        match change {
            LocationChange::Add(position, value) => {
                in_one_of(image, &[Status::Active, Status::Queued], "add")?;
                let location = self.read_location(value);
                let evidence = self.evidence(image, std::slice::from_ref(&location))?;
                let end = image.locations.len();
                let at = place(position, end).ok_or(NoPlace::Position("adding"))?;
                self.place_at(caller, image, location, at.min(end)).await?;
                filled(image, evidence)?;
            }
            LocationChange::Replace(values) => {
                in_one_of(image, &[Status::Active, Status::Queued], "replace")?;
                let locations: Vec<_> = values.iter().map(|one| self.read_location(one)).collect();
                let evidence = self.evidence(image, &locations)?;
                self.replace_locations(caller, image, locations).await?;
                moving.rewritten = true;
                filled(image, evidence)?;
            }
            LocationChange::Remove(position) => {
                in_one_of(image, &[Status::Active], "remove")?;
                let count = image.locations.len();
                if count == 1 {
                    return Err(NoPlace::Last.into());
                }
                let last = count.saturating_sub(1);
                let at = place(position, last).filter(|at| *at < count);
                let at = at.ok_or(NoPlace::Position("removing"))?;
                moving.removed.push(image.locations.remove(at));
            }
        }
        Ok(())
    }

    fn evidence(&self, image: &Image, locations: &[Location]) -> Result<Evidence> {
        let remarks = locations.iter().map(|location| &location.remarks);
        Ok(Evidence::of(remarks, image, self.image_rules().hash)?)
    }

    /// A location as a client spells it. The store is for us to say.
    fn read_location(&self, value: &Value) -> Location {
        let mut remarks: Map<String, Value> = value.as_object().cloned().unwrap_or_default();
        let url = remarks.remove("url");
        let url = url.as_ref().and_then(Value::as_str).unwrap_or_default();
        let metadata = match remarks.remove("metadata") {
            Some(Value::Object(metadata)) => metadata.into_iter().collect(),
            _ => location::Metadata::new(),
        };
        remarks.retain(|name, _| name != "id" && name != "status");
        let mut location = Location::active(url, metadata);
        location.remarks = remarks;
        self.name_store(&mut location);
        location
    }

    /// Notes the store that a location belongs to, where stores have names.
    pub(super) fn name_store(&self, location: &mut Location) {
        if let Some(name) = self.stores.name_for(location).map(str::to_owned) {
            location.metadata.insert("store".to_owned(), name.into());
        }
    }

    /// Adds a location, where there may be one more and data is to be had there.
    pub(super) async fn place_at(
        &self,
        caller: &Caller,
        image: &mut Image,
        location: Location,
        at: usize,
    ) -> Result<()> {
        let own = (image.size.unwrap_or(0)).saturating_mul(image.locations.len() as u64);
        let found = match known_size(image) {
            None => Some(self.find(&location).await),
            Some(_) => None,
        };
        if found == Some(Found::NoAddress) {
            return Err(NoPlace::Malformed.into());
        }
        let needed = known_size(image).or(found.and_then(Found::bytes));
        self.room_for_location(caller, image.id, needed, own)
            .await?;
        quota::locations(&self.image_rules(), image.locations.len() + 1)?;
        let found = match found {
            Some(found) => found,
            None => self.find(&location).await,
        };
        let size = found.bytes().ok_or(NoPlace::Invalid)?;
        location::check_metadata(&location.metadata)?;
        if image.locations.iter().any(|known| known.is(&location)) {
            return Err(NoPlace::Duplicate(location.url).into());
        }
        image.locations.insert(at, location);
        image.size = known_size(image).or(Some(size));
        Ok(())
    }

    /// Gives an image its first locations, or those that it has other notes.
    async fn replace_locations(
        &self,
        caller: &Caller,
        image: &mut Image,
        locations: Vec<Location>,
    ) -> Result<()> {
        quota::locations(&self.image_rules(), locations.len())?;
        let count = locations.len() as u64;
        let mut found = Vec::new();
        if known_size(image).is_none() {
            for location in &locations {
                let one = self.find(location).await;
                if one == Found::NoAddress {
                    return Err(NoPlace::Malformed.into());
                }
                found.push(one);
            }
        }
        let first = found.iter().find_map(|one| one.bytes());
        let each = known_size(image).or(first);
        let needed = each.map(|each| each.saturating_mul(count));
        self.room_for_location(caller, image.id, needed, 0).await?;
        let urls = |locations: &[Location]| {
            let mut urls: Vec<String> = locations.iter().map(|one| one.url.clone()).collect();
            urls.sort_unstable();
            urls
        };
        if !image.locations.is_empty() {
            if urls(&image.locations) != urls(&locations) {
                return Err(NoPlace::NotEmpty(spelled(&image.locations)).into());
            }
            image.locations = locations;
            return Ok(());
        }
        for (i, location) in locations.iter().enumerate() {
            let one = match found.get(i) {
                Some(one) => *one,
                None => self.find(location).await,
            };
            one.bytes().ok_or(NoPlace::Invalid)?;
            location::check_metadata(&location.metadata)?;
            let earlier = locations.iter().take(i);
            if earlier.into_iter().any(|known| known.is(location)) {
                return Err(NoPlace::Duplicate(location.url.clone()).into());
            }
        }
        image.size = each;
        image.locations = locations;
        Ok(())
    }

    /// What is at a location. Where a client may not send us, nobody is asked.
    async fn find(&self, location: &Location) -> Found {
        if !location.may_come_from_clients() {
            return Found::Nothing;
        }
        if location.is_web() && !self.may_fetch(&location.url).await {
            return Found::NoAddress;
        }
        let size = match self.stores.of(location) {
            Ok(store) => store.size(location).await,
            Err(error) => Err(error),
        };
        match size {
            Ok(0) => Found::Nothing,
            Ok(bytes) => Found::Bytes(bytes),
            Err(store::Error::BadAddress(why)) => {
                tracing::info!("a location cannot be asked for its size: {why}");
                Found::NoAddress
            }
            Err(error) => {
                tracing::info!("a location does not tell its size: {error}");
                Found::Nothing
            }
        }
    }

    /// Whether the project may keep as much more. `own` bytes of the image count already.
    async fn room_for_location(
        &self,
        caller: &Caller,
        image: crate::domain::ImageId,
        needed: Option<u64>,
        own: u64,
    ) -> Result<()> {
        let size = needed.map(|needed| signed(needed.saturating_add(own)));
        match self.check_storage(caller, image, size).await {
            Ok(()) => Ok(()),
            Err(Error::StorageQuota { left, .. }) => Err(Error::LocationOverQuota {
                size: needed.map(signed),
                left: left.saturating_sub(signed(own)),
            }),
            Err(error) => Err(error),
        }
    }
}

impl Found {
    fn bytes(self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Nothing | Self::NoAddress => None,
        }
    }
}

/// An image of no bytes has no size yet.
fn known_size(image: &Image) -> Option<u64> {
    image.size.filter(|size| *size > 0)
}

fn in_one_of(image: &Image, allowed: &[Status], verb: &'static str) -> Result<()> {
    let status = image.status;
    if allowed.contains(&status) {
        return Ok(());
    }
    Err(NoPlace::Status { verb, status }.into())
}

/// A position as it is written: digits, or a dash for `end`.
fn place(written: &str, end: usize) -> Option<usize> {
    if written == "-" {
        return Some(end);
    }
    let digits = !written.is_empty() && written.bytes().all(|digit| digit.is_ascii_digit());
    digits.then(|| written.parse().unwrap_or(usize::MAX))
}

/// With its first location an image has data.
fn filled(image: &mut Image, evidence: Evidence) -> Result<()> {
    if image.status == Status::Queued {
        evidence.apply(image);
        has_formats(image)?;
        image.status = Status::Active;
    }
    Ok(())
}

/// Whether an image says what its data is.
pub(super) fn has_formats(image: &Image) -> Result<()> {
    let given = |format: &Option<String>| format.as_ref().is_some_and(|name| !name.is_empty());
    let formats = [
        ("disk_format", given(&image.disk_format)),
        ("container_format", given(&image.container_format)),
    ];
    let missing = formats.into_iter().filter(|(_, given)| !given);
    let missing: Vec<_> = missing.map(|(name, _)| name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(NoPlace::NoFormats(missing).into())
}

fn spelled(locations: &[Location]) -> String {
    let locations = locations.iter().map(|location| {
        let Location {
            url,
            metadata,
            status,
            ..
        } = location;
        json!({"url": url, "metadata": metadata, "status": status})
    });
    literal(&locations.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_digits_or_a_dash() {
        assert_eq!(place("-", 3), Some(3));
        assert_eq!(place("1", 3), Some(1));
        assert_eq!(place("99999999999999999999999", 3), Some(usize::MAX));
        for wrong in ["", "x", "-1", "+1", "1.0"] {
            assert_eq!(place(wrong, 3), None, "{wrong}");
        }
    }

    #[test]
    fn only_what_differs_is_moved() {
        let location = |url: &str| Location::active(url, [].into());
        let [one, two, three] = ["one", "two", "three"].map(location);
        let moving = Moving {
            touched: true,
            ..Moving::default()
        };
        let before = [one.clone(), two.clone()];
        let moves = moving.moves(&before, &[three.clone(), one]).unwrap();
        assert_eq!((moves.removed, moves.added), (vec![two], vec![three]));
        assert_eq!(Moving::default().moves(&before, &before), None);
    }
}

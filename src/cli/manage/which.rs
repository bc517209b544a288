//! Which images a command is about: by their ids, or by what the API knows of them now.

use super::options;
use crate::cli::{Error, Result};
use crate::domain::ImageId;
use crate::domain::report::Pins;

/// Images by their ids, or by what the API knows of them now.
#[derive(Debug, clap::Args)]
pub struct Which {
    /// The images, by their ids.
    #[arg(value_name = "IMAGE_ID")]
    pub ids: Vec<String>,
    /// The images that have this tag now; given again, those that have all of them.
    #[arg(long, value_name = "TAG", action = clap::ArgAction::Append)]
    pub tag: Vec<String>,
    /// The images that have this property now; given again, those that have all of them.
    #[arg(long, value_name = "NAME=VALUE", action = clap::ArgAction::Append, value_parser = property)]
    pub property: Vec<(String, String)>,
}

fn property(text: &str) -> std::result::Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// A query for images: names and values.
type Query = [(String, String)];

impl Which {
    /// Whether tags or properties are to find images.
    pub fn looks(&self) -> bool {
        !self.tag.is_empty() || !self.property.is_empty()
    }

    /// What images are found by, in words: `tag golden`, `os_distro=debian`. Joined they are the reason of a pin.
    pub fn words(&self) -> Vec<String> {
        let tags = self.tag.iter().map(|tag| format!("tag {tag}"));
        let properties = self.property.iter();
        let properties = properties.map(|(name, value)| format!("{name}={value}"));
        tags.chain(properties).collect()
    }

    /// Those that are named; there is at least one where nothing else says which.
    pub fn named(&self) -> Result<Vec<ImageId>> {
        if self.ids.is_empty() && self.looks() {
            return Ok(Vec::new());
        }
        options::image_ids(&self.ids)
    }

    /// Those that tags and properties find.
    pub fn found(&self, find: impl FnOnce(&Query) -> Result<Vec<String>>) -> Result<Vec<String>> {
        if !self.looks() {
            return Ok(Vec::new());
        }
        let tags = self.tag.iter().map(|tag| ("tag".to_owned(), tag.clone()));
        let query: Vec<_> = tags.chain(self.property.iter().cloned()).collect();
        find(&query)
    }

    /// All that are meant. Tags and properties that find none are a mistake.
    pub fn images(&self, find: impl FnOnce(&Query) -> Result<Vec<String>>) -> Result<Vec<ImageId>> {
        self.named()?;
        let found = self.found(find)?;
        if found.is_empty() && self.looks() {
            return Err(Error::NoneFound(self.words().join(", ")));
        }
        options::image_ids(&[self.ids.clone(), found].concat())
    }

    /// Of those that are pinned what is meant: by name, found, or pinned by just these tags and properties whatever
    /// they have now. Then those that are named and are not pinned.
    pub fn among(&self, pins: &Pins, found: &[String]) -> Result<(Vec<ImageId>, Vec<ImageId>)> {
        let words = self.words();
        let named = self.named()?;
        let mut ids = [&self.ids[..], found].concat();
        if !words.is_empty() {
            let by = (pins.pinned_by.iter()).filter(|(_, reason)| names_all(reason, &words));
            ids.extend(by.map(|(id, _)| id.to_string()));
        }
        let ids = match &ids[..] {
            [] => Vec::new(),
            ids => options::image_ids(ids)?,
        };
        let (there, mut absent): (Vec<_>, Vec<_>) =
            (ids.into_iter()).partition(|id| pins.pinned_images.contains(id));
        absent.retain(|id| named.contains(id));
        Ok((there, absent))
    }
}

/// Whether the reason of a pin has all these words.
fn names_all(reason: &str, words: &[String]) -> bool {
    let reason = format!(", {reason}, ");
    (words.iter()).all(|word| reason.contains(&format!(", {word}, ")))
}

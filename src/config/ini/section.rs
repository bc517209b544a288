//! The options of one section, as the types that the rest of the house uses.

use std::path::PathBuf;
use std::time::Duration;

use super::values::{self, Must};
use super::{Settings, Value};
use crate::config::error::{Error, Origin, Place};
use crate::config::secrecy;

/// A section of the settings.
#[derive(Debug, Clone, Copy)]
pub struct Section<'a> {
    settings: &'a Settings,
    name: &'a str,
}

impl<'a> Section<'a> {
    pub(super) fn new(settings: &'a Settings, name: &'a str) -> Self {
        Self { settings, name }
    }

    /// Text that is set and not empty.
    pub fn text(&self, option: &str) -> Result<Option<String>, Error> {
        Ok(self.value(option)?.map(|value| value.text))
    }

    /// Text, empty where there is none.
    pub fn string(&self, option: &str) -> Result<String, Error> {
        Ok(self.text(option)?.unwrap_or_default())
    }

    /// A file or directory.
    pub fn path(&self, option: &str) -> Result<Option<PathBuf>, Error> {
        Ok(self.text(option)?.map(PathBuf::from))
    }

    /// A boolean; unset is false.
    pub fn flag(&self, option: &str) -> Result<bool, Error> {
        Ok(self.read(option, values::flag)?.unwrap_or_default())
    }

    /// A number; unset is 0. Its limits were checked with all the others.
    pub fn number<T: TryFrom<i128> + Default>(&self, option: &str) -> Result<T, Error> {
        let fit = |text: &str| {
            let number = values::integer(text)?;
            T::try_from(number).map_err(|_| "a smaller number".to_owned())
        };
        Ok(self.read(option, fit)?.unwrap_or_default())
    }

    /// Seconds, with a fraction if need be.
    pub fn seconds(&self, option: &str) -> Result<Duration, Error> {
        let fit = |text: &str| {
            Duration::try_from_secs_f64(values::float(text)?)
                .map_err(|_| "a number of seconds".to_owned())
        };
        Ok(self.read(option, fit)?.unwrap_or_default())
    }

    /// Bytes.
    pub fn size(&self, option: &str) -> Result<u64, Error> {
        Ok(self.read(option, values::size)?.unwrap_or_default())
    }

    /// Bytes a second.
    pub fn rate(&self, option: &str) -> Result<u64, Error> {
        Ok(self.read(option, values::rate)?.unwrap_or_default())
    }

    /// Bytes that fit into memory.
    pub fn number_of_bytes(&self, option: &str) -> Result<usize, Error> {
        let fit = |text: &str| {
            usize::try_from(values::size(text)?).map_err(|_| "a smaller size".to_owned())
        };
        Ok(self.read(option, fit)?.unwrap_or_default())
    }

    /// `a, b`
    pub fn list(&self, option: &str) -> Result<Vec<String>, Error> {
        Ok(values::list(&self.string(option)?))
    }

    /// `[a, b]`
    pub fn bracketed(&self, option: &str) -> Result<Vec<String>, Error> {
        Ok(self.read(option, values::bracketed)?.unwrap_or_default())
    }

    /// `name:value, name:value`
    pub fn dict(&self, option: &str) -> Result<Vec<(String, String)>, Error> {
        Ok(self.read(option, values::dict)?.unwrap_or_default())
    }

    /// The values of an option that may stand several times.
    pub fn multi(&self, option: &str) -> Result<Vec<String>, Error> {
        let values = self.settings.all_values(self.name, option)?;
        Ok(values.into_iter().map(|value| value.text).collect())
    }

    /// Reads what is set and not empty.
    pub fn read<T>(
        &self,
        option: &str,
        read: impl FnOnce(&str) -> Result<T, Must>,
    ) -> Result<Option<T>, Error> {
        let Some(value) = self.value(option)? else {
            return Ok(None);
        };
        read(&value.text)
            .map(Some)
            .map_err(|must| self.wrong(option, &value, must))
    }

    /// Whether somebody wrote the option down.
    pub fn is_set(&self, option: &str) -> bool {
        self.settings.entry(self.name, option).is_some()
    }

    /// Refuses what the option is set to.
    pub fn refuse(&self, option: &str, must: impl Into<Must>) -> Error {
        // It may be written all the same, with nothing after it.
        let written = self.settings.entry(self.name, option);
        let unset = || Value {
            text: String::new(),
            origin: written.map_or(Origin::BuiltIn, |entry| entry.origin.clone()),
        };
        match self.value(option) {
            Ok(value) => self.wrong(option, &value.unwrap_or_else(unset), must.into()),
            Err(error) => error,
        }
    }

    fn value(&self, option: &str) -> Result<Option<Value>, Error> {
        let value = self.settings.value(self.name, option)?;
        Ok(value.filter(|value| !value.text.trim().is_empty()))
    }

    pub(in crate::config) fn wrong(&self, option: &str, value: &Value, must: Must) -> Error {
        let shown = match self.settings.known(self.name, option) {
            Some(known) => secrecy::shown(known, &value.text),
            None => value.text.clone(),
        };
        Error::Value {
            place: Box::new(Place {
                origin: value.origin.clone(),
                section: self.name.to_owned(),
                option: option.to_owned(),
            }),
            shown,
            must,
        }
    }
}

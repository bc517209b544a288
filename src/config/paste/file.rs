//! A paste file: sections named `kind:name`, with `[DEFAULT]`, `set name =` and `%(name)s`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::error::Error;
use crate::config::ini::{self, Entry};
use crate::config::options;

/// The pipelines that glance ships with, for a site that has no paste file of its own.
const SHIPPED: &str = include_str!("../../../etc/glance-api-paste.ini");

/// `%(name)s` may lead to another; one that goes on this long leads back to itself.
const MAX_DEPTH: usize = 16;

/// The options of one section, after interpolation.
pub(super) type Options = BTreeMap<String, String>;

/// `set name` is the option `name`.
fn option_of(entry: &Entry) -> &str {
    let option = entry.option.strip_prefix("set ");
    option.unwrap_or(&entry.option).trim()
}

#[derive(Debug)]
pub(super) struct PasteFile {
    path: PathBuf,
    entries: Vec<Entry>,
}

/// One of its sections.
#[derive(Debug, Clone)]
pub(super) struct PasteSection {
    /// What stands before the colon: `filter`, `app`, `composite`, `pipeline`.
    pub(super) kind: &'static str,
    /// The whole name.
    pub(super) name: String,
    pub(super) options: Options,
}

impl PasteFile {
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(Error::read(path))?;
        Self::parse(path, &text)
    }

    /// The shipped pipelines.
    pub(super) fn shipped() -> Result<Self, Error> {
        Self::parse(Path::new("built-in glance-api-paste.ini"), SHIPPED)
    }

    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        let mut entries = ini::read(&Arc::from(path), text)?;
        for entry in &mut entries {
            // Unlike in oslo.config, an indented comment is a comment.
            let is_comment = |line: &&str| line.starts_with(['#', ';']);
            let lines: Vec<&str> = entry
                .text
                .lines()
                .filter(|line| !is_comment(line))
                .collect();
            entry.text = lines.join("\n");
        }
        Ok(Self {
            path: path.to_path_buf(),
            entries,
        })
    }

    /// The section of that name whose kind is one of `kinds`.
    pub(super) fn section(
        &self,
        kinds: &[&'static str],
        name: &str,
    ) -> Result<Option<PasteSection>, Error> {
        for &kind in kinds {
            let section = ini::normal(&format!("{kind}:{name}"));
            if self.entries.iter().any(|entry| entry.section == section) {
                let options = self.options(&section)?;
                return Ok(Some(PasteSection {
                    kind,
                    name: section,
                    options,
                }));
            }
        }
        Ok(None)
    }

    /// The names of all sections.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.section.as_str())
    }

    /// An error that names this file.
    pub(super) fn wrong(&self, problem: impl Into<String>) -> Error {
        Error::Pipeline {
            file: self.path.clone(),
            problem: problem.into(),
        }
    }

    /// What a section sets, as if it stood in another one of the configuration. Of `[DEFAULT]` only what that one
    /// knows is meant for it.
    pub(super) fn settings(&self, section: &PasteSection, other: &str) -> Vec<Entry> {
        let known = |option: &str| {
            let known = options::find(other, option);
            known.or(options::find_deprecated(other, option)).is_some()
        };
        let of_paste = |option: &str| option == "use" || option.starts_with("paste.");
        let set = section.options.iter().filter_map(|(option, text)| {
            let named = |entry: &&Entry| option_of(entry) == option;
            let mut entries = self.entries.iter().rev().filter(named);
            let own = entries.clone().find(|entry| entry.section == section.name);
            let meant = own.is_some() && !of_paste(option) || known(option);
            let entry = own.or_else(|| entries.find(|entry| entry.section == "DEFAULT"))?;
            meant.then(|| Entry {
                section: other.to_owned(),
                option: option.clone(),
                // A dollar sign is one: paste files have no other substitution than their own.
                text: text.replace('$', "$$"),
                origin: entry.origin.clone(),
            })
        });
        set.collect()
    }

    /// The options of a section over those of `[DEFAULT]`.
    fn options(&self, section: &str) -> Result<Options, Error> {
        let here = self.path.parent().unwrap_or(Path::new("."));
        let mut raw = Options::from([
            ("here".to_owned(), here.display().to_string()),
            ("__file__".to_owned(), self.path.display().to_string()),
        ]);
        for scope in ["DEFAULT", section] {
            let entries = self.entries.iter().filter(|entry| entry.section == scope);
            raw.extend(entries.map(|entry| (option_of(entry).to_owned(), entry.text.clone())));
        }
        raw.iter()
            .map(|(option, text)| {
                Ok((
                    option.clone(),
                    self.interpolate(section, &raw, text, MAX_DEPTH)?,
                ))
            })
            .collect()
    }

    fn interpolate(
        &self,
        section: &str,
        raw: &Options,
        text: &str,
        depth: usize,
    ) -> Result<String, Error> {
        let wrong = |what: &str| self.wrong(format!("[{section}]: {what}"));
        let depth = depth
            .checked_sub(1)
            .ok_or_else(|| wrong("a value refers to itself"))?;
        let mut value = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            value.push_str(before);
            if let Some(after) = after.strip_prefix('%') {
                value.push('%');
                rest = after;
                continue;
            }
            let (name, after) = after
                .strip_prefix('(')
                .and_then(|after| after.split_once(")s"))
                .ok_or_else(|| wrong("write %% where a percent sign is meant"))?;
            let text = raw
                .get(name)
                .ok_or_else(|| wrong(&format!("nothing is known to put in for %({name})s")))?;
            value.push_str(&self.interpolate(section, raw, text, depth)?);
            rest = after;
        }
        value.push_str(rest);
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> Result<Options, String> {
        let file = PasteFile::parse(Path::new("/etc/x/paste.ini"), text).unwrap();
        let section = file.section(&["app", "filter"], "a");
        section
            .map(|section| section.unwrap().options)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn sections_stand_over_default_and_refer_to_it() {
        let options = options(
            "[DEFAULT]\nroot = %(here)s/r\nx = 1\n[filter:a]\nset x = 2\ny = %(root)s/%(x)s 5%%\n",
        )
        .unwrap();
        assert_eq!(options["x"], "2");
        assert_eq!(options["y"], "/etc/x/r/2 5%");
    }

    #[test]
    fn indented_comments_are_no_part_of_a_value() {
        assert_eq!(options("[app:a]\nb = c\n  # d\n  e").unwrap()["b"], "c\ne");
    }

    #[test]
    fn wrong_references_are_told() {
        for (text, problem) in [
            (
                "[app:a]\nb = %(c)s",
                "/etc/x/paste.ini: [app:a]: nothing is known to put in for %(c)s",
            ),
            (
                "[app:a]\nb = 5%",
                "/etc/x/paste.ini: [app:a]: write %% where a percent sign is meant",
            ),
            (
                "[app:a]\nb = %(b)s",
                "/etc/x/paste.ini: [app:a]: a value refers to itself",
            ),
        ] {
            assert_eq!(options(text), Err(problem.to_owned()));
        }
    }
}

//! The oslo.config dialect: files of sections and options, later ones over earlier ones.
//!
//! [`Settings`] answers for every option of the table: its text comes from the environment or the
//! last file that has it under its name or an older one, else from the table, and what it refers
//! to is put in. An error names the place where the text stands.

mod reader;
mod section;
mod substitution;
pub mod values;

pub use reader::{Entry, normal, read};
pub use section::Section;
pub use substitution::escape;

use super::error::{Error, Origin};
use super::options::{self, Known};

/// References may lead to references; one that goes on this long leads back to itself.
const MAX_DEPTH: usize = 16;
/// Where the service's account stands, or where it says that it stands elsewhere.
const ACCOUNT: &str = "keystone_authtoken";

/// Everything that was set, and where.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The earliest and weakest first.
    layers: Vec<Vec<Entry>>,
}

/// The text of an option after substitution, and where it stands.
#[derive(Debug, Clone)]
pub struct Value {
    pub text: String,
    pub origin: Origin,
}

impl Settings {
    /// Puts a layer over all before it.
    pub fn push(&mut self, entries: Vec<Entry>) {
        self.layers.push(entries);
    }

    /// The options of one section.
    pub fn section<'a>(&'a self, name: &'a str) -> Section<'a> {
        Section::new(self, name)
    }

    /// All that was written, in the order of writing.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.layers.iter().flatten()
    }

    /// What an option is set to; its default where it is not set.
    pub fn value(&self, section: &str, option: &str) -> Result<Option<Value>, Error> {
        self.value_within(section, option, MAX_DEPTH)
    }

    /// All values of an option that may stand several times, of all files.
    pub fn all_values(&self, section: &str, option: &str) -> Result<Vec<Value>, Error> {
        let names = names(section, option);
        let entries: Vec<&Entry> = self
            .entries()
            .filter(|entry| is_any(entry, &names))
            .collect();
        if entries.is_empty() {
            return Ok(self.value(section, option)?.into_iter().collect());
        }
        entries
            .into_iter()
            .map(|entry| self.expand(entry, MAX_DEPTH))
            .collect()
    }

    /// Where an option is written, if anywhere. Within a file its own name comes before older ones.
    pub fn entry(&self, section: &str, option: &str) -> Option<&Entry> {
        let names = names(section, option);
        self.layers.iter().rev().find_map(|layer| {
            let latest = |name: &(String, String)| {
                let mut entries = layer.iter().rev();
                entries.find(|entry| is_any(entry, std::slice::from_ref(name)))
            };
            names.iter().find_map(latest)
        })
    }

    /// The row of the table that an option has in that section, also in the section of a store, of a rule or of
    /// an account.
    pub fn known(&self, section: &str, option: &str) -> Option<&'static Known> {
        let lent = |from, is_borrower: bool| is_borrower.then(|| options::find(from, option))?;
        options::find(section, option)
            .or_else(|| lent(options::RULE, options::rule_of(section).is_some()))
            .or_else(|| lent("glance_store", self.is_store(section)))
            .or_else(|| lent(ACCOUNT, self.is_account(section)))
    }

    /// Whether the `auth_section` of a section with an account names the section.
    fn is_account(&self, section: &str) -> bool {
        let named = |owner| self.entry(owner, "auth_section");
        [ACCOUNT, "oslo_limit"]
            .into_iter()
            .filter_map(named)
            .any(|entry| reader::normal(&entry.text) == section)
    }

    /// Whether `enabled_backends` names the section.
    pub fn is_store(&self, section: &str) -> bool {
        let Some(entry) = self.entry("DEFAULT", "enabled_backends") else {
            return false;
        };
        let stores = values::dict(&entry.text).unwrap_or_default();
        stores
            .iter()
            .any(|(name, _)| reader::normal(name) == section)
    }

    /// The sections of rules that were written, in the order of writing.
    pub fn rule_sections(&self) -> Vec<&str> {
        let mut sections: Vec<&str> = Vec::new();
        for entry in self.entries() {
            let section = entry.section.as_str();
            if options::rule_of(section).is_some() && !sections.contains(&section) {
                sections.push(section);
            }
        }
        sections
    }

    fn value_within(
        &self,
        section: &str,
        option: &str,
        depth: usize,
    ) -> Result<Option<Value>, Error> {
        if let Some(entry) = self.entry(section, option) {
            return self.expand(entry, depth).map(Some);
        }
        let default = self.known(section, option).map(|known| known.default);
        Ok(default.filter(|text| !text.is_empty()).map(|text| Value {
            text: text.to_owned(),
            origin: Origin::BuiltIn,
        }))
    }

    fn expand(&self, entry: &Entry, depth: usize) -> Result<Value, Error> {
        let text = substitution::expand(&entry.text, |name| {
            let depth = depth.checked_sub(1).ok_or_else(|| Error::Circle {
                place: Box::new(entry.place()),
            })?;
            let (section, option) =
                self.resolve(&entry.section, name)
                    .ok_or_else(|| Error::Reference {
                        place: Box::new(entry.place()),
                        name: name.to_owned(),
                    })?;
            let value = self.value_within(&section, option, depth)?;
            Ok(value.map(|value| value.text).unwrap_or_default())
        })?;
        Ok(Value {
            text,
            origin: entry.origin.clone(),
        })
    }

    /// Which option a reference means: a bare name is one of the same section, else of `DEFAULT`.
    fn resolve<'n>(&self, section: &str, name: &'n str) -> Option<(String, &'n str)> {
        let exists = |section: &str, option: &str| {
            self.known(section, option).is_some() || self.entry(section, option).is_some()
        };
        let (sections, option) = match name.split_once('.') {
            Some((section, option)) => (vec![reader::normal(section)], option),
            None => (vec![section.to_owned(), "DEFAULT".to_owned()], name),
        };
        let section = sections
            .into_iter()
            .find(|section| exists(section, option))?;
        Some((section, option))
    }
}

/// The names under which an option may be written, its own first.
fn names(section: &str, option: &str) -> Vec<(String, String)> {
    let older = options::find(section, option)
        .into_iter()
        .flat_map(|known| &known.deprecated)
        .map(|&(section, option)| (section.to_owned(), option.to_owned()));
    std::iter::once((section.to_owned(), option.to_owned()))
        .chain(older)
        .collect()
}

fn is_any(entry: &Entry, names: &[(String, String)]) -> bool {
    names
        .iter()
        .any(|(section, option)| *section == entry.section && *option == entry.option)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;

    /// Settings of several files, the first of which is the weakest.
    fn settings(files: &[&str]) -> Settings {
        let mut settings = Settings::default();
        for (text, number) in files.iter().zip(1..) {
            let path = Arc::from(Path::new(&format!("{number}.conf")));
            settings.push(read(&path, text).unwrap());
        }
        settings
    }

    fn text(settings: &Settings, section: &str, option: &str) -> Option<String> {
        settings
            .value(section, option)
            .unwrap()
            .map(|value| value.text)
    }

    fn problem(settings: &Settings, section: &str, option: &str) -> String {
        settings.value(section, option).unwrap_err().to_string()
    }

    #[test]
    fn the_last_file_counts_and_in_it_the_last_line() {
        let settings = settings(&[
            "[DEFAULT]\nlog_dir=a\nlog_dir=b",
            "[DEFAULT]\nlog_dir=c\nlog_dir=d",
            "[database]\nconnection=e",
        ]);
        let value = settings.value("DEFAULT", "log_dir").unwrap().unwrap();
        assert_eq!(value.text, "d");
        assert_eq!(value.origin.to_string(), "2.conf:3");
    }

    #[test]
    fn what_nobody_sets_has_its_default() {
        let settings = settings(&[]);
        assert_eq!(
            text(&settings, "DEFAULT", "bind_port").as_deref(),
            Some("9292")
        );
        assert_eq!(text(&settings, "DEFAULT", "image_cache_dir"), None);
    }

    #[test]
    fn older_names_count_below_the_new_one_in_a_file_and_above_it_in_a_later_file() {
        let both = "[DEFAULT]\ndisk_formats=old\n[image_format]\ndisk_formats=new";
        let later = "[DEFAULT]\ndisk_formats=later";
        let formats = |files: &[&str]| text(&settings(files), "image_format", "disk_formats");
        assert_eq!(formats(&[both]).as_deref(), Some("new"));
        assert_eq!(formats(&[both, later]).as_deref(), Some("later"));
    }

    #[test]
    fn options_that_stand_several_times_are_gathered_from_all_files() {
        let settings = settings(&[
            "[glance_store]\nfilesystem_store_datadirs=/a:1\nfilesystem_store_datadirs=/b",
            "[glance_store]\nfilesystem_store_datadirs=/c",
        ]);
        let values = settings
            .all_values("glance_store", "filesystem_store_datadirs")
            .unwrap();
        let texts: Vec<_> = values.iter().map(|value| value.text.as_str()).collect();
        assert_eq!(texts, ["/a:1", "/b", "/c"]);
    }

    #[test]
    fn references_look_in_their_section_then_in_default() {
        let settings = settings(&[
            "[DEFAULT]\nlog_dir=/d\nlog_file=$log_dir/f\n\
             [oslo_policy]\npolicy_file=${log_file}.${Server.State_dir}\n\
             [task]\nwork_dir=${task_time_to_live}h",
            "[server]\nState_dir=s",
        ]);
        assert_eq!(
            text(&settings, "oslo_policy", "policy_file").as_deref(),
            Some("/d/f.s")
        );
        assert_eq!(text(&settings, "task", "work_dir").as_deref(), Some("48h"));
    }

    #[test]
    fn a_reference_to_nothing_set_is_empty_and_to_nothing_known_refused() {
        let settings = settings(&["[DEFAULT]\nlog_dir=<$log_file>\nrestore=pa$word"]);
        assert_eq!(text(&settings, "DEFAULT", "log_dir").as_deref(), Some("<>"));
        assert_eq!(
            problem(&settings, "DEFAULT", "restore"),
            "1.conf:3: [DEFAULT] restore: there is no option word to put in for $word; \
             write $$ where a dollar sign is meant"
        );
    }

    #[test]
    fn references_in_a_circle_are_refused() {
        let settings = settings(&["[DEFAULT]\nlog_dir=$log_file\nlog_file=$log_dir"]);
        assert_eq!(
            problem(&settings, "DEFAULT", "log_dir"),
            "1.conf:2: [DEFAULT] log_dir: the value refers to itself"
        );
    }

    #[test]
    fn enabled_backends_names_sections_with_the_options_of_stores() {
        let settings = settings(&["[DEFAULT]\nenabled_backends=Fast:file\n[fast]\nweight=3"]);
        assert!(settings.is_store("fast"));
        assert!(settings.known("fast", "weight").is_some());
        assert!(settings.known("slow", "weight").is_none());
    }
}

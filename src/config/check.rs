//! What is judged before anything is built from the settings: every value that was written must
//! be one of its kind, and whatever means nothing here is told once.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use super::error::{Error, Origin, Place, Problems};
use super::ini::{Entry, Settings, Value};
use super::options::{self, Kind, Known};

/// Something that glance starts in spite of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    UnknownOption(Place),
    DeprecatedOption {
        place: Place,
        /// The section and option that should be used.
        instead: (&'static str, &'static str),
    },
    /// The option means nothing here; the note says why, where there is more to say.
    MeaninglessOption {
        place: Place,
        note: &'static str,
    },
    /// Identity comes from request headers, which somebody in front must guard.
    TrustedHeaders,
    /// A policy file is named, and is not there: the defaults hold.
    NoPolicyFile {
        place: Place,
        file: PathBuf,
    },
    /// Keystone is to say what projects may have, and cannot be asked: what `[oslo_limit]` lacks.
    UnknownLimits(&'static str),
    /// The names of healthcheck backends that nobody knows.
    UnknownHealthcheck(String),
    /// Other nodes know this one by the name of its machine.
    UnnamedNode(String),
    /// `[image_cache] peers`, where no node tells what it has.
    SilentPeers,
    /// The same where this node is called what is no URL.
    UnaskedNode(String),
    /// A property of `schema-image.json`, and what it demands in vain.
    SchemaKeyword((String, String)),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownOption(place) => write!(f, "{place} is unknown and has no effect"),
            Self::DeprecatedOption {
                place,
                instead: (section, option),
            } => write!(f, "{place} is deprecated, write [{section}] {option}"),
            Self::MeaninglessOption { place, note: "" } => {
                write!(f, "{place} has no meaning here")
            }
            Self::MeaninglessOption { place, note } => {
                write!(f, "{place} has no meaning here: {note}")
            }
            Self::TrustedHeaders => f.write_str(
                "the pipeline has context without authtoken: callers are whoever X-Identity-Status, \
                 X-User-Id, X-Project-Id and X-Roles say, so only a trusted proxy, which sets \
                 these headers itself, may reach this service",
            ),
            Self::NoPolicyFile { place, file } => write!(
                f,
                "{place}: {} does not exist, so the default policy holds",
                file.display()
            ),
            Self::UnknownLimits(what) => write!(
                f,
                "use_keystone_limits is set and [oslo_limit] has no {what}, so nobody can add anything"
            ),
            Self::UnknownHealthcheck(name) => {
                write!(f, "the healthcheck backend {name} is unknown and asks nothing")
            }
            Self::UnnamedNode(name) => write!(
                f,
                "image_cache_driver is centralized_db and worker_self_reference_url is not set, so \
                 other nodes know this one as {name}"
            ),
            Self::SilentPeers => f.write_str(
                "[image_cache] peers asks nobody, for nodes tell what they have only where \
                 image_cache_driver is centralized_db",
            ),
            Self::UnaskedNode(name) => write!(
                f,
                "worker_self_reference_url makes this node known as {name}, which is no URL, so no node asks it \
                 for copies"
            ),
            Self::SchemaKeyword((property, keyword)) => write!(
                f,
                "schema-image.json: {property}: nothing is held to {keyword}, only shown"
            ),
        }
    }
}

/// Checks every value that counts, and gathers the warnings and what is wrong.
pub fn check(settings: &Settings, problems: &mut Problems) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut seen = BTreeSet::new();
    for entry in settings.entries() {
        if entry.origin == Origin::BuiltIn || !seen.insert((&entry.section, &entry.option)) {
            continue;
        }
        let (section, option) = (entry.section.as_str(), entry.option.as_str());
        if let Some(known) = settings.known(section, option) {
            if problems
                .note(check_values(settings, section, known))
                .is_some()
            {
                let told = problems.note(meaningless(settings, entry, known));
                warnings.extend(told.flatten());
            }
        } else if let Some(known) = options::find_deprecated(section, option) {
            problems.note(check_values(settings, known.section, known));
            warnings.push(Warning::DeprecatedOption {
                place: entry.place(),
                instead: (known.section, known.option),
            });
        } else if options::rule_of(section).is_some() {
            problems.note(Err::<(), _>(Error::NoOptionOfRule(Box::new(entry.place()))));
        } else {
            warnings.push(Warning::UnknownOption(entry.place()));
        }
    }
    warnings
}

fn check_values(settings: &Settings, section: &str, known: &Known) -> Result<(), Error> {
    let values: Vec<Value> = match known.kind {
        Kind::Removed => return Ok(()),
        Kind::Multi => settings.all_values(section, known.option)?,
        _ => settings.value(section, known.option)?.into_iter().collect(),
    };
    let section = settings.section(section);
    values.iter().try_for_each(|value| {
        known
            .check(&value.text)
            .map_err(|must| section.wrong(known.option, value, must))
    })
}

fn meaningless(
    settings: &Settings,
    entry: &Entry,
    known: &Known,
) -> Result<Option<Warning>, Error> {
    let is_default = match settings.value(&entry.section, &entry.option)? {
        Some(value) => value.text.eq_ignore_ascii_case(known.default),
        None => true,
    };
    let means_something = known.kind != Kind::Removed && (known.note.is_empty() || is_default);
    Ok((!means_something).then(|| Warning::MeaninglessOption {
        place: entry.place(),
        note: known.note,
    }))
}

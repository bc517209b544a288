//! Which custom properties of images a caller may read and write.
//!
//! A site's file has a section per rule: a pattern for names, and for each of four actions who may. The first
//! section whose pattern is found in a name decides; a name that none fits is nobody's.

mod file;

use std::fmt::Display;
use std::path::{Path, PathBuf};

use fancy_regex::Regex;

use super::{Error, Policy, Target};
use crate::config::policy::{ProtectionFormat, ProtectionsConfig};
use crate::domain::Caller;
use file::Section;

/// What may be done to a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touch {
    Create,
    Read,
    Update,
    Delete,
}

/// The rules of a site.
#[derive(Debug)]
pub(super) struct Protections(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    names: Regex,
    create: Allowed,
    read: Allowed,
    update: Allowed,
    delete: Allowed,
}

/// Whom a rule lets do something.
#[derive(Debug, PartialEq, Eq)]
enum Allowed {
    Everybody,
    Nobody,
    /// Whoever has one of these roles, in lower case.
    Roles(Vec<String>),
    /// Whom the policy's rule of this name lets.
    Policy(String),
}

impl Policy {
    /// Whether `caller` may do this to the property of that name. Without protections everybody may.
    pub async fn may_touch(&self, caller: &Caller, property: &str, touch: Touch) -> bool {
        let Some(protections) = self.protections() else {
            return true;
        };
        match protections.allowed(property, touch) {
            Allowed::Everybody => true,
            Allowed::Nobody => false,
            Allowed::Roles(roles) => {
                let mut own = caller.roles.iter().chain(&caller.service_roles);
                own.any(|role| roles.contains(role))
            }
            Allowed::Policy(rule) => self.allows(caller, rule, &Target::new()).await,
        }
    }
}

impl Protections {
    pub(super) fn load(config: &ProtectionsConfig) -> Result<Self, Error> {
        let file = &config.file;
        let text = std::fs::read_to_string(file).map_err(|error| wrong(file, &error))?;
        Self::parse(file, &text, config.format)
    }

    fn parse(file: &Path, text: &str, format: ProtectionFormat) -> Result<Self, Error> {
        // What the service keeps for itself is no site's to protect.
        let own = Rule {
            names: pattern("os_glance.*").map_err(|problem| wrong(file, &problem))?,
            create: Allowed::Everybody,
            read: Allowed::Everybody,
            update: Allowed::Everybody,
            delete: Allowed::Everybody,
        };
        let mut rules = vec![own];
        for section in file::sections(text).map_err(|problem| wrong(file, &problem))? {
            if section.name.starts_with("os_glance") {
                continue;
            }
            let rule = Rule::new(file, &section, format);
            let inside = |problem| wrong(file, &format!("[{}]: {problem}", section.name));
            rules.push(rule.map_err(inside)?);
        }
        Ok(Self(rules))
    }

    fn allowed(&self, property: &str, touch: Touch) -> &Allowed {
        for rule in &self.0 {
            match rule.names.is_match(property) {
                Ok(false) => {}
                Ok(true) => return rule.of(touch),
                // A pattern that takes too long to judge protects from everybody.
                Err(_) => break,
            }
        }
        &Allowed::Nobody
    }
}

impl Rule {
    fn new(file: &Path, section: &Section, format: ProtectionFormat) -> Result<Self, String> {
        let allowed = |action: &str| {
            let missing = || format!("it does not say who may {action}");
            let text = section.options.get(action).ok_or_else(missing)?;
            if text.is_empty() {
                let (file, name) = (file.display(), &section.name);
                tracing::warn!("{file}: [{name}] {action} is empty: nobody may");
            }
            Allowed::parse(text, format).map_err(|must| format!("{action} = {text}: {must}"))
        };
        Ok(Self {
            names: pattern(&section.name)?,
            create: allowed("create")?,
            read: allowed("read")?,
            update: allowed("update")?,
            delete: allowed("delete")?,
        })
    }

    fn of(&self, touch: Touch) -> &Allowed {
        match touch {
            Touch::Create => &self.create,
            Touch::Read => &self.read,
            Touch::Update => &self.update,
            Touch::Delete => &self.delete,
        }
    }
}

impl Allowed {
    fn parse(text: &str, format: ProtectionFormat) -> Result<Self, &'static str> {
        let names: Vec<&str> = text.split(',').map(str::trim).collect();
        let has = |name| names.contains(&name);
        match format {
            ProtectionFormat::Policies if names.len() > 1 => {
                Err("must be one rule of the policy; there they can be combined")
            }
            ProtectionFormat::Roles if has("@") && has("!") => {
                Err("@ is everybody and ! nobody, so it cannot be both")
            }
            _ if has("!") || text.is_empty() => Ok(Self::Nobody),
            _ if has("@") => Ok(Self::Everybody),
            ProtectionFormat::Policies => Ok(Self::Policy(text.to_owned())),
            ProtectionFormat::Roles => {
                let roles = names.into_iter().map(str::to_lowercase);
                Ok(Self::Roles(roles.collect()))
            }
        }
    }
}

fn pattern(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|error| format!("it is no pattern that can be read: {error}"))
}

fn wrong(file: &Path, problem: &dyn Display) -> Error {
    Error::Protections {
        file: PathBuf::from(file),
        problem: problem.to_string(),
    }
}

#[cfg(test)]
mod tests;

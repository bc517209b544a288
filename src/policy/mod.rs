//! Whether a caller may do what it asks: oslo.policy's language and the original's rules.

mod credential;
mod defaults;
mod explain;
mod facts;
mod file;
mod parse;
mod protections;
mod remote;
mod rule;
mod rules;
mod source;
mod template;
#[cfg(test)]
mod triples;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::client;
use crate::config::PolicyConfig;
use crate::domain::Caller;

use facts::CallerFacts;
use protections::Protections;
use rules::{Manner, Rules};
use source::{Reading, Source};

pub use explain::{Explanation, Listed, Origin, Step};
pub use facts::{Facts, ImageFacts, Target};
pub use protections::Touch;

/// The rule that makes an administrator.
const CONTEXT_IS_ADMIN: &str = "context_is_admin";

/// Why rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("policy file {file} cannot be read: {problem}")]
    Unreadable { file: PathBuf, problem: String },
    #[error("policy file {file} is neither YAML nor JSON: {problem}")]
    Syntax { file: PathBuf, problem: String },
    #[error("policy file {0}: must hold rules by name (name: rule)")]
    NoRules(PathBuf),
    #[error("policy file {file}: rule \"{rule}\" must be a text or a list of texts")]
    NoRule { file: PathBuf, rule: String },
    #[error("policy file {file}: rule \"{rule}\" refers to itself: {circle}")]
    Circle {
        file: PathBuf,
        rule: String,
        circle: String,
    },
    #[error("policy file {0} is gone")]
    Gone(PathBuf),
    #[error("property protection file {file}: {problem}")]
    Protections { file: PathBuf, problem: String },
    /// Of a rule that asks another server.
    #[error("[oslo_policy] remote_*: {0}")]
    Remote(#[from] client::Error),
}

/// The rules in force. Cheap to clone; an edited file counts from the next question on.
#[derive(Debug, Clone)]
pub struct Policy(Option<Arc<Live>>);

/// Rules from files, and what they were made of.
#[derive(Debug)]
struct Live {
    source: Source,
    manner: Manner,
    /// None where every property is open to all.
    protections: Option<Protections>,
    state: RwLock<State>,
    /// Held by the one who reads the files again, so that a change is read and reported once.
    renewal: Mutex<()>,
}

#[derive(Debug, Clone)]
struct State {
    rules: Arc<Rules>,
    /// The last look at the files, whether or not rules came of it.
    reading: Arc<Reading>,
    /// The policy file has been there: that it is gone is a mistake then, not a choice.
    had_file: bool,
}

impl Policy {
    /// The rules of the configured files over the built-in ones. Files need not exist.
    pub fn load(config: &PolicyConfig) -> Result<Self, Error> {
        if config.allow_all {
            return Ok(Self(None));
        }
        let source = Source::new(config);
        let reading = source.read();
        let usual = Manner::default();
        let manner = Manner {
            default: config.default_rule.clone().unwrap_or(usual.default),
            older: config.older_defaults,
        };
        let rules = source.rules(&reading, &manner)?;
        warn(&rules);
        let state = State {
            rules: Arc::new(rules),
            had_file: source.has_file(&reading),
            reading: Arc::new(reading),
        };
        let protections = config.protections.as_ref().map(Protections::load);
        Ok(Self(Some(Arc::new(Live {
            source,
            manner,
            protections: protections.transpose()?,
            state: RwLock::new(state),
            renewal: Mutex::new(()),
        }))))
    }

    /// Whether `caller` may do `action` to what has these `facts`. An action without a rule is judged by
    /// `default`.
    pub async fn allows(&self, caller: &Caller, action: &str, facts: &dyn Facts) -> bool {
        match &self.0 {
            Some(live) => live.rules().allow(caller, action, facts).await,
            None => true,
        }
    }

    /// Whether owners are asked for beside the rules: the older rules leave that to the service.
    pub fn asks_for_owners(&self) -> bool {
        self.0.as_ref().is_some_and(|live| live.manner.older)
    }

    fn protections(&self) -> Option<&Protections> {
        self.0.as_ref()?.protections.as_ref()
    }

    /// Whether `context_is_admin` makes `caller` an administrator.
    pub async fn is_admin(&self, caller: &Caller) -> bool {
        self.allows(caller, CONTEXT_IS_ADMIN, &CallerFacts(caller))
            .await
    }
}

impl Live {
    /// The rules as the files have them now; the ones before where those are wrong.
    fn rules(&self) -> Arc<Rules> {
        let state = self.state();
        if state.reading.is_current() {
            return state.rules;
        }
        let _renewing = self.renewal.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.state();
        if state.reading.is_current() {
            return state.rules;
        }
        let state = self.renewed(state);
        let rules = Arc::clone(&state.rules);
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
        rules
    }

    fn state(&self) -> State {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.clone()
    }

    fn renewed(&self, before: State) -> State {
        let reading = self.source.read();
        if reading.says_the_same_as(&before.reading) {
            return State {
                reading: Arc::new(reading),
                ..before
            };
        }
        let has_file = self.source.has_file(&reading);
        let rules = match self.source.file() {
            Some(file) if before.had_file && !has_file => Err(Error::Gone(file.to_owned())),
            _ => self.source.rules(&reading, &self.manner),
        };
        let rules = match rules {
            Ok(rules) => {
                tracing::info!("the policy files changed: their rules are in force");
                warn(&rules);
                Arc::new(rules)
            }
            Err(error) => {
                tracing::error!("the rules before stay in force: {error}");
                before.rules
            }
        };
        State {
            rules,
            reading: Arc::new(reading),
            had_file: before.had_file || has_file,
        }
    }
}

fn warn(rules: &Rules) {
    for warning in rules.warnings() {
        let (file, rule) = (warning.file.display(), &warning.rule);
        tracing::warn!("policy file {file}: rule \"{rule}\": {}", warning.problem);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    /// A directory with a policy file and a `policy.d`, neither there yet.
    struct Site(TempDir);

    impl Site {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn with_policy(text: &str) -> Self {
            let site = Self::new();
            site.write("policy.yaml", text);
            site
        }

        fn write(&self, name: &str, text: &str) {
            let path = self.0.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn load(&self) -> Result<Policy, Error> {
            Policy::load(&PolicyConfig {
                file: Some(self.0.path().join("policy.yaml")),
                dirs: vec![self.0.path().join("policy.d")],
                ..PolicyConfig::default()
            })
        }
    }

    async fn may_list(policy: &Policy) -> bool {
        let reader = Caller {
            roles: vec!["reader".to_owned()],
            ..Caller::default()
        };
        policy.allows(&reader, "get_images", &Target::new()).await
    }

    #[tokio::test]
    async fn without_files_the_built_in_rules_hold() {
        let policy = Site::new().load().unwrap();
        let mut caller = Caller {
            project_id: Some("p".to_owned()),
            roles: vec!["reader".to_owned()],
            ..Caller::default()
        };
        let own = Target::from([("project_id", "p".into())]);
        assert!(policy.allows(&caller, "get_images", &own).await);
        assert!(!policy.allows(&caller, "delete_image", &own).await);
        assert!(!policy.is_admin(&caller).await);
        caller.roles.push("admin".to_owned());
        assert!(policy.allows(&caller, "delete_image", &Target::new()).await);
        assert!(policy.is_admin(&caller).await);
    }

    #[tokio::test]
    async fn the_start_without_configuration_allows_everything() {
        let policy = Policy::load(&PolicyConfig {
            allow_all: true,
            ..PolicyConfig::default()
        })
        .unwrap();
        assert!(
            policy
                .allows(&Caller::default(), "delete_image", &Target::new())
                .await
        );
    }

    #[tokio::test]
    async fn an_administrator_without_roles_is_denied_by_the_built_in_rules() {
        let policy = Site::new().load().unwrap();
        let caller = Caller {
            is_admin: true,
            ..Caller::default()
        };
        assert!(!policy.allows(&caller, "get_images", &Target::new()).await);
    }

    #[tokio::test]
    async fn every_edit_counts_from_the_next_question_on() {
        let site = Site::with_policy("get_images: '!'");
        let policy = site.load().unwrap();
        // Faster than the file system's clock, and of one size.
        for _ in 0..50 {
            assert!(!may_list(&policy).await);
            site.write("policy.yaml", "get_images: '@'");
            assert!(may_list(&policy).await);
            site.write("policy.yaml", "get_images: '!'");
        }
    }

    #[tokio::test]
    async fn a_file_that_appears_later_counts() {
        let site = Site::new();
        let policy = site.load().unwrap();
        assert!(!may_list(&policy).await);
        site.write("policy.yaml", "get_images: role:reader");
        assert!(may_list(&policy).await);
    }

    #[tokio::test]
    async fn a_rule_taken_out_of_the_file_is_the_built_in_one_again() {
        let site = Site::with_policy("get_images: '@'");
        let policy = site.load().unwrap();
        assert!(may_list(&policy).await);
        site.write("policy.yaml", "# nothing");
        assert!(!may_list(&policy).await);
    }

    #[tokio::test]
    async fn a_wrong_edit_keeps_the_rules_before() {
        let site = Site::with_policy("get_images: role:reader");
        let policy = site.load().unwrap();
        for wrong in [
            "get_images: [",
            "get_images: 5",
            "get_images: rule:get_images",
        ] {
            site.write("policy.yaml", wrong);
            assert!(may_list(&policy).await, "{wrong}");
        }
        site.write("policy.yaml", "get_images: '!'");
        assert!(!may_list(&policy).await);
    }

    #[tokio::test]
    async fn a_file_that_vanishes_keeps_its_rules() {
        let site = Site::with_policy("get_images: role:reader");
        let policy = site.load().unwrap();
        fs::remove_file(site.0.path().join("policy.yaml")).unwrap();
        assert!(may_list(&policy).await);
        site.write("policy.d/more.yaml", "delete_image: '!'");
        assert!(may_list(&policy).await);
    }

    #[tokio::test]
    async fn files_of_the_directory_count_after_the_file_and_by_name() {
        let site = Site::with_policy("get_images: '!'");
        site.write("policy.d/.hidden.yaml", "get_images: '!'");
        site.write("policy.d/10.yaml", "get_images: '@'");
        let policy = site.load().unwrap();
        assert!(may_list(&policy).await);
        site.write("policy.d/20.yaml", "get_images: '!'");
        assert!(!may_list(&policy).await);
        fs::remove_file(site.0.path().join("policy.d/20.yaml")).unwrap();
        assert!(may_list(&policy).await);
    }

    #[test]
    fn a_wrong_file_is_refused_at_start() {
        let site = Site::with_policy("get_images: rule:a\na: rule:get_images\n");
        let error = site.load().unwrap_err().to_string();
        assert!(
            error.contains("policy.yaml") && error.contains("\"a\""),
            "{error}"
        );
    }
}

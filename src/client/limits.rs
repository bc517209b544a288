//! The limits that Keystone keeps for the resources of services.
//!
//! Each service registers a limit for each of its resources, which holds for every project that has none of its
//! own. What Keystone said is believed for a moment, so that a crowd asks once; and not for longer than that, for
//! who changes a limit wants to see it hold.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use futures_util::try_join;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout};
use url::form_urlencoded;

use super::error;
use super::session::{Failure, Session};
use crate::config::LimitsConfig;

/// With all of its questions, an answer comes within this time or not at all.
const PATIENCE: Duration = Duration::from_secs(30);
/// So long it is believed which service we are to Keystone, and how limits are to be understood.
const PLACE_KEPT: Duration = Duration::from_mins(1);
/// A few hundred bytes each.
const MOST_KEPT: usize = 10_000;

/// Why it is not known what a project may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    #[error(transparent)]
    Keystone(#[from] Failure),
    #[error("{0} of this service in Keystone's catalogue, by [oslo_limit]")]
    Place(&'static str),
    #[error("the enforcement model {0} is not supported")]
    Model(String),
    #[error("Keystone took more than {PATIENCE:?} to tell limits")]
    Slow,
}

/// What a project may have, and where it is one of several that share: what they may have together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectLimits {
    /// The project itself comes first.
    pub levels: Vec<Level>,
}

/// Limits, and the projects whose use they are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// Whose limits they are. None for callers without a project.
    pub project: Option<String>,
    /// The projects that are counted; none are those without a project.
    pub members: Vec<String>,
    limits: HashMap<String, i64>,
}

impl Level {
    /// How much of a resource there may be; a negative one is no limit. Without a registered limit there may be
    /// nothing.
    pub fn of(&self, resource: &str) -> i64 {
        self.limits.get(resource).copied().unwrap_or_else(|| {
            tracing::error!("there is no registered limit for {resource} in Keystone, so it is 0");
            0
        })
    }
}

/// Asks Keystone what projects may have. Cheap to clone.
#[derive(Clone)]
pub struct Limits(Arc<Inner>);

struct Inner {
    config: LimitsConfig,
    session: Session,
    place: Mutex<Option<(Instant, Place)>>,
    known: Mutex<HashMap<Option<String>, Known>>,
    asking: Mutex<HashMap<Option<String>, Asking>>,
}

type Answer = Result<Arc<ProjectLimits>, Unknown>;
/// What was said, and until when it is believed.
type Known = (Instant, Arc<ProjectLimits>);
type Asking = Shared<BoxFuture<'static, Answer>>;

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Limits")
    }
}

/// Which service we are to Keystone.
#[derive(Debug, Clone)]
struct Place {
    service: String,
    region: Option<String>,
    /// Projects share what their parent may have.
    two_levels: bool,
}

#[derive(Deserialize)]
struct Endpoint {
    service_id: String,
    region_id: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

#[derive(Deserialize)]
struct Limit {
    resource_name: String,
    resource_limit: i64,
}

#[derive(Deserialize)]
struct Registered {
    resource_name: String,
    default_limit: i64,
}

#[derive(Deserialize)]
struct Project {
    parent_id: Option<String>,
    domain_id: Option<String>,
}

#[derive(Deserialize)]
struct Model {
    name: String,
}

impl Limits {
    /// Prepares to ask; nothing is sent before the first question.
    pub fn new(config: &LimitsConfig) -> error::Result<Self> {
        Ok(Self(Arc::new(Inner {
            session: Session::new(&config.account)?,
            config: config.clone(),
            place: Mutex::default(),
            known: Mutex::default(),
            asking: Mutex::default(),
        })))
    }

    /// What a project may have. However many want to know at once, Keystone is asked once, and goes on to be asked
    /// where the one who began has left.
    pub async fn of(&self, project: Option<&str>) -> Answer {
        let key = project.map(str::to_owned);
        let kept = lock(&self.0.known).get(&key).cloned();
        if let Some((until, limits)) = kept
            && Instant::now() < until
        {
            return Ok(limits);
        }
        let asking = lock(&self.0.asking)
            .entry(key.clone())
            .or_insert_with(|| self.ask(key))
            .clone();
        asking.await
    }

    /// Believes no more what was said of a project: who was refused by it may have got more meanwhile.
    pub fn forget(&self, project: Option<&str>) {
        lock(&self.0.known).remove(&project.map(str::to_owned));
    }

    fn ask(&self, key: Option<String>) -> Asking {
        let limits = self.clone();
        let asking = async move {
            let answer = timeout(PATIENCE, limits.0.limits_of(key.as_deref())).await;
            let answer = answer.unwrap_or(Err(Unknown::Slow)).map(Arc::new);
            if let Ok(answer) = &answer {
                limits.keep(key.clone(), answer);
            }
            lock(&limits.0.asking).remove(&key);
            answer
        };
        let asking = asking.boxed().shared();
        tokio::spawn(asking.clone());
        asking
    }

    fn keep(&self, key: Option<String>, answer: &Arc<ProjectLimits>) {
        let now = Instant::now();
        let mut known = lock(&self.0.known);
        if known.len() >= MOST_KEPT {
            known.retain(|_, (until, _)| now < *until);
        }
        if known.len() < MOST_KEPT {
            let until = now + self.0.config.cache_time;
            known.insert(key, (until, Arc::clone(answer)));
        }
    }
}

impl Inner {
    async fn limits_of(&self, project: Option<&str>) -> Result<ProjectLimits, Unknown> {
        let place = self.place().await?;
        let registered = self.registered(&place);
        let Some(project) = project else {
            return Ok(ProjectLimits {
                levels: vec![Level {
                    project: None,
                    members: Vec::new(),
                    limits: registered.await?,
                }],
            });
        };
        let (registered, own) = try_join!(registered, self.own(&place, project))?;
        let level = |project: &str, members, own| {
            let mut limits = registered.clone();
            limits.extend(own);
            Level {
                project: Some(project.to_owned()),
                members,
                limits,
            }
        };
        let mut levels = vec![level(project, vec![project.to_owned()], own)];
        if place.two_levels
            && let Some((parent, members)) = self.family(project).await?
        {
            let shared = self.own(&place, &parent).await?;
            levels.push(level(&parent, members, shared));
        }
        Ok(ProjectLimits { levels })
    }

    async fn registered(&self, place: &Place) -> Result<HashMap<String, i64>, Unknown> {
        #[derive(Deserialize)]
        struct List {
            registered_limits: Vec<Registered>,
        }
        let list: List = self.list("/registered_limits", &place.query()).await?;
        let limits = list.registered_limits.into_iter();
        Ok(limits
            .map(|one| (one.resource_name, one.default_limit))
            .collect())
    }

    /// What holds for one project alone.
    async fn own(&self, place: &Place, project: &str) -> Result<HashMap<String, i64>, Unknown> {
        #[derive(Deserialize)]
        struct List {
            limits: Vec<Limit>,
        }
        let mut query = place.query();
        query.push(("project_id", project));
        let list: List = self.list("/limits", &query).await?;
        // Of several for a resource, in several regions, the first counts.
        let limits = list.limits.into_iter().rev();
        Ok(limits
            .map(|one| (one.resource_name, one.resource_limit))
            .collect())
    }

    /// The project at the top, and all of its family with it. None where it has none.
    async fn family(&self, project: &str) -> Result<Option<(String, Vec<String>)>, Unknown> {
        #[derive(Deserialize)]
        struct One {
            project: Project,
        }
        #[derive(Deserialize)]
        struct List {
            projects: Vec<Named>,
        }
        let one: One = self.list(&format!("/projects/{project}"), &[]).await?;
        let Project {
            parent_id,
            domain_id,
        } = one.project;
        // Its domain is the parent of a project at the top.
        let parent = parent_id.filter(|parent| Some(parent) != domain_id.as_ref());
        let parent = parent.unwrap_or_else(|| project.to_owned());
        let list: List = self.list("/projects", &[("parent_id", &parent)]).await?;
        if list.projects.is_empty() {
            return Ok(None);
        }
        let children = list.projects.into_iter().map(|child| child.id);
        let members = std::iter::once(parent.clone()).chain(children).collect();
        Ok(Some((parent, members)))
    }

    async fn place(&self) -> Result<Place, Unknown> {
        #[derive(Deserialize)]
        struct Said {
            model: Model,
        }
        if let Some((until, place)) = lock(&self.place).clone()
            && Instant::now() < until
        {
            return Ok(place);
        }
        let (endpoint, said) = try_join!(self.endpoint(), self.list("/limits/model", &[]))?;
        let Said { model } = said;
        let two_levels = match model.name.as_str() {
            "flat" => false,
            "strict_two_level" | "strict-two-level" => true,
            _ => return Err(Unknown::Model(model.name)),
        };
        let place = Place {
            service: endpoint.service_id,
            region: endpoint.region_id,
            two_levels,
        };
        *lock(&self.place) = Some((Instant::now() + PLACE_KEPT, place.clone()));
        Ok(place)
    }

    async fn endpoint(&self) -> Result<Endpoint, Unknown> {
        #[derive(Deserialize)]
        struct One {
            endpoint: Endpoint,
        }
        #[derive(Deserialize)]
        struct Services {
            services: Vec<Named>,
        }
        #[derive(Deserialize)]
        struct Endpoints {
            endpoints: Vec<Endpoint>,
        }
        let config = &self.config;
        if let Some(id) = &config.endpoint_id {
            let one: One = self.list(&format!("/endpoints/{id}"), &[]).await?;
            return Ok(one.endpoint);
        }
        let given = [
            ("type", &config.service_type),
            ("name", &config.service_name),
        ];
        let given = given
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)));
        let query: Vec<_> = given.collect();
        if query.is_empty() {
            return Err(Unknown::Place("neither type nor name are known"));
        }
        let found: Services = self.list("/services", &query).await?;
        let service = match &found.services[..] {
            [service] => &service.id,
            [] => return Err(Unknown::Place("there is no entry")),
            _ => return Err(Unknown::Place("there are several entries")),
        };
        let mut query = vec![
            ("service_id", service.as_str()),
            ("interface", &config.interface),
        ];
        query.extend(config.region.as_deref().map(|region| ("region_id", region)));
        let mut found: Endpoints = self.list("/endpoints", &query).await?;
        match (found.endpoints.pop(), found.endpoints.is_empty()) {
            (Some(endpoint), true) => Ok(endpoint),
            (None, _) => Err(Unknown::Place("there is no endpoint")),
            (Some(_), false) => Err(Unknown::Place("there are several endpoints")),
        }
    }

    async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, Unknown> {
        if query.is_empty() {
            return Ok(self.session.get_json(path).await?);
        }
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(query)
            .finish();
        Ok(self.session.get_json(&format!("{path}?{query}")).await?)
    }
}

impl Place {
    fn query(&self) -> Vec<(&'static str, &str)> {
        let mut query = vec![("service_id", self.service.as_str())];
        query.extend(self.region.as_deref().map(|region| ("region_id", region)));
        query
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

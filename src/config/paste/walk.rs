//! From the flavor to the last application: the filters that a request meets on its way.

use super::file::{PasteFile, PasteSection};
use super::filters::{self, Part, Searched};
use super::{Filter, HealthcheckConfig, Pipeline};
use crate::config::check::Warning;
use crate::config::error::Error;
use crate::config::ini::{Entry, Settings};

/// Compositions nest; one that goes on this long contains itself.
const MAX_DEPTH: usize = 16;

const APPLICATIONS: [&str; 5] = ["composite", "composit", "pipeline", "app", "application"];

/// What was found on the way.
#[derive(Debug)]
pub(in crate::config) struct Walk {
    pub(in crate::config) pipeline: Pipeline,
    /// What the section of `http_proxy_to_wsgi` says of `enable_proxy_headers_parsing`.
    pub(in crate::config) proxy_headers: Option<bool>,
    /// What the section of `authtoken` sets, as if it stood in `[keystone_authtoken]`.
    pub(in crate::config) authtoken: Vec<Entry>,
    pub(in crate::config) warnings: Vec<Warning>,
}

impl Walk {
    /// Follows the flavor through the file.
    pub(super) fn through(
        file: &PasteFile,
        flavor: &str,
        settings: &Settings,
        searched: Searched<'_>,
    ) -> Result<Self, Error> {
        let mut walk = Self {
            pipeline: Pipeline {
                flavor: flavor.to_owned(),
                filters: Vec::new(),
                healthcheck: None,
            },
            proxy_headers: None,
            authtoken: Vec::new(),
            warnings: Vec::new(),
        };
        let guide = Guide {
            file,
            flavor,
            settings,
            searched,
        };
        let start = match flavor {
            "" => "glance-api".to_owned(),
            flavor => format!("glance-api-{flavor}"),
        };
        let section = file
            .section(&APPLICATIONS, &start)?
            .ok_or_else(|| guide.no_flavor())?;
        guide.application(&mut walk, &section, MAX_DEPTH)?;
        Ok(walk)
    }
}

/// What is wrong with a filter, with the pipeline that was chosen and wants it.
fn of_flavor(error: Error, flavor: &str) -> Error {
    match error {
        Error::Pipeline { file, problem } => {
            let flavor = if flavor.is_empty() { "default" } else { flavor };
            let problem = format!("{problem} (in the pipeline of the flavor {flavor})");
            Error::Pipeline { file, problem }
        }
        error => error,
    }
}

/// What stays the same on the way.
struct Guide<'a> {
    file: &'a PasteFile,
    flavor: &'a str,
    settings: &'a Settings,
    searched: Searched<'a>,
}

impl Guide<'_> {
    fn application(
        &self,
        walk: &mut Walk,
        section: &PasteSection,
        depth: usize,
    ) -> Result<(), Error> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.wrong(section, "it contains itself"));
        };
        match section.kind {
            "pipeline" => {
                let parts = section.options.get("pipeline").map_or("", String::as_str);
                self.pipeline(walk, section, parts, depth)
            }
            "app" | "application" => match filters::factory(section, "app") {
                "glance.api.versions:create_resource" | "glance.api.v2.router:API.factory" => {
                    Ok(())
                }
                name => Err(filters::unknown(self.file, section, "application", name)),
            },
            _ => self.composite(walk, section, depth),
        }
    }

    fn composite(
        &self,
        walk: &mut Walk,
        section: &PasteSection,
        depth: usize,
    ) -> Result<(), Error> {
        let factory = match filters::factory(section, "composite") {
            "" => filters::factory(section, "composit"),
            factory => factory,
        };
        match factory {
            "glance.api:root_app_factory" | "egg:Paste#urlmap" | "egg:paste#urlmap" => {
                self.mounts(walk, section, depth)
            }
            "glance.api:pipeline_factory" => {
                let flavor = if self.flavor.is_empty() {
                    "default"
                } else {
                    self.flavor
                };
                let parts = section.options.get(flavor).ok_or_else(|| {
                    self.wrong(
                        section,
                        &format!("there is no pipeline for the flavor {flavor}"),
                    )
                })?;
                self.pipeline(walk, section, parts, depth)
            }
            name => Err(filters::unknown(self.file, section, "composite", name)),
        }
    }

    /// Applications by path, as Paste's urlmap has them.
    fn mounts(&self, walk: &mut Walk, section: &PasteSection, depth: usize) -> Result<(), Error> {
        if let Some(name) = section.options.get("/healthcheck") {
            let healthcheck = self.named(section, name)?;
            let factory = filters::factory(&healthcheck, "app");
            if !is_healthcheck(factory) {
                return Err(filters::unknown(
                    self.file,
                    &healthcheck,
                    "healthcheck",
                    factory,
                ));
            }
            self.healthcheck(walk, &healthcheck)?;
        }
        // The API itself: what stands below knows its versions better.
        let Some(name) = section
            .options
            .get("/")
            .or_else(|| section.options.get("/v2"))
        else {
            return Err(self.wrong(section, "it leads nowhere, there is no /"));
        };
        self.application(walk, &self.named(section, name)?, depth)
    }

    /// Filters, and an application at the end.
    fn pipeline(
        &self,
        walk: &mut Walk,
        section: &PasteSection,
        parts: &str,
        depth: usize,
    ) -> Result<(), Error> {
        let parts: Vec<&str> = parts.split_whitespace().collect();
        let Some((application, names)) = parts.split_last() else {
            return Err(self.wrong(section, "its pipeline is empty"));
        };
        for name in names {
            let Some(filter) = self.file.section(&["filter"], name)? else {
                return Err(self.wrong(section, &format!("there is no [filter:{name}]")));
            };
            match filters::filter(self.file, &filter, self.settings, self.searched)
                .map_err(|error| of_flavor(error, self.flavor))?
            {
                Part::Filter(filter) => walk.pipeline.filters.push(filter),
                Part::Healthcheck => self.healthcheck(walk, &filter)?,
                Part::AuthToken(own) => {
                    walk.authtoken.extend(own);
                    walk.pipeline.filters.push(Filter::AuthToken);
                }
                Part::Proxy(own) => {
                    walk.proxy_headers = own.or(walk.proxy_headers);
                    walk.pipeline.filters.push(Filter::HttpProxyToWsgi);
                }
            }
        }
        self.application(walk, &self.named(section, application)?, depth)
    }

    fn healthcheck(&self, walk: &mut Walk, section: &PasteSection) -> Result<(), Error> {
        let (config, unknown) = filters::healthcheck(self.file, section, self.settings)?;
        walk.warnings
            .extend(unknown.into_iter().map(Warning::UnknownHealthcheck));
        walk.pipeline.healthcheck = Some::<HealthcheckConfig>(config);
        Ok(())
    }

    /// The application that a section names.
    fn named(&self, section: &PasteSection, name: &str) -> Result<PasteSection, Error> {
        let name = name.trim();
        self.file
            .section(&APPLICATIONS, name)?
            .ok_or_else(|| self.wrong(section, &format!("there is no application {name}")))
    }

    fn wrong(&self, section: &PasteSection, problem: &str) -> Error {
        self.file.wrong(format!("[{}]: {problem}", section.name))
    }

    fn no_flavor(&self) -> Error {
        let mut flavors: Vec<&str> = self
            .file
            .names()
            .filter_map(|name| name.split_once(':')?.1.strip_prefix("glance-api-"))
            .collect();
        flavors.sort_unstable();
        flavors.dedup();
        self.file.wrong(format!(
            "there is no pipeline for [paste_deploy] flavor = {}; there is one for {}",
            self.flavor,
            flavors.join(", ")
        ))
    }
}

fn is_healthcheck(factory: &str) -> bool {
    matches!(
        factory,
        "oslo_middleware:Healthcheck.app_factory" | "egg:oslo.middleware#healthcheck"
    )
}

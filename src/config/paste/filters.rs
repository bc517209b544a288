//! Filters and applications by the Python names that paste files give them, and their options.

use std::path::PathBuf;

use super::file::{Options, PasteFile, PasteSection};
use super::{CorsConfig, Filter, HealthcheckConfig};
use crate::config::error::Error;
use crate::config::ini::{Entry, Section, Settings, values};

/// The settings of the files that a search finds, whatever files were named.
pub(super) type Searched<'a> = &'a dyn Fn() -> Result<Settings, Error>;

/// What a filter section stands for.
pub(super) enum Part {
    Filter(Filter),
    /// The healthcheck in its older form, as a filter.
    Healthcheck,
    /// `authtoken`, whose section may set what `[keystone_authtoken]` may.
    AuthToken(Vec<Entry>),
    /// `http_proxy_to_wsgi`, whose section may switch it on or off.
    Proxy(Option<bool>),
}

/// The filter that a section describes.
pub(super) fn filter(
    file: &PasteFile,
    section: &PasteSection,
    settings: &Settings,
    searched: Searched<'_>,
) -> Result<Part, Error> {
    let factory = factory(section, "filter");
    let filter = match factory {
        "oslo_middleware.cors:filter_factory"
        | "oslo_middleware.cors:CORS.factory"
        | "oslo_middleware:CORS.factory"
        | "egg:oslo.middleware#cors" => {
            // With this option the original's filter has a configuration of its own: the files that a
            // search finds, and not those of --config-file.
            Filter::Cors(if section.options.contains_key("oslo_config_project") {
                cors(file, section, &searched()?)?
            } else {
                cors(file, section, settings)?
            })
        }
        "oslo_middleware:HTTPProxyToWSGI.factory"
        | "oslo_middleware.http_proxy_to_wsgi:HTTPProxyToWSGI.factory"
        | "egg:oslo.middleware#http_proxy_to_wsgi" => {
            let read = Reader::new(file, section);
            return read
                .own("enable_proxy_headers_parsing", values::flag)
                .map(Part::Proxy);
        }
        "oslo_middleware:Healthcheck.factory" | "egg:oslo.middleware#healthcheck" => {
            return Ok(Part::Healthcheck);
        }
        "glance.api.middleware.version_negotiation:VersionNegotiationFilter.factory" => {
            Filter::VersionNegotiation
        }
        "glance.api.middleware.context:ContextMiddleware.factory" => Filter::Context,
        "glance.api.middleware.context:UnauthenticatedContextMiddleware.factory" => {
            Filter::UnauthenticatedContext
        }
        "glance.api.middleware.cache:CacheFilter.factory" => Filter::Cache,
        "glance.api.middleware.cache_manage:CacheManageFilter.factory" => Filter::CacheManage,
        "glance.api.middleware.gzip:GzipMiddleware.factory" => Filter::Gzip,
        "osprofiler.web:WsgiMiddleware.factory" => Filter::Osprofiler,
        "keystonemiddleware.auth_token:filter_factory"
        | "keystoneclient.middleware.auth_token:filter_factory"
        | "egg:keystonemiddleware#auth_token" => {
            return Ok(Part::AuthToken(
                file.settings(section, "keystone_authtoken"),
            ));
        }
        _ => return Err(unknown(file, section, "filter", factory)),
    };
    Ok(Part::Filter(filter))
}

/// The Python name that a section gives, by `paste.KIND_factory` or `use`.
pub(super) fn factory<'a>(section: &'a PasteSection, kind: &str) -> &'a str {
    let named = section.options.get(&format!("paste.{kind}_factory"));
    named
        .or_else(|| section.options.get("use"))
        .map_or("", |name| name.trim())
}

/// The error for a Python name that means nothing here.
pub(super) fn unknown(file: &PasteFile, section: &PasteSection, kind: &str, name: &str) -> Error {
    let name = if name.is_empty() {
        "without a factory"
    } else {
        name
    };
    file.wrong(format!(
        "[{}]: the {kind} {name} is unknown here",
        section.name
    ))
}

fn cors(
    file: &PasteFile,
    section: &PasteSection,
    settings: &Settings,
) -> Result<CorsConfig, Error> {
    let read = Reader::new(file, section);
    let global = settings.section("cors");
    let max_age = |text: &str| match values::integer(text) {
        Ok(age) => u64::try_from(age).map_err(|_| "0 or more".to_owned()),
        Err(must) => Err(must),
    };
    Ok(CorsConfig {
        allowed_origin: read.list("allowed_origin", &global)?,
        allow_credentials: match read.own("allow_credentials", values::flag)? {
            Some(flag) => flag,
            None => global.flag("allow_credentials")?,
        },
        expose_headers: read.list("expose_headers", &global)?,
        max_age: match read.own("max_age", max_age)? {
            Some(age) => Some(age),
            None => global.read("max_age", max_age)?,
        },
        allow_methods: read.list("allow_methods", &global)?,
        allow_headers: read.list("allow_headers", &global)?,
    })
}

/// The healthcheck that a section describes, and the backends in it that nobody knows.
pub(super) fn healthcheck(
    file: &PasteFile,
    section: &PasteSection,
    settings: &Settings,
) -> Result<(HealthcheckConfig, Vec<String>), Error> {
    let read = Reader::new(file, section);
    let global = settings.section("healthcheck");
    let mut config = HealthcheckConfig {
        detailed: match read.own("detailed", values::flag)? {
            Some(flag) => flag,
            None => global.flag("detailed")?,
        },
        ..HealthcheckConfig::default()
    };
    let mut unknown = Vec::new();
    for backend in read.list("backends", &global)? {
        match backend.as_str() {
            "disable_by_file" => {
                let path = "disable_by_file_path";
                let own = section.options.get(path).map(PathBuf::from);
                config.disable_by_file =
                    own.map_or_else(|| global.path(path), |own| Ok(Some(own)))?;
            }
            "disable_by_files_ports" => {
                for pair in read.list("disable_by_file_paths", &global)? {
                    config
                        .disable_by_file_ports
                        .push(port_and_file(&pair).ok_or_else(|| {
                            read.wrong(
                                "disable_by_file_paths",
                                "pairs such as 9292:/path/of/a/file",
                            )
                        })?);
                }
            }
            "enable_by_files" => {
                let files = read.list("enable_by_file_paths", &global)?;
                config.enable_by_files = files.into_iter().map(PathBuf::from).collect();
            }
            _ => unknown.push(backend),
        }
    }
    Ok((config, unknown))
}

fn port_and_file(pair: &str) -> Option<(u16, PathBuf)> {
    let (port, file) = pair.split_once(':')?;
    Some((port.trim().parse().ok()?, PathBuf::from(file.trim())))
}

/// Reads options that a section may set, and a section of the configuration otherwise.
struct Reader<'a> {
    file: &'a PasteFile,
    section: &'a str,
    options: &'a Options,
}

impl<'a> Reader<'a> {
    fn new(file: &'a PasteFile, section: &'a PasteSection) -> Self {
        Self {
            file,
            section: &section.name,
            options: &section.options,
        }
    }

    fn own<T>(
        &self,
        option: &str,
        read: impl FnOnce(&str) -> Result<T, values::Must>,
    ) -> Result<Option<T>, Error> {
        let Some(text) = self.options.get(option) else {
            return Ok(None);
        };
        read(text)
            .map(Some)
            .map_err(|must| self.wrong(option, &must))
    }

    fn list(&self, option: &str, global: &Section<'_>) -> Result<Vec<String>, Error> {
        match self.options.get(option) {
            Some(text) => Ok(values::list(text)),
            None => global.list(option),
        }
    }

    fn wrong(&self, option: &str, must: &str) -> Error {
        self.file
            .wrong(format!("[{}] {option}: must be {must}", self.section))
    }
}

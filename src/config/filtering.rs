//! `[import_filtering_opts]`: which addresses outside clients may name.

use super::error::Error;
use super::ini::{Section, Settings};
use crate::domain::uri_filter::UriFilter;

pub(super) fn filter(settings: &Settings) -> Result<UriFilter, Error> {
    let section = settings.section("import_filtering_opts");
    Ok(UriFilter {
        allowed_schemes: section.bracketed("allowed_schemes")?,
        disallowed_schemes: section.bracketed("disallowed_schemes")?,
        allowed_hosts: section.bracketed("allowed_hosts")?,
        disallowed_hosts: section.bracketed("disallowed_hosts")?,
        allowed_ports: ports(&section, "allowed_ports")?,
        disallowed_ports: ports(&section, "disallowed_ports")?,
    })
}

fn ports(section: &Section<'_>, option: &str) -> Result<Vec<u16>, Error> {
    let ports = section.bracketed(option)?;
    let ports = ports.iter().map(|port| port.parse().ok());
    let ports: Option<Vec<u16>> = ports.collect();
    ports.ok_or_else(|| section.refuse(option, "port numbers in brackets, such as [80, 443]"))
}

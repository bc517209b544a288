//! Whole files: the profiles of the recordings, the samples, and what is printed.

use std::path::Path;
use std::time::Duration;

use super::*;

#[test]
fn the_profiles_of_the_recordings_load_with_no_warning_but_that_of_their_pipeline() {
    for name in ["single-store", "cache-sqlite", "hidden-config", "limits"] {
        assert_eq!(
            Site::profile(name).load().warnings,
            [Warning::TrustedHeaders],
            "{name}"
        );
    }
}

#[test]
fn a_profile_with_stores_and_a_cache_is_understood() {
    let site = Site::profile("cache-sqlite");
    let config = site.load().config;
    let stores: Vec<_> = config
        .stores
        .stores
        .iter()
        .map(|store| {
            (
                store.id.as_str(),
                store.weight,
                store.description.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        stores,
        [
            ("fast", 100, Some("the fast one")),
            ("cheap", 50, Some("the cheap one")),
            ("web", 10, Some("read from a web server")),
        ]
    );
    assert!(config.stores.multi && config.stores.default == "fast");
    assert_eq!(config.image.staging_dir, site.dir.path().join("staging"));
    let cache = config.cache.unwrap();
    assert_eq!((cache.node_name, cache.max_size), (None, 200_000));
    assert_eq!(cache.queue_settle, Duration::from_secs(3));
    let healthcheck = config.pipeline.healthcheck.unwrap();
    assert_eq!(
        healthcheck.disable_by_file,
        Some(site.dir.path().join("healthcheck_disable"))
    );
}

#[test]
fn profiles_change_formats_quotas_and_cors() {
    let hidden = Site::profile("hidden-config").load().config;
    assert_eq!(hidden.image.disk_formats, ["raw", "qcow2"]);
    assert_eq!(hidden.image.hash, HashAlgorithm::Sha256);
    assert!(hidden.api.proxy_headers && hidden.api.allow_anonymous_access);
    let limits = Site::profile("limits").load().config.image;
    assert_eq!((limits.user_storage_quota, limits.page_max), (150_000, 5));
    let single = Site::profile("single-store").load().config;
    let origins = &single.pipeline.cors().unwrap().allowed_origin;
    assert_eq!(
        *origins,
        ["http://dashboard.example", "https://second.example"]
    );
}

#[test]
fn the_samples_load_without_a_warning() {
    let etc = Path::new(env!("CARGO_MANIFEST_DIR")).join("etc");
    let mut site = Site::empty();
    site.sources.files = vec![etc.join("glance-api.conf")];
    let loaded = site.load();
    assert_eq!(loaded.warnings, []);
    assert!(loaded.config.pipeline.manages_cache());
    let tools = Sources {
        program: Program::Cache,
        files: vec![etc.join("glance-cache.conf")],
        ..site.sources
    };
    let loaded = ToolConfig::load(&tools, "glance-cache-pruner").unwrap();
    assert_eq!(loaded.warnings, []);
    assert!(loaded.config.cache.is_some() && loaded.config.log.use_stderr);
}

#[test]
fn every_commented_option_of_the_sample_shows_its_default() {
    let mut section = String::new();
    for line in include_str!("../../../etc/glance-api.conf").lines() {
        if let Some(name) = line.trim_start_matches('#').strip_prefix('[') {
            name.trim_end_matches(']').clone_into(&mut section);
        }
        let Some((option, value)) = line
            .strip_prefix('#')
            .and_then(|line| line.split_once(" = "))
        else {
            continue;
        };
        let section = match options::rule_of(&section) {
            Some(_) => options::RULE,
            None => &section,
        };
        let known = options::find(section, option).unwrap_or_else(|| panic!("{line}"));
        if !known.default.is_empty() {
            assert_eq!(known.default, value, "{option}");
        }
    }
}

#[test]
fn what_is_printed_reads_as_it_was_meant_and_hides_secrets() {
    let site = Site::new(&format!(
        "{DATABASE}[DEFAULT]\nenabled_backends = fast:file\nlog_dir = /l$$5\ndebug = yes\n\
         transport_url = rabbit://u:hunter2@h\nmetadata_encryption_key = hunter2\n\
         [glance_store]\ndefault_backend = fast\n\
         [fast]\nweight = 3\ns3_store_secret_key = hunter2\nfilesystem_store_datadir = ${{log_dir}}/i\n"
    ));
    let printed = print(&site.load()).unwrap();
    assert!(!printed.contains("hunter2"), "{printed}");
    assert!(
        printed.contains("transport_url = rabbit://u:***@h\n"),
        "{printed}"
    );
    let again = Site::new(&printed);
    assert_eq!(again.warnings(), Vec::<String>::new());
    assert_eq!(
        again.load().config.log.file.as_deref(),
        Some(Path::new("/l$5/glance-api.log"))
    );
    assert_eq!(print(&again.load()).unwrap(), printed);
}

#[test]
fn a_summary_says_what_a_start_would_do() {
    let site = Site::profile("cache-sqlite");
    let text = summary(&site.load()).text;
    for part in [
        "Listener      127.0.0.1:24000\n",
        "Pipeline      cachemanagement: cors http_proxy_to_wsgi versionnegotiation context cache cachemanage\n",
        "cheap (",
        "up to 200000 bytes",
        "Warning       the pipeline has context without authtoken",
    ] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
}

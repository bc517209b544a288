use std::path::{Path, PathBuf};
use std::time::Duration;

use super::cache::CacheDriver;
use super::stores::DriverConfig;
use super::*;
use crate::domain::checksum::HashAlgorithm;

/// A directory with a configuration file, and nothing else around.
struct Site {
    dir: tempfile::TempDir,
    sources: Sources,
}

impl Site {
    fn new(text: &str) -> Self {
        let mut site = Self::empty();
        let path = site.write("glance-api.conf", text);
        site.sources.files = vec![path];
        site
    }

    fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().to_str().unwrap().to_owned();
        let sources = Sources {
            environment: [("HOME".to_owned(), home)].into(),
            ..Sources::new(Program::Api)
        };
        Self { dir, sources }
    }

    /// A profile of the recordings, as `replay.py` fills it in.
    fn profile(name: &str) -> Self {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/profiles");
        let mut site = Self::empty();
        let workdir = site.dir.path().to_str().unwrap().to_owned();
        let fill = |file: &str| {
            std::fs::read_to_string(data.join(file))
                .unwrap()
                .replace("${workdir}", &workdir)
                .replace("${port}", "24000")
                .replace("${web_port}", "24001")
                .replace("${endpoint}", "http://127.0.0.1:24000")
        };
        let conf = fill(&format!("{name}.conf"));
        let paste = fill("paste.ini");
        site.sources.files = vec![site.write("glance-api.conf", &conf)];
        site.write("paste.ini", &paste);
        site
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn load(&self) -> Loaded<Config> {
        Config::load(&self.sources).unwrap()
    }

    /// The error, in which the directory has no name.
    fn error(&self) -> String {
        let error = Config::load(&self.sources).unwrap_err().to_string();
        error.replace(&format!("{}/", self.dir.path().display()), "")
    }

    fn warnings(&self) -> Vec<String> {
        let prefix = format!("{}/", self.dir.path().display());
        let warnings = self.load().warnings;
        warnings
            .iter()
            .map(|warning| warning.to_string().replace(&prefix, ""))
            .collect()
    }
}

const DATABASE: &str = "[database]\nconnection = sqlite:///glance.db\n";

#[test]
fn a_start_without_configuration_serves_this_machine_from_one_directory() {
    let mut site = Site::empty();
    site.sources
        .environment
        .insert("GLANCE_STATE_DIR".to_owned(), "/s".to_owned());
    let Loaded {
        config,
        warnings,
        files,
        ..
    } = site.load();
    assert!(warnings.is_empty() && files.is_empty());
    assert_eq!(config.state_dir.as_deref(), Some(Path::new("/s")));
    assert_eq!(
        (config.api.bind_host.to_string(), config.api.bind_port),
        ("127.0.0.1".to_owned(), 9292)
    );
    assert_eq!(config.database.connection, "sqlite:////s/glance.db");
    let cache = config.cache.unwrap();
    assert_eq!(
        (cache.dir.as_path(), cache.max_size),
        (Path::new("/s/cache"), 10 << 30)
    );
    let DriverConfig::File(file) = &config.stores.stores[0].driver else {
        panic!("{:?}", config.stores);
    };
    assert_eq!(file.dirs, [(PathBuf::from("/s/images"), 0)]);
    assert!(config.policy.allow_all && config.policy.file.is_none());
    assert!(config.pipeline.caches() && config.pipeline.manages_cache());
    assert!(!config.pipeline.has_context());
}

#[test]
fn without_configuration_nobody_else_is_served() {
    let mut site = Site::empty();
    site.sources.flags = vec![("bind_host", "0.0.0.0".to_owned())];
    assert!(
        site.error().contains("does not listen on 0.0.0.0"),
        "{}",
        site.error()
    );
}

#[test]
fn a_file_brings_the_defaults_of_the_original() {
    let config = Site::new(DATABASE).load().config;
    assert_eq!(config.api.bind_host.to_string(), "0.0.0.0");
    assert!(config.cache.is_none() && config.state_dir.is_none());
    assert!(!config.policy.allow_all);
    assert_eq!(config.image.hash, HashAlgorithm::Sha512);
    assert_eq!(config.image.size_cap, 1 << 40);
    assert_eq!(config.image.staging_dir, Path::new("/tmp/staging/"));
    assert_eq!(
        config.image.import_methods,
        ["glance-direct", "web-download", "copy-image"]
    );
    assert_eq!(config.stores.default, "file");
    assert_eq!(config.database.max_connections, 55);
    assert!(config.log.file.is_none());
}

#[test]
fn a_file_without_a_database_is_refused() {
    assert_eq!(
        Site::new("[DEFAULT]\n").error(),
        "[database] connection is not set: it must be the URL of the database, such as \
         sqlite:////var/lib/glance/glance.db"
    );
}

#[test]
fn wrong_values_are_refused_with_their_place() {
    for (text, error) in [
        (
            "[DEFAULT]\nbind_port = ninety\n",
            "glance-api.conf:2: [DEFAULT] bind_port = ninety: must be a whole number",
        ),
        (
            "[DEFAULT]\ndebug = perhaps\n",
            "glance-api.conf:2: [DEFAULT] debug = perhaps: must be true or false (or 1, on, yes, 0, off, no)",
        ),
        (
            "[DEFAULT]\nenabled_import_methods = a\n",
            "glance-api.conf:2: [DEFAULT] enabled_import_methods = a: must be a list in brackets, such as [a, b]",
        ),
        (
            "[DEFAULT]\nhashing_algorithm = crc32\n",
            "glance-api.conf:2: [DEFAULT] hashing_algorithm = crc32: must be one of md5, sha1, sha224, \
             sha256, sha384, sha512, sha3_224, sha3_256, sha3_384, sha3_512, blake2b, blake2s",
        ),
        (
            "[DEFAULT]\nnode_staging_uri = /tmp\n",
            "glance-api.conf:2: [DEFAULT] node_staging_uri = /tmp: must be a file:// URI of a directory",
        ),
        (
            "[database]\nconnection = mysql+pymysql://glance:secret@db/glance\n",
            "glance-api.conf:2: [database] connection = mysql+pymysql://glance:***@db/glance: must be an \
             sqlite:/// URL: this build serves SQLite only for now, not MySQL or PostgreSQL",
        ),
        (
            "[image_cache]\nprune_schedule = 61 * * * *\n",
            "glance-api.conf:2: [image_cache] prune_schedule = 61 * * * *: must be a schedule as in \
             crontab(5), whose minute is 0 to 59, not \"61\"",
        ),
        (
            "[glance_store]\nstores = file, floppy\n",
            "glance-api.conf:2: [glance_store] stores = file, floppy: must be of these drivers: cinder, \
             file, http, rbd, s3, swift, vmware",
        ),
        (
            "[paste_deploy]\nconfig_file = /nowhere/paste.ini\n",
            "glance-api.conf:2: [paste_deploy] config_file = /nowhere/paste.ini: must be a paste file \
             that is there",
        ),
        (
            "[DEFAULT]\nenabled_backends = fast:file\n[glance_store]\ndefault_backend = slow\n",
            "glance-api.conf:4: [glance_store] default_backend = slow: must be the name of one of \
             enabled_backends",
        ),
    ] {
        let site = Site::new(&format!(
            "{text}{}",
            if text.contains("[database]") {
                ""
            } else {
                DATABASE
            }
        ));
        assert_eq!(site.error(), error);
    }
}

#[test]
fn what_has_no_effect_is_told_once() {
    let site = Site::new(&format!(
        "{DATABASE}[DEFAULT]\nbogus = 1\nbogus = 2\nworkers = 4\nregistry_host = r\nuse_syslog = true\n\
         use_journal = false\nlogdir = /l\n[image_cache_prefetch:a]\nanything = 1\n"
    ));
    assert_eq!(
        site.warnings(),
        [
            "glance-api.conf:4: [DEFAULT] bogus is unknown and has no effect",
            "glance-api.conf:6: [DEFAULT] workers has no meaning here: one process uses all processors",
            "glance-api.conf:7: [DEFAULT] registry_host has no meaning here: there is no registry: the \
             database is used directly",
            "glance-api.conf:8: [DEFAULT] use_syslog has no meaning here: logs go to a file or to \
             standard error, which journald keeps",
            "glance-api.conf:10: [DEFAULT] logdir is deprecated, write [DEFAULT] log_dir",
        ]
    );
    assert_eq!(
        site.load().config.log.file.as_deref(),
        Some(Path::new("/l/glance-api.log"))
    );
}

#[test]
fn a_pipeline_with_authtoken_is_refused_for_now() {
    let site = Site::new(&format!(
        "{DATABASE}[paste_deploy]\nflavor = keystone+caching\n"
    ));
    assert!(
        site.error()
            .contains("cannot check tokens with Keystone yet"),
        "{}",
        site.error()
    );
}

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
    assert_eq!(
        (cache.driver, cache.max_size),
        (CacheDriver::Sqlite, 200_000)
    );
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
    for line in include_str!("../../etc/glance-api.conf").lines() {
        if let Some(name) = line.strip_prefix('[') {
            name.trim_end_matches(']').clone_into(&mut section);
        }
        let Some((option, value)) = line
            .strip_prefix('#')
            .and_then(|line| line.split_once(" = "))
        else {
            continue;
        };
        let known = options::find(&section, option).unwrap_or_else(|| panic!("{line}"));
        if !known.default.is_empty() {
            assert_eq!(known.default, value, "{option}");
        }
    }
}

#[test]
fn data_directories_have_priorities_and_permissions_are_octal() {
    let site = Site::new(&format!(
        "{DATABASE}[glance_store]\nfilesystem_store_datadirs = /a:200\nfilesystem_store_datadirs = /b\n\
         filesystem_store_file_perm = 640\n"
    ));
    let config = site.load().config;
    let DriverConfig::File(file) = &config.stores.stores[0].driver else {
        panic!("{:?}", config.stores);
    };
    assert_eq!(
        file.dirs,
        [(PathBuf::from("/a"), 200), (PathBuf::from("/b"), 0)]
    );
    assert_eq!(file.file_perm, 0o640);
}

#[test]
fn policy_is_looked_for_beside_the_configuration() {
    let site = Site::new(DATABASE);
    let file = |site: &Site| site.load().config.policy.file.unwrap();
    assert_eq!(file(&site), site.dir.path().join("policy.yaml"));
    let json = site.write("policy.json", "{}");
    assert_eq!(file(&site), json);
    site.write("policy.yaml", "");
    assert_eq!(file(&site), site.dir.path().join("policy.yaml"));
    assert_eq!(
        site.load().config.policy.dirs,
        [site.dir.path().join("policy.d")]
    );
}

#[test]
fn a_paste_file_beside_the_configuration_counts() {
    let site = Site::new(DATABASE);
    site.write(
        "glance-api-paste.ini",
        "[app:glance-api]\npaste.app_factory = glance.api.v2.router:API.factory\n",
    );
    assert!(site.load().config.pipeline.filters.is_empty());
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
    let text = summary(&site.load());
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

#[test]
fn empty_schedules_turn_jobs_off() {
    let site = Site::new(&format!(
        "{DATABASE}[DEFAULT]\nimage_cache_dir = /c\n[image_cache]\nprune_schedule =\n"
    ));
    let cache = site.load().config.cache.unwrap();
    assert!(cache.prune_schedule.is_none());
    assert_eq!(cache.clean_schedule, Schedule::parse("15 */6 * * *").ok());
}

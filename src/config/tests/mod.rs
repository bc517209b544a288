mod files;
mod refused;
mod rules;

use std::path::{Path, PathBuf};
use std::time::Duration;

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
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
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
        let conf = fill(&format!("profiles/{name}.conf"));
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
fn empty_schedules_turn_jobs_off() {
    let site = Site::new(&format!(
        "{DATABASE}[DEFAULT]\nimage_cache_dir = /c\n[image_cache]\nprune_schedule =\n"
    ));
    let cache = site.load().config.cache.unwrap();
    assert!(cache.prune_schedule.is_none());
    assert_eq!(cache.clean_schedule, Schedule::parse("15 */6 * * *").ok());
}

#[test]
fn a_node_that_tells_of_its_cache_has_a_name() {
    let site = |more: &str| {
        Site::new(&format!(
            "{DATABASE}[DEFAULT]\nimage_cache_dir = /cache\n{more}"
        ))
    };
    let name = |site: &Site| site.load().config.cache.unwrap().node_name;
    let told = |site: &Site| {
        site.warnings()
            .iter()
            .any(|said| said.contains("other nodes know"))
    };

    // The driver that the original takes where none is named.
    let unnamed = site("");
    assert!(!name(&unnamed).unwrap().is_empty());
    assert!(told(&unnamed));

    let named = site("worker_self_reference_url = http://one.example:9292");
    assert_eq!(name(&named).as_deref(), Some("http://one.example:9292"));
    assert!(!told(&named));

    let silent = site("image_cache_driver = sqlite");
    assert_eq!(name(&silent), None);
    assert!(!told(&silent));
}

#[test]
fn the_services_account_may_stand_in_a_section_of_its_own() {
    let site = Site::new(&format!(
        "{DATABASE}[paste_deploy]\nflavor = keystone\n\
         [keystone_authtoken]\nauth_section = Account\nregion_name = here\nusername = nobody\n\
         [account]\nauth_url = http://keystone\nusername = glance\npassword = secret\n"
    ));
    let account = site.load().config.authtoken.unwrap().account;
    assert_eq!(account.auth_url.as_deref(), Some("http://keystone"));
    assert_eq!(account.username.as_deref(), Some("glance"));
    assert_eq!(account.password.as_deref(), Some("secret"));
    // How Keystone is reached stands where it always does.
    assert_eq!(account.region.as_deref(), Some("here"));
    assert_eq!(site.warnings(), [""; 0]);
}

#[test]
fn what_the_paste_file_says_of_authtoken_counts_more() {
    let site = Site::new(&format!(
        "{DATABASE}[paste_deploy]\nflavor = keystone\n\
         [keystone_authtoken]\nauth_url = http://a\nusername = glance\npassword = secret\n\
         token_cache_time = 10\ndelay_auth_decision = true\n"
    ));
    let paste = |options: &str| {
        format!(
            "[pipeline:glance-api-keystone]\npipeline = authtoken context api\n\
             [app:api]\npaste.app_factory = glance.api.v2.router:API.factory\n\
             [filter:context]\npaste.filter_factory = glance.api.middleware.context:ContextMiddleware.factory\n\
             [filter:authtoken]\npaste.filter_factory = keystonemiddleware.auth_token:filter_factory\n{options}"
        )
    };
    let name = "glance-api-paste.ini";
    site.write(
        name,
        &paste("auth_url = http://b\ntoken_cache_time = 20\nservice_token_roles = a, b\n"),
    );
    let config = site.load().config.authtoken.unwrap();
    assert_eq!(config.account.auth_url.as_deref(), Some("http://b"));
    assert_eq!(config.account.username.as_deref(), Some("glance"));
    assert_eq!(config.cache_time, Duration::from_secs(20));
    assert_eq!(config.service_token_roles, ["a", "b"]);
    assert!(config.delay_auth_decision);
    assert_eq!(site.warnings(), [""; 0]);

    site.write(name, &paste("admin_user = glance\nnonsense = 1\n"));
    let told = site.warnings().concat();
    for option in ["admin_user", "nonsense"] {
        assert!(
            told.contains(&format!("[keystone_authtoken] {option}")),
            "{told}"
        );
    }
    site.write(name, &paste("token_cache_time = soon\n"));
    let error = site.error();
    assert!(error.starts_with("glance-api-paste.ini:"), "{error}");
    assert!(
        error.contains("token_cache_time = soon: must be"),
        "{error}"
    );
}

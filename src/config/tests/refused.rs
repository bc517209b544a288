//! What does not start, and what starts with a warning.

use std::path::Path;

use super::{DATABASE, Site};

#[test]
fn without_configuration_nobody_else_is_served() {
    let mut site = Site::empty();
    site.sources.flags = vec![("bind_host", "0.0.0.0".to_owned())];
    assert!(
        site.error().contains("does not listen on 0.0.0.0"),
        "{}",
        site.error()
    );
    assert!(
        site.error()
            .starts_with("--bind-host: [DEFAULT] bind_host: ")
    );
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
fn a_name_of_the_services_own_is_no_store() {
    let text = format!(
        "[DEFAULT]\nenabled_backends = os_glance_x:file\n[glance_store]\ndefault_backend = os_glance_x\n{DATABASE}"
    );
    let error = Site::new(&text).error();
    assert!(error.contains("names without os_glance_"), "{error}");
}

#[test]
fn wrong_values_are_refused_with_their_place() {
    for (text, error) in [
        (
            "[DEFAULT]\nbind_port = ninety\n",
            "glance-api.conf:2: [DEFAULT] bind_port = ninety: must be a whole number",
        ),
        (
            "[DEFAULT]\nworkers = x\n",
            "glance-api.conf:2: [DEFAULT] workers = x: must be a whole number",
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
            "[import_filtering_opts]\nallowed_ports = [80, http]\n",
            "glance-api.conf:2: [import_filtering_opts] allowed_ports = [80, http]: must be port numbers in \
             brackets, such as [80, 443]",
        ),
        (
            "[DEFAULT]\nnode_staging_uri = /tmp\n",
            "glance-api.conf:2: [DEFAULT] node_staging_uri = /tmp: must be a file:// URI of a directory",
        ),
        (
            "[database]\nconnection = oracle://glance:secret@db/glance\n",
            "glance-api.conf:2: [database] connection = oracle://glance:***@db/glance: must be a \
             database URL: sqlite:////path/to/glance.db, mysql+pymysql://user:password@host/glance or \
             postgresql+psycopg2://user:password@host/glance",
        ),
        (
            "[image_cache]\npeer_timeout = 1e30\n",
            "glance-api.conf:2: [image_cache] peer_timeout = 1e30: must be 3600 or less",
        ),
        (
            "[image_cache]\napi_url = foo\n",
            "glance-api.conf:2: [image_cache] api_url = foo: must be a URL such as \
             http://127.0.0.1:9292, without a user in it",
        ),
        (
            "[server]\nmax_header_size = 1\n",
            "glance-api.conf:2: [server] max_header_size = 1: must be 1024 or more",
        ),
        (
            "[glance_store]\nstores = rbd\n",
            "glance-api.conf:2: [glance_store] stores = rbd: must be a list with file in it, the \
             default store, unless default_store = rbd names another",
        ),
        (
            "[DEFAULT]\nworkers = x\nbind_port = y\ndefault_log_levels = z\n[glance_store]\nstores = w\n",
            "glance-api.conf:2: [DEFAULT] workers = x: must be a whole number\n\
             glance-api.conf:3: [DEFAULT] bind_port = y: must be a whole number\n\
             glance-api.conf:6: [glance_store] stores = w: must be of these drivers: cinder, file, \
             http, rbd, s3, swift, vmware\n\
             glance-api.conf:4: [DEFAULT] default_log_levels = z: must be pairs such as \
             sqlalchemy=WARNING",
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
            "[DEFAULT]\ndefault_log_levels = glance=LOUD\n",
            "glance-api.conf:2: [DEFAULT] default_log_levels = glance=LOUD: must be pairs such as \
             sqlalchemy=WARNING",
        ),
        (
            "[paste_deploy]\nconfig_file = /nowhere/paste.ini\n",
            "glance-api.conf:2: [paste_deploy] config_file = /nowhere/paste.ini: must be a paste file; there is no such file",
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
         use_journal = false\nlogdir = /l\n[other]\nanything = 1\n"
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
            "glance-api.conf:12: [other] anything is unknown and has no effect",
        ]
    );
    assert_eq!(
        site.load().config.log.file.as_deref(),
        Some(Path::new("/l/glance-api.log"))
    );
}

#[test]
fn a_way_to_authenticate_that_nobody_here_knows_is_refused() {
    let site = Site::new(&format!(
        "{DATABASE}[paste_deploy]\nflavor = keystone\n[keystone_authtoken]\nauth_type = v3kerberos\n"
    ));
    let error = site.error();
    assert!(error.contains("v3applicationcredential"), "{error}");
}

#[test]
fn limits_that_cannot_be_asked_for_are_told_of() {
    let told = |oslo_limit: &str| {
        let text =
            format!("{DATABASE}[DEFAULT]\nuse_keystone_limits = true\n[oslo_limit]\n{oslo_limit}");
        Site::new(&text).warnings()
    };
    let lacks = |what: &str| {
        format!(
            "use_keystone_limits is set and [oslo_limit] has no {what}, so nobody can add anything"
        )
    };
    assert_eq!(told(""), [lacks("auth_url")]);
    assert_eq!(told("auth_url = http://k\n"), [lacks("endpoint_id")]);
    let whole = "auth_url = http://k\nendpoint_service_type = image\n";
    assert_eq!(told(whole), Vec::<String>::new());
}

#[test]
fn memcached_is_refused_where_others_would_find_nothing_of_ours() {
    for (options, error) in [
        (
            "memcached_servers = cache:port",
            "[keystone_authtoken] memcached_servers = cache:port: must be a list of host:port, \
             inet6:[address]:port and unix:path",
        ),
        (
            "memcached_servers = cache\nmemcache_security_strategy = MAC",
            "memcache_security_strategy = MAC: must be None without a memcache_secret_key",
        ),
        (
            "memcached_servers = cache\nmemcache_secret_key = k\nmemcache_security_strategy = encrypt",
            "memcache_security_strategy = encrypt: must be None, MAC or ENCRYPT, in these letters",
        ),
        (
            "memcached_servers = cache\nmemcache_sasl_enabled = true",
            "memcache_sasl_enabled = true: must be false: memcached is asked in its text protocol",
        ),
        (
            "memcached_servers = cache\nmemcache_tls_enabled = true",
            "memcache_tls_enabled = true: must be false: memcached is asked in its text protocol",
        ),
    ] {
        let told = Site::new(&format!("[keystone_authtoken]\n{options}\n{DATABASE}")).error();
        assert!(told.contains(error), "{told}");
    }
}

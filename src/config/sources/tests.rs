use super::*;

/// A home directory with the given files and nothing else around.
fn home(files: &[(&str, &str)]) -> (tempfile::TempDir, Sources) {
    let home = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let environment = [("HOME".to_owned(), home.path().to_str().unwrap().to_owned())];
    let sources = Sources {
        environment: environment.into(),
        ..Sources::new(Program::Api)
    };
    (home, sources)
}

fn names(home: &tempfile::TempDir, found: &Found) -> Vec<String> {
    let below = |path: &PathBuf| {
        path.strip_prefix(home.path())
            .unwrap()
            .display()
            .to_string()
    };
    found.files.iter().map(below).collect()
}

fn log_dir(found: &Found) -> String {
    let value = found.settings.value("DEFAULT", "log_dir").unwrap().unwrap();
    format!("{} from {}", value.text, value.origin)
}

#[test]
fn the_search_takes_the_first_of_each_name() {
    let (home, sources) = home(&[
        (".glance/glance-api.conf", ""),
        (".glance/glance-image-import.conf", ""),
        (".glance/glance-cache.conf", ""),
        ("glance-api.conf", ""),
        ("glance.conf", ""),
        ("glance-api.conf.d/b.conf", ""),
        ("glance-api.conf.d/a.conf", ""),
        ("glance-api.conf.d/.c.conf", ""),
        ("glance-api.conf.d/d.txt", ""),
    ]);
    assert_eq!(
        names(&home, &sources.read().unwrap()),
        [
            "glance.conf",
            ".glance/glance-image-import.conf",
            ".glance/glance-api.conf",
            "glance-api.conf.d/a.conf",
            "glance-api.conf.d/b.conf"
        ]
    );
    let tools = Sources {
        program: Program::Cache,
        ..sources
    };
    assert_eq!(
        names(&home, &tools.read().unwrap())
            .last()
            .map(String::as_str),
        Some(".glance/glance-cache.conf")
    );
}

#[test]
fn flags_beat_the_environment_which_beats_directories_which_beat_files() {
    let (home, mut sources) = home(&[
        ("a.conf", "[DEFAULT]\nlog_dir=file"),
        ("d/b.conf", "[DEFAULT]\nlog_dir=dir"),
    ]);
    sources.files = vec![PathBuf::from("~/a.conf")];
    assert!(log_dir(&sources.read().unwrap()).starts_with("file from /"));
    sources.dirs = vec![home.path().join("d")];
    assert!(log_dir(&sources.read().unwrap()).starts_with("dir from /"));
    sources
        .environment
        .insert("OS_DEFAULT__LOG_DIR".to_owned(), "env".to_owned());
    assert_eq!(
        log_dir(&sources.read().unwrap()),
        "env from $OS_DEFAULT__LOG_DIR"
    );
    sources.flags = vec![("log_dir", "$flag".to_owned())];
    assert_eq!(log_dir(&sources.read().unwrap()), "$flag from --log-dir");
}

#[test]
fn the_environment_names_a_directory_of_configuration() {
    let (home, mut sources) = home(&[("etc/glance-api.conf", ""), ("etc/x.conf", "")]);
    let etc = home.path().join("etc").to_str().unwrap().to_owned();
    sources
        .environment
        .insert("OS_GLANCE_CONFIG_DIR".to_owned(), etc);
    assert_eq!(
        names(&home, &sources.read().unwrap()),
        ["etc/glance-api.conf"]
    );
    let files = "glance-api.conf; x.conf".to_owned();
    sources
        .environment
        .insert("OS_GLANCE_CONFIG_FILES".to_owned(), files);
    assert_eq!(
        names(&home, &sources.read().unwrap()),
        ["etc/glance-api.conf", "etc/x.conf"]
    );
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let (_home, mut sources) = home(&[]);
    sources.files = vec![PathBuf::from("/nowhere/glance-api.conf")];
    let error = sources.read().unwrap_err().to_string();
    assert!(
        error.starts_with("cannot read /nowhere/glance-api.conf: "),
        "{error}"
    );
}

#[test]
fn without_any_configuration_the_state_has_a_directory() {
    let (home, mut sources) = home(&[]);
    let state_dir = |sources: &Sources| sources.read().unwrap().state_dir.unwrap();
    assert_eq!(state_dir(&sources), home.path().join(".local/state/glance"));
    sources
        .environment
        .insert("XDG_STATE_HOME".to_owned(), "/x".to_owned());
    assert_eq!(state_dir(&sources), Path::new("/x/glance"));
    sources
        .environment
        .insert("GLANCE_STATE_DIR".to_owned(), "/$s".to_owned());
    assert_eq!(state_dir(&sources), Path::new("/$s"));
    let value = sources
        .read()
        .unwrap()
        .settings
        .value("DEFAULT", "image_cache_dir");
    assert_eq!(value.unwrap().unwrap().text, "/$s/cache");
    sources.environment.clear();
    assert!(matches!(sources.read(), Err(Error::NoStateDirectory)));
}

#[test]
fn other_files_are_found_beside_the_last_configuration_file() {
    let (home, mut sources) = home(&[
        ("a/a.conf", ""),
        ("a/policy.yaml", ""),
        ("b/b.conf", ""),
        ("b/policy.yaml", ""),
    ]);
    sources.files = vec![home.path().join("a/a.conf"), home.path().join("b/b.conf")];
    let found = sources.read().unwrap();
    assert_eq!(
        found.find_file("policy.yaml"),
        Some(home.path().join("b/policy.yaml"))
    );
    assert_eq!(found.find_file("other.yaml"), None);
    assert_eq!(
        found.expect_file("other.yaml"),
        Some(home.path().join("b/other.yaml"))
    );
    assert_eq!(
        found.main_file(),
        Some(home.path().join("b/b.conf").as_path())
    );
}

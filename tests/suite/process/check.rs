//! `--check-config`, and starts that fail.

use super::*;

fn checked(home: &Home) -> (i32, String) {
    let output = home.check();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), text)
}

#[test]
fn what_is_not_there_is_told_and_no_obstacle() {
    let home = Home::with("");
    home.configure(&format!(
        "image_cache_dir = {0}/cache\n[oslo_policy]\npolicy_file = {0}/gone.yaml",
        home.dir.path().display()
    ));
    let (code, text) = checked(&home);
    assert_eq!(code, 0, "{text}");
    for part in [
        "glance.db (does not exist)\n",
        "images (does not exist)",
        "cache (does not exist) up to",
        "gone.yaml (does not exist)\n",
        "[oslo_policy] policy_file: ",
        "gone.yaml does not exist, so the default policy holds\n",
    ] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
}

#[test]
fn what_makes_a_start_fail_fails_the_check() {
    let home = Home::with("");
    home.write("file", "");
    let dir = home.dir.path().display().to_string();
    for (option, told) in [
        (
            "bind_host = 192.0.2.1".to_owned(),
            "(is no address of this machine)",
        ),
        (
            format!("log_file = {dir}/no/api.log"),
            "api.log (does not exist and cannot be made)",
        ),
        (
            format!("[glance_store]\nfilesystem_store_datadir = {dir}/file/images"),
            "images (does not exist and cannot be made)",
        ),
    ] {
        home.configure(&option);
        let (code, text) = checked(&home);
        assert_eq!(code, 1, "{text}");
        assert!(text.contains(told), "{told} is missing in:\n{text}");
        let started = home.command().output().unwrap();
        assert_eq!(started.status.code(), Some(1), "{option} must not start");
    }
}

#[test]
fn a_rule_without_a_name_fails_check_and_start() {
    let home = Home::with("");
    home.configure("[image_cache_prefetch:]\non = upload");
    // Where the check passes, a start would go on.
    let (code, _) = checked(&home);
    assert_eq!(code, 1);
    for ended in [home.check(), home.command().output().unwrap()] {
        assert_eq!(ended.status.code(), Some(1));
        let told = String::from_utf8(ended.stderr).unwrap();
        assert!(
            told.contains("[image_cache_prefetch:] is a rule without a name"),
            "{told}"
        );
    }
}

#[test]
fn rules_are_listed_and_a_misspelt_selector_widens_none() {
    let home = Home::with("");
    let rule = |selector: &str| {
        home.configure(&format!(
            "image_cache_dir = {}/cache\n[image_cache_prefetch:gold]\n{selector} = gold\n\
             schedule = 0 3 * * *\non = upload",
            home.dir.path().display()
        ));
    };
    rule("tag");
    let (code, text) = checked(&home);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("Prefetch      gold: on upload, at \"0 3 * * *\"\n"),
        "{text}"
    );
    rule("tags");
    for ended in [home.check(), home.command().output().unwrap()] {
        assert_eq!(ended.status.code(), Some(1));
        let told = String::from_utf8(ended.stderr).unwrap();
        assert!(
            told.contains("[image_cache_prefetch:gold] tags is no option of a rule"),
            "{told}"
        );
    }
}

#[test]
fn what_keeps_nodes_from_asking_each_other_is_told() {
    let home = Home::with("");
    let peers = |own: &str, more: &str| {
        home.configure(&format!(
            "image_cache_dir = {}/cache\nimage_cache_driver = centralized_db\n\
             worker_self_reference_url = {own}\n[image_cache]\npeers = true\n{more}",
            home.dir.path().display()
        ));
    };
    peers("node1:9292", "");
    let (code, text) = checked(&home);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("node1:9292, which is no URL"), "{text}");
    peers("https://node1:9292", "peer_ca_file = /nonexistent");
    for ended in [home.check(), home.command().output().unwrap()] {
        assert_eq!(ended.status.code(), Some(1));
        let told = String::from_utf8(ended.stderr).unwrap();
        assert!(told.contains("[image_cache] peer_ca_file"), "{told}");
    }
}

#[test]
fn a_policy_that_cannot_be_read_fails_the_check() {
    let home = Home::with("");
    home.write("policy.yaml", "get_images: \"role:x\n");
    let dir = home.dir.path().display().to_string();
    home.configure(&format!("[oslo_policy]\npolicy_file = {dir}/policy.yaml"));
    for ended in [home.check(), home.command().output().unwrap()] {
        assert_eq!(ended.status.code(), Some(1));
        let told = String::from_utf8(ended.stderr).unwrap();
        assert!(told.contains("policy.yaml"), "{told}");
    }
}

#[test]
fn a_database_that_cannot_be_made_fails_the_check() {
    let home = Home::with("");
    let dir = home.dir.path().display().to_string();
    home.configure(&format!(
        "[database]\nconnection = sqlite:///{dir}/no/glance.db"
    ));
    let (code, text) = checked(&home);
    assert_eq!(code, 1, "{text}");
    let told = "glance.db (does not exist and cannot be made)";
    assert!(text.contains(told), "{text}");
}

#[test]
fn a_database_that_is_none_is_named_once() {
    let home = Home::with("");
    home.write("glance.db", &"no database ".repeat(100));
    let output = home.command().output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.matches("file is not a database").count(), 1, "{said}");
    assert!(said.contains("glance.db: "), "{said}");
}

//! `glance-manage policy`: what is in force, and why.

use std::path::Path;

use serde_json::Value;

use crate::support::{Database, Ended, MANAGE, plain, run};

const RULES: &str = "delete_image: \"role:janitor and project_id:%(project_id)s\"\n";

/// A site with a policy file, and a directory with one more.
struct Site(tempfile::TempDir);

impl Site {
    fn new(options: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = Database::file(&dir.path().join("glance.db"));
        let text = format!(
            "[database]\nconnection = {}\n[oslo_policy]\n{options}\n",
            database.url()
        );
        std::fs::create_dir(dir.path().join("policy.d")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("glance-api.conf", &text);
        write("policy.yaml", RULES);
        write("policy.d/more.yaml", "publicize_image: '!'\n");
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn ask(&self, arguments: &str) -> Ended {
        let mut command = plain(MANAGE);
        command
            .arg("--config-file")
            .arg(self.path().join("glance-api.conf"));
        run(command.arg("policy").args(arguments.split_whitespace()))
    }

    fn check(&self, arguments: &str) -> (i32, String) {
        let ended = self.ask(&format!("check {arguments}"));
        assert_eq!(ended.err, "", "{ended:?}");
        (ended.code, ended.out)
    }
}

#[test]
fn the_rules_in_force_are_listed_with_where_they_come_from() {
    let site = Site::new("enforce_new_defaults = false");
    let listed = site.ask("list").quietly();
    let dir = site.path().display();
    for lines in [
        "context_is_admin: role:admin\n    built in\n".to_owned(),
        format!(
            "delete_image: (role:janitor and project_id:%(project_id)s)\n    from {dir}/policy.yaml\n"
        ),
        format!("publicize_image: !\n    from {dir}/policy.d/more.yaml\n"),
        "stores_info_detail: ((rule:context_is_admin or rule:service_api) or rule:context_is_admin)\n    \
         built in, or as it was before\n"
            .to_owned(),
    ] {
        assert!(listed.contains(&lines), "{lines}: {listed}");
    }
    let json: Value = serde_json::from_str(&site.ask("list -f json").quietly()).unwrap();
    let rules = json.as_array().unwrap();
    let rule = |name: &str| rules.iter().find(|rule| rule["name"] == name).unwrap();
    assert_eq!(rule("context_is_admin")["origin"], "default");
    assert_eq!(rule("get_images")["origin"], "default or deprecated");
    assert_eq!(rule("publicize_image")["rule"], "!");
}

#[test]
fn a_decision_is_explained_and_told_by_the_exit_code() {
    let site = Site::new("");
    let (code, said) = site.check("--rule add_image --as reader --project p1");
    assert_eq!(code, 1);
    let first = said.lines().next().unwrap();
    assert_eq!(first, "denied: needs role:admin, or role:member");
    assert!(said.contains("no      role:member\n"), "{said}");
    assert!(!said.contains("yes"), "{said}");

    let (code, said) = site.check("--rule add_image --as member,reader --project p1");
    assert_eq!((code, said.lines().next()), (0, Some("allowed")));
    assert!(
        said.contains("yes     project_id:p1 (%(project_id)s)\n"),
        "{said}"
    );

    let (code, said) = site.check("--rule delete_image --as Janitor");
    assert_eq!(code, 0, "{said}");
    let (code, said) = site.check("--rule delete_image --as admin --project p1");
    assert_eq!(code, 1);
    assert!(said.starts_with("denied: needs role:janitor\n"), "{said}");
    let (code, said) = site.check("--rule publicize_image --as admin");
    assert_eq!(code, 1);
    assert!(said.starts_with("denied: needs another rule"), "{said}");
    let (code, said) = site.check("--rule get_images --as admin --system");
    assert_eq!(code, 1);
    assert!(
        said.starts_with("denied: needs a token for a project"),
        "{said}"
    );
}

#[test]
fn what_is_missing_keeps_its_brackets() {
    let site = Site::new("");
    let rules = "add_image: (role:a or role:b) and (role:c or role:d)\n\
                 get_image: role:a or role:b and role:c\n";
    std::fs::write(site.path().join("policy.d/more.yaml"), rules).unwrap();
    for (rule, roles, needs) in [
        (
            "add_image",
            "z",
            "(role:a, or role:b) and (role:c, or role:d)",
        ),
        ("add_image", "a", "role:c, or role:d"),
        ("get_image", "z", "role:a, or (role:b and role:c)"),
        ("get_image", "b", "role:a, or role:c"),
    ] {
        let (code, said) = site.check(&format!("--rule {rule} --as {roles} --project p"));
        let first = said.lines().next().unwrap();
        assert_eq!(
            (code, first),
            (1, format!("denied: needs {needs}").as_str())
        );
    }
}

/// A name with a slip in it is not to be taken for what is allowed.
#[test]
fn a_rule_that_is_not_there_is_told_with_what_judges_in_its_place() {
    let site = Site::new("policy_file = policy.yaml");
    let (code, said) = site.check("--rule add_imag --as reader --project p");
    assert_eq!(code, 0);
    assert!(
        said.contains("no rule is called add_imag: default judges what has none of its own"),
        "{said}"
    );
    let (_, said) = site.check("--rule add_image --as reader --project p");
    assert!(!said.contains("no rule is called"), "{said}");
}

#[test]
fn an_explanation_can_be_read_by_programs() {
    let site = Site::new("");
    let ended = site.ask("check --rule delete_image --as reader --project p1 -f json");
    assert_eq!(ended.code, 1, "{ended:?}");
    let said: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(said["allowed"], false);
    assert_eq!(said["needs"], "role:janitor");
    assert_eq!(said["rule"]["name"], "delete_image");
    assert_eq!(said["steps"][1]["met"], false);
    assert_eq!(said["steps"][1]["check"], "role:janitor");
}

#[test]
fn an_image_that_is_not_there_is_missed_and_nothing_is_made() {
    let site = Site::new("");
    let id = "00000000-0000-4000-8000-000000000001";
    let ended = site.ask(&format!("check --rule get_image --as admin --image {id}"));
    assert_eq!(
        ended.failing(1),
        format!("ERROR: No image found with ID {id}\n")
    );
    assert!(!site.path().join("glance.db").exists());
    let ended = site.ask("check --rule get_image --image x");
    assert_eq!(
        ended.failing(1),
        "ERROR: Image ID 'x' is not a valid UUID.\n"
    );
}

use std::fs;

use futures_util::FutureExt as _;

use super::*;
use crate::config::PolicyConfig;

/// A policy with protections as the file has them.
fn policy(text: &str, format: ProtectionFormat) -> Result<Policy, String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("protections.conf");
    fs::write(&file, text).unwrap();
    let rules = dir.path().join("policy.yaml");
    fs::write(&rules, "billing: role:billing or user_id:ann\n").unwrap();
    let config = PolicyConfig {
        file: Some(rules),
        protections: Some(ProtectionsConfig { file, format }),
        ..PolicyConfig::default()
    };
    Policy::load(&config).map_err(|error| {
        let shown = error.to_string();
        shown.replace(&dir.path().display().to_string(), "")
    })
}

fn by_roles(text: &str) -> Policy {
    policy(text, ProtectionFormat::Roles).unwrap()
}

fn caller(roles: &[&str]) -> Caller {
    Caller {
        user_id: Some("ann".to_owned()),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        ..Caller::default()
    }
}

/// No rule of these policies waits for another server.
fn may_touch(policy: &Policy, caller: &Caller, property: &str, touch: Touch) -> bool {
    let answer = policy.may_touch(caller, property, touch);
    answer.now_or_never().unwrap()
}

const SECTION: &str = "create = @\nread = Admin, member\nupdate = !\ndelete =\n";

#[test]
fn each_action_has_its_roles() {
    let policy = by_roles(&format!("[^x_.*]\n{SECTION}"));
    let may = |roles: &[&str], touch| may_touch(&policy, &caller(roles), "x_a", touch);
    assert!(may(&[], Touch::Create));
    assert!(may(&["member"], Touch::Read) && may(&["admin"], Touch::Read));
    assert!(!may(&["reader"], Touch::Read));
    assert!(!may(&["admin"], Touch::Update) && !may(&["admin"], Touch::Delete));
}

#[test]
fn roles_of_the_service_that_passes_a_request_on_count() {
    let policy = by_roles(&format!("[^x_.*]\n{SECTION}"));
    let mut caller = caller(&[]);
    caller.service_roles = vec!["admin".to_owned()];
    assert!(may_touch(&policy, &caller, "x_a", Touch::Read));
}

#[test]
fn the_first_pattern_that_is_found_decides_and_without_one_nobody_may() {
    let open = "create = @\nread = @\nupdate = @\ndelete = @\n";
    let shut = "create = !\nread = !\nupdate = !\ndelete = !\n";
    let policy = by_roles(&format!("[^x_a$]\n{open}[x_]\n{shut}[y]\n{open}"));
    let may = |name| may_touch(&policy, &caller(&[]), name, Touch::Read);
    assert!(may("x_a") && may("any y") && !may("x_b") && !may("my_x_"));
    assert!(!may("z"));
}

#[tokio::test]
async fn patterns_are_those_of_python() {
    let policy = by_roles(
        "[^x_(?!open).*$]\ncreate = !\nread = !\nupdate = !\ndelete = !\n[.*]\ncreate = @\nread = @\nupdate = @\ndelete = @\n",
    );
    assert!(policy.may_touch(&caller(&[]), "x_open", Touch::Read).await);
    assert!(!policy.may_touch(&caller(&[]), "x_shut", Touch::Read).await);
}

#[test]
fn what_the_service_keeps_for_itself_is_open() {
    let shut = "create = !\nread = !\nupdate = !\ndelete = !\n";
    let policy = by_roles(&format!("[os_glance_x]\n{shut}[.*]\n{shut}"));
    assert!(may_touch(&policy, &caller(&[]), "os_glance_x", Touch::Read));
}

#[test]
fn rules_of_the_policy_decide_where_the_file_names_them() {
    let text = "[b]\ncreate = billing\nread = @\nupdate = context_is_admin\ndelete = !\n";
    let policy = policy(text, ProtectionFormat::Policies).unwrap();
    let may = |roles: &[&str], touch| may_touch(&policy, &caller(roles), "b", touch);
    assert!(may(&[], Touch::Create) && may(&[], Touch::Read));
    assert!(may(&["admin"], Touch::Update) && !may(&["member"], Touch::Update));
    assert!(!may(&["admin"], Touch::Delete));
}

#[test]
fn without_a_file_everything_is_open() {
    let policy = Policy::load(&PolicyConfig::default()).unwrap();
    assert!(may_touch(&policy, &caller(&[]), "x", Touch::Delete));
}

#[test]
fn a_wrong_file_is_refused_with_file_and_section() {
    let refused = |text: &str, format| policy(text, format).unwrap_err();
    assert_eq!(
        refused("[x]\ncreate = @\n", ProtectionFormat::Roles),
        "property protection file /protections.conf: [x]: it does not say who may read"
    );
    assert_eq!(
        refused(
            &format!("[x]\n{SECTION}").replace("= @", "= @,!"),
            ProtectionFormat::Roles
        ),
        "property protection file /protections.conf: [x]: create = @,!: @ is everybody and ! nobody, so it \
         cannot be both"
    );
    assert_eq!(
        refused(&format!("[x]\n{SECTION}"), ProtectionFormat::Policies),
        "property protection file /protections.conf: [x]: read = Admin, member: must be one rule of the \
         policy; there they can be combined"
    );
    let refused = refused(&format!("[x(]\n{SECTION}"), ProtectionFormat::Roles);
    assert!(refused.contains("[x(]: it is no pattern"), "{refused}");
}

//! `[image_cache_prefetch:NAME]`

use super::*;
use crate::domain::Visibility;

const DATABASE: &str = "[database]\nconnection = sqlite:////d\n";

fn with(rules: &str) -> Site {
    Site::new(&format!(
        "{DATABASE}[DEFAULT]\nimage_cache_dir = /c\n{rules}"
    ))
}

#[test]
fn rules_are_read_with_the_most_important_first() {
    let site = with(
        "[image_cache_prefetch:Small]\n\
         schedule = 0 3 * * *\nproject = a, b\nvisibility = Public\nbandwidth = 10 MiB/s\n\
         [image_cache_prefetch:gold]\n\
         on = upload\ntag = gold, new\nproperty = os_distro=ubuntu, note = a=b\nnewest = 3\n\
         family = os_version\nconcurrency = 1\npriority = 10\n",
    );
    let rules = site.load().config.cache.unwrap().rules;
    let [gold, small] = &rules[..] else {
        panic!("{rules:?}");
    };
    assert_eq!((gold.name.as_str(), gold.priority), ("gold", 10));
    assert_eq!(gold.tags, ["gold", "new"]);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        gold.properties,
        [pair("os_distro", "ubuntu"), pair("note", "a=b")]
    );
    assert_eq!(
        (gold.newest, gold.family.as_deref()),
        (Some(3), Some("os_version"))
    );
    assert_eq!(gold.concurrency.unwrap().get(), 1);
    assert_eq!((gold.bandwidth, gold.visibility), (None, None));
    assert_eq!(gold.when(), "on upload");

    assert_eq!(small.name, "small");
    assert_eq!(small.projects, ["a", "b"]);
    assert_eq!(small.visibility, Some(Visibility::Public));
    assert_eq!(small.bandwidth.unwrap().get(), 10 << 20);
    assert_eq!(small.when(), "at \"0 3 * * *\"");
    assert!(!small.on_upload);
    assert!(!site.warnings().iter().any(|told| told.contains("prefetch")));
}

#[test]
fn a_rule_that_is_wrong_is_refused_by_its_section_option_and_value() {
    for (lines, error) in [
        ("on = download", "on = download: must be one of upload"),
        (
            "on = upload\nvisibility = secret",
            "visibility = secret: must be one of community, private, public, shared",
        ),
        (
            "on = upload\nproperty = os_distro",
            "property = os_distro: must be NAME=VALUE, or several of \
          these with commas between them",
        ),
        ("on = upload\nnewest = 0", "newest = 0: must be 1 or more"),
        (
            "on = upload\nfamily = os_distro",
            "family = os_distro: must be left out where newest is not set",
        ),
        (
            "on = upload\nbandwidth = fast",
            "bandwidth = fast: must be bytes a second, such as 100MiB or 100 MiB/s",
        ),
        (
            "on = upload\nbandwidth = 10KiB",
            "bandwidth = 10KiB: must be 64KiB a second or more, or 0 for no limit",
        ),
        (
            "schedule = often",
            "schedule = often: must be five fields as in crontab(5), or six with seconds first",
        ),
        (
            "on = upload\nproject =",
            "project = : must be set, or left out where it does not matter",
        ),
        (
            "schedule = 0 0 30 2 *",
            "schedule = 0 0 30 2 *: must be a time that comes: there is no such day",
        ),
        (
            "on = upload\ntags = gold",
            "tags is no option of a rule; those are bandwidth, concurrency, family, newest, on, priority, \
             project, property, schedule, tag, visibility",
        ),
    ] {
        let site = with(&format!("[image_cache_prefetch:a]\n{lines}\n"));
        let line = 5 + lines.lines().count();
        let expected = format!("glance-api.conf:{line}: [image_cache_prefetch:a] {error}");
        assert_eq!(site.error(), expected);
    }
}

#[test]
fn a_rule_says_when_to_look_and_all_that_are_wrong_are_told() {
    let site = with("[image_cache_prefetch:a]\ntag = x\n[image_cache_prefetch:b]\nnewest = 2\n");
    let missing = |name| {
        format!(
            "[image_cache_prefetch:{name}] schedule is not set: it must be a schedule as in crontab(5), \
             unless on = upload says when"
        )
    };
    assert_eq!(site.error(), format!("{}\n{}", missing("a"), missing("b")));
}

#[test]
fn rules_are_printed_with_what_is_in_force() {
    let site = with("[image_cache_prefetch:a]\non = upload\ntag = x\n");
    let printed = print(&site.load()).unwrap();
    let rule = printed.split("[image_cache_prefetch:a]\n").nth(1).unwrap();
    assert_eq!(
        rule,
        "bandwidth = 0\nconcurrency = 0\non = upload\npriority = 0\ntag = x\n"
    );
}

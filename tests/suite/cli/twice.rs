//! Command lines as old crontabs, unit files and habits have them.

use super::{CACHE_MANAGE, CLEANER, Ended, Node, PREFETCHER, PRUNER, run, tool};
use crate::support::API;

#[test]
fn an_option_that_is_given_twice_counts_as_it_was_given_last() {
    let line = "-p 1 -p 2 -H a -H b -v -v -f -f -d -d help list-cached";
    let help = run(tool(CACHE_MANAGE).args(line.split(' ')));
    assert_eq!((help.code, help.err.as_str()), (0, ""), "{help:?}");
    let line = "-p 1 -H nowhere.invalid -p 2 -H 127.0.0.1 list-cached";
    let err = run(tool(CACHE_MANAGE).args(line.split(' '))).failing(1);
    assert!(err.starts_with("No API answers on 127.0.0.1:2: "), "{err}");

    let node = Node::new();
    for job in [PRUNER, CLEANER, PREFETCHER] {
        let twice = [
            "-v",
            "-v",
            "-d",
            "-d",
            "--json",
            "--json",
            "--log-dir",
            "/nowhere",
        ];
        let again = ["--log-dir", node.home.path().to_str().unwrap()];
        let ended = node.job(job, &[&twice[..], &again].concat());
        assert_eq!(ended.code, 0, "{job}: {ended:?}");
    }
}

#[test]
fn configuration_files_are_still_read_one_after_the_other() {
    let node = Node::new();
    let more = node.home.path().join("more.conf");
    std::fs::write(&more, "[DEFAULT]\nimage_cache_max_size = many\n").unwrap();
    let more = more.to_str().unwrap();
    let err = node.job(PRUNER, &["--config-file", more]).failing(1);
    assert!(err.contains("more.conf:2: "), "{err}");
}

/// Every option that `glance-cache-pruner --help` of the original lists.
const OF_THE_ORIGINAL: &str = "\
--debug --nodebug --use-syslog --nouse-syslog --use-journal --nouse-journal --use-json --nouse-json \
--log-config-append logging.conf --log-config logging.conf --log_config logging.conf \
--log-date-format %Y --syslog-log-facility LOG_LOCAL0 --watch-log-file --nowatch-log-file";

#[test]
fn a_line_of_an_old_crontab_is_understood() {
    let node = Node::new();
    let home = node.home.path().to_str().unwrap();
    for job in [PRUNER, CLEANER, PREFETCHER] {
        let ended = node.job(job, &OF_THE_ORIGINAL.split(' ').collect::<Vec<_>>());
        // With --debug and --nodebug the later counts, so nothing is said.
        assert_eq!(
            (ended.code, ended.out.as_str(), ended.err.as_str()),
            (0, "", ""),
            "{job}"
        );
        let logs = [
            "--logfile",
            "old.log",
            "--logdir",
            home,
            "--use-syslog",
            "--use-json",
        ];
        node.job(job, &logs).quietly();
    }
    let log = std::fs::read_to_string(node.home.path().join("old.log")).unwrap();
    let told = log.matches("use_syslog has no meaning here").count();
    assert_eq!(told, 3, "once by each: {log}");
    assert!(log.lines().all(|line| line.starts_with('{')), "{log}");
}

fn service(arguments: &[&str]) -> Ended {
    let home = tempfile::tempdir().unwrap();
    let mut command = tool(API);
    command.env("GLANCE_STATE_DIR", home.path());
    run(command.args(arguments))
}

#[test]
fn the_service_takes_the_same_options_and_each_twice() {
    let old: Vec<_> = OF_THE_ORIGINAL.split(' ').collect();
    let twice = [
        "--check-config",
        "-d",
        "-d",
        "--bind-port",
        "1",
        "--bind-port",
        "2",
    ];
    let ended = service(&[&twice[..], &old, &old].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.out.contains("127.0.0.1:2\n"), "{ended:?}");
    assert!(!ended.out.contains("is unknown"), "{ended:?}");
    for option in [
        "use_syslog",
        "use_journal",
        "log_config_append",
        "syslog_log_facility",
    ] {
        let told = ended
            .out
            .matches(&format!("[DEFAULT] {option} has no meaning"))
            .count();
        let given_last = !matches!(option, "use_syslog" | "use_journal");
        assert_eq!(told, usize::from(given_last), "{option}: {ended:?}");
    }
    let json = service(&[
        "--print-config",
        "--nouse-json",
        "--use-json",
        "--debug",
        "--nodebug",
    ]);
    assert!(json.out.contains("use_json = true\n"), "{json:?}");
    assert!(json.out.contains("debug = false\n"), "{json:?}");
}

#[test]
fn every_program_prints_a_completion_script_as_before() {
    for job in [PRUNER, CLEANER, PREFETCHER] {
        let script = run(tool(job).args(["--shell_completion", "bash"])).quietly();
        assert!(script.contains("--config-file"), "{job}: {script}");
    }
    let script = service(&["--shell_completion", "zsh"]).quietly();
    assert!(script.starts_with("#compdef glance-api\n"), "{script}");
}

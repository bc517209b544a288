//! Completion, as the shells themselves do it.

use std::process::{Command, Stdio};

use super::{CACHE_MANAGE, Ended, PRUNER, run, tool};

/// What bash offers for the last of `words` on a command line with `program`, once it read its script.
fn offered(program: &str, script: &str, words: &[&str]) -> Option<Vec<String>> {
    // The shell calls the function it was told with the name, the word at the cursor and the one before.
    let ask = r#"
        eval "$SCRIPT"
        set -- $(complete -p "$1" | grep -o -e '-F [^ ]*') "$@"
        function=$2; shift 2
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        "$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let output = Command::new("bash")
        .args(["--norc", "-c", ask, "bash", program])
        .args(words)
        .env("SCRIPT", script)
        .stdin(Stdio::null())
        .output();
    let Ok(output) = output else {
        println!("skipped: there is no bash");
        return None;
    };
    let out = Ended::from(output).quietly();
    Some(out.lines().map(str::to_owned).collect())
}

#[test]
fn bash_completes_commands_and_behind_them_their_options() {
    let script = run(tool(CACHE_MANAGE).args(["completions", "bash"])).quietly();
    let name = "glance-cache-manage";
    for (words, expected) in [
        (&["queue-"][..], &["queue-image"][..]),
        (&["list-n"], &["list-nodes"]),
        (&["queue-image", "--w"], &["--wait"]),
        (&["-p", "9292", "queue-image", "--ti"], &["--timeout"]),
        (&["delete-cached-image", "--all"], &["--all-nodes"]),
        (&["delete-all-cached-images", "--dry"], &["--dry-run"]),
        (&["list-cached", "--os-c"], &["--os-cacert"]),
    ] {
        let Some(words) = offered(name, &script, words) else {
            return;
        };
        assert_eq!(words, expected);
    }
}

#[test]
fn bash_completes_the_jobs() {
    let script = run(tool(PRUNER).args(["--shell_completion", "bash"])).quietly();
    if let Some(words) = offered("glance-cache-pruner", &script, &["--config-"]) {
        assert_eq!(words, ["--config-file", "--config-dir"]);
    }
}

//! Completion scripts for shells.

use clap::Command;
use clap_complete::Shell;

/// The script with which `shell` completes the command line of `tool`.
pub fn script(shell: Shell, mut tool: Command) -> Vec<u8> {
    let name = tool.get_name().to_owned();
    let mut script = Vec::new();
    if shell != Shell::Bash {
        clap_complete::generate(shell, &mut tool, name, &mut script);
        return script;
    }
    // The generator for bash spells hyphens in the name of a program in two ways, so that the state it
    // enters at a sub-command is none that it knows. Without hyphens there is one spelling; the shell still
    // has to hear the true name.
    let spelt = name.replace('-', "_");
    clap_complete::generate(shell, &mut tool, &spelt, &mut script);
    let script = String::from_utf8_lossy(&script);
    script
        .replace(&format!(" {spelt}\n"), &format!(" {name}\n"))
        .into_bytes()
}

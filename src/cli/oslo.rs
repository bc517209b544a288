//! The options that oslo.config and oslo.log give to every program, so that no old line of a crontab or a
//! unit file ends with a usage error. What means nothing here is told in the log, by the same check as in a
//! file.

use std::io::Write as _;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::completion;

/// Logging as every program of the original takes it. The later of a switch and its inverse counts.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub struct OsloOptions {
    /// Log in detail.
    #[arg(short, long, overrides_with = "nodebug")]
    pub debug: bool,
    #[arg(long, hide = true)]
    nodebug: bool,
    /// Log to this file, below --log-dir where that is given.
    #[arg(long, value_name = "PATH", alias = "logfile")]
    log_file: Option<String>,
    /// Directory of the log file, which is named after the program unless --log-file names it.
    #[arg(long, value_name = "DIR", alias = "logdir")]
    log_dir: Option<String>,
    /// Log to standard error beside a log file.
    #[arg(long, overrides_with = "nouse_stderr")]
    use_stderr: bool,
    #[arg(long, hide = true)]
    nouse_stderr: bool,
    /// Log lines of JSON.
    #[arg(long, overrides_with = "nouse_json")]
    use_json: bool,
    #[arg(long, hide = true)]
    nouse_json: bool,
    #[arg(long, hide = true, overrides_with = "nouse_syslog")]
    use_syslog: bool,
    #[arg(long, hide = true)]
    nouse_syslog: bool,
    #[arg(long, hide = true, overrides_with = "nouse_journal")]
    use_journal: bool,
    #[arg(long, hide = true)]
    nouse_journal: bool,
    #[arg(long, hide = true, overrides_with = "nowatch_log_file")]
    watch_log_file: bool,
    #[arg(long, hide = true)]
    nowatch_log_file: bool,
    #[arg(long, hide = true, value_name = "PATH", aliases = ["log-config", "log_config"])]
    log_config_append: Option<String>,
    #[arg(long, hide = true, value_name = "FORMAT")]
    log_date_format: Option<String>,
    #[arg(long, hide = true, value_name = "FACILITY")]
    syslog_log_facility: Option<String>,
    /// Print a completion script for a shell, and exit.
    #[arg(
        long = "shell_completion",
        alias = "shell-completion",
        value_name = "SHELL"
    )]
    shell_completion: Option<Shell>,
}

impl OsloOptions {
    /// The options of `[DEFAULT]` that were given, with what they were set to.
    pub fn flags(&self) -> Vec<(&'static str, String)> {
        let switch = |on: bool, off: bool| (on || off).then(|| on.to_string());
        let given = [
            ("debug", switch(self.debug, self.nodebug)),
            ("log_file", self.log_file.clone()),
            ("log_dir", self.log_dir.clone()),
            ("use_stderr", switch(self.use_stderr, self.nouse_stderr)),
            ("use_json", switch(self.use_json, self.nouse_json)),
            ("use_syslog", switch(self.use_syslog, self.nouse_syslog)),
            ("use_journal", switch(self.use_journal, self.nouse_journal)),
            (
                "watch_log_file",
                switch(self.watch_log_file, self.nowatch_log_file),
            ),
            ("log_config_append", self.log_config_append.clone()),
            ("log_date_format", self.log_date_format.clone()),
            ("syslog_log_facility", self.syslog_log_facility.clone()),
        ];
        given
            .into_iter()
            .filter_map(|(option, text)| Some((option, text?)))
            .collect()
    }

    /// Prints the completion script of `T` where one is asked for, and says whether it was.
    pub fn completes<T: CommandFactory>(&self) -> bool {
        let Some(shell) = self.shell_completion else {
            return false;
        };
        // Where nobody reads the script there is nothing to be done.
        let _ = std::io::stdout().write_all(&completion::script(shell, T::command()));
        true
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    #[command(args_override_self = true)]
    struct Tool {
        #[command(flatten)]
        oslo: OsloOptions,
    }

    fn flags(line: &str) -> Vec<(&'static str, String)> {
        let line = std::iter::once("tool").chain(line.split_whitespace());
        Tool::try_parse_from(line).unwrap().oslo.flags()
    }

    #[test]
    fn the_later_of_a_switch_and_its_inverse_counts() {
        assert_eq!(flags("-d --nodebug"), [("debug", "false".to_owned())]);
        assert_eq!(flags("--nodebug -d -d"), [("debug", "true".to_owned())]);
        assert_eq!(flags(""), []);
    }
}

//! The caching image server: API, fills, prefetch and schedules in one process.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use glance::clock::Clock;
use glance::config::{self, Config, Loaded, Program, Sources};
use glance::daemon::{self, Start};
use glance::telemetry;

/// Serves the OpenStack Image API.
///
/// Without any configuration it serves this machine alone, and keeps all its state in the directory
/// that the variable `GLANCE_STATE_DIR` names, else in ~/.local/state/glance.
#[derive(Debug, Parser)]
#[command(name = "glance-api", version)]
#[expect(clippy::struct_excessive_bools, reason = "flags are booleans")]
struct Arguments {
    /// A configuration file; later ones count more. Searched in ~/.glance, ~, /etc/glance, /etc
    #[arg(long, value_name = "PATH")]
    config_file: Vec<PathBuf>,
    /// A directory whose *.conf are read after the files, sorted
    #[arg(long, value_name = "DIR")]
    config_dir: Vec<PathBuf>,
    /// Say what a start would do, and exit
    #[arg(long)]
    check_config: bool,
    /// Print the effective configuration with secrets hidden, and exit
    #[arg(long)]
    print_config: bool,
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS")]
    bind_host: Option<String>,
    /// The port to listen on
    #[arg(long, value_name = "PORT")]
    bind_port: Option<String>,
    /// Log more
    #[arg(short, long)]
    debug: bool,
    /// The log file, below --log-dir where that is given
    #[arg(long, value_name = "PATH", alias = "logfile")]
    log_file: Option<String>,
    /// The directory of the log file, glance-api.log unless --log-file names it
    #[arg(long, value_name = "DIR", alias = "logdir")]
    log_dir: Option<String>,
    /// Log to standard error beside a log file
    #[arg(long)]
    use_stderr: bool,
}

impl Arguments {
    fn sources(&self) -> Sources {
        let switch = |on: bool| on.then(|| "true".to_owned());
        let flags = [
            ("bind_host", self.bind_host.clone()),
            ("bind_port", self.bind_port.clone()),
            ("debug", switch(self.debug)),
            ("log_file", self.log_file.clone()),
            ("log_dir", self.log_dir.clone()),
            ("use_stderr", switch(self.use_stderr)),
        ];
        Sources {
            files: self.config_file.clone(),
            dirs: self.config_dir.clone(),
            flags: flags
                .into_iter()
                .filter_map(|(option, text)| Some((option, text?)))
                .collect(),
            ..Sources::new(Program::Api)
        }
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Before logs are set up, and after them, whoever started this wants to know.
            let _ = writeln!(io::stderr(), "glance-api: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let sources = arguments.sources();
    let loaded = Config::load(&sources)?;
    if arguments.print_config {
        return print(&config::print(&loaded)?);
    }
    if arguments.check_config {
        let summary = config::summary(&loaded);
        print(&summary.text)?;
        anyhow::ensure!(summary.starts, "it would not start like this");
        return Ok(());
    }
    serve(loaded, sources)
}

fn serve(loaded: Loaded<Config>, sources: Sources) -> anyhow::Result<()> {
    let written = loaded.written();
    let Loaded {
        config, warnings, ..
    } = loaded;
    if let Some(dir) = &config.state_dir {
        create(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    }
    let telemetry = telemetry::init(&config.log, Clock::system())?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(daemon::run(Start {
        config,
        telemetry,
        written,
        sources,
    }))?)
}

/// Creates the directory of all state, for its owner alone.
fn create(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;

    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
}

fn print(text: &str) -> anyhow::Result<()> {
    Ok(io::stdout().write_all(text.as_bytes())?)
}

//! The caching image server: API, fills, prefetch and schedules in one process.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use glance::cli::oslo::OsloOptions;
use glance::clock::Clock;
use glance::config::{self, Config, Loaded, Program, Sources};
use glance::daemon::{self, Start};
use glance::telemetry;

/// Serves the OpenStack Image API.
///
/// Without any configuration it serves this machine alone, and keeps all its state in the directory
/// that the variable `GLANCE_STATE_DIR` names, else in ~/.local/state/glance.
#[derive(Debug, Parser)]
// Given twice, the last counts; shortened as far as it stays clear: as it always was.
#[command(
    name = "glance-api",
    version,
    args_override_self = true,
    infer_long_args = true
)]
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
    #[command(flatten)]
    oslo: OsloOptions,
}

impl Arguments {
    fn sources(&self) -> Sources {
        let listener = [
            ("bind_host", self.bind_host.clone()),
            ("bind_port", self.bind_port.clone()),
        ];
        let listener = listener
            .into_iter()
            .filter_map(|(option, text)| Some((option, text?)));
        Sources {
            files: self.config_file.clone(),
            dirs: self.config_dir.clone(),
            flags: listener.chain(self.oslo.flags()).collect(),
            ..Sources::new(Program::Api)
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.oslo.completes::<Arguments>() {
        return ExitCode::SUCCESS;
    }
    match run(&arguments) {
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
        daemon::check(&loaded.config)?;
        anyhow::ensure!(
            summary.starts,
            "it would not start, or not serve, like this"
        );
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

//! Which lines are written: `debug` and `default_log_levels`, whose loggers are Python's.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

use super::Error;
use crate::config::LogConfig;

/// Crates that do here what a Python package does there: its level is theirs.
const ALIASES: [(&str, &[&str]); 3] = [
    ("sqlalchemy", &["sqlx"]),
    (
        "urllib3.connectionpool",
        &["hyper", "hyper_util", "reqwest", "rustls", "h2"],
    ),
    ("keystoneauth", &["glance::auth"]),
];

/// The levels of a configuration. Other people's crates speak from WARNING on.
pub(super) fn targets(config: &LogConfig) -> Result<Targets, Error> {
    let ours = if config.debug {
        LevelFilter::DEBUG
    } else {
        LevelFilter::INFO
    };
    let mut targets = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("glance", ours);
    for (logger, level) in &config.levels {
        let level = self::level(level)?;
        targets = targets.with_target(logger.replace('.', "::"), level);
        let aliases = ALIASES.iter().filter(|(name, _)| name == logger);
        for name in aliases.flat_map(|(_, names)| *names) {
            targets = targets.with_target(*name, level);
        }
    }
    Ok(targets)
}

fn level(name: &str) -> Result<LevelFilter, Error> {
    Ok(match name.to_uppercase().as_str() {
        "TRACE" => LevelFilter::TRACE,
        "DEBUG" => LevelFilter::DEBUG,
        "INFO" => LevelFilter::INFO,
        "WARN" | "WARNING" => LevelFilter::WARN,
        "ERROR" | "CRITICAL" | "FATAL" => LevelFilter::ERROR,
        _ => {
            return Err(Error::Level {
                level: name.to_owned(),
            });
        }
    })
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    fn of(debug: bool, levels: &[(&str, &str)]) -> Result<Targets, Error> {
        let own = |&(logger, level): &(&str, &str)| (logger.to_owned(), level.to_owned());
        targets(&LogConfig {
            debug,
            levels: levels.iter().map(own).collect(),
            ..LogConfig::default()
        })
    }

    #[test]
    fn debug_is_for_ours_alone() {
        let quiet = of(false, &[]).unwrap();
        assert!(quiet.would_enable("glance::ops", &Level::INFO));
        assert!(!quiet.would_enable("glance::ops", &Level::DEBUG));
        let loud = of(true, &[]).unwrap();
        assert!(loud.would_enable("glance.access", &Level::DEBUG));
        assert!(loud.would_enable("sqlx::query", &Level::WARN));
        assert!(!loud.would_enable("sqlx::query", &Level::INFO));
    }

    #[test]
    fn the_loggers_of_python_have_their_counterparts() {
        let targets = of(false, &[("sqlalchemy", "debug"), ("glance.db", "ERROR")]).unwrap();
        assert!(targets.would_enable("sqlx::query", &Level::DEBUG));
        assert!(!targets.would_enable("glance::db::images", &Level::WARN));
    }

    #[test]
    fn an_unknown_level_is_refused() {
        assert!(of(false, &[("glance", "LOUD")]).is_err());
    }
}

//! The service that this one stands in for, where it is installed.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::Question;
use crate::cloud::Cloud;

/// A Python environment that has it.
pub struct Original(PathBuf);

impl Original {
    /// The one that `GLANCE_ORIGINAL_VENV` names.
    pub fn find() -> Option<Self> {
        std::env::var_os("GLANCE_ORIGINAL_VENV").map(|venv| Self(venv.into()))
    }

    /// How long each answer takes at least, by its own clock.
    pub fn least(
        &self,
        cloud: &Cloud,
        questions: &[Question],
        rounds: u32,
    ) -> Result<Vec<Duration>> {
        let mut lines = String::new();
        for question in questions {
            let line = json!([question.project, question.roles, question.query]);
            writeln!(lines, "{line}")?;
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/listing/original.py");
        let mut asked = Command::new(self.0.join("bin/python"))
            .arg(script)
            .arg(cloud.configuration())
            .arg(rounds.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("the original cannot be asked")?;
        let mut input = asked.stdin.take().context("no way to ask")?;
        input.write_all(lines.as_bytes())?;
        drop(input);
        let answer = asked.wait_with_output()?;
        ensure!(answer.status.success(), "the original fails");
        let answer = String::from_utf8(answer.stdout)?;
        let seconds = answer
            .lines()
            .filter_map(|line| line.strip_prefix("seconds "));
        let times: Vec<Duration> = seconds
            .map(|seconds| Ok(Duration::from_secs_f64(seconds.parse()?)))
            .collect::<Result<_>>()?;
        ensure!(times.len() == questions.len(), "it leaves questions open");
        Ok(times)
    }
}

//! Runs a job whenever its schedule says.

use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, Local};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Schedule;

/// The longest sleep: somebody may set the clock meanwhile, or the machine may sleep too.
const NAP: Duration = Duration::from_secs(30);

/// Runs `job` at every time of the schedule until `stop` is cancelled, never twice at once: a time that comes
/// while it runs is skipped. A job that runs is finished.
pub async fn run<F>(
    schedule: Schedule,
    clock: Clock,
    stop: CancellationToken,
    mut job: impl FnMut() -> F,
) where
    F: Future<Output = ()>,
{
    let now = || clock.now().with_timezone(&Local);
    let mut last = now();
    // Never before the last time, or a clock that is set back would repeat what was done.
    while let Some(next) = schedule.next_after(&last.max(now())) {
        if stop.run_until_cancelled(until(next, &now)).await.is_none() {
            return;
        }
        last = next;
        job().await;
    }
    // A day that never comes.
    stop.cancelled().await;
}

async fn until(time: DateTime<Local>, now: &impl Fn() -> DateTime<Local>) {
    // A difference that is negative has come.
    while let Ok(left) = (time - now()).to_std()
        && !left.is_zero()
    {
        sleep(left.min(NAP)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;
    use tokio::time::timeout;

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_job_runs_at_its_times_until_the_stop() {
        let stop = CancellationToken::new();
        let clock = Clock::system();
        let (ran, mut runs) = mpsc::unbounded_channel();
        let task = {
            let schedule = Schedule::parse("* * * * * *").unwrap();
            let (stop, time) = (stop.clone(), clock.clone());
            tokio::spawn(run(schedule, clock, stop, move || {
                ran.send(time.now()).unwrap();
                std::future::ready(())
            }))
        };
        let first = timeout(LONG, runs.recv()).await.unwrap().unwrap();
        let second = timeout(LONG, runs.recv()).await.unwrap().unwrap();
        assert_ne!(first.timestamp(), second.timestamp());
        stop.cancel();
        timeout(LONG, task).await.expect("it stops").unwrap();
    }

    #[tokio::test]
    async fn a_time_that_has_come_is_not_waited_for() {
        let clock = Clock::system();
        let now = || clock.now().with_timezone(&Local);
        let past = now() - chrono::TimeDelta::seconds(5);
        timeout(LONG, until(past, &now)).await.expect("at once");
    }
}

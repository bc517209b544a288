//! Runs a job whenever its schedule says.

use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, Local, TimeDelta};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Schedule;

/// The longest sleep: somebody may set the clock meanwhile, or the machine may sleep too.
const NAP: Duration = Duration::from_secs(30);

/// A clock that goes back by less does not repeat what was done. One that goes back further tells another time.
const BACK: TimeDelta = TimeDelta::minutes(5);

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
    loop {
        let begun = now();
        let Some(next) = schedule.next_after(&after(last, begun)) else {
            break;
        };
        match stop.run_until_cancelled(until(next, begun, &now)).await {
            None => return,
            Some(true) => {
                last = next;
                job().await;
            }
            Some(false) => {
                tracing::warn!("the clock was set back: schedules go by the new time");
                last = now();
            }
        }
    }
    // There is none in this calendar.
    stop.cancelled().await;
}

/// The time after which the next one is looked for.
fn after(last: DateTime<Local>, now: DateTime<Local>) -> DateTime<Local> {
    if last - now > BACK {
        now
    } else {
        last.max(now)
    }
}

/// Waits for a time. False where the clock was set back since it was as `before`.
async fn until(
    time: DateTime<Local>,
    mut before: DateTime<Local>,
    now: &impl Fn() -> DateTime<Local>,
) -> bool {
    // A difference that is negative has come.
    while let Ok(left) = (time - before).to_std()
        && !left.is_zero()
    {
        sleep(left.min(NAP)).await;
        let later = now();
        if before - later > BACK {
            return false;
        }
        before = later;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;
    use tokio::time::timeout;

    const LONG: Duration = Duration::from_mins(1);

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
        assert!(
            timeout(LONG, until(past, now(), &now))
                .await
                .expect("at once")
        );
    }

    #[tokio::test]
    async fn a_clock_that_is_set_back_a_day_stops_nothing() {
        let begun = tokio::time::Instant::now();
        let start = Clock::system().now();
        let clock = Clock::from_fn(move || {
            let gone = begun.elapsed();
            let back = TimeDelta::days(i64::from(gone > Duration::from_millis(2500)));
            start + TimeDelta::from_std(gone).unwrap() - back
        });
        let stop = CancellationToken::new();
        let (ran, mut runs) = mpsc::unbounded_channel();
        let schedule = Schedule::parse("* * * * * *").unwrap();
        let task = tokio::spawn(run(schedule, clock, stop.clone(), move || {
            ran.send(begun.elapsed()).unwrap();
            std::future::ready(())
        }));
        let mut last = Duration::ZERO;
        while last < Duration::from_secs(4) {
            last = timeout(LONG, runs.recv()).await.unwrap().unwrap();
        }
        stop.cancel();
        timeout(LONG, task).await.expect("it stops").unwrap();
    }
}

//! What was measured, a line each.

use std::fmt;
use std::time::Duration;

const MIB: f64 = 1024.0 * 1024.0;

/// Lines of: what, measured, beside, ratio, wanted.
#[derive(Default)]
pub struct Table(Vec<[String; 5]>);

impl Table {
    /// A rate beside another; at least `wanted` of it.
    pub fn ratio(&mut self, what: &str, ours: f64, beside: &str, theirs: f64, wanted: f64) {
        self.add(
            what,
            rate(ours),
            format!("{beside} {}", rate(theirs)),
            format!("{:.2}", ours / theirs),
            verdict(ours / theirs >= wanted, &format!(">= {wanted}")),
        );
    }

    /// A rate beside another, for whoever wants to know.
    pub fn beside(&mut self, what: &str, ours: f64, beside: &str, theirs: f64) {
        self.add(
            what,
            rate(ours),
            format!("{beside} {}", rate(theirs)),
            format!("{:.2}", ours / theirs),
            "-".to_owned(),
        );
    }

    /// A rate, and what part of another it was in rounds in which both had their turn; at least `wanted`.
    pub fn share(&mut self, what: &str, ours: f64, ratio: f64, of: &str, wanted: Option<f64>) {
        self.add(
            what,
            rate(ours),
            format!("of {of}, by rounds"),
            format!("{ratio:.2}"),
            wanted.map_or("-".to_owned(), |wanted| {
                verdict(ratio >= wanted, &format!(">= {wanted}"))
            }),
        );
    }

    /// A time that has a limit.
    pub fn within(&mut self, what: &str, taken: Duration, limit: Duration) {
        self.add(
            what,
            format!("{:.0} ms", taken.as_secs_f64() * 1000.0),
            String::new(),
            String::new(),
            verdict(taken <= limit, &format!("<= {} ms", limit.as_millis())),
        );
    }

    /// A rate with nothing to compare it to.
    pub fn skipped(&mut self, what: &str, ours: f64, why: &str) {
        self.add(
            what,
            rate(ours),
            why.to_owned(),
            "-".to_owned(),
            "-".to_owned(),
        );
    }

    /// A time beside another; at most `wanted` times it.
    pub fn at_most(
        &mut self,
        what: &str,
        ours: Duration,
        beside: &str,
        ideal: Duration,
        wanted: f64,
    ) {
        let ratio = ours.as_secs_f64() / ideal.as_secs_f64();
        self.add(
            what,
            format!("{:.2} s", ours.as_secs_f64()),
            format!("{beside} {:.2} s", ideal.as_secs_f64()),
            format!("{ratio:.2}"),
            verdict(ratio <= wanted, &format!("<= {wanted}")),
        );
    }

    /// How somebody else fared, for whoever wants to know; none of it where they are not installed.
    pub fn peer(&mut self, what: &str, who: &str, told: Option<(Duration, String)>) {
        let (taken, notes) = match told {
            Some((taken, notes)) if taken.is_zero() => (String::new(), notes),
            Some((taken, notes)) => (format!("{:.2} s", taken.as_secs_f64()), notes),
            None => (String::new(), "not installed".to_owned()),
        };
        self.add(
            &format!("{what}: {who}"),
            taken,
            notes,
            String::new(),
            "-".to_owned(),
        );
    }

    /// A number that has a limit.
    pub fn up_to(&mut self, what: &str, count: u64, most: u64) {
        self.add(
            what,
            count.to_string(),
            String::new(),
            String::new(),
            verdict(count <= most, &format!("<= {most}")),
        );
    }

    pub fn count(&mut self, what: &str, count: u64, wanted: u64) {
        self.add(
            what,
            count.to_string(),
            String::new(),
            String::new(),
            verdict(count == wanted, &format!("= {wanted}")),
        );
    }

    /// Anonymous memory in bytes; under `wanted` MiB.
    #[expect(clippy::cast_precision_loss, reason = "a MiB is near enough")]
    pub fn memory(&mut self, what: &str, most: u64, wanted: u32) {
        let mib = most as f64 / MIB;
        self.add(
            &format!("{what}, memory"),
            format!("{mib:.1} MiB"),
            String::new(),
            String::new(),
            verdict(mib < f64::from(wanted), &format!("< {wanted} MiB")),
        );
    }

    fn add(&mut self, what: &str, measured: String, beside: String, ratio: String, wanted: String) {
        self.0
            .push([what.to_owned(), measured, beside, ratio, wanted]);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["", "measured", "beside", "ratio", "wanted"].map(str::to_owned);
        for [what, measured, beside, ratio, wanted] in [head].iter().chain(&self.0) {
            writeln!(
                f,
                "{what:<40} {measured:>12}  {beside:<30} {ratio:>5}  {wanted}"
            )?;
        }
        Ok(())
    }
}

fn rate(per_second: f64) -> String {
    format!("{:.0} MiB/s", per_second / MIB)
}

fn verdict(met: bool, wanted: &str) -> String {
    if met {
        wanted.to_owned()
    } else {
        format!("{wanted}: MISSED")
    }
}

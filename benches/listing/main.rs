//! What a page of 25 costs, out of a thousand images and out of a hundred thousand, in SQLite: it should be
//! the same. `cargo bench --bench listing`, or `just bench-listing`.
//!
//! Whole requests are measured, from the router to the last byte of the body, without a socket. With
//! `GLANCE_ORIGINAL_VENV` the original is asked the same of the same databases, without a socket too.

mod cloud;
mod original;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Parser;

use cloud::Cloud;
use original::Original;

/// How many times the cost may be, where there are a hundred times as many images.
const WANTED: f64 = 1.5;

/// Measures lists of images.
#[derive(Debug, Parser)]
struct Args {
    /// Images in the smaller and in the larger database.
    #[arg(long, num_args = 2, default_values_t = [1000, 100_000])]
    images: Vec<u32>,
    /// How often each list is asked for.
    #[arg(long, default_value_t = 200)]
    rounds: u32,
    /// What `cargo bench` passes, and `cargo test --benches` does not.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Who asks for a list, and which.
struct Question {
    what: &'static str,
    project: &'static str,
    roles: &'static str,
    query: String,
}

fn questions(images: u32) -> Vec<Question> {
    // A public one in the middle, so that both may follow it.
    let middle = u64::from(images / 20 * 10 + 7);
    let marker = format!(
        "?marker={:08x}-0000-4000-8000-{middle:012x}",
        middle * 2_654_435_761 % (1 << 32)
    );
    let mut questions = Vec::new();
    for (project, roles, [first, named, further]) in [
        (
            "admin",
            "admin,member,reader",
            [
                "administrator, first page",
                "administrator, by name",
                "administrator, from the middle",
            ],
        ),
        (
            "project1",
            "member,reader",
            [
                "project, first page",
                "project, by name",
                "project, from the middle",
            ],
        ),
    ] {
        for (what, query) in [(first, ""), (named, "?name=web"), (further, &marker)] {
            questions.push(Question {
                what,
                project,
                roles,
                query: query.to_owned(),
            });
        }
    }
    questions
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    if !args.bench {
        println!("a debug build is not worth measuring: cargo bench --bench listing");
        return Ok(());
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for images in &args.images {
        let cloud = Cloud::with_images(*images).await?;
        let questions = questions(*images);
        for question in &questions {
            ours.push(least(&cloud, question, args.rounds).await?);
        }
        if let Some(original) = Original::find() {
            theirs.extend(original.least(&cloud, &questions, args.rounds.div_ceil(10))?);
        }
    }
    println!(
        "{:<32}{:>16}{:>16}{:>8}  wanted",
        "a page of 25 out of",
        format!("{} images", args.images[0]),
        format!("{} images", args.images[1]),
        "ratio"
    );
    let questions = questions(args.images[0]);
    for (i, question) in questions.iter().enumerate() {
        let many = i + questions.len();
        print(question.what, ours[i], ours[many], true);
        if !theirs.is_empty() {
            print("  the original", theirs[i], theirs[many], false);
        }
    }
    if theirs.is_empty() {
        println!(
            "the original is not here: GLANCE_ORIGINAL_VENV names a Python environment with it"
        );
    }
    Ok(())
}

fn print(what: &str, few: Duration, many: Duration, ours: bool) {
    let ratio = many.as_secs_f64() / few.as_secs_f64();
    let verdict = match (ours, ratio <= WANTED) {
        (false, _) => String::new(),
        (true, true) => format!("<= {WANTED}"),
        (true, false) => format!("<= {WANTED}: MISSED"),
    };
    println!(
        "{what:<32}{:>20}{:>20}{ratio:>8.2}  {verdict}",
        milliseconds(few),
        milliseconds(many)
    );
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

/// How long an answer takes at least: whatever else the machine does can only add to it.
async fn least(cloud: &Cloud, question: &Question, rounds: u32) -> Result<Duration> {
    let mut least = Duration::MAX;
    for _ in 0..rounds {
        let start = Instant::now();
        let images = cloud.images(question).await?;
        least = least.min(start.elapsed());
        ensure!(images == 25, "{}: {images} images", question.what);
    }
    Ok(least)
}

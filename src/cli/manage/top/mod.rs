//! `top`: the cache as it lives, on a terminal, or one frame of it as text.

mod frame;
mod scene;

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use serde_json::json;

use super::Options;
use super::place::Place;
use crate::cli::console::Console;
use crate::cli::{Error, Exit, Result};
use crate::clock::Clock;
use crate::domain::report::Overview;
use scene::Scene;

/// How soon a key is noticed.
const KEYS: Duration = Duration::from_millis(100);

/// What two looks must lie apart for a speed.
const APART: Duration = Duration::from_millis(500);

pub fn top(
    place: Place,
    once: bool,
    interval: Duration,
    options: &Options,
    console: &mut Console<'_>,
) -> Result<Exit> {
    if options.json {
        console.json(&json!(place.overview()?))?;
        return Ok(Exit::Success);
    }
    let mut scene = Scene::of(place.name());
    if once {
        look(&mut scene, &place)?;
        if scene.is_moving() {
            thread::sleep(APART);
            look(&mut scene, &place)?;
        }
        console.result(frame::text(&scene))?;
        return Ok(Exit::Success);
    }
    if !console.screen {
        let advice = "top draws on a terminal, and there is none: --once prints one frame as text";
        return Err(Error::Options(advice.to_owned()));
    }
    let terminal = ratatui::try_init().map_err(Error::Output)?;
    let ended = watch(terminal, scene, place, interval);
    ratatui::restore();
    ended.map_err(Error::Output)?;
    Ok(Exit::Success)
}

fn look(scene: &mut Scene, place: &Place) -> Result<()> {
    scene.see(place.overview()?, Instant::now(), Clock::system().now());
    Ok(())
}

/// Draws until somebody has seen enough.
fn watch(
    mut terminal: DefaultTerminal,
    mut scene: Scene,
    place: Place,
    interval: Duration,
) -> std::io::Result<()> {
    // Looking takes as long as it takes; keys are not to wait for it.
    let (sender, looks) = mpsc::channel();
    let (_quit, quitting) = mpsc::channel::<()>();
    thread::Builder::new()
        .name("look".into())
        .spawn(move || look_again_and_again(&place, interval, &sender, &quitting))?;
    loop {
        for seen in looks.try_iter() {
            match seen {
                Ok(overview) => scene.see(overview, Instant::now(), Clock::system().now()),
                Err(trouble) => scene.trouble = Some(trouble),
            }
        }
        terminal.draw(|frame| frame::draw(frame, &scene))?;
        if event::poll(KEYS)? && is_the_end(&event::read()?) {
            return Ok(());
        }
    }
}

fn look_again_and_again(
    place: &Place,
    interval: Duration,
    seen: &Sender<std::result::Result<Overview, String>>,
    quitting: &Receiver<()>,
) {
    loop {
        let overview = place.overview().map_err(|error| error.sentence());
        let watched = seen.send(overview).is_ok();
        if !watched || quitting.recv_timeout(interval) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

fn is_the_end(event: &Event) -> bool {
    let Event::Key(key) = event else {
        return false;
    };
    let interrupt = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    key.kind == KeyEventKind::Press
        && (interrupt || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc))
}

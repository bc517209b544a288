//! Drawing one frame, on a terminal or as text.

use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize as _};
use ratatui::text::Line;
use ratatui::widgets::{Gauge, Paragraph, Row, Table};
use ratatui::{Frame, Terminal};

use super::scene::{Scene, float};
use crate::domain::report::{Downloads, Overview};
use crate::domain::units::{self, percent};

/// How wide a frame is as text: every line of it fits a terminal of this width.
const WIDTH: u16 = 80;

/// The most lines of fills.
const FILLS: usize = 10;

/// Lines above the images that are used most, but for those of fills.
const ABOVE: u16 = 10;

/// Draws the scene.
pub fn draw(frame: &mut Frame<'_>, scene: &Scene) {
    let rows = [1, 1, 1, 1, 2, 1, fills(scene) + 1, 1].map(Constraint::Length);
    let rows = rows.into_iter().chain([Constraint::Min(2)]);
    let areas = Layout::vertical(rows).split(frame.area());
    title(frame, areas[0], scene);
    let Some(overview) = &scene.overview else {
        return;
    };
    space(frame, areas[2], overview);
    frame.render_widget(copies(overview), areas[3]);
    frame.render_widget(Paragraph::new(ratio(overview)), areas[4]);
    growing(frame, areas[6], scene, overview);
    hot(frame, areas[8], scene, overview);
}

/// The frame as text, with lines for all there is.
pub fn text(scene: &Scene) -> String {
    let hot = scene
        .overview
        .as_ref()
        .map_or(0, |overview| overview.hot.len());
    let hot = u16::try_from(hot.max(1)).unwrap_or(u16::MAX);
    let height = (fills(scene) + ABOVE).saturating_add(hot);
    let Ok(mut terminal) = Terminal::new(TestBackend::new(WIDTH, height));
    let Ok(_) = terminal.draw(|frame| draw(frame, scene));
    plain(terminal.backend().buffer())
}

/// Lines for fills.
fn fills(scene: &Scene) -> u16 {
    let overview = scene.overview.as_ref();
    let fills = overview.map_or(0, |overview| overview.survey.growing.len());
    u16::try_from(fills.clamp(1, FILLS)).unwrap_or(1)
}

fn plain(buffer: &Buffer) -> String {
    let lines = buffer
        .content()
        .chunks(buffer.area.width.into())
        .map(|row| {
            let line: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
            line.trim_end().to_owned()
        });
    lines.collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

fn title(frame: &mut Frame<'_>, area: Rect, scene: &Scene) {
    let at = scene
        .at
        .map_or_else(String::new, |at| at.format(" at %H:%M:%S UTC").to_string());
    let left = Line::from(vec![
        "glance cache".bold(),
        format!(" {}{at}", scene.place).into(),
    ]);
    let right = match &scene.trouble {
        Some(trouble) => Line::from(trouble.as_str().red()),
        None if scene.overview.is_none() => Line::from("looking"),
        None => Line::from("q quits"),
    };
    frame.render_widget(Paragraph::new(left), area);
    match &scene.trouble {
        // A sentence needs a line of its own.
        Some(_) => frame.render_widget(
            Paragraph::new(right),
            Rect {
                y: area.y + 1,
                ..area
            },
        ),
        None => frame.render_widget(Paragraph::new(right.right_aligned()), area),
    }
}

fn space(frame: &mut Frame<'_>, area: Rect, overview: &Overview) {
    let survey = &overview.survey;
    let unlimited = survey.limit == u64::MAX;
    let limit = if unlimited {
        "no limit is known".to_owned()
    } else {
        format!("of {}", units::size(survey.limit))
    };
    let label = format!(
        "{} {limit}, {} free on disk",
        units::size(survey.used),
        units::size(survey.free)
    );
    let of = if unlimited {
        survey.used.saturating_add(survey.free)
    } else {
        survey.limit
    };
    let share = float(survey.used) / float(of.max(1));
    let [name, bar, told] = Layout::horizontal([
        Constraint::Length(9),
        Constraint::Length(20),
        Constraint::Min(10),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new("Space".bold()), name);
    let full = Style::new().fg(if share > 0.9 {
        Color::Yellow
    } else {
        Color::Green
    });
    let gauge = Gauge::default()
        .gauge_style(full)
        .use_unicode(true)
        .label(format!("{:.0}%", share * 100.0))
        .ratio(share.clamp(0.0, 1.0));
    frame.render_widget(gauge, bar);
    frame.render_widget(Paragraph::new(format!(" {label}")), told);
}

fn copies(overview: &Overview) -> Line<'static> {
    let survey = &overview.survey;
    let told = format!(
        "{} whole, {} growing, {} queued",
        survey.copies,
        survey.growing.len(),
        survey.queued
    );
    Line::from(vec!["Copies   ".bold(), told.into()])
}

fn ratio(overview: &Overview) -> Vec<Line<'static>> {
    let [told, more] = overview
        .downloads
        .as_ref()
        .map_or_else(|| [of_copies(overview), String::new()], of_downloads);
    vec![
        Line::from(vec!["Hits     ".bold(), told.into()]),
        Line::from(format!("         {more}")),
    ]
}

/// What downloads found since the service was started.
fn of_downloads(downloads: &Downloads) -> [String; 2] {
    let Downloads {
        hits,
        followers,
        misses,
        bypasses,
        saved_bytes,
        open,
    } = *downloads;
    let all = downloads.all();
    let saved = units::size(saved_bytes);
    let ratio = percent(hits + followers, all);
    [
        format!("{ratio} of {all} downloads, {saved} saved, {open} open"),
        format!("{hits} hits, {followers} along, {misses} misses, {bypasses} past"),
    ]
}

/// What a directory tells: each copy came of one miss.
fn of_copies(overview: &Overview) -> String {
    let (hits, misses) = (overview.hits, overview.survey.copies);
    format!(
        "{} by the copies that are here: {hits} hits, {misses} fills",
        percent(hits, hits + misses)
    )
}

fn growing(frame: &mut Frame<'_>, area: Rect, scene: &Scene, overview: &Overview) {
    if overview.survey.growing.is_empty() {
        frame.render_widget(Paragraph::new("No image is brought in."), area);
        return;
    }
    let all = &overview.survey.growing;
    // A line for the others where there are more.
    let shown = if all.len() > FILLS {
        FILLS - 1
    } else {
        all.len()
    };
    let others = (all.len() > shown).then(|| Row::new([format!("{} more", all.len() - shown)]));
    let rows = all[..shown].iter().map(|growth| {
        let done = growth
            .size
            .map_or("?".to_owned(), |size| percent(growth.filled, size.max(1)));
        let size = growth.size.map_or("?".to_owned(), units::size);
        let rate = scene.rate(growth).map_or("-".to_owned(), rate);
        let left = scene
            .left(growth)
            .map_or("-".to_owned(), |left| units::duration(whole(left)));
        row([growth.image_id.to_string(), done, size, rate, left])
    });
    let names = ["Brought in", "Done", "Size", "Rate", "Left"];
    table(frame, area, names, rows.chain(others), [36, 7, 10, 12, 11]);
}

fn hot(frame: &mut Frame<'_>, area: Rect, scene: &Scene, overview: &Overview) {
    if overview.hot.is_empty() {
        frame.render_widget(Paragraph::new("No copy was used yet."), area);
        return;
    }
    let rows = overview.hot.iter().map(|hot| {
        let minute = scene
            .hits_per_minute(hot)
            .map_or("-".to_owned(), |hits| format!("{hits:.1}"));
        let used = hot.last_accessed.zip(scene.at);
        let used = used.map_or("-".to_owned(), |(used, at)| units::ago_of(used, at));
        let [hits, size] = [hot.hits.to_string(), units::size(hot.size)];
        row([hot.image_id.to_string(), hits, minute, size, used])
    });
    let names = ["Used most", "Hits", "Hits/min", "Size", "Last Accessed"];
    table(frame, area, names, rows, [36, 7, 9, 10, 14]);
}

fn row(cells: [String; 5]) -> Row<'static> {
    let [first, others @ ..] = cells;
    let others = others
        .into_iter()
        .map(|cell| Line::from(cell).right_aligned());
    Row::new([Line::from(first)].into_iter().chain(others))
}

fn table(
    frame: &mut Frame<'_>,
    area: Rect,
    names: [&str; 5],
    rows: impl Iterator<Item = Row<'static>>,
    widths: [u16; 5],
) {
    let header = row(names.map(str::to_owned)).bold();
    let table = Table::new(rows, widths).header(header).column_spacing(1);
    frame.render_widget(table, area);
}

fn rate(bytes: f64) -> String {
    format!("{}/s", units::size(whole(bytes)))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is drawn is never negative, and saturates"
)]
fn whole(number: f64) -> u64 {
    number.round() as u64
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use chrono::DateTime;

    use super::*;
    use crate::domain::ImageId;
    use crate::domain::report::{Growth, Hot, Survey};

    #[test]
    fn all_that_matters_fits_a_terminal_of_eighty_columns() {
        let growing = (0..13).map(|_| Growth {
            image_id: ImageId::random(),
            size: Some(1023 << 30),
            filled: 999 << 30,
        });
        let hot = Hot {
            image_id: ImageId::random(),
            size: 1023 << 30,
            hits: 1_234_567,
            last_accessed: DateTime::from_timestamp(0, 0),
        };
        let overview = Overview {
            survey: Survey {
                limit: 1023 << 30,
                used: 1022 << 30,
                pinned: 0,
                parts: 0,
                free: 1023 << 30,
                copies: 100_000,
                kept_free: 0,
                queued: 100_000,
                waiting: 0,
                growing: growing.collect(),
            },
            hot: vec![hot],
            hits: 1_234_567,
            downloads: Some(Downloads {
                hits: 123_456_789,
                followers: 1_234_567,
                misses: 1_234_567,
                bypasses: 1_234_567,
                saved_bytes: 1023 << 40,
                open: 10_000,
            }),
        };
        let mut scene = Scene::of("[2001:db8::1]:9292".to_owned());
        let at = DateTime::from_timestamp(59 * 60, 0).unwrap();
        scene.see(overview.clone(), Instant::now(), at);
        let text = text(&scene);
        for told in [
            "1022.0 GiB of 1023.0 GiB, 1023.0 GiB free on disk\n",
            "98.1% of 127160490 downloads, 1023.0 TiB saved, 10000 open\n",
            "123456789 hits, 1234567 along, 1234567 misses, 1234567 past\n",
            "\n4 more\n",
            " 97.7% 1023.0 GiB ",
            "1234567         - 1023.0 GiB 59 minutes ago",
        ] {
            assert!(text.contains(told), "{told}: {text}");
        }
        let ids = overview.survey.growing[..9]
            .iter()
            .map(|growth| growth.image_id);
        for id in ids.chain([overview.hot[0].image_id]) {
            assert!(text.contains(&format!("\n{id} ")), "{id}: {text}");
        }
    }

    #[test]
    fn what_is_over_the_limit_is_told_by_how_much() {
        let survey = Survey {
            limit: 2 << 30,
            used: 3 << 30,
            pinned: 0,
            parts: 0,
            free: 0,
            copies: 1,
            kept_free: 0,
            queued: 0,
            waiting: 0,
            growing: Vec::new(),
        };
        let overview = Overview {
            survey,
            hot: Vec::new(),
            hits: 0,
            downloads: None,
        };
        let mut scene = Scene::of("here".to_owned());
        scene.see(overview, Instant::now(), DateTime::UNIX_EPOCH);
        let text = text(&scene);
        assert!(text.contains("150%"), "{text}");
    }
}

//! Drawing one frame, on a terminal or as text.

use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize as _};
use ratatui::text::Line;
use ratatui::widgets::{Gauge, Paragraph, Row, Table};
use ratatui::{Frame, Terminal};

use super::scene::{Scene, float};
use crate::cli::units;
use crate::domain::report::{Downloads, Overview};

/// How wide a frame is as text.
const WIDTH: u16 = 100;

/// The most lines of fills on a terminal.
const FILLS: u16 = 10;

/// Draws the scene.
pub fn draw(frame: &mut Frame<'_>, scene: &Scene) {
    let fills = scene
        .overview
        .as_ref()
        .map_or(0, |overview| overview.survey.growing.len());
    let fills = u16::try_from(fills.max(1)).unwrap_or(FILLS).min(FILLS);
    let rows = [1, 1, 1, 1, 1, 1, fills + 1, 1].map(Constraint::Length);
    let rows = rows.into_iter().chain([Constraint::Min(2)]);
    let areas = Layout::vertical(rows).split(frame.area());
    title(frame, areas[0], scene);
    let Some(overview) = &scene.overview else {
        return;
    };
    space(frame, areas[2], overview);
    frame.render_widget(copies(overview), areas[3]);
    frame.render_widget(ratio(overview), areas[4]);
    growing(frame, areas[6], scene, overview);
    hot(frame, areas[8], scene, overview);
}

/// The frame as text, with lines for all there is.
pub fn text(scene: &Scene) -> String {
    let lines = scene.overview.as_ref().map_or(0, |overview| {
        overview.survey.growing.len().clamp(1, FILLS.into()) + overview.hot.len().max(1)
    });
    let height = u16::try_from(lines + 9).unwrap_or(u16::MAX);
    let Ok(mut terminal) = Terminal::new(TestBackend::new(WIDTH, height));
    let Ok(_) = terminal.draw(|frame| draw(frame, scene));
    plain(terminal.backend().buffer())
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
        "{} {limit}, the disk has {} free",
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
        Constraint::Length(24),
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

fn ratio(overview: &Overview) -> Line<'static> {
    let told = overview
        .downloads
        .as_ref()
        .map_or_else(|| of_copies(overview), of_downloads);
    Line::from(vec!["Hits     ".bold(), told.into()])
}

/// What downloads found since the service was started.
fn of_downloads(downloads: &Downloads) -> String {
    let Downloads {
        hits,
        followers,
        misses,
        bypasses,
        saved_bytes,
        open,
    } = *downloads;
    let all = hits + followers + misses + bypasses;
    let saved = units::size(saved_bytes);
    format!(
        "{} of {all} downloads: {hits} hits, {followers} along, {misses} misses, {bypasses} past; \
         {saved} saved, {open} open",
        percent(hits + followers, all)
    )
}

/// What a directory tells: each copy came of one miss.
fn of_copies(overview: &Overview) -> String {
    let (hits, misses) = (overview.hits, overview.survey.copies);
    format!(
        "{} by the copies that are here: {hits} hits, {misses} fills",
        percent(hits, hits + misses)
    )
}

fn percent(part: u64, all: u64) -> String {
    if all == 0 {
        return "-".to_owned();
    }
    format!("{:.1}%", 100.0 * float(part) / float(all))
}

fn growing(frame: &mut Frame<'_>, area: Rect, scene: &Scene, overview: &Overview) {
    if overview.survey.growing.is_empty() {
        frame.render_widget(Paragraph::new("No image is brought in."), area);
        return;
    }
    let rows = overview.survey.growing.iter().map(|growth| {
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
    let widths = [36, 12, 14, 14, 16];
    table(
        frame,
        area,
        ["Brought in", "Done", "Size", "Rate", "Left"],
        rows,
        widths,
    );
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
    let widths = [36, 12, 14, 14, 16];
    table(
        frame,
        area,
        ["Used most", "Hits", "Hits/min", "Size", "Last Accessed"],
        rows,
        widths,
    );
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

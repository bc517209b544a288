//! The state of the cache as a page for people, beside the numbers for Prometheus: no scripts, nothing from elsewhere.

use std::fmt::{self, Display, Write as _};

use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};

use super::error::Result;
use crate::domain::units::{ago_of, duration, percent, size};
use crate::domain::{Caller, report};
use crate::ops::Glance;
use crate::ops::state::State;

/// Where it is, on the address of the numbers.
pub const PATH: &str = "/cache";

/// Images that are shown, of those that are used most and of those that are brought in.
const MOST: usize = 50;

const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="5">
<meta name="viewport" content="width=device-width">
<title>glance cache</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 62em; padding: 0 1em; }
table { border-collapse: collapse; margin: 1em 0; width: 100%; }
th, td { padding: .2em .8em; text-align: right; }
th:first-child, td:first-child { padding-left: 0; text-align: left; }
td:first-child { font-family: ui-monospace, monospace; }
tr { border-bottom: 1px solid #8884; }
dt { float: left; font-weight: bold; width: 6em; }
dd { margin-left: 6em; }
progress { vertical-align: middle; width: 14em; }
</style>
</head>
<body>
<h1>glance cache</h1>
"#;

/// `GET /cache`, for everybody.
pub async fn open(Shared(glance): Shared<Glance>) -> Result<Response> {
    Ok(answer(glance.state(MOST).await?.as_ref()))
}

/// The same for those who may list the cache.
pub async fn closed(Shared(glance): Shared<Glance>, caller: Caller) -> Result<Response> {
    Ok(answer(glance.state_for(&caller, MOST).await?.as_ref()))
}

fn answer(state: Option<&State>) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let mut html = HEAD.to_owned();
    // Nothing fails that is written into a string.
    let _ = match state {
        Some(state) => body(&mut html, state),
        None => writeln!(html, "<p>This node does not cache.</p>"),
    };
    html.push_str("</body>\n</html>\n");
    (headers, html).into_response()
}

fn body(html: &mut String, state: &State) -> fmt::Result {
    let survey = &state.overview.survey;
    writeln!(html, "<p>at {} UTC</p>", state.at.format("%F %T"))?;
    if state.in_trouble {
        let trouble = "The cache directory cannot be used, and images are served past it.";
        writeln!(html, "<p><strong>{trouble}</strong></p>")?;
    }
    writeln!(html, "<dl>")?;
    let (most, limit) = match survey.limit {
        u64::MAX => (survey.used.saturating_add(survey.free), "no limit".into()),
        limit => (limit, format!("of {}", size(limit))),
    };
    writeln!(
        html,
        "<dt>Space</dt><dd><progress max=\"{}\" value=\"{}\"></progress> {} {}, {} free on disk</dd>",
        most.max(1),
        survey.used.min(most),
        Escaped(size(survey.used)),
        Escaped(limit),
        Escaped(size(survey.free)),
    )?;
    let (growing, pinned) = (state.fills.len(), state.pinned);
    let (copies, queued) = (survey.copies, survey.queued);
    entry(
        html,
        "Copies",
        format!("{copies} whole, {growing} growing, {queued} queued, {pinned} pinned"),
    )?;
    if let Some(downloads) = &state.overview.downloads {
        entry(html, "Hits", found(downloads))?;
    }
    let (bad, repaired, suspects) = (state.bad_spans, state.repaired_spans, state.suspects);
    entry(
        html,
        "Checks",
        format!(
            "{bad} bad spans, {repaired} repaired; wrong data of {suspects} images from stores"
        ),
    )?;
    writeln!(html, "</dl>")?;
    fills(html, state)?;
    hot(html, state)
}

fn found(downloads: &report::Downloads) -> String {
    let report::Downloads {
        hits,
        followers,
        misses,
        bypasses,
        saved_bytes,
        open,
    } = *downloads;
    let all = downloads.all();
    let (ratio, saved) = (percent(hits + followers, all), size(saved_bytes));
    format!(
        "{ratio} of {all} downloads, {saved} saved, {open} open: \
         {hits} hits, {followers} along, {misses} misses, {bypasses} past"
    )
}

fn fills(html: &mut String, state: &State) -> fmt::Result {
    if state.fills.is_empty() {
        return writeln!(html, "<p>No image is brought in.</p>");
    }
    let unknown = || "?".to_owned();
    let rows = state.fills.iter().take(MOST).map(|fill| {
        let growth = &fill.growth;
        let done = growth.size.map(|size| percent(growth.filled, size.max(1)));
        let rate = fill.rate.map(|rate| format!("{}/s", size(rate)));
        [
            growth.image_id.to_string(),
            done.unwrap_or_else(unknown),
            growth.size.map_or_else(unknown, size),
            rate.unwrap_or_else(unknown),
            fill.left().map_or_else(unknown, duration),
            fill.readers.to_string(),
        ]
    });
    let names = ["Brought in", "Done", "Size", "Rate", "Left", "Readers"];
    table(html, names, rows)?;
    match state.fills.len().saturating_sub(MOST) {
        0 => Ok(()),
        more => writeln!(html, "<p>{more} more</p>"),
    }
}

fn hot(html: &mut String, state: &State) -> fmt::Result {
    if state.overview.hot.is_empty() {
        return writeln!(html, "<p>No copy was used yet.</p>");
    }
    let rows = state.overview.hot.iter().map(|hot| {
        let used = hot.last_accessed.map(|used| ago_of(used, state.at));
        [
            hot.image_id.to_string(),
            hot.hits.to_string(),
            size(hot.size),
            used.unwrap_or_default(),
        ]
    });
    table(html, ["Used most", "Hits", "Size", "Last accessed"], rows)
}

fn entry(html: &mut String, name: &str, value: String) -> fmt::Result {
    writeln!(html, "<dt>{name}</dt><dd>{}</dd>", Escaped(value))
}

fn table<const N: usize>(
    html: &mut String,
    names: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> fmt::Result {
    write!(html, "<table>\n<tr>")?;
    for name in names {
        write!(html, "<th>{name}</th>")?;
    }
    writeln!(html, "</tr>")?;
    for row in rows {
        write!(html, "<tr>")?;
        for cell in row {
            write!(html, "<td>{}</td>", Escaped(cell))?;
        }
        writeln!(html, "</tr>")?;
    }
    writeln!(html, "</table>")
}

/// A value as text of a page, whatever is in it.
struct Escaped(String);

impl Display for Escaped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for sign in self.0.chars() {
            match sign {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                sign => f.write_char(sign)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_is_markup() {
        let mut html = String::new();
        let rows = [[r#"<b a="1">&'"#.to_owned()]].into_iter();
        table(&mut html, ["Name"], rows).unwrap();
        assert_eq!(
            html,
            "<table>\n<tr><th>Name</th></tr>\n\
             <tr><td>&lt;b a=&quot;1&quot;&gt;&amp;&#39;</td></tr>\n</table>\n"
        );
    }
}

//! The index: rows that go with files.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::time::Duration;

use rusqlite::params;

use super::{Finding, Repair, What, inside};
use crate::cache::index::{self, Index, is_broken, is_emptied};
use crate::cache::layout::Layout;

/// A service writes its rows in much less.
const BUSY: Duration = Duration::from_secs(5);

const AWAY: &str = "ask again when nobody holds it";

pub fn check(layout: &Layout, findings: &mut Vec<Finding>) -> io::Result<()> {
    let images = layout.contents()?.images;
    let name = inside(layout, layout.index());
    if let Some(what) = in_the_way(layout) {
        let why = "move it out of the cache directory, and the index is made anew";
        findings.push(Finding::new(
            name,
            What::IndexObstructed(what),
            Repair::Nothing(why),
        ));
        return Ok(());
    }
    if !layout.index().exists() {
        if !images.is_empty() {
            findings.push(Finding::new(name, What::NoIndex, Repair::Mend));
        }
        return Ok(());
    }
    let mut rows = match rows(layout) {
        Ok(rows) => rows,
        Err(error) if is_broken(&error) => {
            let what = What::BrokenIndex(error.to_string());
            findings.push(Finding::new(name, what, Repair::Mend));
            return Ok(());
        }
        Err(error) if is_emptied(&error) => {
            if !images.is_empty() {
                findings.push(Finding::new(name, What::EmptyIndex, Repair::Mend));
            }
            return Ok(());
        }
        Err(error) => {
            let what = What::IndexAway(error.to_string());
            findings.push(Finding::new(name, what, Repair::Nothing(AWAY)));
            return Ok(());
        }
    };
    for image in images {
        let what = match rows.remove(image.id.as_str()) {
            None => What::FileWithoutRow,
            Some(row) if u64::try_from(row).ok() != Some(image.size) => What::RowSize {
                found: image.size,
                row,
            },
            Some(_) => continue,
        };
        findings.push(Finding::new(image.id.as_str(), what, Repair::Mend));
    }
    let mut gone: Vec<String> = rows.into_keys().collect();
    gone.sort_unstable();
    findings.extend(
        gone.into_iter()
            .map(|name| Finding::new(name, What::RowWithoutFile, Repair::Mend)),
    );
    Ok(())
}

/// What is in the place of the index and can be none.
fn in_the_way(layout: &Layout) -> Option<&'static str> {
    let found = fs::symlink_metadata(layout.index()).ok()?;
    match fs::metadata(layout.index()) {
        Ok(found) if found.is_file() => None,
        Ok(found) if found.is_dir() => Some("a directory"),
        Err(_) if found.is_symlink() => Some("a link that leads nowhere"),
        _ => Some("no file"),
    }
}

/// The size that each row tells. Nothing is made or mended for the asking.
fn rows(layout: &Layout) -> rusqlite::Result<HashMap<String, i64>> {
    let connection = index::connect(layout, BUSY)?;
    index::check(&connection)?;
    let mut rows = connection.prepare(
        "SELECT CAST(image_id AS TEXT), CAST(coalesce(size, 0) AS INTEGER) FROM cached_images \
         WHERE image_id IS NOT NULL",
    )?;
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// Makes rows agree with files. An index that is none is made anew.
pub fn mend(layout: &Layout) -> io::Result<()> {
    let images = layout.contents()?.images;
    let mended = Index::new(layout.clone()).mend(&images).and_then(|_| {
        let connection = index::connect(layout, BUSY)?;
        for image in &images {
            let size = i64::try_from(image.size).unwrap_or(i64::MAX);
            connection.execute(
                "UPDATE cached_images SET size = ?2 WHERE image_id = ?1 AND size IS NOT ?2",
                params![image.id.as_str(), size],
            )?;
        }
        Ok(())
    });
    mended.map_err(|error| io::Error::other(format!("the index: {error}")))
}

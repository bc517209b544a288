//! What is not whole: fills, parts, and the tables and promises that go with them.

use std::fs;
use std::io;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Finding, Repair, What, inside};
use crate::cache::clean::{self, Why};
use crate::cache::layout::{Layout, files, image_named};
use crate::cache::space::SpaceLock;
use crate::cache::{parked, space};

pub fn check(
    layout: &Layout,
    (stall_time, now): (Duration, DateTime<Utc>),
    lock: &SpaceLock,
    findings: &mut Vec<Finding>,
) -> io::Result<()> {
    for waste in clean::plan(layout, stall_time, now, lock)? {
        let id = waste.path.file_name().and_then(image_named);
        let (what, repair) = match (waste.why, id) {
            (Why::Invalid, _) => (
                What::Invalid,
                Repair::Nothing("glance-cache-cleaner removes it"),
            ),
            (Why::Dead, Some(id)) => (What::DeadFill, Repair::PutAside(id)),
            (Why::Dead | Why::Stalled | Why::Stray, _) => (What::Stalled, Repair::Remove),
        };
        findings.push(Finding::new(inside(layout, &waste.path), what, repair));
    }
    for (name, _) in files(&layout.incomplete())? {
        let path = inside(layout, &layout.incomplete().join(&name));
        if image_named(&name).is_none() && !findings.iter().any(|finding| finding.path == path) {
            let later = Repair::Nothing("it goes when nobody has written to it for the stall time");
            findings.push(Finding::new(path, What::Fresh, later));
        }
    }
    for (name, _) in files(&layout.parts())? {
        let path = layout.parts().join(&name);
        match image_named(&name) {
            Some(id) if parked::is_useless(layout, id, lock)? => {
                findings.push(Finding::new(
                    inside(layout, &path),
                    What::UselessPart,
                    Repair::Drop(id),
                ));
            }
            Some(_) => {}
            None => findings.push(Finding::new(
                inside(layout, &path),
                What::Stray,
                Repair::Remove,
            )),
        }
    }
    for name in parked::orphans(layout, lock)? {
        let path = layout.tables().join(&name);
        // A copy that has a table which cannot be read is told of with the copy.
        let copy = image_named(&name).is_some_and(|id| {
            fs::symlink_metadata(layout.image(id)).is_ok_and(|found| found.is_file())
        });
        if !copy {
            findings.push(Finding::new(
                inside(layout, &path),
                What::OrphanTable,
                Repair::Remove,
            ));
        }
    }
    for name in space::orphans(layout, lock)? {
        let path = layout.fills().join(&name);
        findings.push(Finding::new(
            inside(layout, &path),
            What::OrphanPromise,
            Repair::Remove,
        ));
    }
    Ok(())
}

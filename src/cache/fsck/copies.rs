//! Copies, their tables of spans, and what the database says of their images.

use std::io;
use std::os::unix::fs::MetadataExt as _;

use super::{Finding, Record, Records, Repair, What, inside};
use crate::cache::layout::{Layout, files, image_named, open_existing};
use crate::cache::spans::{Proof, Table};
use crate::cache::sums::spans_of;
use crate::domain::ImageId;

pub fn check(layout: &Layout, records: &Records, findings: &mut Vec<Finding>) -> io::Result<()> {
    for image in layout.contents()?.images {
        let id = image.id;
        let Some(file) = open_existing(&layout.image(id))? else {
            continue;
        };
        let found = file.metadata()?;
        let table = Table::open(layout, id)?;
        let mine = table.as_ref().filter(|table| table.inode == found.ino());
        let wrong = match (records.get(&id), mine) {
            (Some(record), mine) => against_record(record, id, found.len(), mine),
            (None, _) => None,
        };
        let wrong = wrong.or_else(|| match (&table, mine) {
            (_, Some(table)) => against_table(id, found.len(), table),
            (Some(table), None) if may_be_moved(table, found.len(), records.get(&id)) => {
                Some((What::Moved, MOVED))
            }
            (Some(table), None) => (!is_of_another(layout, id, table))
                .then_some((What::OthersTable, Repair::Forget(id))),
            (None, None) => layout
                .spans(id)
                .exists()
                .then_some((What::OthersTable, Repair::Forget(id))),
        });
        findings.extend(wrong.map(|(what, repair)| Finding::new(id.as_str(), what, repair)));
    }
    for dir in [layout.queue(), layout.pins()] {
        for (name, _) in files(&dir)? {
            let path = inside(layout, &dir.join(&name));
            let record = image_named(&name).and_then(|id| records.get(&id));
            findings.extend(match record {
                Some(Record::Deleted) => Some(Finding::new(path, What::Deleted, Repair::Remove)),
                Some(Record::Unknown) => Some(Finding::new(path, What::Unknown, UNKNOWN)),
                Some(Record::Image(_)) | None => None,
            });
        }
    }
    Ok(())
}

const UNKNOWN: Repair = Repair::Nothing("another database may know it");

const MOVED: Repair = Repair::Nothing("it is the copy's when all of the copy was compared with it");

/// Whether a table that was made for another file is as good for this one.
fn may_be_moved(table: &Table, size: u64, record: Option<&Record>) -> bool {
    match record {
        Some(Record::Image(expected)) => table.proves_as(size, &Proof::of(&expected.checksums)),
        _ => table.proves(size),
    }
}

/// Whether the table speaks for a part or a fill of the image.
fn is_of_another(layout: &Layout, id: ImageId, table: &Table) -> bool {
    let places = [layout.part(id), layout.partial(id)];
    places
        .iter()
        .any(|path| std::fs::symlink_metadata(path).is_ok_and(|found| found.ino() == table.inode))
}

fn against_record(
    record: &Record,
    id: ImageId,
    size: u64,
    table: Option<&Table>,
) -> Option<(What, Repair)> {
    let expected = match record {
        Record::Deleted => return Some((What::Deleted, Repair::Leave(id))),
        Record::Unknown => return Some((What::Unknown, UNKNOWN)),
        Record::Image(expected) => expected,
    };
    if let Some(wanted) = expected.size
        && wanted != size
    {
        let what = What::ImageSize {
            found: size,
            wanted,
        };
        return Some((what, Repair::Leave(id)));
    }
    let proof = Proof::of(&expected.checksums);
    let other = table
        .is_some_and(|table| !proof.is_none() && !table.proof.is_none() && table.proof != proof);
    other.then_some((What::OtherData, Repair::Leave(id)))
}

fn against_table(id: ImageId, found: u64, table: &Table) -> Option<(What, Repair)> {
    if let Some(wanted) = table.size
        && wanted != found
    {
        return Some((What::TableSize { found, wanted }, Repair::Leave(id)));
    }
    let lacking = spans_of(found).saturating_sub(table.here());
    (lacking > 0).then_some((What::Unsummed(lacking), Repair::Forget(id)))
}

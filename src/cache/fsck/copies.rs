//! Copies, their tables of spans, and what the database says of their images.

use std::io;
use std::os::unix::fs::MetadataExt as _;

use super::{Finding, Record, Records, Repair, What, inside};
use crate::cache::layout::{Layout, files, image_named, is_others, open_existing};
use crate::cache::spans::{Proof, Table};
use crate::cache::sums::spans_of;
use crate::domain::ImageId;

pub fn check(layout: &Layout, records: &Records, findings: &mut Vec<Finding>) -> io::Result<()> {
    for image in layout.contents()?.images {
        let id = image.id;
        let file = match open_existing(&layout.image(id)) {
            Ok(Some(file)) => file,
            Ok(None) => continue,
            Err(error) if is_others(&layout.image(id), &error) => {
                findings.push(Finding::new(id.as_str(), What::Unreadable, UNREADABLE));
                continue;
            }
            Err(error) => return Err(error),
        };
        let found = file.metadata()?;
        let table = Table::open(layout, id)?;
        let mine = table.as_ref().filter(|table| table.inode == found.ino());
        let wrong = match (records.get(&id), mine) {
            (Some(record), mine) => against_record(record, id, found.len(), mine),
            (None, _) => None,
        };
        let wrong = wrong.or_else(|| match (&table, mine) {
            (_, Some(table)) => against_table(id, found.len(), table, records.get(&id)),
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

const UNREADABLE: Repair = Repair::Nothing("ask as the user of the service, or as root");

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
    // The head of the table may be wrong as well as the copy.
    other.then_some((What::OtherData, Repair::Prove(id, proof)))
}

fn against_table(
    id: ImageId,
    found: u64,
    table: &Table,
    record: Option<&Record>,
) -> Option<(What, Repair)> {
    let Some(wanted) = table.size else {
        return Some((What::OthersTable, Repair::Forget(id)));
    };
    if wanted != found {
        let repair = match record {
            Some(Record::Image(expected)) => {
                let proof = Proof::of(&expected.checksums);
                match proof.digest() {
                    Some(_) => Repair::Prove(id, proof),
                    // It has the size of the image, and one knows no more of any copy of this image.
                    None if expected.size.is_some() => Repair::Forget(id),
                    None => Repair::Leave(id),
                }
            }
            _ if table.proof.digest().is_some() => Repair::Prove(id, table.proof.clone()),
            _ => Repair::Leave(id),
        };
        return Some((What::TableSize { found, wanted }, repair));
    }
    let lacking = spans_of(found).saturating_sub(table.here());
    (lacking > 0).then_some((What::Unsummed(lacking), Repair::Forget(id)))
}

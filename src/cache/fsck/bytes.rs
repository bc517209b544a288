//! Every byte, compared with what proves it: copies and parts span by span, copies without a table by the digest
//! of their image.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use super::{Finding, Record, Records, Repair, What, inside};
use crate::cache::layout::{Layout, files, image_named, names, open_readable};
use crate::cache::spans::{Proof, Table};
use crate::cache::sums::{self, bytes_of, spans_of};
use crate::domain::ImageId;
use crate::domain::checksum::Checksums;

/// Bytes that are read at once.
const PIECE: usize = 1024 * 1024;

/// Reads it all, the spans of `dead` fills included: what is put aside is to be right. What leaves meanwhile is
/// nobody's concern any more.
pub fn check(layout: &Layout, records: &Records, dead: &[ImageId]) -> io::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for image in layout.contents()?.images {
        let id = image.id;
        // What cannot be read is told of already.
        let Some(file) = open_readable(&layout.image(id))? else {
            continue;
        };
        let found = match copy_table(layout, id, &file)? {
            // That is told already, and its spans are not where they should be.
            Some(table) if table.size != Some(image.size) => None,
            Some(table) => {
                let inode = file.metadata()?.ino();
                let moved =
                    (table.inode != inode).then_some((What::Moved, Repair::Bind(id, inode)));
                let bad = bad_spans(&file, &table);
                let bad = bad.map(|bad| bad_copy(id, &file, &table, bad, records));
                bad.transpose()?.or(moved)
            }
            None => match records.get(&id) {
                Some(Record::Image(expected)) => (!has_digest(&file, &expected.checksums)?)
                    .then_some((What::BadDigest, Repair::Leave(id))),
                _ => Some((
                    What::Unproven,
                    Repair::Nothing("the database would have its digest"),
                )),
            },
        };
        if let Some((what, repair)) = found
            && names(&layout.image(id), &file.metadata()?)
        {
            findings.push(Finding::new(id.as_str(), what, repair));
        }
    }
    let parts = files(&layout.parts())?.into_iter();
    let parts = parts.filter_map(|(name, _)| image_named(&name));
    let parts = parts.map(|id| (id, layout.part(id)));
    let dead = dead.iter().map(|id| (*id, layout.partial(*id)));
    for (id, path) in parts.chain(dead) {
        let Some(file) = open_readable(&path)? else {
            continue;
        };
        if let Some(table) = own_table(layout, id, &file)?
            && let Some(bad) = bad_spans(&file, &table)
            && names(&path, &file.metadata()?)
        {
            let what = What::BadParts(bad.len() as u64);
            findings.push(Finding::new(
                inside(layout, &path),
                what,
                Repair::Clear(id, bad),
            ));
        }
    }
    Ok(findings)
}

/// A copy some of whose spans are not what its table says.
fn bad_copy(
    id: ImageId,
    file: &File,
    table: &Table,
    bad: Vec<u64>,
    records: &Records,
) -> io::Result<(What, Repair)> {
    let (count, all) = (bad.len() as u64, spans_of(table.size.unwrap_or(0)));
    if let Some(Record::Image(expected)) = records.get(&id)
        && expected.checksums.proof().is_some()
        && has_digest(file, &expected.checksums)?
    {
        let proof = Proof::of(&expected.checksums);
        return Ok((What::BadTable { bad: count, all }, Repair::Prove(id, proof)));
    }
    let repair = if count == all {
        Repair::Leave(id)
    } else {
        Repair::Park(id, bad)
    };
    Ok((What::BadSpans { bad: count, all }, repair))
}

/// The table that speaks for an open copy, or may turn out to.
pub fn copy_table(layout: &Layout, id: ImageId, file: &File) -> io::Result<Option<Table>> {
    let found = file.metadata()?;
    let table = Table::open(layout, id)?;
    Ok(table.filter(|table| table.inode == found.ino() || table.proves(found.len())))
}

/// The table that speaks for an open file.
pub fn own_table(layout: &Layout, id: ImageId, file: &File) -> io::Result<Option<Table>> {
    let inode = file.metadata()?.ino();
    Ok(Table::open(layout, id)?.filter(|table| table.inode == inode))
}

/// The spans that are here and are not what they were. None where all are.
fn bad_spans(file: &File, table: &Table) -> Option<Vec<u64>> {
    let size = table.size.unwrap_or(0);
    let mut bad = Vec::new();
    for span in 0..spans_of(size) {
        if is_bad(file, table, span, size) && is_bad_on_disk(file, table, span, size) {
            bad.push(span);
        }
    }
    (!bad.is_empty()).then_some(bad)
}

/// Whether a span is here and does not have its checksum.
pub fn is_bad(file: &File, table: &Table, span: u64, size: u64) -> bool {
    table
        .sum(span)
        .is_some_and(|sum| sums::sum_of(file, bytes_of(span, span + 1, size)).ok() != Some(sum))
}

/// A service that repairs a span writes it while others read: so a bad one is read once more.
fn is_bad_on_disk(file: &File, table: &Table, span: u64, size: u64) -> bool {
    std::thread::sleep(std::time::Duration::from_millis(50));
    is_bad(file, table, span, size)
}

fn has_digest(file: &File, checksums: &Checksums) -> io::Result<bool> {
    let Some((algorithm, expected)) = checksums.proof() else {
        return Ok(true);
    };
    let (mut hasher, mut at) = (algorithm.hasher(), 0);
    let mut buffer = vec![0; PIECE];
    loop {
        match file.read_at(&mut buffer, at)? {
            0 => return Ok(hasher.finish() == expected),
            read => {
                hasher.update(&buffer[..read]);
                at += read as u64;
            }
        }
    }
}

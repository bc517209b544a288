//! Whether data is what its image claims to be, and safe to hand to a hypervisor.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::TryStreamExt as _;
use tracing::warn;

use crate::domain::Image;
use crate::inspect::{Format, Found, Inspector};
use crate::stream::ByteStream;

/// Why data is refused, whatever the image claims.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    #[error("Image disk_format {claimed} does not match stream data {found}")]
    Mismatch { claimed: String, found: Format },
    /// One format hidden in another.
    #[error("Multiple formats detected: {0}")]
    Several(String),
    #[error("Incomplete file cannot be safety checked")]
    Truncated,
    #[error("Image failed safety checks")]
    Unsafe,
}

/// The stream again, and what it will have been.
pub(super) fn inspected(bytes: ByteStream) -> (ByteStream, Inspection) {
    let inspector = Arc::new(Mutex::new(Inspector::new()));
    let inspection = Inspection(Arc::clone(&inspector));
    let bytes = bytes.inspect_ok(move |bytes| {
        let mut inspector = inspector.lock().unwrap_or_else(PoisonError::into_inner);
        inspector.eat(bytes);
    });
    (Box::pin(bytes), inspection)
}

/// An inspection of a stream.
pub(super) struct Inspection(Arc<Mutex<Inspector>>);

impl Inspection {
    /// Judges the data when all of it has passed: its virtual size, where that can be told, or why it must
    /// not be taken. Only danger is refused where formats are not enforced.
    pub(super) fn judge(
        self,
        image: &Image,
        size: u64,
        enforced: bool,
    ) -> Result<Option<u64>, FormatError> {
        let mut inspector = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = std::mem::take(&mut *inspector).finish();
        let claimed = image.disk_format.as_deref().unwrap_or("None");
        match judge(found, claimed, size) {
            Ok(virtual_size) => Ok(virtual_size.filter(|size| *size > 0)),
            Err(error) if enforced || error == FormatError::Unsafe => Err(error),
            Err(error) => {
                warn!(image.id = %image.id, %error, "taking image {} as it is: {error}", image.id);
                Ok(None)
            }
        }
    }
}

fn judge(found: Vec<Found>, claimed: &str, size: u64) -> Result<Option<u64>, FormatError> {
    let found = only(found)?;
    let virtual_size = if found.format.as_str() == claimed {
        Some(found.virtual_size)
    } else if claimed == "raw" {
        // Whatever it is, it is to be used as the bytes of a disk.
        Some(size)
    } else if found.format == Format::Raw && !Format::is_known(claimed) {
        // A kernel, say: there is nothing to know it by.
        None
    } else {
        return Err(FormatError::Mismatch {
            claimed: claimed.to_owned(),
            found: found.format,
        });
    };
    if found.truncated {
        return Err(FormatError::Truncated);
    }
    if !found.dangers.is_empty() {
        let (format, dangers) = (found.format, found.dangers.join(", "));
        warn!(%format, dangers, "refusing {format} data: {dangers}");
        return Err(FormatError::Unsafe);
    }
    Ok(virtual_size)
}

/// The one format of the data. An ISO that boots from a disk begins with a partition table, and is an ISO.
fn only(found: Vec<Found>) -> Result<Found, FormatError> {
    match <[Found; 1]>::try_from(found) {
        Ok([one]) => Ok(one),
        Err(found) => {
            let is_iso = |found: &Found| found.format == Format::Iso;
            let hybrid = found.iter().any(is_iso)
                && found
                    .iter()
                    .all(|found| is_iso(found) || found.format == Format::Gpt);
            let names: Vec<&str> = found.iter().map(|found| found.format.as_str()).collect();
            let several = FormatError::Several(names.join(","));
            let iso = found.into_iter().find(is_iso).filter(|_| hybrid);
            iso.ok_or(several)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(format: Format) -> Found {
        Found {
            format,
            virtual_size: 4096,
            dangers: Vec::new(),
            truncated: false,
        }
    }

    #[test]
    fn data_that_is_what_it_claims_has_the_virtual_size_it_says() {
        assert_eq!(
            judge(vec![found(Format::Qcow2)], "qcow2", 9),
            Ok(Some(4096))
        );
    }

    #[test]
    fn everything_may_be_used_as_a_raw_disk_of_its_own_size() {
        assert_eq!(judge(vec![found(Format::Qcow2)], "raw", 9), Ok(Some(9)));
        assert_eq!(judge(vec![found(Format::Gpt)], "raw", 9), Ok(Some(9)));
    }

    #[test]
    fn a_format_that_has_no_marks_is_taken_where_nothing_else_is_found() {
        assert_eq!(judge(vec![found(Format::Raw)], "ami", 9), Ok(None));
        let refused = judge(vec![found(Format::Iso)], "ami", 9).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "Image disk_format ami does not match stream data iso"
        );
    }

    #[test]
    fn data_that_is_not_what_it_claims_is_refused() {
        let refused = judge(vec![found(Format::Raw)], "qcow2", 9).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "Image disk_format qcow2 does not match stream data raw"
        );
    }

    #[test]
    fn one_format_in_another_is_refused_but_for_bootable_isos() {
        let hybrid = || vec![found(Format::Iso), found(Format::Gpt)];
        assert_eq!(judge(hybrid(), "iso", 9), Ok(Some(4096)));
        let several = vec![found(Format::Iso), found(Format::Qcow2)];
        let refused = judge(several, "iso", 9).unwrap_err();
        assert_eq!(refused.to_string(), "Multiple formats detected: iso,qcow2");
    }

    #[test]
    fn danger_is_refused_whatever_is_claimed() {
        for claimed in ["qed", "raw"] {
            let mut banned = found(Format::Qed);
            banned.dangers.push("banned");
            assert_eq!(judge(vec![banned], claimed, 9), Err(FormatError::Unsafe));
        }
    }

    #[test]
    fn what_ends_too_early_cannot_be_told_safe() {
        let mut short = found(Format::Vhd);
        short.truncated = true;
        assert_eq!(judge(vec![short], "vhd", 9), Err(FormatError::Truncated));
    }
}

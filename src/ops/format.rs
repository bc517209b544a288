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

/// What an operator wants of formats.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules<'a> {
    /// Data must be what it claims to be. Where it need not, only danger is refused.
    pub(super) enforced: bool,
    /// Dangers of partitioned disks that are none here.
    pub(super) gpt_nonfatal: &'a [String],
}

impl Inspection {
    /// Judges the data when all of it has passed: its virtual size, where that can be told, or why it must
    /// not be taken.
    pub(super) fn judge(
        self,
        image: &Image,
        size: u64,
        rules: Rules<'_>,
    ) -> Result<Option<u64>, FormatError> {
        let mut inspector = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = std::mem::take(&mut *inspector).finish();
        let claimed = image.disk_format.as_deref().unwrap_or("None");
        match judge(found, claimed, size, rules) {
            // No disk has more bytes than a database can count.
            Ok(size) => Ok(size.filter(|size| *size > 0 && i64::try_from(*size).is_ok())),
            Err(error) if rules.enforced || error == FormatError::Unsafe => Err(error),
            Err(error) => {
                warn!(image.id = %image.id, %error, "taking image {} as it is: {error}", image.id);
                Ok(None)
            }
        }
    }
}

fn judge(
    found: Vec<Found>,
    claimed: &str,
    size: u64,
    rules: Rules<'_>,
) -> Result<Option<u64>, FormatError> {
    let found = only(found, claimed)?;
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
    let is_tolerated = |danger: &str| {
        found.format == Format::Gpt && rules.gpt_nonfatal.iter().any(|name| name == danger)
    };
    let is_fatal = !found.dangers.iter().all(|danger| is_tolerated(danger));
    // That it is too short is said first, but must not let danger pass.
    if found.truncated && (rules.enforced || !is_fatal) {
        return Err(FormatError::Truncated);
    }
    let (format, dangers) = (found.format, found.dangers.join(", "));
    if is_fatal {
        warn!(%format, dangers, "refusing {format} data: {dangers}");
        return Err(FormatError::Unsafe);
    }
    if !dangers.is_empty() {
        warn!(%format, dangers, "taking {format} data in spite of {dangers}");
    }
    Ok(virtual_size)
}

/// The one format of the data. An ISO that boots from a disk begins with a partition table, and is an ISO to
/// all but those who want the bytes of a disk.
fn only(found: Vec<Found>, claimed: &str) -> Result<Found, FormatError> {
    match <[Found; 1]>::try_from(found) {
        Ok([one]) => Ok(one),
        Err(found) => {
            let is_iso = |found: &Found| found.format == Format::Iso;
            let hybrid = claimed != "raw"
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

    const STRICT: Rules<'_> = Rules {
        enforced: true,
        gpt_nonfatal: &[],
    };
    const LAX: Rules<'_> = Rules {
        enforced: false,
        gpt_nonfatal: &[],
    };

    fn found(format: Format) -> Found {
        Found {
            format,
            virtual_size: 4096,
            dangers: Vec::new(),
            truncated: false,
        }
    }

    fn dangerous(format: Format, danger: &'static str) -> Found {
        Found {
            dangers: vec![danger],
            ..found(format)
        }
    }

    fn refusal(found: Vec<Found>, claimed: &str) -> String {
        judge(found, claimed, 9, STRICT).unwrap_err().to_string()
    }

    #[test]
    fn data_that_is_what_it_claims_has_the_virtual_size_it_says() {
        let judged = judge(vec![found(Format::Qcow2)], "qcow2", 9, STRICT);
        assert_eq!(judged, Ok(Some(4096)));
    }

    #[test]
    fn everything_may_be_used_as_a_raw_disk_of_its_own_size() {
        for format in [Format::Qcow2, Format::Gpt, Format::Iso] {
            assert_eq!(judge(vec![found(format)], "raw", 9, STRICT), Ok(Some(9)));
        }
    }

    #[test]
    fn a_format_that_has_no_marks_is_taken_where_nothing_else_is_found() {
        let judged = judge(vec![found(Format::Raw)], "ami", 9, STRICT);
        assert_eq!(judged, Ok(None));
        assert_eq!(
            refusal(vec![found(Format::Iso)], "ami"),
            "Image disk_format ami does not match stream data iso"
        );
    }

    #[test]
    fn data_that_is_not_what_it_claims_is_refused() {
        assert_eq!(
            refusal(vec![found(Format::Raw)], "qcow2"),
            "Image disk_format qcow2 does not match stream data raw"
        );
    }

    #[test]
    fn one_format_in_another_is_refused_but_for_bootable_isos_as_isos() {
        let hybrid = || vec![found(Format::Iso), found(Format::Gpt)];
        assert_eq!(judge(hybrid(), "iso", 9, STRICT), Ok(Some(4096)));
        assert_eq!(
            refusal(hybrid(), "raw"),
            "Multiple formats detected: iso,gpt"
        );
        let several = vec![found(Format::Qcow2), found(Format::Iso)];
        assert_eq!(
            refusal(several, "iso"),
            "Multiple formats detected: qcow2,iso"
        );
    }

    #[test]
    fn danger_is_refused_whatever_is_claimed_and_enforced() {
        for claimed in ["qed", "raw"] {
            for rules in [STRICT, LAX] {
                let banned = dangerous(Format::Qed, "banned");
                let judged = judge(vec![banned], claimed, 9, rules);
                assert_eq!(judged, Err(FormatError::Unsafe));
            }
        }
    }

    #[test]
    fn an_operator_may_tolerate_dangers_of_partitioned_disks_and_no_others() {
        let tolerated = ["mbr".to_owned(), "banned".to_owned()];
        let rules = Rules {
            gpt_nonfatal: &tolerated,
            ..STRICT
        };
        let judge = |format, danger| judge(vec![dangerous(format, danger)], "raw", 9, rules);
        assert_eq!(judge(Format::Gpt, "mbr"), Ok(Some(9)));
        assert_eq!(judge(Format::Gpt, "other"), Err(FormatError::Unsafe));
        assert_eq!(judge(Format::Qed, "banned"), Err(FormatError::Unsafe));
    }

    #[test]
    fn what_ends_too_early_cannot_be_told_safe() {
        let short = |dangers: &[&'static str]| Found {
            truncated: true,
            dangers: dangers.to_vec(),
            ..found(Format::Vmdk)
        };
        let judge = |dangers: &[&'static str], rules| judge(vec![short(dangers)], "vmdk", 9, rules);
        assert_eq!(judge(&[], STRICT), Err(FormatError::Truncated));
        assert_eq!(judge(&["footer"], STRICT), Err(FormatError::Truncated));
        assert_eq!(judge(&["footer"], LAX), Err(FormatError::Unsafe));
    }
}

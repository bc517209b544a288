//! JSON pointers, in the limited form that images know.

use super::Malformed;

/// The names on a pointer's way, without escapes and without the space around them.
pub(super) fn parse(pointer: &str) -> Result<Vec<String>, Malformed> {
    validate(pointer)?;
    let names = pointer.trim_start_matches('/').split('/');
    Ok(names
        .map(|name| {
            let name = name.replace("~1", "/").replace("~0", "~");
            name.trim().to_owned()
        })
        .collect())
}

fn validate(pointer: &str) -> Result<(), Malformed> {
    let Some(rest) = pointer.strip_prefix('/') else {
        return Err(Malformed::PointerStart(pointer.to_owned()));
    };
    // Between the second slash and the next there must be something; the first may be doubled.
    let mut names = rest.split('/');
    names.next();
    let inner = names.clone().count().saturating_sub(1);
    if names.take(inner).any(|name| name.trim().is_empty()) {
        return Err(Malformed::PointerAdjacent(pointer.to_owned()));
    }
    if rest.ends_with('/') {
        return Err(Malformed::PointerEnd(pointer.to_owned()));
    }
    let escapes = pointer.split('~').skip(1);
    if { escapes }.any(|after| !after.starts_with(['0', '1'])) {
        return Err(Malformed::PointerEscape(pointer.to_owned()));
    }
    Ok(())
}

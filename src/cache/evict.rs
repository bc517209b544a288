//! Dropping copies. Who reads one reads on: an open file outlives its name.

use std::io;

use super::layout::{self, Layout, files, image_named};
use crate::domain::ImageId;

/// Drops the copy of an image, whole or growing. False where there was none.
pub fn image(layout: &Layout, id: ImageId) -> io::Result<bool> {
    // In this order: a fill that ends in between has moved its file to where the second look finds it.
    let growing = remove(&layout.partial(id))?;
    let parts = remove(&layout.part(id))?;
    let whole = remove(&layout.image(id))?;
    if growing || parts || whole {
        remove(&layout.spans(id))?;
    }
    Ok(growing || whole)
}

/// Drops every copy, and says which were whole.
pub fn all(layout: &Layout) -> io::Result<Vec<ImageId>> {
    for (name, _) in files(&layout.incomplete())? {
        if image_named(&name).is_some() {
            remove(&layout.incomplete().join(name))?;
        }
    }
    for (name, _) in files(&layout.parts())? {
        remove(&layout.parts().join(name))?;
    }
    let mut gone = Vec::new();
    for placed in layout.contents()?.images {
        if remove(&layout.image(placed.id))? {
            gone.push(placed.id);
        }
    }
    for (name, _) in files(&layout.tables())? {
        remove(&layout.tables().join(name))?;
    }
    Ok(gone)
}

fn remove(path: &std::path::Path) -> io::Result<bool> {
    match layout::remove(path) {
        // Nobody's copy.
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => Ok(false),
        result => result,
    }
}

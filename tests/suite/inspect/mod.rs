//! What data is found to be.

pub(crate) mod made;
mod pieces;
mod qemu;

use glance::inspect::{Found, Inspector};

/// What data in pieces is found to be.
fn find<'d>(pieces: impl IntoIterator<Item = &'d [u8]>) -> Vec<Found> {
    let mut inspector = Inspector::new();
    pieces.into_iter().for_each(|piece| inspector.eat(piece));
    inspector.finish()
}

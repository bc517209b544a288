//! What handlers take from a request.

pub mod range;

pub use range::Range;

//! What holds for every input, tried on many that nobody thought of.

mod listing;
mod patch;

//! Logs, set up the same way in every binary.

//! What the service promises, proven on its parts put together.

mod cache;

//! Which failures pass by themselves, and which are worth another try at once.

use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;
use sqlx::postgres::PgDatabaseError;

use super::{mysql, postgres, sqlite};
use crate::db::Error;

/// What to think of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The way to the data: it may work again later.
    Away,
    /// Others wanted the same rows, and the engine let them go first.
    Contended,
    /// A value that its column cannot hold.
    Unfit,
    /// It will fail again.
    Lasting,
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => {
                let message = error.message().to_owned();
                match judge(&*error) {
                    Fault::Away => Error::Unavailable(message),
                    Fault::Contended => Error::Contended(message),
                    Fault::Unfit => Error::Unfit(message),
                    Fault::Lasting if error.is_unique_violation() => Error::Taken(message),
                    Fault::Lasting => Error::Failed(message),
                }
            }
            sqlx::Error::PoolTimedOut => Error::Unavailable("no connection came free".to_owned()),
            sqlx::Error::PoolClosed => Error::Unavailable("it is being closed".to_owned()),
            sqlx::Error::Io(error) => Error::Unavailable(error.to_string()),
            sqlx::Error::Tls(error) => Error::Unavailable(format!("TLS: {error}")),
            sqlx::Error::WorkerCrashed | sqlx::Error::BeginFailed => {
                Error::Unavailable("the connection broke".to_owned())
            }
            error => Error::Failed(error.to_string()),
        }
    }
}

fn judge(error: &dyn DatabaseError) -> Fault {
    if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
        mysql::judge(error.number())
    } else if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
        postgres::judge(error.code())
    } else {
        sqlite::judge(error.code().and_then(|code| code.parse().ok()))
    }
}

//! What comes back: a row of any engine, read in the types of the domain.

use chrono::{DateTime, Utc};
use sqlx::mysql::MySqlRow;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use super::{mysql, postgres, sqlite};
use crate::db::{Error, Result};

#[derive(Debug)]
pub enum Row {
    Sqlite(SqliteRow),
    MySql(MySqlRow),
    Postgres(PgRow),
}

/// What a column can be read as.
pub trait Read: Sized {
    fn read(row: &Row, column: &str) -> Result<Self>;
}

impl Row {
    /// The value of `column`.
    pub fn get<T: Read>(&self, column: &str) -> Result<T> {
        T::read(self, column)
    }
}

/// Reads a type that may be null by a function of each engine, and one that is not by means of that.
macro_rules! read {
    ($type:ty, $function:ident) => {
        impl Read for Option<$type> {
            fn read(row: &Row, column: &str) -> Result<Self> {
                Ok(match row {
                    Row::Sqlite(row) => sqlite::$function(row, column)?,
                    Row::MySql(row) => mysql::$function(row, column)?,
                    Row::Postgres(row) => postgres::$function(row, column)?,
                })
            }
        }

        impl Read for $type {
            fn read(row: &Row, column: &str) -> Result<Self> {
                <Option<$type>>::read(row, column)?
                    .ok_or_else(|| Error::Failed(format!("{column} is null")))
            }
        }
    };
}

read!(String, text);
read!(i64, number);
read!(bool, flag);
read!(DateTime<Utc>, time);

//! What differs between databases. The only file, with its rooms, that knows which there are.
//!
//! The rest of this layer writes each statement once, in SQL that all engines read: a [`Statement`] has a `?` for
//! each of its values, and a [`Word`] where the engines part. It is spelled on its way to a [`Connection`], when
//! it is known which engine listens; a [`Row`] comes back and is read in the types of the domain.
//!
//! | | SQLite | MySQL, `MariaDB` | PostgreSQL |
//! |---|---|---|---|
//! | a value | `?` | `?` | `$1`, of the type of its place |
//! | a list of values | one parameter, JSON | a parameter each | one parameter, an array |
//! | a time | text, microseconds | `DATETIME`, seconds | `TIMESTAMP`, microseconds |
//! | true | 1 | 1 | `TRUE` |
//! | null in an order | the least | the least | the greatest, unless it is said |
//! | equal texts | byte by byte | whatever their case | byte by byte |
//! | who writes | one at a time | rows are locked | rows are locked |
//! | the schema | made where there is none | by `glance-manage db sync` | by `glance-manage db sync` |

mod address;
mod connection;
mod fault;
mod mysql;
mod postgres;
mod row;
mod sqlite;
mod statement;
mod value;
mod words;

use sqlx::Database;

use super::Result;

pub use address::{Address, Identity};
pub use connection::{Connection, Pool};
pub use row::{Read, Row};
pub use statement::{Statement, query};
pub use value::{List, Value};
pub use words::{
    BELONGINGS, BIGINT, FOR_UPDATE, IDS, MATERIALIZED, NULLS_FIRST, NULLS_LAST,
    OR_REPLACE_PROPERTY, TABLES, Word,
};

/// What one engine does in its own way.
trait Dialect: Database {
    /// Statements with lists of different lengths read differently, so that keeping them prepared is a waste.
    const LISTS_VARY: bool = false;

    /// How this engine spells `word`.
    fn spell(word: &Word) -> &'static str;

    /// Adds `value` to the parameters, and its place to the text.
    fn add(sql: &mut String, arguments: &mut Self::Arguments, value: &Value) -> Result<()>;
}

/// The schema, in the order in which it is made.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    pub statements: [&'static str; 5],
    /// Lets one at a time make it, to the end of the transaction or until [`Schema::unlock`].
    pub lock: &'static str,
    pub unlock: &'static str,
    /// Whether it is made where there is none, or waits for an operator to ask for it.
    pub made_at_once: bool,
}

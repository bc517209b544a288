//! Connections to any engine, and what runs on them.

use std::ops::{Deref, DerefMut};

use sqlx::pool::PoolConnection;
use sqlx::{Database, MySql, Postgres, Sqlite, Transaction};

use super::{Row, Schema, Statement, mysql, postgres, sqlite};
use crate::db::Result;

/// The connections to one database.
#[derive(Debug, Clone)]
pub enum Pool {
    Sqlite(sqlx::SqlitePool),
    MySql(sqlx::MySqlPool),
    Postgres(sqlx::PgPool),
}

/// A connection, or a transaction on one: dropped before its commit that never happened.
#[derive(Debug)]
pub enum Connection {
    Sqlite(Held<Sqlite>),
    MySql(Held<MySql>),
    Postgres(Held<Postgres>),
}

/// What a pool gave.
#[derive(Debug)]
pub enum Held<D: Database> {
    Plain(PoolConnection<D>),
    Within(Transaction<'static, D>),
}

/// Does the same with each engine.
macro_rules! each {
    ($any:expr, $kind:ident, |$one:ident| $do:expr) => {
        match $any {
            $kind::Sqlite($one) => $do,
            $kind::MySql($one) => $do,
            $kind::Postgres($one) => $do,
        }
    };
}

/// Does the same with the query that a statement is for the engine of a connection. What waits for it is boxed, or
/// whoever asks would be as large as the largest engine.
macro_rules! run {
    ($statement:expr, $db:expr, |$query:ident, $held:ident, $row:ident| $do:expr) => {
        match $db {
            Connection::Sqlite($held) => {
                let ($query, $row) = ($statement.build::<Sqlite>()?, Row::Sqlite);
                $do
            }
            Connection::MySql($held) => {
                let ($query, $row) = ($statement.build::<MySql>()?, Row::MySql);
                $do
            }
            Connection::Postgres($held) => {
                let ($query, $row) = ($statement.build::<Postgres>()?, Row::Postgres);
                $do
            }
        }
    };
}

impl Statement {
    /// Runs it, and says how many rows it was about.
    pub async fn execute(&self, db: &mut Connection) -> Result<u64> {
        run!(self, db, |query, held, _row| {
            let done = Box::pin(query.execute(&mut **held)).await?;
            Ok(done.rows_affected())
        })
    }

    /// All rows.
    pub async fn fetch_all(&self, db: &mut Connection) -> Result<Vec<Row>> {
        run!(self, db, |query, held, row| {
            let rows = Box::pin(query.fetch_all(&mut **held)).await?;
            Ok(rows.into_iter().map(row).collect())
        })
    }

    /// The first row, where there is one.
    pub async fn fetch_optional(&self, db: &mut Connection) -> Result<Option<Row>> {
        run!(self, db, |query, held, row| {
            let found = Box::pin(query.fetch_optional(&mut **held)).await?;
            Ok(found.map(row))
        })
    }

    /// The one row that there must be.
    pub async fn fetch_one(&self, db: &mut Connection) -> Result<Row> {
        run!(self, db, |query, held, row| {
            Ok(row(Box::pin(query.fetch_one(&mut **held)).await?))
        })
    }
}

impl Connection {
    /// Runs statements as they stand, one behind the other.
    pub async fn run(&mut self, script: &'static str) -> Result<()> {
        if script.is_empty() {
            return Ok(());
        }
        each!(self, Self, |held| {
            sqlx::raw_sql(script).execute(&mut **held).await?;
        });
        Ok(())
    }

    /// Ends a transaction: what was written in it is there for all, and `done` is what came of it.
    pub async fn commit_with<T>(self, done: T) -> Result<T> {
        each!(self, Self, |held| if let Held::Within(transaction) = held {
            Box::pin(transaction.commit()).await?;
        });
        Ok(done)
    }

    /// What makes an empty database one of ours.
    pub fn schema(&self) -> Schema {
        match self {
            Self::Sqlite(_) => sqlite::SCHEMA,
            Self::MySql(_) => mysql::SCHEMA,
            Self::Postgres(_) => postgres::SCHEMA,
        }
    }
}

impl Pool {
    pub async fn acquire(&self) -> Result<Connection> {
        Ok(match self {
            Self::Sqlite(pool) => Connection::Sqlite(Held::Plain(Box::pin(pool.acquire()).await?)),
            Self::MySql(pool) => Connection::MySql(Held::Plain(Box::pin(pool.acquire()).await?)),
            Self::Postgres(pool) => {
                Connection::Postgres(Held::Plain(Box::pin(pool.acquire()).await?))
            }
        })
    }

    /// A transaction that will write.
    pub async fn begin(&self) -> Result<Connection> {
        Ok(match self {
            Self::Sqlite(pool) => Connection::Sqlite(Held::Within(
                Box::pin(pool.begin_with(sqlite::BEGIN_WRITE)).await?,
            )),
            Self::MySql(pool) => Connection::MySql(Held::Within(Box::pin(pool.begin()).await?)),
            Self::Postgres(pool) => {
                Connection::Postgres(Held::Within(Box::pin(pool.begin()).await?))
            }
        })
    }

    pub async fn close(&self) {
        each!(self, Self, |pool| pool.close().await);
    }
}

impl<D: Database> Deref for Held<D> {
    type Target = D::Connection;

    fn deref(&self) -> &D::Connection {
        match self {
            Self::Plain(connection) => connection,
            Self::Within(transaction) => transaction,
        }
    }
}

impl<D: Database> DerefMut for Held<D> {
    fn deref_mut(&mut self) -> &mut D::Connection {
        match self {
            Self::Plain(connection) => connection,
            Self::Within(transaction) => transaction,
        }
    }
}

//! Making the schema where there is none.
//!
//! The original keeps its own record of the schema's age, `alembic_version`, and its tools act on it. That
//! record is the only one we write: a second, beside it, would sooner or later contradict it. So there are two
//! cases. An empty database gets all of the schema. Any other is the original's and stays as it is; where it is
//! of an age that we do not know, the operator hears what to do.

use super::dialect::{Connection, Pool, TABLES, query};
use super::link::Link;
use super::{Error, Result};
use crate::config::DatabaseConfig;

/// The revision of the schema that this service was built on.
pub const REVISION: &str = "2024_1_contract01";

/// What is in a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Empty,
    /// The schema is being made, or who made it was interrupted.
    Unfinished,
    /// The schema that we know.
    Current,
    /// One of these revisions.
    Other(Vec<String>),
    /// Tables of ours without a word of their age.
    Unversioned,
}

/// What is in the database that `config` names. Nothing is made, where there is none.
pub async fn schema_state(config: &DatabaseConfig) -> Result<State> {
    let link = Link::new(config)?;
    if !link.is_made().await? {
        return Ok(State::Empty);
    }
    let (pool, _) = link.connect().await?;
    let state = state(&mut pool.acquire().await?).await;
    pool.close().await;
    state
}

/// Makes the schema in an empty database, and a database where that needs no more than a file.
pub async fn make_schema(config: &DatabaseConfig) -> Result<()> {
    let link = Link::new(config)?;
    link.create().await?;
    let (pool, _) = link.connect().await?;
    let made = make(&pool).await;
    pool.close().await;
    made
}

/// Makes sure that a pool is of a database with our schema.
pub async fn open(pool: &Pool) -> Result<()> {
    let mut db = pool.acquire().await?;
    let state = state(&mut db).await?;
    if state == State::Empty && db.schema().made_at_once {
        drop(db);
        return make(pool).await;
    }
    state.refusal().map_or(Ok(()), Err)
}

/// Makes the schema in an empty database, once, however many want to.
async fn make(pool: &Pool) -> Result<()> {
    let mut db = pool.begin().await?;
    let schema = db.schema();
    db.run(schema.lock).await?;
    match state(&mut db).await? {
        State::Current => {}
        State::Empty | State::Unfinished => {
            for statements in schema.statements {
                db.run(statements).await?;
            }
        }
        state @ (State::Other(_) | State::Unversioned) => {
            return state.refusal().map_or(Ok(()), Err);
        }
    }
    db.run(schema.unlock).await?;
    db.commit_with(()).await
}

/// What is in the database.
async fn state(db: &mut Connection) -> Result<State> {
    let tables = query(TABLES).fetch_all(db).await?;
    let mut names = Vec::with_capacity(tables.len());
    for table in tables {
        names.push(table.get::<String>("name")?);
    }
    let is_there = |name: &str| names.iter().any(|table| table == name);
    if !is_there("alembic_version") {
        return Ok(if is_there("images") {
            State::Unversioned
        } else {
            State::Empty
        });
    }
    let heads = query("SELECT version_num FROM alembic_version")
        .fetch_all(db)
        .await?;
    let heads: Vec<String> = heads
        .iter()
        .map(|head| head.get("version_num"))
        .collect::<Result<_>>()?;
    Ok(if heads.iter().any(|head| head == REVISION) {
        State::Current
    } else if heads.is_empty() {
        State::Unfinished
    } else {
        State::Other(heads)
    })
}

impl State {
    /// Why nothing can be done with such a database, and what its operator can do.
    pub fn refusal(&self) -> Option<Error> {
        const SYNC: &str = "run \"glance-manage db sync\" with the same configuration";
        let why = match self {
            Self::Current => return None,
            Self::Empty => format!("it is empty: {SYNC}"),
            Self::Unfinished => format!("its schema was not made to the end: {SYNC}"),
            Self::Other(heads) => format!(
                "its schema is of revision {}, and this service knows {REVISION} alone: run \"glance-manage db sync\" \
                 of Glance 2024.1 or later, which upgrades it",
                heads.join(", ")
            ),
            Self::Unversioned => format!(
                "it has tables, but no alembic_version that says how old they are: run \"glance-manage db sync\" of \
                 Glance 2024.1 or later, which upgrades them to {REVISION}"
            ),
        };
        Some(Error::Schema(why))
    }
}

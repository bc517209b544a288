//! The way to the database: a pool that is opened when needed, and again when what it has open is not the
//! database any more.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::Transaction;
use sqlx::pool::PoolConnection;
use tokio::sync::OwnedMutexGuard;

use super::dialect::{Address, BEGIN_WRITE, Connection, Engine, FileId, Pool};
use super::{Error, Result, migrations};
use crate::config::DatabaseConfig;

/// The way to the database.
pub struct Link {
    address: Address,
    most_connections: u32,
    state: Mutex<State>,
    /// Held by whoever opens, so that a crowd that finds the database back opens it once.
    opening: tokio::sync::Mutex<()>,
    /// Held by whoever writes. The engine lets one write at a time anyway; in line here they come in order,
    /// where its own waiting would let some starve.
    turn: Arc<tokio::sync::Mutex<()>>,
}

enum State {
    /// Nothing is known of the database yet: it may be made.
    New,
    Open(Pool, FileId),
    Closed,
}

/// A transaction that writes, in its turn. Dropped before its commit it never happened.
pub struct Write {
    transaction: Transaction<'static, Engine>,
    _turn: OwnedMutexGuard<()>,
}

impl Link {
    pub fn new(config: &DatabaseConfig) -> Result<Self> {
        Ok(Self {
            address: Address::parse(&config.connection)?,
            most_connections: config.max_connections,
            state: Mutex::new(State::New),
            opening: tokio::sync::Mutex::default(),
            turn: Arc::default(),
        })
    }

    /// A connection to read with.
    pub async fn read(&self) -> Result<PoolConnection<Engine>> {
        Ok(self.pool().await?.acquire().await?)
    }

    /// A transaction to write in.
    pub async fn write(&self) -> Result<Write> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let pool = self.pool().await?;
        Ok(Write {
            transaction: pool.begin_with(BEGIN_WRITE).await?,
            _turn: turn,
        })
    }

    /// The pool, checked to be of the file that has the database's name now: what was opened before a disk
    /// went away, or before an operator put another file in place, would take writes into nowhere.
    pub async fn pool(&self) -> Result<Pool> {
        if let Some((pool, file)) = self.opened()?
            && self.address.identify().await? == file
        {
            return Ok(pool);
        }
        let _opening = self.opening.lock().await;
        match self.opened()? {
            Some((pool, file)) if self.address.identify().await? == file => return Ok(pool),
            // Only a database that we never saw may be missing because nobody made it yet.
            Some(_) => {}
            None => self.address.create().await?,
        }
        let file = self.address.identify().await?;
        let pool = self.address.pool(self.most_connections);
        let mut db = pool.acquire().await?;
        self.address.tune(&mut db).await?;
        migrations::run(&mut db).await?;
        drop(db);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Closed = *state {
            return Err(closed());
        }
        *state = State::Open(pool.clone(), file);
        Ok(pool)
    }

    /// Ends all connections, and lets none be made.
    pub async fn close(&self) {
        let state = std::mem::replace(
            &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner),
            State::Closed,
        );
        if let State::Open(pool, _) = state {
            pool.close().await;
        }
    }

    fn opened(&self) -> Result<Option<(Pool, FileId)>> {
        match &*self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::New => Ok(None),
            State::Open(pool, file) => Ok(Some((pool.clone(), *file))),
            State::Closed => Err(closed()),
        }
    }
}

fn closed() -> Error {
    Error::Unavailable("it is being closed".to_owned())
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Write {
    pub async fn commit(self) -> Result<()> {
        Ok(self.transaction.commit().await?)
    }
}

impl Deref for Write {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.transaction
    }
}

impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.transaction
    }
}

//! The way to the database: a pool that is opened when needed, and again when what it has open is not the
//! database any more.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::dialect::{Address, Connection, Identity, Pool};
use super::{Error, Result, migrations};
use crate::config::DatabaseConfig;

/// How often a transaction is tried that lost against others.
const TRIES: u32 = 8;
/// How long it waits before it tries the second time; each time twice as long.
const PAUSE: Duration = Duration::from_millis(5);

/// The way to the database.
pub struct Link {
    address: Address,
    state: Mutex<State>,
    /// Held by whoever opens, so that a crowd that finds the database back opens it once.
    opening: tokio::sync::Mutex<()>,
    /// Held by whoever writes where the engine lets one write at a time anyway; in line here they come in order,
    /// where its own waiting would let some starve.
    turn: tokio::sync::Mutex<()>,
}

enum State {
    /// Nothing is known of the database yet: it may be made.
    New,
    Open(Pool, Identity),
    Closed,
}

impl Link {
    pub fn new(config: &DatabaseConfig) -> Result<Self> {
        Ok(Self {
            address: Address::new(config)?,
            state: Mutex::new(State::New),
            opening: tokio::sync::Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        })
    }

    /// A connection to read with.
    pub async fn read(&self) -> Result<Connection> {
        let pool = self.pool().await?;
        self.reached(pool.acquire()).await
    }

    /// Does `work` in a transaction, in its turn. Where others wanted the same rows and the engine let them go
    /// first, all of it is done again.
    pub async fn write<T, F>(&self, work: impl Fn(Connection) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            match Box::pin(self.attempt(&work)).await {
                Err(Error::Contended(_)) => tokio::time::sleep(pause).await,
                result => return result,
            }
            pause *= 2;
        }
        Box::pin(self.attempt(&work)).await
    }

    async fn attempt<T, F>(&self, work: &impl Fn(Connection) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let _turn = if self.address.writes_in_turn() {
            Some(self.turn.lock().await)
        } else {
            None
        };
        let pool = self.pool().await?;
        work(self.reached(pool.begin()).await?).await
    }

    /// Waits for a connection, as long as there is somebody to connect to.
    async fn reached(
        &self,
        connecting: impl Future<Output = Result<Connection>>,
    ) -> Result<Connection> {
        tokio::select! {
            biased;
            connection = connecting => connection,
            error = self.address.away() => Err(error),
        }
    }

    /// The pool, checked to be of the file that has the database's name now: what was opened before a disk
    /// went away, or before an operator put another file in place, would take writes into nowhere.
    pub async fn pool(&self) -> Result<Pool> {
        if let Some((pool, identity)) = self.opened()?
            && self.address.identify().await? == identity
        {
            return Ok(pool);
        }
        // Rare, and large.
        Box::pin(self.open()).await
    }

    async fn open(&self) -> Result<Pool> {
        let _opening = self.opening.lock().await;
        match self.opened()? {
            Some((pool, identity)) if self.address.identify().await? == identity => {
                return Ok(pool);
            }
            // Only a database that we never saw may be missing because nobody made it yet.
            Some(_) => {}
            None => self.address.create().await?,
        }
        let (pool, identity) = self.connect().await?;
        migrations::open(&pool).await?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Closed = *state {
            return Err(closed());
        }
        *state = State::Open(pool.clone(), identity);
        Ok(pool)
    }

    /// A pool of what is there, whatever its schema.
    pub async fn connect(&self) -> Result<(Pool, Identity)> {
        let identity = self.address.identify().await?;
        let pool = self.address.pool();
        self.reached(pool.acquire()).await?;
        self.address.tune(&pool).await?;
        Ok((pool, identity))
    }

    /// Makes an empty database where that needs no more than a file.
    pub async fn create(&self) -> Result<()> {
        self.address.create().await
    }

    /// Whether there is something to connect to, where that needs a file.
    pub async fn is_made(&self) -> Result<bool> {
        self.address.is_made().await
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

    fn opened(&self) -> Result<Option<(Pool, Identity)>> {
        match &*self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::New => Ok(None),
            State::Open(pool, identity) => Ok(Some((pool.clone(), *identity))),
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

//! Where a database is, and how to get there.

use std::time::Duration;

use sqlx::Database;
use sqlx::pool::PoolOptions;
use tokio::net::{TcpStream, UnixStream};

use super::sqlite::{self, FileId};
use super::{Pool, mysql, postgres};
use crate::config::{DatabaseConfig, Server, Target, Url};
use crate::db::{Error, Result};

/// An idle connection gives its memory back.
const IDLE: Duration = Duration::from_mins(1);
/// How often somebody who waits for a connection looks whether there is anybody to connect to.
const LOOK: Duration = Duration::from_millis(250);
/// How long a server may take to accept.
const ACCEPT: Duration = Duration::from_secs(5);

/// Where the database is.
#[derive(Debug, Clone)]
pub struct Address {
    place: Place,
    config: DatabaseConfig,
}

#[derive(Debug, Clone)]
enum Place {
    Sqlite(sqlite::Address),
    MySql(Server),
    Postgres(Server),
}

/// What a pool has open, whatever is called by its name now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    File(FileId),
    /// A server answers for what it serves.
    Server,
}

impl Address {
    pub fn new(config: &DatabaseConfig) -> Result<Self> {
        let url = Url::parse(&config.connection)
            .map_err(|must| Error::Failed(format!("[database] connection: must be {must}")))?;
        for option in url.ignored {
            tracing::warn!("[database] connection: the option {option} means nothing here");
        }
        Ok(Self {
            place: match url.target {
                Target::Sqlite { file, timeout } => {
                    Place::Sqlite(sqlite::Address::new(file, timeout))
                }
                Target::MySql(server) => Place::MySql(server),
                Target::Postgres(server) => Place::Postgres(server),
            },
            config: config.clone(),
        })
    }

    /// Whether the engine lets one write at a time.
    pub fn writes_in_turn(&self) -> bool {
        matches!(self.place, Place::Sqlite(_))
    }

    /// What is there now.
    pub async fn identify(&self) -> Result<Identity> {
        match &self.place {
            Place::Sqlite(address) => address.identify().await.map(Identity::File),
            Place::MySql(_) | Place::Postgres(_) => Ok(Identity::Server),
        }
    }

    /// Makes an empty database where that needs no more than a file.
    pub async fn create(&self) -> Result<()> {
        match &self.place {
            Place::Sqlite(address) => address.create().await,
            Place::MySql(_) | Place::Postgres(_) => Ok(()),
        }
    }

    /// Whether there is something to connect to, where that needs a file.
    pub async fn is_made(&self) -> Result<bool> {
        match &self.place {
            Place::Sqlite(address) => address.is_made().await,
            Place::MySql(_) | Place::Postgres(_) => Ok(true),
        }
    }

    /// A pool that connects when it is asked to.
    pub fn pool(&self) -> Pool {
        match &self.place {
            Place::Sqlite(address) => Pool::Sqlite(address.pool(self.config.max_connections)),
            Place::MySql(server) => Pool::MySql(mysql::pool(server, &self.config)),
            Place::Postgres(server) => Pool::Postgres(postgres::pool(server, &self.config)),
        }
    }

    /// Does what has to be done once to what a new pool has open.
    pub async fn tune(&self, pool: &Pool) -> Result<()> {
        match (&self.place, pool) {
            (Place::Sqlite(address), Pool::Sqlite(pool)) => address.tune(pool).await,
            _ => Ok(()),
        }
    }

    /// Ends when nobody is there to connect to: waiting for a connection would be in vain.
    pub async fn away(&self) -> Error {
        let (server, port, socket) = match &self.place {
            Place::Sqlite(_) => return std::future::pending().await,
            Place::MySql(server) => (server, mysql::PORT, server.socket.clone()),
            Place::Postgres(server) => {
                let port = server.port.unwrap_or(postgres::PORT);
                let socket = server.socket.as_ref();
                let socket = socket.map(|dir| dir.join(format!(".s.PGSQL.{port}")));
                (server, postgres::PORT, socket)
            }
        };
        loop {
            tokio::time::sleep(LOOK).await;
            let connected = async {
                match &socket {
                    Some(socket) => UnixStream::connect(socket).await.map(drop),
                    None if server.host.is_empty() => Ok(()),
                    None => {
                        let address = (server.host.as_str(), server.port.unwrap_or(port));
                        TcpStream::connect(address).await.map(drop)
                    }
                }
            };
            match tokio::time::timeout(ACCEPT, connected).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Error::Unavailable(error.to_string()),
                Err(_) => return Error::Unavailable("the server does not answer".to_owned()),
            }
        }
    }
}

/// How many connections to a server there may be, and for how long.
pub fn limits<D: Database>(config: &DatabaseConfig) -> PoolOptions<D> {
    PoolOptions::new()
        .max_connections(config.max_connections)
        .acquire_timeout(config.patience)
        .idle_timeout(IDLE)
        .max_lifetime(config.recycle)
}

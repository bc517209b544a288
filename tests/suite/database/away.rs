//! A server that goes away and comes back: what is in between can be cut.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use glance::config::DatabaseConfig;
use glance::db::{Db, Error, make_schema};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::*;
use crate::support::{PATIENCE, unused_port};

/// The wire to a server.
struct Wire {
    here: SocketAddr,
    there: String,
    carrying: JoinHandle<()>,
}

impl Wire {
    async fn to(there: &str) -> Self {
        // Nobody gets it while the wire is cut.
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], unused_port()))).await;
        Self {
            here: listener.local_addr().unwrap(),
            there: there.to_owned(),
            carrying: tokio::spawn(carry(listener, there.to_owned())),
        }
    }

    /// Ends all connections, and accepts none.
    async fn cut(&mut self) {
        self.carrying.abort();
        let _ = (&mut self.carrying).await;
    }

    async fn mend(&mut self) {
        let listener = listen(self.here).await;
        self.carrying = tokio::spawn(carry(listener, self.there.clone()));
    }
}

/// A process that another test has just started has the old socket for a moment, too.
async fn listen(here: SocketAddr) -> TcpListener {
    let listening = async {
        loop {
            match TcpListener::bind(here).await {
                Ok(listener) => return listener,
                Err(error) => assert_eq!(error.kind(), ErrorKind::AddrInUse),
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, listening).await.expect("a port of ours")
}

async fn carry(listener: TcpListener, there: String) {
    // Ends them when it is dropped.
    let mut connections = JoinSet::new();
    loop {
        let (mut client, _) = listener.accept().await.unwrap();
        let there = there.clone();
        connections.spawn(async move {
            let mut server = TcpStream::connect(there).await.unwrap();
            let _ = copy_bidirectional(&mut client, &mut server).await;
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_away_is_found_again() {
    for database in on_each_server() {
        let url = database.url();
        make_schema(&DatabaseConfig::at(url)).await.unwrap();
        let (before, rest) = url.split_once('@').unwrap();
        let (there, name) = rest.split_once('/').unwrap();
        let mut wire = Wire::to(there).await;
        let config = DatabaseConfig {
            patience: PATIENCE * 2,
            ..DatabaseConfig::at(format!("{before}@{}/{name}", wire.here))
        };
        let db = Db::open(&config).await.unwrap();
        db.ping().await.unwrap();
        for _ in 0..2 {
            wire.cut().await;
            let asked = timeout(PATIENCE, db.ping()).await;
            let asked = asked.expect("nobody waits for a server that is away");
            assert!(matches!(asked, Err(Error::Unavailable(_))), "{asked:?}");
            wire.mend().await;
            db.ping().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_while_the_server_is_away_goes_on_until_it_is_there() {
    for database in on_each_server() {
        let url = database.url();
        make_schema(&DatabaseConfig::at(url)).await.unwrap();
        let (before, rest) = url.split_once('@').unwrap();
        let (there, name) = rest.split_once('/').unwrap();
        let mut wire = Wire::to(there).await;
        wire.cut().await;
        let config = DatabaseConfig::at(format!("{before}@{}/{name}", wire.here));
        let db = Db::open(&config).await.unwrap();
        assert!(matches!(db.ping().await, Err(Error::Unavailable(_))));
        wire.mend().await;
        db.ping().await.unwrap();
    }
}

//! What the operating system asks of us.

use std::io;

use tokio::signal::unix::{self, SignalKind};

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP
    Reload,
    /// SIGUSR2
    Report,
    /// SIGTERM, SIGINT
    End,
}

/// The signals that we catch, from now on.
#[derive(Debug)]
pub struct Signals {
    hangup: unix::Signal,
    second_user: unix::Signal,
    terminate: unix::Signal,
    interrupt: unix::Signal,
}

impl Signals {
    pub fn catch() -> io::Result<Self> {
        Ok(Self {
            hangup: unix::signal(SignalKind::hangup())?,
            second_user: unix::signal(SignalKind::user_defined2())?,
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
        })
    }

    /// The next signal.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.hangup.recv() => Signal::Reload,
            _ = self.second_user.recv() => Signal::Report,
            _ = self.terminate.recv() => Signal::End,
            _ = self.interrupt.recv() => Signal::End,
        }
    }

    /// The next signal to end.
    pub async fn end(&mut self) {
        while self.next().await != Signal::End {}
    }
}

//! Our programs as children of a test, and how long one waits for what they do.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, Socket, Type};

pub(crate) const API: &str = env!("CARGO_BIN_EXE_glance-api");
pub(crate) const CACHE_MANAGE: &str = env!("CARGO_BIN_EXE_glance-cache-manage");
pub(crate) const PREFETCHER: &str = env!("CARGO_BIN_EXE_glance-cache-prefetcher");
pub(crate) const PRUNER: &str = env!("CARGO_BIN_EXE_glance-cache-pruner");
pub(crate) const CLEANER: &str = env!("CARGO_BIN_EXE_glance-cache-cleaner");
pub(crate) const MANAGE: &str = env!("CARGO_BIN_EXE_glance-manage");

/// Long for a machine that has nothing else to do, so that one that has is not judged by it.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A command without what the shell of the tests may have set.
pub(crate) fn plain(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::null());
    command
}

/// A child that runs, and says nothing unless its command has places for that. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Running(Child);

impl Running {
    #[track_caller]
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.spawn().expect("a process"))
    }

    /// How it ended, once it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("a child of ours")
    }

    #[track_caller]
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).expect("a child of ours");
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        eventually(|| self.ended())
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs a program to its end.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Ended {
    Ended::from(command.output().expect("a process"))
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Self {
            code: output.status.code().expect("an exit code"),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

impl Ended {
    /// Asserts success without talk, and gives the results.
    #[track_caller]
    pub(crate) fn quietly(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{self:?}");
        self.out
    }

    /// Asserts a failure without results, and gives the talk.
    #[track_caller]
    pub(crate) fn failing(self, code: i32) -> String {
        assert_eq!((self.code, self.out.as_str()), (code, ""), "{self:?}");
        self.err
    }
}

/// Asks until there is an answer, or for long enough.
pub(crate) fn wait_for<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        thread::sleep(Duration::from_millis(5));
    }
    None
}

/// Asks until there is an answer, which is to come.
#[track_caller]
pub(crate) fn eventually<T>(ask: impl FnMut() -> Option<T>) -> T {
    wait_for(ask).expect("it never came")
}

/// Waits until it is so, which is to be.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let came = wait_for(|| holds().then_some(()));
    came.unwrap_or_else(|| panic!("in vain: {what}"));
}

/// A port that is free, and stays so: it is none of those that the kernel gives to whoever asks for any, and no other
/// test of this process gets it.
pub(crate) fn unused_port() -> u16 {
    const FIRST: u32 = 12_000;
    const COUNT: u32 = 18_000;
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    // Another process of tests begins elsewhere.
    let begin = std::process::id().wrapping_mul(997);
    eventually(|| {
        let next = begin.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(FIRST + next % COUNT).expect("a port");
        // It does not listen: a process that another test starts right now has it for a moment, too.
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_reuse_address(true).expect("a socket of ours");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        socket.bind(&address.into()).ok().map(|()| port)
    })
}

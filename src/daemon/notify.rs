//! Tells systemd how we are (`sd_notify(3)`), where it wants to know.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use rustix::time::{ClockId, clock_gettime};

/// The socket that the service manager listens on, if there is one.
#[derive(Debug)]
pub struct Notify(Option<SocketAddr>);

impl Notify {
    /// The socket that the environment names.
    pub fn from_env() -> Self {
        let name = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty());
        Self(name.and_then(|name| match address(&name) {
            Ok(address) => Some(address),
            Err(error) => {
                tracing::warn!(%error, "cannot use NOTIFY_SOCKET");
                None
            }
        }))
    }

    /// Requests are served.
    pub fn ready(&self) {
        self.say("READY=1");
    }

    /// What can change is read anew; [`Notify::ready`] follows.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let microseconds = now.tv_sec * 1_000_000 + now.tv_nsec / 1000;
        self.say(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}"));
    }

    /// The end has begun.
    pub fn stopping(&self) {
        self.say("STOPPING=1");
    }

    fn say(&self, what: &str) {
        let Some(address) = &self.0 else {
            return;
        };
        let sent = UnixDatagram::unbound()
            .and_then(|socket| socket.send_to_addr(what.as_bytes(), address));
        if let Err(error) = sent {
            tracing::warn!(%error, "cannot tell the service manager {what:?}");
        }
    }
}

/// A path, or with `@` in front a name that is in no file system.
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn told(notify: &Notify, socket: &UnixDatagram) -> Vec<String> {
        socket
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        notify.ready();
        notify.reloading();
        notify.stopping();
        let mut buffer = [0; 100];
        (0..3)
            .map(|_| {
                let length = socket.recv(&mut buffer).unwrap();
                String::from_utf8(buffer[..length].to_vec()).unwrap()
            })
            .collect()
    }

    #[test]
    fn the_manager_hears_of_every_turn() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let told = told(&Notify(address(path.as_os_str()).ok()), &socket);
        assert_eq!(told[0], "READY=1");
        assert!(
            told[1].starts_with("RELOADING=1\nMONOTONIC_USEC="),
            "{told:?}"
        );
        assert_eq!(told[2], "STOPPING=1");
    }

    #[test]
    fn a_socket_may_have_a_name_without_a_file() {
        let name = format!("@glance-test-{}", std::process::id());
        let address = address(OsStr::new(&name)).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        assert_eq!(told(&Notify(Some(address)), &socket)[0], "READY=1");
    }

    #[test]
    fn nobody_is_told_where_nobody_listens() {
        Notify(None).ready();
        let dir = tempfile::tempdir().unwrap();
        let gone = address(dir.path().join("gone").as_os_str());
        Notify(gone.ok()).ready();
    }
}

//! Database URLs as `SQLAlchemy` reads them: `engine+driver://user:password@host:port/database?option=value`.
//!
//! User and password are percent-encoded. The driver is one of Python's, so it says nothing to us.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;

/// What a URL says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    pub target: Target,
    /// Names of options that mean nothing here.
    pub ignored: Vec<String>,
}

/// Which engine, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Sqlite {
        file: PathBuf,
        /// `timeout`: how long to wait for other processes.
        timeout: Option<Duration>,
    },
    MySql(Server),
    Postgres(Server),
}

/// A database of a server.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Server {
    pub user: Option<String>,
    pub password: Option<String>,
    pub host: String,
    pub port: Option<u16>,
    /// The directory of a socket, or the socket itself.
    pub socket: Option<PathBuf>,
    pub database: String,
    /// `charset`: of the texts on the way.
    pub charset: Option<String>,
    pub tls: Tls,
}

/// Whom to trust, and who we are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// `sslmode`, in the words of PostgreSQL.
    pub mode: Option<String>,
    pub authority: Option<PathBuf>,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    /// Whether the certificate must be of the host it came from.
    pub check_host: Option<bool>,
}

impl Url {
    /// Reads a URL. What is wrong is told without its text, in which there may be a password.
    pub fn parse(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or_else(no_url)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut options = Options::read(query);
        let target = match scheme.split('+').next() {
            Some("sqlite") => sqlite(rest, &mut options)?,
            Some("mysql" | "mariadb") => Target::MySql(mysql(rest, &mut options)?),
            Some("postgresql" | "postgres") => Target::Postgres(postgres(rest, &mut options)?),
            _ => return Err(no_url()),
        };
        Ok(Self {
            target,
            ignored: options.0.into_iter().map(|(name, _)| name).collect(),
        })
    }
}

fn no_url() -> String {
    "a database URL: sqlite:////path/to/glance.db, mysql+pymysql://user:password@host/glance or \
     postgresql+psycopg2://user:password@host/glance"
        .to_owned()
}

fn sqlite(path: &str, options: &mut Options) -> Result<Target, String> {
    let path = path.strip_prefix('/').ok_or(
        "an sqlite:/// URL with a path after three slashes, or an absolute path after four",
    )?;
    if path.is_empty() || path == ":memory:" || path.starts_with("file:") {
        return Err("an sqlite:/// URL of a file, named by its path".to_owned());
    }
    Ok(Target::Sqlite {
        file: path.into(),
        timeout: options.seconds("timeout")?,
    })
}

fn mysql(rest: &str, options: &mut Options) -> Result<Server, String> {
    let check_host = options
        .take("ssl_check_hostname")
        .or_else(|| options.take("ssl_verify_identity"));
    Ok(Server {
        socket: options.take("unix_socket").map(PathBuf::from),
        charset: options.take("charset"),
        tls: Tls {
            mode: options.take("ssl_mode").map(|mode| mode.to_lowercase()),
            authority: options.take("ssl_ca").map(PathBuf::from),
            certificate: options.take("ssl_cert").map(PathBuf::from),
            key: options.take("ssl_key").map(PathBuf::from),
            check_host: check_host.map(|yes| matches!(&*yes.to_lowercase(), "1" | "true" | "yes")),
        },
        ..server(rest)?
    })
}

/// What `sslmode` may be.
const MODES: [&str; 6] = [
    "disable",
    "allow",
    "prefer",
    "require",
    "verify-ca",
    "verify-full",
];

fn postgres(rest: &str, options: &mut Options) -> Result<Server, String> {
    let mut server = server(rest)?;
    match options.take("host") {
        Some(socket) if socket.starts_with('/') => server.socket = Some(socket.into()),
        Some(host) => server.host = host,
        None => {}
    }
    if let Some(port) = options.take("port") {
        server.port = Some(number(&port)?);
    }
    server.user = server.user.or_else(|| options.take("user"));
    server.password = server.password.or_else(|| options.take("password"));
    server.tls = Tls {
        mode: options.take("sslmode"),
        authority: options.take("sslrootcert").map(PathBuf::from),
        certificate: options.take("sslcert").map(PathBuf::from),
        key: options.take("sslkey").map(PathBuf::from),
        check_host: None,
    };
    match &server.tls.mode {
        Some(mode) if !MODES.contains(&mode.as_str()) => Err(format!(
            "a database URL whose sslmode is one of {}",
            MODES.join(", ")
        )),
        _ => Ok(server),
    }
}

/// `user:password@host:port/database`
fn server(rest: &str) -> Result<Server, String> {
    let (authority, database) = rest.split_at(end_of_authority(rest));
    let database = database.strip_prefix('/').unwrap_or_default();
    if database.is_empty() {
        return Err(
            "a database URL that names the database behind the host: …@host/glance".to_owned(),
        );
    }
    let (user, address) = match authority.rsplit_once('@') {
        Some((user, address)) => (Some(user), address),
        None => (None, authority),
    };
    let (user, password) = match user.map(|user| user.split_once(':').ok_or(user)) {
        None => (None, None),
        Some(Ok((user, password))) => (Some(decoded(user)?), Some(decoded(password)?)),
        Some(Err(user)) => (Some(decoded(user)?), None),
    };
    let (host, port) = match address
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    Ok(Server {
        user,
        password,
        host: host.to_owned(),
        port: port.map(number).transpose()?,
        database: decoded(database)?,
        ..Server::default()
    })
}

/// Where the first slash is that is no part of a password.
fn end_of_authority(rest: &str) -> usize {
    let after_user = rest.rfind('@').map_or(0, |at| at + 1);
    rest[after_user..]
        .find('/')
        .map_or(rest.len(), |at| after_user + at)
}

fn number(port: &str) -> Result<u16, String> {
    port.parse()
        .map_err(|_| "a database URL whose port is a number up to 65535".to_owned())
}

fn decoded(text: &str) -> Result<String, String> {
    percent_decode_str(text)
        .decode_utf8()
        .map(Into::into)
        .map_err(|_| "a database URL with UTF-8 text, percent-encoded".to_owned())
}

/// What stands behind the question mark.
struct Options(Vec<(String, String)>);

impl Options {
    fn read(query: &str) -> Self {
        let text = |text: &str| {
            let spaced = text.replace('+', " ");
            percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
        };
        Self(
            query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .map(|(name, value)| (text(name), text(value)))
                .collect(),
        )
    }

    /// The value of an option, which is known by that.
    fn take(&mut self, name: &str) -> Option<String> {
        let place = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(place).1).filter(|value| !value.is_empty())
    }

    fn seconds(&mut self, name: &str) -> Result<Option<Duration>, String> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        match value.parse().map(Duration::try_from_secs_f64) {
            Ok(Ok(seconds)) if seconds < Duration::from_hours(24) => Ok(Some(seconds)),
            _ => Err(format!(
                "a database URL whose {name} is a number of seconds"
            )),
        }
    }
}

/// Without the password.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("socket", &self.socket)
            .field("database", &self.database)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn server_of(url: &str) -> Server {
        match Url::parse(url).unwrap().target {
            Target::MySql(server) | Target::Postgres(server) => server,
            Target::Sqlite { .. } => panic!("{url} is of no server"),
        }
    }

    #[test]
    fn a_path_is_absolute_after_four_slashes() {
        let path = |url| match Url::parse(url).unwrap().target {
            Target::Sqlite { file, .. } => file,
            target => panic!("{target:?}"),
        };
        assert_eq!(path("sqlite:////var/lib/g.db"), Path::new("/var/lib/g.db"));
        assert_eq!(path("sqlite:///g.db"), Path::new("g.db"));
        assert_eq!(path("sqlite+pysqlite:////g.db?x=y"), Path::new("/g.db"));
    }

    #[test]
    fn the_timeout_of_the_url_counts() {
        let timeout = |url| match Url::parse(url).unwrap().target {
            Target::Sqlite { timeout, .. } => timeout,
            target => panic!("{target:?}"),
        };
        assert_eq!(timeout("sqlite:///g.db"), None);
        assert_eq!(
            timeout("sqlite:///g.db?check_same_thread=false&timeout=1.5"),
            Some(Duration::from_millis(1500))
        );
    }

    #[test]
    fn a_server_is_named_with_user_host_port_and_database() {
        let server =
            server_of("mysql+pymysql://glance:s%40cr%2Fet@db.example:3307/glance?charset=utf8");
        assert_eq!(server.user.as_deref(), Some("glance"));
        assert_eq!(server.password.as_deref(), Some("s@cr/et"));
        assert_eq!(
            (server.host.as_str(), server.port),
            ("db.example", Some(3307))
        );
        assert_eq!(server.database, "glance");
        assert_eq!(server.charset.as_deref(), Some("utf8"));
    }

    #[test]
    fn a_password_may_have_slashes_and_colons_of_its_own() {
        let server = server_of("postgresql+psycopg2://glance:a/b:c@[::1]:5433/glance");
        assert_eq!(server.password.as_deref(), Some("a/b:c"));
        assert_eq!((server.host.as_str(), server.port), ("::1", Some(5433)));
    }

    #[test]
    fn a_server_may_be_behind_a_socket() {
        let socket = |url| server_of(url).socket.unwrap().display().to_string();
        assert_eq!(
            socket("mysql://glance@localhost/glance?unix_socket=/run/mysqld/mysqld.sock"),
            "/run/mysqld/mysqld.sock"
        );
        assert_eq!(
            socket("postgresql://glance@/glance?host=/run/postgresql"),
            "/run/postgresql"
        );
    }

    #[test]
    fn certificates_are_named_as_the_drivers_name_them() {
        let mysql = server_of("mysql://u@h/g?ssl_ca=/ca.pem&ssl_cert=/c.pem&ssl_key=/k.pem").tls;
        let postgres =
            server_of("postgresql://u@h/g?sslrootcert=/ca.pem&sslcert=/c.pem&sslkey=/k.pem").tls;
        for tls in [&mysql, &postgres] {
            assert_eq!(tls.authority.as_deref(), Some(Path::new("/ca.pem")));
            assert_eq!(tls.certificate.as_deref(), Some(Path::new("/c.pem")));
            assert_eq!(tls.key.as_deref(), Some(Path::new("/k.pem")));
        }
    }

    #[test]
    fn options_that_mean_nothing_are_told() {
        let url = Url::parse("mysql://u@h/g?charset=utf8&plugin=dbcounter").unwrap();
        assert_eq!(url.ignored, ["plugin"]);
    }

    #[test]
    fn a_url_that_cannot_work_is_refused_without_repeating_it() {
        for url in [
            "secret",
            "oracle://glance:secret@db/glance",
            "sqlite://secret",
            "sqlite://",
            "sqlite:///:memory:",
            "sqlite:///secret.db?timeout=-1",
            "sqlite:///secret.db?timeout=soon",
            "mysql://glance:secret@db",
            "mysql://glance:secret@db/",
            "mysql://glance:secret@db:port/glance",
            "postgresql://glance:secret@db:70000/glance",
            "postgresql://glance:secret@db/glance?sslmode=secret",
        ] {
            let must = Url::parse(url).unwrap_err();
            assert!(!must.contains("secret"), "{url}: {must}");
        }
    }

    #[test]
    fn a_server_does_not_print_its_password() {
        let server = server_of("mysql://glance:secret@db/glance");
        assert!(!format!("{server:?}").contains("secret"));
    }
}

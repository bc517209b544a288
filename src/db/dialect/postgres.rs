//! PostgreSQL.

use std::fmt::Write as _;

use chrono::{DateTime, NaiveDateTime, Utc};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{
    PgArgumentBuffer, PgArguments, PgConnectOptions, PgRow, PgSslMode, PgTypeInfo,
};
use sqlx::{Arguments as _, ConnectOptions as _, Encode, PgPool, Postgres, Row as _, Type};

use super::address::limits;
use super::fault::Fault;
use super::value::refused;
use super::{Dialect, List, Schema, Value, Word};
use crate::config::{DatabaseConfig, Server};
use crate::db::Result;

pub const SCHEMA: Schema = Schema {
    statements: [
        include_str!("../../../migrations/postgres/0001_images.sql"),
        include_str!("../../../migrations/postgres/0002_tasks.sql"),
        include_str!("../../../migrations/postgres/0003_metadefs.sql"),
        include_str!("../../../migrations/postgres/0004_cached_images.sql"),
        include_str!("../../../migrations/postgres/0005_alembic_version.sql"),
    ],
    lock: "SELECT pg_advisory_xact_lock(20241001)",
    unlock: "",
    made_at_once: false,
};

impl Dialect for Postgres {
    fn spell(word: &Word) -> &'static str {
        word.postgres
    }

    fn add(sql: &mut String, arguments: &mut PgArguments, value: &Value) -> Result<()> {
        match value {
            Value::Text(text) => arguments.add(text.as_deref().map(Untyped)),
            Value::Number(number) => arguments.add(*number),
            Value::Flag(flag) => arguments.add(*flag),
            Value::Time(time) => arguments.add(time.map(|time| time.naive_utc())),
            Value::List(List::Texts(texts)) => arguments.add(texts),
            Value::List(List::Numbers(numbers)) => arguments.add(numbers),
        }
        .map_err(refused)?;
        let place = arguments.len();
        let is_list = matches!(value, Value::List(_));
        let (before, after) = if is_list {
            ("(SELECT unnest(", "))")
        } else {
            ("", "")
        };
        write!(sql, "{before}${place}{after}").map_err(|error| refused(error.into()))
    }
}

/// A text that takes the type of its place, as one between quotes does: a column of texts, or of an enumeration.
struct Untyped<'t>(&'t str);

/// The pseudo-type that says so.
const UNKNOWN: Oid = Oid(705);

impl Type<Postgres> for Untyped<'_> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(UNKNOWN)
    }
}

impl<'t> Encode<'t, Postgres> for Untyped<'t> {
    fn encode_by_ref(
        &self,
        buffer: &mut PgArgumentBuffer,
    ) -> std::result::Result<IsNull, BoxDynError> {
        <&str as Encode<Postgres>>::encode_by_ref(&self.0, buffer)
    }
}

/// A text, or the name of a value of an enumeration.
pub fn text(row: &PgRow, column: &str) -> sqlx::Result<Option<String>> {
    row.try_get_unchecked(column)
}

/// A number of any width.
pub fn number(row: &PgRow, column: &str) -> sqlx::Result<Option<i64>> {
    row.try_get(column).or_else(|_| {
        let narrow: Option<i32> = row.try_get(column)?;
        Ok(narrow.map(i64::from))
    })
}

pub fn flag(row: &PgRow, column: &str) -> sqlx::Result<Option<bool>> {
    row.try_get(column)
}

pub fn time(row: &PgRow, column: &str) -> sqlx::Result<Option<DateTime<Utc>>> {
    let time: Option<NaiveDateTime> = row.try_get(column)?;
    Ok(time.map(|time| time.and_utc()))
}

/// A pool that connects when it is asked to.
pub fn pool(server: &Server, config: &DatabaseConfig) -> PgPool {
    limits(config).connect_lazy_with(options(server))
}

fn options(server: &Server) -> PgConnectOptions {
    let mut options = PgConnectOptions::new()
        .port(server.port.unwrap_or(PORT))
        .database(&server.database)
        .application_name("glance")
        .disable_statement_logging();
    if !server.host.is_empty() {
        options = options.host(&server.host);
    }
    if let Some(user) = &server.user {
        options = options.username(user);
    }
    if let Some(password) = &server.password {
        options = options.password(password);
    }
    if let Some(socket) = &server.socket {
        options = options.socket(socket);
    }
    if let Some(authority) = &server.tls.authority {
        options = options.ssl_root_cert(authority);
    }
    if let Some(certificate) = &server.tls.certificate {
        options = options.ssl_client_cert(certificate);
    }
    if let Some(key) = &server.tls.key {
        options = options.ssl_client_key(key);
    }
    match server.tls.mode.as_deref() {
        Some("disable") => options.ssl_mode(PgSslMode::Disable),
        Some("allow") => options.ssl_mode(PgSslMode::Allow),
        Some("require") => options.ssl_mode(PgSslMode::Require),
        Some("verify-ca") => options.ssl_mode(PgSslMode::VerifyCa),
        Some("verify-full") => options.ssl_mode(PgSslMode::VerifyFull),
        _ => options.ssl_mode(PgSslMode::Prefer),
    }
}

pub const PORT: u16 = 5432;

/// What to think of an error by its SQLSTATE.
pub fn judge(state: &str) -> Fault {
    match state {
        // Serialization failure, deadlock, a lock that was not to be had.
        "40001" | "40P01" | "55P03" => Fault::Contended,
        // Read only: a standby.
        "25006" => Fault::Away,
        // Too long, out of range, no character of the database's.
        "22001" | "22003" | "22021" => Fault::Unfit,
        // Connections, resources, an operator.
        state
            if ["08", "53", "57"]
                .iter()
                .any(|class| state.starts_with(class)) =>
        {
            Fault::Away
        }
        _ => Fault::Lasting,
    }
}

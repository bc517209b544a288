//! MySQL and `MariaDB`.
//!
//! A transaction reads what is committed when it asks, not when it began: a guard that failed is then explained
//! by what is there now. Texts are compared as their columns say, and the original's say: whatever their case.

use chrono::{DateTime, NaiveDateTime, Timelike as _, Utc};
use sqlx::mysql::{MySqlArguments, MySqlConnectOptions, MySqlRow, MySqlSslMode};
use sqlx::{Arguments as _, ConnectOptions as _, MySql, MySqlPool, Row as _};

use super::address::limits;
use super::fault::Fault;
use super::value::refused;
use super::{Dialect, List, Schema, Value, Word};
use crate::config::{DatabaseConfig, Server};
use crate::db::Result;

pub const SCHEMA: Schema = Schema {
    statements: [
        include_str!("../../../migrations/mysql/0001_images.sql"),
        include_str!("../../../migrations/mysql/0002_tasks.sql"),
        include_str!("../../../migrations/mysql/0003_metadefs.sql"),
        include_str!("../../../migrations/mysql/0004_cached_images.sql"),
        include_str!("../../../migrations/mysql/0005_alembic_version.sql"),
    ],
    lock: "SELECT GET_LOCK('glance.schema', 300)",
    unlock: "SELECT RELEASE_LOCK('glance.schema')",
    made_at_once: false,
};

impl Dialect for MySql {
    const LISTS_VARY: bool = true;

    fn spell(word: &Word) -> &'static str {
        word.mysql
    }

    fn add(sql: &mut String, arguments: &mut MySqlArguments, value: &Value) -> Result<()> {
        if let Value::List(list) = value {
            return add_list(sql, arguments, list);
        }
        sql.push('?');
        match value {
            Value::Text(text) => arguments.add(text.as_deref()),
            Value::Number(number) => arguments.add(*number),
            Value::Flag(flag) => arguments.add(*flag),
            Value::Time(time) => arguments.add(time.map(stamp)),
            Value::List(_) => Ok(()),
        }
        .map_err(refused)
    }
}

fn add_list(sql: &mut String, arguments: &mut MySqlArguments, list: &List) -> Result<()> {
    let count = match list {
        List::Texts(texts) => {
            for text in texts {
                arguments.add(text).map_err(refused)?;
            }
            texts.len()
        }
        List::Numbers(numbers) => {
            for number in numbers {
                arguments.add(number).map_err(refused)?;
            }
            numbers.len()
        }
    };
    if count == 0 {
        // Nothing is equal to it.
        sql.push_str("(NULL)");
    } else {
        sql.push('(');
        sql.push_str(&vec!["?"; count].join(", "));
        sql.push(')');
    }
    Ok(())
}

/// Columns have seconds. What is below would be rounded, and be in the future half of the time.
fn stamp(time: DateTime<Utc>) -> NaiveDateTime {
    let time = time.naive_utc();
    time.with_nanosecond(0).unwrap_or(time)
}

pub fn text(row: &MySqlRow, column: &str) -> sqlx::Result<Option<String>> {
    row.try_get(column)
}

pub fn number(row: &MySqlRow, column: &str) -> sqlx::Result<Option<i64>> {
    row.try_get(column)
}

pub fn flag(row: &MySqlRow, column: &str) -> sqlx::Result<Option<bool>> {
    row.try_get(column)
}

pub fn time(row: &MySqlRow, column: &str) -> sqlx::Result<Option<DateTime<Utc>>> {
    let time: Option<NaiveDateTime> = row.try_get(column)?;
    Ok(time.map(|time| time.and_utc()))
}

/// A pool that connects when it is asked to.
pub fn pool(server: &Server, config: &DatabaseConfig) -> MySqlPool {
    let mut settings = vec![
        "SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED".to_owned(),
        // What belongs to an image is joined to one text.
        "SESSION group_concat_max_len = 4294967295".to_owned(),
    ];
    if let Some(mode) = &config.mysql_sql_mode {
        settings.push(format!("SESSION sql_mode = '{mode}'"));
    }
    limits::<MySql>(config)
        .after_connect(move |db, _| {
            let settings = settings.clone();
            Box::pin(async move {
                for setting in settings {
                    let set = sqlx::AssertSqlSafe(format!("SET {setting}"));
                    sqlx::raw_sql(set).execute(&mut *db).await?;
                }
                Ok(())
            })
        })
        .connect_lazy_with(options(server))
}

fn options(server: &Server) -> MySqlConnectOptions {
    // Texts are UTF-8 on our side, whatever they are in the tables.
    let charset = match server.charset.as_deref() {
        Some("utf8" | "utf8mb3") => "utf8",
        _ => "utf8mb4",
    };
    let mut options = MySqlConnectOptions::new()
        .host(&server.host)
        .port(server.port.unwrap_or(PORT))
        .username(server.user.as_deref().unwrap_or_default())
        .database(&server.database)
        .charset(charset)
        .ssl_mode(ssl_mode(server))
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .disable_statement_logging();
    if let Some(password) = &server.password {
        options = options.password(password);
    }
    if let Some(socket) = &server.socket {
        options = options.socket(socket);
    }
    if let Some(authority) = &server.tls.authority {
        options = options.ssl_ca(authority);
    }
    if let Some(certificate) = &server.tls.certificate {
        options = options.ssl_client_cert(certificate);
    }
    if let Some(key) = &server.tls.key {
        options = options.ssl_client_key(key);
    }
    options
}

/// As the driver of the original decides it: who names an authority wants its word for the certificate.
fn ssl_mode(server: &Server) -> MySqlSslMode {
    let tls = &server.tls;
    match tls.mode.as_deref() {
        Some("disabled") => MySqlSslMode::Disabled,
        Some("required") => MySqlSslMode::Required,
        Some("verify_ca") => MySqlSslMode::VerifyCa,
        Some("verify_identity") => MySqlSslMode::VerifyIdentity,
        _ if tls.check_host == Some(true) => MySqlSslMode::VerifyIdentity,
        _ if tls.authority.is_some() => MySqlSslMode::VerifyCa,
        _ if tls.certificate.is_some() => MySqlSslMode::Required,
        _ => MySqlSslMode::Preferred,
    }
}

pub const PORT: u16 = 3306;

/// What to think of an error by its number.
pub fn judge(number: u16) -> Fault {
    match number {
        // Lock wait timeout, deadlock, changed since it was read.
        1205 | 1213 | 1020 => Fault::Contended,
        // Full, too many connections, going down, out of memory, hosts blocked, user limits, read only,
        // killed, not in the cluster.
        1021 | 1037 | 1038 | 1040 | 1041 | 1047 | 1053 | 1114 | 1129 | 1203 | 1226 | 1290
        | 1317 | 1836 | 1927 => Fault::Away,
        // Null where there must be a value, out of range, no character of the column's, too long.
        1048 | 1264 | 1366 | 1406 => Fault::Unfit,
        _ => Fault::Lasting,
    }
}

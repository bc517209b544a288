//! A statement as this layer writes it: once, for all engines.

use std::borrow::Cow;

use sqlx::database::HasStatementCache;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, IntoArguments};

use super::{Dialect, Value, Word};
use crate::db::{Error, Result};

/// SQL, and its values in the order of its `?`. No text or name in it has a question mark of its own.
#[derive(Debug, Clone, Default)]
pub struct Statement {
    pieces: Vec<Piece>,
    values: Vec<Value>,
}

/// A part of the text.
#[derive(Debug, Clone)]
pub enum Piece {
    Text(Cow<'static, str>),
    Word(Word),
}

/// A statement that begins with `sql`.
pub fn query(sql: impl Into<Piece>) -> Statement {
    Statement {
        pieces: vec![sql.into()],
        values: Vec::new(),
    }
}

impl Statement {
    /// The value of the next `?`.
    #[must_use]
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Goes on with `sql`.
    #[must_use]
    pub fn then(mut self, sql: impl Into<Piece>) -> Self {
        self.pieces.push(sql.into());
        self
    }

    /// Adds `sql`.
    pub fn push(&mut self, sql: impl Into<Piece>) -> &mut Self {
        self.pieces.push(sql.into());
        self
    }

    /// Adds a value in its place.
    pub fn push_bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        self.push("?")
    }

    /// Adds what another statement says.
    pub fn append(&mut self, other: Self) -> &mut Self {
        self.pieces.extend(other.pieces);
        self.values.extend(other.values);
        self
    }

    /// Adds rows after `VALUES`.
    #[must_use]
    pub fn rows<const N: usize>(mut self, rows: impl IntoIterator<Item = [Value; N]>) -> Self {
        let row = format!("({})", ["?"; N].join(", "));
        for (place, values) in rows.into_iter().enumerate() {
            if place > 0 {
                self.push(", ");
            }
            self.push(row.clone());
            self.values.extend(values);
        }
        self
    }

    /// The query that it is for one engine.
    pub(super) fn build<D>(&self) -> Result<Query<'static, D, D::Arguments>>
    where
        D: Dialect + HasStatementCache,
        D::Arguments: IntoArguments<D>,
    {
        let (sql, arguments) = self.spelled::<D>()?;
        let varies = D::LISTS_VARY
            && self
                .values
                .iter()
                .any(|value| matches!(value, Value::List(_)));
        // The text is made of what stands in this layer, never of what somebody sent.
        let query = sqlx::query_with(AssertSqlSafe(sql), arguments);
        Ok(query.persistent(!varies))
    }

    /// Text and parameters as one engine wants them.
    fn spelled<D: Dialect>(&self) -> Result<(String, D::Arguments)> {
        let mut sql = String::new();
        let mut arguments = D::Arguments::default();
        let mut values = self.values.iter();
        for piece in &self.pieces {
            let mut rest = match piece {
                Piece::Text(text) => text,
                Piece::Word(word) => D::spell(word),
            };
            while let Some((before, after)) = rest.split_once('?') {
                sql.push_str(before);
                let value = values.next().ok_or_else(|| unequal(&sql))?;
                D::add(&mut sql, &mut arguments, value)?;
                rest = after;
            }
            sql.push_str(rest);
        }
        match values.next() {
            None => Ok((sql, arguments)),
            Some(_) => Err(unequal(&sql)),
        }
    }
}

fn unequal(sql: &str) -> Error {
    Error::Failed(format!("not a value for each place in: {sql}"))
}

impl From<&'static str> for Piece {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Piece {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<Word> for Piece {
    fn from(word: Word) -> Self {
        Self::Word(word)
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{Arguments as _, MySql, Postgres, Sqlite};

    use super::super::{FOR_UPDATE, List};
    use super::*;

    fn wanted() -> Statement {
        query("SELECT id FROM images WHERE owner = ? AND id IN ?")
            .bind("alice")
            .bind(List::texts(&["a", "b"]))
            .then(FOR_UPDATE)
    }

    fn spelled<D: Dialect>(statement: &Statement) -> (String, usize) {
        let (sql, arguments) = statement.spelled::<D>().unwrap();
        (sql, arguments.len())
    }

    #[test]
    fn a_statement_is_spelled_as_its_engine_reads_it() {
        let start = "SELECT id FROM images WHERE owner =";
        assert_eq!(
            spelled::<Sqlite>(&wanted()),
            (
                format!("{start} ? AND id IN (SELECT value FROM json_each(?))"),
                2
            )
        );
        assert_eq!(
            spelled::<MySql>(&wanted()),
            (format!("{start} ? AND id IN (?, ?) FOR UPDATE"), 3)
        );
        assert_eq!(
            spelled::<Postgres>(&wanted()),
            (
                format!("{start} $1 AND id IN (SELECT unnest($2)) FOR UPDATE"),
                2
            )
        );
    }

    #[test]
    fn rows_are_written_one_behind_the_other() {
        let statement = query("INSERT INTO t (a, b) VALUES ")
            .rows([[1i64.into(), true.into()], [2i64.into(), false.into()]]);
        assert_eq!(
            spelled::<Postgres>(&statement),
            (
                "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4)".to_owned(),
                4
            )
        );
    }

    #[test]
    fn no_list_is_empty_for_an_engine_that_cannot_read_one() {
        let nothing = || query("SELECT 1 WHERE 1 IN ?").bind(List::Numbers(Vec::new()));
        assert_eq!(
            spelled::<MySql>(&nothing()),
            ("SELECT 1 WHERE 1 IN (NULL)".to_owned(), 0)
        );
    }

    #[test]
    fn places_and_values_must_be_as_many() {
        for wrong in [query("SELECT ?"), query("SELECT 1").bind(1i64)] {
            assert!(wrong.spelled::<Sqlite>().is_err());
        }
    }
}

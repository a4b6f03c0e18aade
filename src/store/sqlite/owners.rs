//! The numbers of owners.

use quick_cache::sync::Cache;
use rusqlite::{Connection, OptionalExtension};

use crate::core::request::Owner;

/// How many numbers are kept in memory.
const KEPT: usize = 10_000;

/// The numbers that are known to be committed. None is ever taken back.
pub(super) struct Owners(Cache<Owner, i64>);

impl Default for Owners {
    fn default() -> Self {
        Self(Cache::new(KEPT))
    }
}

impl Owners {
    /// The number of an owner, who gets one when there is none.
    pub(super) fn number(&self, connection: &Connection, owner: &Owner) -> rusqlite::Result<i64> {
        if let Some(number) = self.0.get(owner) {
            return Ok(number);
        }
        if let Some(number) = find(connection, owner)? {
            return Ok(number);
        }
        connection
            .prepare_cached("INSERT INTO owners (issuer, subject) VALUES (?1, ?2)")?
            .execute([&owner.issuer, &owner.subject])?;
        Ok(connection.last_insert_rowid())
    }

    /// Remembers a number, once the commit is done that it was given in.
    pub(super) fn learn(&self, owner: &Owner, number: i64) {
        if self.0.get(owner).is_none() {
            self.0.insert(owner.clone(), number);
        }
    }
}

/// The number of an owner who has one.
pub(super) fn find(connection: &Connection, owner: &Owner) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT owner FROM owners WHERE issuer = ?1 AND subject = ?2")?
        .query_row([&owner.issuer, &owner.subject], |row| row.get(0))
        .optional()
}

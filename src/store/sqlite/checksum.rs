//! Checksums over the fields of a row, and the faults that they bring to light.

use crc32fast::Hasher;
use rusqlite::types::ValueRef;
use rusqlite::{ErrorCode, Row};

use crate::core::error::StoreError;

/// Why a statement did not give what it should.
#[derive(Debug)]
pub(super) enum Fault {
    /// SQLite says so.
    Sqlite(rusqlite::Error),
    /// The record of that name is not as it was written.
    Damaged(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Fault {
    /// What a caller is told whose write it was.
    pub(super) fn of_a_write(self) -> StoreError {
        self.told(|error| StoreError::Failed(error.into()))
    }

    /// What a caller is told whose read it was.
    pub(super) fn of_a_read(self) -> StoreError {
        self.told(|error| StoreError::Unreadable(error.into()))
    }

    fn told(self, otherwise: impl FnOnce(rusqlite::Error) -> StoreError) -> StoreError {
        match self {
            // A part of the file that belongs to no record in particular.
            Self::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
                StoreError::Damaged(format!("unknown ({error})"))
            }
            Self::Sqlite(error) => otherwise(error),
            Self::Damaged(name) => StoreError::Damaged(name),
        }
    }
}

/// A checksum over fields: each with its length, so that no two lists of fields are the same bytes.
#[derive(Default)]
pub(super) struct Checksum(Hasher);

impl Checksum {
    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update(&bytes.len().to_le_bytes());
        self.0.update(bytes);
        self
    }

    pub(super) fn number(self, number: i64) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    /// Nothing is a field of no bytes, which no number is; for a text, absence is kept apart from emptiness.
    pub(super) fn optional(self, bytes: Option<&[u8]>) -> Self {
        self.bytes(if bytes.is_some() { b"some" } else { b"" }).bytes(bytes.unwrap_or_default())
    }

    pub(super) fn optional_number(self, number: Option<i64>) -> Self {
        self.optional(number.map(i64::to_le_bytes).as_ref().map(<[u8; 8]>::as_slice))
    }

    /// A value as SQLite has it, its type included.
    pub(super) fn value(self, value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => self.bytes(b"null"),
            ValueRef::Integer(number) => self.bytes(b"integer").number(number),
            ValueRef::Real(number) => self.bytes(b"real").bytes(&number.to_le_bytes()),
            ValueRef::Text(text) => self.bytes(b"text").bytes(text),
            ValueRef::Blob(bytes) => self.bytes(b"blob").bytes(bytes),
        }
    }

    pub(super) fn finish(self) -> u32 {
        self.0.finalize()
    }
}

/// Goes on with the values that a row has in these columns.
pub(super) fn over(sum: Checksum, row: &Row<'_>, mut columns: std::ops::Range<usize>) -> rusqlite::Result<Checksum> {
    columns.try_fold(sum, |sum, column| Ok(sum.value(row.get_ref(column)?)))
}

/// The checksum of a text: a definition, a payload of version 1.
pub(super) fn checksum_of(text: &str) -> u32 {
    Checksum::default().bytes(text.as_bytes()).finish()
}

/// `None` for a value that is not there, or not of the type that it was written with.
pub(super) fn whole<T>(read: rusqlite::Result<T>) -> rusqlite::Result<Option<T>> {
    use rusqlite::Error::{
        FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, QueryReturnedNoRows, Utf8Error,
    };
    match read {
        Ok(value) => Ok(Some(value)),
        Err(
            FromSqlConversionFailure(..)
            | IntegralValueOutOfRange(..)
            | InvalidColumnType(..)
            | QueryReturnedNoRows
            | Utf8Error(..),
        ) => Ok(None),
        Err(error) => Err(error),
    }
}

//! The port of the authorization server's records: what it keeps of clients, accounts, keys and grants, each a document under a key.
//!
//! What a record says, and what may follow on it, is the authorization server's business. The store keeps it, and promises that several
//! records change together or not at all, and only if they are as they were when they were read: of two that redeem one code, one
//! learns that it came second.

use crate::core::BoxFuture;
use crate::core::clock::Timestamp;
use crate::core::error::StoreError;

/// What a record is about. The names are stored, and so never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// A client that was not configured but added, by its id.
    Client,
    /// A person's account, by its name.
    Account,
    /// The keys that sign our tokens, all in the one record `ES256`.
    SigningKey,
    /// An authorization code, by its hash.
    Code,
    /// A family of refresh tokens, by the hash of the half that they have in common.
    RefreshToken,
    /// What a person or a device was granted, and all tokens that came of it, by its id.
    Grant,
    /// A device that waits for a person, by the hash of its device code.
    Device,
    /// The device code that a user code stands for, by the user code.
    UserCode,
    /// A person who is logged in with a browser, by the hash of the cookie.
    Session,
    /// What is not believed any more, by what it is and the hash of its name.
    Revocation,
}

impl RecordKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Client,
        Self::Account,
        Self::SigningKey,
        Self::Code,
        Self::RefreshToken,
        Self::Grant,
        Self::Device,
        Self::UserCode,
        Self::Session,
        Self::Revocation,
    ];

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Its name, as it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Account => "account",
            Self::SigningKey => "signing_key",
            Self::Code => "code",
            Self::RefreshToken => "refresh_token",
            Self::Grant => "grant",
            Self::Device => "device",
            Self::UserCode => "user_code",
            Self::Session => "session",
            Self::Revocation => "revocation",
        }
    }
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// By what it is found among its kind: a text without NUL, of 1 to 512 bytes.
    pub key: String,
    /// How many times it was written; a record that was removed and made again begins at 1.
    pub version: u32,
    /// What it says: JSON. It names no NUL: one is escaped there.
    pub body: String,
    /// From when on it is of no use to anybody, and may be gone.
    pub expires_at: Option<Timestamp>,
}

/// A record that is to be written or removed, if it is as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordChange {
    /// What it is about.
    pub kind: RecordKind,
    /// Its key.
    pub key: String,
    /// The version that it must have; none: there must be no such record.
    pub expected: Option<u32>,
    /// What it is to say, and until when; none: it is removed.
    pub body: Option<(String, Option<Timestamp>)>,
}

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// Where records are kept.
pub trait Records: Send + Sync {
    /// The record of that kind and key, expired or not.
    fn find<'a>(&'a self, kind: RecordKind, key: &'a str) -> Answer<'a, Option<Record>>;

    /// The records of a kind in the order of their keys, byte for byte, beginning after the key `after`, at most `limit`; expired ones
    /// too.
    fn list<'a>(&'a self, kind: RecordKind, after: Option<&'a str>, limit: usize) -> Answer<'a, Vec<Record>>;

    /// Makes all of the changes, which name different records, in one commit; or none of them, and answers false, when one of the
    /// records is not as expected.
    fn commit(&self, changes: Vec<RecordChange>) -> Answer<'_, bool>;

    /// Removes records that expired before that, of any kind, at most so many. Answers how many.
    fn forget(&self, before: Timestamp, most: usize) -> Answer<'_, usize>;
}

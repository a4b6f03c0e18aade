//! Who a genuine token speaks for: the one place where JSON becomes claims.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::clock::Timestamp;
use super::request::Owner;

/// Who a genuine token speaks for, in Anteroom's own words.
#[derive(Clone, Debug, PartialEq)]
pub struct Caller {
    /// The `iss` of the token, byte for byte.
    pub issuer: String,
    /// The `sub` of the token, byte for byte.
    pub subject: String,
    /// The OAuth client: `client_id`, `azp` or `cid`, whichever comes first.
    pub client_id: Option<String>,
    /// The scopes that count here, in Anteroom's names.
    pub scopes: BTreeSet<String>,
    /// Auth0's `permissions`; not scopes, unless a verifier's `grants_from` says so.
    pub permissions: Vec<String>,
    /// The `aud` of the token.
    pub audience: Vec<String>,
    /// The claim that the verifier is told to read the e-mail address from.
    pub email: Option<String>,
    /// The `exp` of the token.
    pub expires_at: Timestamp,
    /// Every claim of the token.
    pub claims: Map<String, Value>,
}

impl Caller {
    /// The tenant that this caller's requests belong to.
    pub fn owner(&self) -> Owner {
        Owner { issuer: self.issuer.clone(), subject: self.subject.clone() }
    }
}

//! The admin socket: who can open it runs the gateway, and is an operator without a token.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::core::claims::Caller;
use crate::core::clock::Timestamp;
use crate::core::policy::ADMIN;
use crate::core::request::Owner;
use crate::core::verdict::Verdict;
use crate::telemetry::audit::SOCKET;

/// Stands with the routes that are served at the socket.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct AtSocket;

impl AtSocket {
    /// Who calls here, and that it is believed.
    pub(in crate::http) fn verdict() -> Verdict {
        let owner = Owner { issuer: SOCKET.into(), subject: SOCKET.into() };
        let scopes = BTreeSet::from([ADMIN.to_owned()]);
        Verdict::Accepted(Arc::new(Caller {
            issuer: owner.issuer.clone(),
            subject: owner.subject.clone(),
            owner,
            client_id: None,
            token_scopes: scopes.clone(),
            scopes,
            permissions: Vec::new(),
            audience: Vec::new(),
            email: None,
            expires_at: Timestamp::from_millis(i64::MAX),
            not_before: None,
            issued_at: None,
            claims: serde_json::Map::new(),
        }))
    }
}

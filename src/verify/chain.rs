//! The chain: which verifiers guard the API. A token's exact `iss` picks one of them; they are never tried in turn.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::table::list;
use super::token::{MAX_TOKEN_BYTES, UnverifiedJwt, UnverifiedToken};
use super::verified::{Fingerprint, Verified};
use super::{Setup, Verifier, parse_table};
use crate::core::clock::Timestamp;
use crate::core::error::Misconfiguration;
use crate::core::verdict::{Reason, Verdict};

/// The verifiers that guard the API.
pub struct Chain {
    by_issuer: HashMap<String, Link>,
    verified: Verified,
}

struct Link {
    name: String,
    verifier: Arc<dyn Verifier>,
}

/// Whether one verifier of the chain has what it needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Readiness {
    /// Its name in the configuration.
    pub name: String,
    /// Its issuer.
    pub issuer: String,
    /// Whether it can decide about tokens.
    pub is_ready: bool,
}

impl Chain {
    /// Makes the verifiers that `chain` names out of their tables. A table that is not named is not looked at.
    ///
    /// # Errors
    /// Every mistake in the chain and in the tables that it names.
    pub fn build(
        chain: &[String],
        tables: &BTreeMap<String, config::Value>,
        setup: &Setup<'_>,
    ) -> Result<Self, Vec<Misconfiguration>> {
        let mut links: Vec<Link> = Vec::new();
        let mut mistakes = Vec::new();
        if chain.is_empty() {
            mistakes.push(misnamed("names no verifier, so that nobody could call the API", "Name at least one"));
        }
        let mut seen = HashSet::new();
        for name in chain {
            if !seen.insert(name) {
                mistakes.push(misnamed(&format!("names \"{name}\" twice"), "Take one of them out"));
                continue;
            }
            match link(name, tables, setup) {
                Ok(link) => links.push(link),
                Err(found) => mistakes.extend(found),
            }
        }
        mistakes.extend(shared_issuers(&links));
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let by_issuer = links.into_iter().map(|link| (link.verifier.issuer().to_owned(), link)).collect();
        Ok(Self { by_issuer, verified: Verified::new() })
    }

    /// Decides about the credentials that came after `Bearer `.
    pub async fn verify(&self, unverified_bearer: &str, now: Timestamp) -> Verdict {
        if unverified_bearer.len() > MAX_TOKEN_BYTES {
            return Verdict::Rejected(Reason::TokenTooLarge);
        }
        let fingerprint = Fingerprint::of(unverified_bearer);
        if let Some(verdict) = self.recall(fingerprint, now) {
            return verdict;
        }
        let token = match UnverifiedToken::from_bearer(unverified_bearer).and_then(UnverifiedJwt::parse) {
            Ok(token) => token,
            Err(reason) => return Verdict::Rejected(reason),
        };
        let Some(link) = self.by_issuer.get(&token.unverified_claims.issuer) else {
            return Verdict::Rejected(Reason::IssuerUnknown);
        };
        let verdict = link.verifier.verify(token, now).await;
        if let Verdict::Accepted(caller) = &verdict
            && link.verifier.recall(caller, now).is_some()
        {
            self.verified.keep(fingerprint, caller, unverified_bearer.len());
        }
        verdict
    }

    /// Judges anew a token that was accepted before.
    fn recall(&self, fingerprint: Fingerprint, now: Timestamp) -> Option<Verdict> {
        let caller = self.verified.get(fingerprint)?;
        let verdict = self.by_issuer.get(&caller.issuer)?.verifier.recall(&caller, now)?;
        if matches!(verdict, Verdict::Rejected(_)) {
            self.verified.forget(fingerprint);
        }
        Some(verdict)
    }

    /// Whether any token could be decided about. A provider that is down does not take the gateway away from the callers of another.
    pub fn is_ready(&self) -> bool {
        // Every verifier is asked: that is also what sets one without keys fetching them.
        self.readiness().iter().any(|verifier| verifier.is_ready)
    }

    /// How the verifiers get on, by name. Asked for within a runtime, it sets those that need keys fetching them: the start asks
    /// once, and so does every readiness probe.
    pub fn readiness(&self) -> Vec<Readiness> {
        let readiness = |(issuer, link): (&String, &Link)| Readiness {
            name: link.name.clone(),
            issuer: issuer.clone(),
            is_ready: link.verifier.is_ready(),
        };
        let mut all: Vec<_> = self.by_issuer.iter().map(readiness).collect();
        all.sort();
        all
    }
}

fn link(
    name: &str,
    tables: &BTreeMap<String, config::Value>,
    setup: &Setup<'_>,
) -> Result<Link, Vec<Misconfiguration>> {
    let Some(table) = tables.get(name) else {
        let known = if tables.is_empty() { "there are none".into() } else { list(tables.keys().map(String::as_str)) };
        let remedy = format!("Add a table [verifiers.{name}], or name one that there is ({known})");
        return Err(vec![misnamed(&format!("names \"{name}\", and there is no such verifier"), &remedy)]);
    };
    let settings = parse_table(name, table.clone()).map_err(|mistake| vec![mistake])?;
    let verifier = settings.build(name, setup)?;
    Ok(Link { name: name.to_owned(), verifier })
}

/// Two verifiers of one issuer would have to be tried in turn.
fn shared_issuers(links: &[Link]) -> Vec<Misconfiguration> {
    let mut first: HashMap<&str, &str> = HashMap::new();
    let mut mistakes = Vec::new();
    for link in links {
        if let Some(other) = first.insert(link.verifier.issuer(), &link.name) {
            let problem = format!("names \"{other}\" and \"{}\", which have the same issuer", link.name);
            mistakes.push(misnamed(&problem, "Keep one verifier for each issuer"));
        }
    }
    mistakes
}

fn misnamed(problem: &str, remedy: &str) -> Misconfiguration {
    Misconfiguration::new("verify.chain", problem, remedy)
}

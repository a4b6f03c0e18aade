//! The chain: which verifiers guard the API. A token's exact `iss` picks one of them; they are never tried in turn.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::table::list;
use super::token::{UnverifiedJwt, UnverifiedToken, judge_size};
use super::verified::{Entry, Fingerprint, Verified};
use super::{
    FetchErrorClass, IntrospectionReport, KeySetReport, Setup, Terms, Tokens, Unverified, Verifier, parse_table,
};
use crate::core::clock::Timestamp;
use crate::core::error::Misconfiguration;
use crate::core::policy::Audience;
use crate::core::verdict::{Reason, Refusal, Verdict};
use crate::telemetry::metrics::{Metrics, VerifierMetrics};

/// The verifiers there are, and which of them guard the API.
pub struct Chain {
    pub(super) links: Vec<Link>,
    /// Places in `links`, by the `iss` of the tokens that they take.
    by_issuer: HashMap<String, usize>,
    /// The place in `links` of the one that takes opaque tokens.
    pub(super) opaque: Option<usize>,
    api: Trust,
    verified: Verified,
    /// Of tokens that did not get as far as a verifier.
    unassigned: VerifierMetrics,
}

pub(super) struct Link {
    pub(super) name: Arc<str>,
    pub(super) verifier: Arc<dyn Verifier>,
    metrics: VerifierMetrics,
}

/// Whose tokens are good at a door, and whom they must be meant for there.
#[derive(Clone, Debug)]
pub struct Trust {
    /// For each verifier of the chain, whether its tokens are good here.
    pub(super) verifiers: Box<[bool]>,
    pub(super) audience: Option<Audience>,
}

/// Why keys were not fetched when an operator wanted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRefreshed {
    /// There is no verifier of that name.
    NoVerifier,
    /// It fetches no keys.
    NothingToFetch,
    /// Its provider does not give them.
    Failed(FetchErrorClass),
}

/// How one verifier of the chain gets on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// Its name in the configuration.
    pub name: String,
    /// Its issuer.
    pub issuer: String,
    /// Whether the gateway should be sent traffic, as far as it has a say in it.
    pub is_ready: bool,
    /// How the keys that it fetches get on; none when it fetches none.
    pub keys: Option<KeySetReport>,
    /// How the calls to its issuer get on; none when it asks about no token.
    pub introspection: Option<IntrospectionReport>,
}

impl Chain {
    /// Makes the verifiers that `chain` names out of their tables, and those that `others` names besides: they do not guard the API,
    /// and can be [trusted](Self::trust) elsewhere. A table that neither names is not looked at.
    ///
    /// # Errors
    /// Every mistake in the chain and in the tables that are named.
    pub fn build(
        chain: &[String],
        others: &[String],
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
            if seen.insert(name) {
                link(name, tables, setup).map_or_else(|found| mistakes.extend(found), |link| links.push(link));
            } else {
                mistakes.push(misnamed(&format!("names \"{name}\" twice"), "Take one of them out"));
            }
        }
        // What is not a verifier's name among them is told where they are named.
        for name in others.iter().filter(|name| tables.contains_key(*name)) {
            if seen.insert(name) {
                link(name, tables, setup).map_or_else(|found| mistakes.extend(found), |link| links.push(link));
            }
        }
        mistakes.extend(ambiguities(&links));
        if mistakes.is_empty() { Ok(Self::of(links, chain, &setup.metrics)) } else { Err(mistakes) }
    }

    fn of(links: Vec<Link>, api: &[String], metrics: &Metrics) -> Self {
        let takes = |tokens| move |(_, link): &(usize, &Link)| [tokens, Tokens::All].contains(&link.verifier.takes());
        let jwts = links.iter().enumerate().filter(takes(Tokens::Jwts));
        let by_issuer = jwts.map(|(place, link)| (link.verifier.issuer().to_owned(), place)).collect();
        let opaque = links.iter().enumerate().find(takes(Tokens::Opaque)).map(|(place, _)| place);
        let api = trust(&links, api, None);
        let unassigned = metrics.verifier("none");
        Self { links, by_issuer, opaque, api, verified: Verified::new(), unassigned }
    }

    /// Trust in the verifiers of these names, for tokens that are meant for `audience`; none: for whom each is configured with.
    pub fn trust(&self, names: &[String], audience: Option<Audience>) -> Trust {
        trust(&self.links, names, audience)
    }

    /// The issuers whose tokens are good there.
    pub fn issuers<'a>(&'a self, trust: &'a Trust) -> impl Iterator<Item = &'a str> {
        let trusted = self.links.iter().zip(&trust.verifiers).filter(|(_, is_trusted)| **is_trusted);
        trusted.map(|(link, _)| link.verifier.issuer())
    }

    /// Trust in the verifiers that guard the API.
    pub fn api(&self) -> &Trust {
        &self.api
    }

    /// Decides about the credentials that came after `Bearer `, for the door that trusts as `trust` says.
    pub async fn verify(&self, unverified_bearer: &str, trust: &Trust, now: Timestamp) -> Verdict {
        let terms = Terms { audience: trust.audience.as_ref(), now };
        let (place, verdict) = self.decide(unverified_bearer, trust, terms).await;
        let link = place.map(|place| &self.links[place]);
        let counted = link.map_or(&self.unassigned, |link| &link.metrics);
        match &verdict {
            Verdict::Accepted(_) => counted.accepted(),
            Verdict::Rejected(refusal) => counted.rejected(refusal.reason),
            Verdict::Unavailable { .. } => counted.unavailable(),
        }
        match (verdict, link) {
            (Verdict::Rejected(refusal), Some(link)) => {
                Verdict::Rejected(Refusal { verifier: Some(Arc::clone(&link.name)), ..refusal })
            }
            (verdict, _) => verdict,
        }
    }

    /// Counts a request that was refused before there was a token to decide about.
    pub fn refused(&self, reason: Reason) {
        self.unassigned.rejected(reason);
    }

    /// Decides, and tells the place of the verifier that did.
    async fn decide(&self, unverified_bearer: &str, trust: &Trust, terms: Terms<'_>) -> (Option<usize>, Verdict) {
        if let Err(refusal) = judge_size(unverified_bearer) {
            return (None, Verdict::Rejected(refusal));
        }
        let fingerprint = Fingerprint::of(unverified_bearer);
        if let Some((place, verdict)) = self.recall(fingerprint, trust, terms) {
            return (Some(place), verdict);
        }
        let (place, token) = match self.pick(unverified_bearer, trust) {
            Ok(picked) => picked,
            Err(refusal) => return (None, Verdict::Rejected(refusal)),
        };
        let verifier = &self.links[place].verifier;
        // Read before the signature is checked: should the keys change meanwhile, what is kept here counts for nothing.
        let generation = verifier.generation();
        let verdict = verifier.verify(token, terms).await;
        if let (Verdict::Accepted(caller), Some(generation)) = (&verdict, generation) {
            self.verified.keep(fingerprint, Entry { caller: Arc::clone(caller), verifier: place, generation });
        }
        (Some(place), verdict)
    }

    /// The verifier that a token is for, if it is trusted: that of its issuer, or the one for opaque tokens.
    pub(super) fn pick<'t>(
        &self,
        unverified_bearer: &'t str,
        trust: &Trust,
    ) -> Result<(usize, Unverified<'t>), Refusal> {
        let token = UnverifiedToken::from_bearer(unverified_bearer)?;
        if let Some(place) = self.opaque.filter(|place| trust.verifiers[*place] && !token.looks_like_jwt()) {
            return Ok((place, Unverified::Opaque(token)));
        }
        let jwt = UnverifiedJwt::parse(token)?;
        let issuer = &jwt.unverified_claims.issuer;
        let place = self.by_issuer.get(issuer).copied().filter(|place| trust.verifiers[*place]);
        let unknown = || Refusal::because(Reason::IssuerUnknown, "an issuer that is trusted here", issuer);
        Ok((place.ok_or_else(unknown)?, Unverified::Jwt(jwt)))
    }

    /// Judges anew a token that was accepted before, for as long as the keys are the same.
    fn recall(&self, fingerprint: Fingerprint, trust: &Trust, terms: Terms<'_>) -> Option<(usize, Verdict)> {
        let entry = self.verified.get(fingerprint).filter(|entry| trust.verifiers[entry.verifier])?;
        let verifier = &self.links[entry.verifier].verifier;
        let is_current = verifier.generation()? == entry.generation;
        let verdict = is_current.then(|| verifier.recall(&entry.caller, terms));
        let is_over = |refusal: &Refusal| refusal.reason == Reason::TokenExpired;
        if verdict.as_ref().is_none_or(|verdict| matches!(verdict, Verdict::Rejected(refusal) if is_over(refusal))) {
            self.verified.forget(fingerprint);
        }
        Some((entry.verifier, verdict?))
    }

    /// Has every verifier begin to fetch what it needs. To be called within a runtime.
    pub fn warm_up(&self) {
        self.links.iter().for_each(|link| link.verifier.warm_up());
    }

    /// Whether the gateway should be sent traffic, as far as the verifiers have a say in it.
    pub fn is_ready(&self) -> bool {
        self.links.iter().all(|link| link.verifier.is_ready())
    }

    /// Has the verifier of this name fetch its keys at once, because an operator wants it.
    ///
    /// # Errors
    /// There is no such verifier, it fetches no keys, or its provider does not give them.
    pub async fn refresh(&self, name: &str) -> Result<(), NotRefreshed> {
        let link = self.links.iter().find(|link| *link.name == *name).ok_or(NotRefreshed::NoVerifier)?;
        let refreshed = link.verifier.refresh().ok_or(NotRefreshed::NothingToFetch)?;
        refreshed.await.map_err(NotRefreshed::Failed)
    }

    /// How the verifiers get on, by name.
    pub fn readiness(&self) -> Vec<Readiness> {
        let readiness = |link: &Link| Readiness {
            name: link.name.to_string(),
            issuer: link.verifier.issuer().to_owned(),
            is_ready: link.verifier.is_ready(),
            keys: link.verifier.report(),
            introspection: link.verifier.calls(),
        };
        let mut all: Vec<_> = self.links.iter().map(readiness).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }
}

fn trust(links: &[Link], names: &[String], audience: Option<Audience>) -> Trust {
    let is_named = |link: &Link| names.iter().any(|name| **name == *link.name);
    Trust { verifiers: links.iter().map(is_named).collect(), audience }
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
    Ok(Link { name: name.into(), verifier, metrics: setup.metrics.verifier(name) })
}

/// Two verifiers of one issuer, or of opaque tokens, would have to be tried in turn.
fn ambiguities(links: &[Link]) -> Vec<Misconfiguration> {
    let mut first: HashMap<Option<&str>, &str> = HashMap::new();
    let mut mistakes = Vec::new();
    for link in links {
        let issuer = Some(link.verifier.issuer());
        let taken = match link.verifier.takes() {
            Tokens::Jwts => vec![issuer],
            Tokens::Opaque => vec![None],
            Tokens::All => vec![issuer, None],
        };
        for tokens in taken {
            let Some(other) = first.insert(tokens, &link.name) else { continue };
            let (shared, remedy) = match tokens {
                Some(_) => ("have the same issuer", "Keep one verifier for each issuer"),
                None => ("both take opaque tokens", "Keep one verifier for opaque tokens"),
            };
            mistakes.push(misnamed(&format!("names \"{other}\" and \"{}\", which {shared}", link.name), remedy));
        }
    }
    mistakes
}

fn misnamed(problem: &str, remedy: &str) -> Misconfiguration {
    Misconfiguration::new("verify.chain", problem, remedy)
}

//! The chain: which verifiers guard the API. A token's exact `iss` picks one of them; they are never tried in turn.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::table::list;
use super::token::{MAX_TOKEN_BYTES, UnverifiedJwt, UnverifiedToken};
use super::verified::{Entry, Fingerprint, Verified};
use super::{FetchErrorClass, KeySetReport, Setup, Terms, Tokens, Unverified, Verifier, parse_table};
use crate::core::clock::Timestamp;
use crate::core::error::Misconfiguration;
use crate::core::policy::Audience;
use crate::core::verdict::{Reason, Refusal, Verdict};
use crate::telemetry::metrics::VerifierMetrics;

/// Where no verifier was asked, the label `verifier`.
const UNASSIGNED: &str = "none";

/// The verifiers there are, and which of them guard the API.
pub struct Chain {
    links: Vec<Link>,
    /// Places in `links`, by the `iss` of the tokens that they take.
    by_issuer: HashMap<String, usize>,
    /// The place in `links` of the one that takes opaque tokens.
    opaque: Option<usize>,
    api: Trust,
    verified: Verified,
    /// Counts what no verifier was asked about.
    unassigned: VerifierMetrics,
}

struct Link {
    name: Arc<str>,
    verifier: Arc<dyn Verifier>,
    metrics: VerifierMetrics,
}

/// Whose tokens are good at a door, and whom they must be meant for there.
#[derive(Clone, Debug)]
pub struct Trust {
    /// For each verifier of the chain, whether its tokens are good here.
    verifiers: Box<[bool]>,
    audience: Option<Audience>,
}

/// Whether one verifier of the chain has what it needs.
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
}

/// Why a verifier's keys were not refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRefreshed {
    /// There is no verifier of that name.
    Unknown,
    /// It fetches no keys.
    NotFetched,
    /// They could not be had.
    Failed(FetchErrorClass),
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
        if mistakes.is_empty() { Ok(Self::of(links, chain, setup.metrics.verifier(UNASSIGNED))) } else { Err(mistakes) }
    }

    fn of(links: Vec<Link>, api: &[String], unassigned: VerifierMetrics) -> Self {
        let takes = |tokens| move |(_, link): &(usize, &Link)| [tokens, Tokens::All].contains(&link.verifier.takes());
        let jwts = links.iter().enumerate().filter(takes(Tokens::Jwts));
        let by_issuer = jwts.map(|(place, link)| (link.verifier.issuer().to_owned(), place)).collect();
        let opaque = links.iter().enumerate().find(takes(Tokens::Opaque)).map(|(place, _)| place);
        let api = trust(&links, api, None);
        Self { links, by_issuer, opaque, api, verified: Verified::new(), unassigned }
    }

    /// Trust in the verifiers of these names, for tokens that are meant for `audience`; none: for whom each is configured with.
    pub fn trust(&self, names: &[String], audience: Option<Audience>) -> Trust {
        trust(&self.links, names, audience)
    }

    /// Trust in the verifiers that guard the API.
    pub fn api(&self) -> &Trust {
        &self.api
    }

    /// Decides about the credentials that came after `Bearer `, for the door that trusts as `trust` says.
    pub async fn verify(&self, unverified_bearer: &str, trust: &Trust, now: Timestamp) -> Verdict {
        let (place, verdict) = self.decide(unverified_bearer, trust, now).await;
        let metrics = place.map_or(&self.unassigned, |place| &self.links[place].metrics);
        match &verdict {
            Verdict::Accepted(_) => metrics.accepted(),
            Verdict::Rejected(refusal) => metrics.rejected(refusal.reason),
            Verdict::Unavailable { .. } => metrics.unavailable(),
        }
        verdict
    }

    /// Counts a request that was refused without a token that could be decided about.
    pub fn refused(&self, reason: Reason) {
        self.unassigned.rejected(reason);
    }

    /// The verdict, and the place of the verifier that it comes from.
    async fn decide(&self, unverified_bearer: &str, trust: &Trust, now: Timestamp) -> (Option<usize>, Verdict) {
        if unverified_bearer.len() > MAX_TOKEN_BYTES {
            return (None, Verdict::Rejected(Reason::TokenTooLarge.into()));
        }
        let terms = Terms { audience: trust.audience.as_ref(), now };
        let fingerprint = Fingerprint::of(unverified_bearer);
        if let Some((place, verdict)) = self.recall(fingerprint, trust, terms) {
            return (Some(place), verdict);
        }
        let (place, token) = match self.pick(unverified_bearer) {
            Ok(picked) => picked,
            Err(refusal) => return (None, Verdict::Rejected(refusal)),
        };
        let Link { name, verifier, .. } = &self.links[place];
        if !trust.verifiers[place] {
            let found = verifier.issuer();
            let refusal = Refusal::because(Reason::IssuerUnknown, "an issuer trusted here", &found);
            return (None, Verdict::Rejected(refusal));
        }
        // Read before the signature is checked: should the keys change meanwhile, what is kept here counts for nothing.
        let generation = verifier.generation();
        let verdict = match verifier.verify(token, terms).await {
            Verdict::Accepted(caller) => {
                if let Some(generation) = generation {
                    let length = unverified_bearer.len();
                    let entry = Entry { caller: Arc::clone(&caller), verifier: place, generation, length };
                    self.verified.keep(fingerprint, entry);
                }
                Verdict::Accepted(caller)
            }
            Verdict::Rejected(refusal) => Verdict::Rejected(Refusal { verifier: Some(Arc::clone(name)), ..refusal }),
            unavailable @ Verdict::Unavailable { .. } => unavailable,
        };
        (Some(place), verdict)
    }

    /// The verifier that a token is for: that of its issuer, or the one for opaque tokens.
    fn pick<'t>(&self, unverified_bearer: &'t str) -> Result<(usize, Unverified<'t>), Refusal> {
        let token = UnverifiedToken::from_bearer(unverified_bearer)?;
        if let Some(place) = self.opaque.filter(|_| !token.looks_like_jwt()) {
            return Ok((place, Unverified::Opaque(token)));
        }
        let jwt = UnverifiedJwt::parse(token)?;
        let issuer = &jwt.unverified_claims.issuer;
        let place = self.by_issuer.get(issuer).copied();
        let unknown = || Refusal::because(Reason::IssuerUnknown, "an issuer of [verifiers]", issuer);
        Ok((place.ok_or_else(unknown)?, Unverified::Jwt(jwt)))
    }

    /// Judges anew a token that was accepted before, for as long as the keys are the same.
    fn recall(&self, fingerprint: Fingerprint, trust: &Trust, terms: Terms<'_>) -> Option<(usize, Verdict)> {
        let entry = self.verified.get(fingerprint)?;
        let Link { name, verifier, .. } = self.links.get(entry.verifier).filter(|_| trust.verifiers[entry.verifier])?;
        if verifier.generation()? != entry.generation {
            self.verified.forget(fingerprint);
            return None;
        }
        let verdict = match verifier.recall(&entry.caller, terms) {
            Verdict::Rejected(refusal) => {
                if refusal.reason == Reason::TokenExpired {
                    self.verified.forget(fingerprint);
                }
                Verdict::Rejected(Refusal { verifier: Some(Arc::clone(name)), ..refusal })
            }
            verdict => verdict,
        };
        Some((entry.verifier, verdict))
    }

    /// Has every verifier begin to fetch what it needs. To be called within a runtime.
    pub fn warm_up(&self) {
        self.links.iter().for_each(|link| link.verifier.warm_up());
    }

    /// Whether the gateway should be sent traffic, as far as the verifiers have a say in it.
    pub fn is_ready(&self) -> bool {
        self.links.iter().all(|link| link.verifier.is_ready())
    }

    /// How the verifiers get on, by name.
    pub fn readiness(&self) -> Vec<Readiness> {
        let mut all: Vec<_> = self.links.iter().map(Link::readiness).collect();
        all.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// Fetches the keys of the verifier of that name at once, and says how they get on then.
    ///
    /// # Errors
    /// There are no keys to be fetched under that name, or they could not be had.
    pub async fn refresh(&self, name: &str) -> Result<Readiness, NotRefreshed> {
        let link = self.links.iter().find(|link| *link.name == *name).ok_or(NotRefreshed::Unknown)?;
        let refresh = link.verifier.refresh().ok_or(NotRefreshed::NotFetched)?;
        refresh.await.map_err(NotRefreshed::Failed)?;
        Ok(link.readiness())
    }
}

impl Link {
    fn readiness(&self) -> Readiness {
        Readiness {
            name: self.name.to_string(),
            issuer: self.verifier.issuer().to_owned(),
            is_ready: self.verifier.is_ready(),
            keys: self.verifier.report(),
        }
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

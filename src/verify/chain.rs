//! The chain: which verifiers guard the API. A token's exact `iss` picks one of them; they are never tried in turn.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::table::list;
use super::token::{UnverifiedJwt, UnverifiedToken, judge_size};
use super::verified::{Entry, Fingerprint, Verified};
use super::{FetchErrorClass, KeySetReport, Setup, Terms, Tokens, Unverified, Verifier, parse_table};
use crate::core::clock::Timestamp;
use crate::core::error::Misconfiguration;
use crate::core::policy::Audience;
use crate::core::verdict::{Reason, Refusal, Verdict};

/// The verifiers there are, and which of them guard the API.
pub struct Chain {
    links: Vec<Link>,
    /// Places in `links`, by the `iss` of the tokens that they take.
    by_issuer: HashMap<String, usize>,
    /// The place in `links` of the one that takes opaque tokens.
    opaque: Option<usize>,
    api: Trust,
    verified: Verified,
}

struct Link {
    name: Arc<str>,
    verifier: Arc<dyn Verifier>,
}

/// Whose tokens are good at a door, and whom they must be meant for there.
#[derive(Clone, Debug)]
pub struct Trust {
    /// For each verifier of the chain, whether its tokens are good here.
    verifiers: Box<[bool]>,
    audience: Option<Audience>,
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
        if mistakes.is_empty() { Ok(Self::of(links, chain)) } else { Err(mistakes) }
    }

    fn of(links: Vec<Link>, api: &[String]) -> Self {
        let takes = |tokens| move |(_, link): &(usize, &Link)| [tokens, Tokens::All].contains(&link.verifier.takes());
        let jwts = links.iter().enumerate().filter(takes(Tokens::Jwts));
        let by_issuer = jwts.map(|(place, link)| (link.verifier.issuer().to_owned(), place)).collect();
        let opaque = links.iter().enumerate().find(takes(Tokens::Opaque)).map(|(place, _)| place);
        let api = trust(&links, api, None);
        Self { links, by_issuer, opaque, api, verified: Verified::new() }
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
        if let Err(refusal) = judge_size(unverified_bearer) {
            return Verdict::Rejected(refusal);
        }
        let terms = Terms { audience: trust.audience.as_ref(), now };
        let fingerprint = Fingerprint::of(unverified_bearer);
        if let Some(verdict) = self.recall(fingerprint, trust, terms) {
            return verdict;
        }
        let (place, token) = match self.pick(unverified_bearer) {
            Ok(picked) => picked,
            Err(refusal) => return Verdict::Rejected(refusal),
        };
        let Link { name, verifier } = &self.links[place];
        if !trust.verifiers[place] {
            let found = verifier.issuer();
            return Verdict::Rejected(Refusal::because(Reason::IssuerUnknown, "an issuer trusted here", &found));
        }
        // Read before the signature is checked: should the keys change meanwhile, what is kept here counts for nothing.
        let generation = verifier.generation();
        match verifier.verify(token, terms).await {
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
        }
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
    fn recall(&self, fingerprint: Fingerprint, trust: &Trust, terms: Terms<'_>) -> Option<Verdict> {
        let entry = self.verified.get(fingerprint)?;
        let Link { name, verifier } = self.links.get(entry.verifier).filter(|_| trust.verifiers[entry.verifier])?;
        if verifier.generation()? != entry.generation {
            self.verified.forget(fingerprint);
            return None;
        }
        match verifier.recall(&entry.caller, terms) {
            Verdict::Rejected(refusal) => {
                if refusal.reason == Reason::TokenExpired {
                    self.verified.forget(fingerprint);
                }
                Some(Verdict::Rejected(Refusal { verifier: Some(Arc::clone(name)), ..refusal }))
            }
            verdict => Some(verdict),
        }
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
    Ok(Link { name: name.into(), verifier })
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

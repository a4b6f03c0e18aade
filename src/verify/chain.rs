//! The chain: which verifiers guard the API. A token's exact `iss` picks one of them; they are never tried in turn.

use std::collections::HashMap;
use std::sync::Arc;

use quick_cache::sync::Cache;

use super::token::{UnverifiedJwt, UnverifiedToken};
use super::verified::{Fingerprint, Verified};
use super::{FetchErrorClass, IntrospectionReport, KeySetReport, LoginOffer, Terms, Unverified, Verifier};
use crate::core::clock::Timestamp;
use crate::core::policy::Audience;
use crate::core::verdict::{Reason, Refusal, Verdict};
use crate::telemetry::metrics::{VerifiedCacheMetrics, VerifierMetrics};

mod at_hand;
mod build;

pub use at_hand::AtHand;
use at_hand::{Forged, named};

/// The verifiers there are, and which of them guard the API.
pub struct Chain {
    pub(super) links: Vec<Link>,
    /// Places in `links`, by the `iss` of the tokens that they take.
    by_issuer: HashMap<String, usize>,
    /// The place in `links` of the one that takes opaque tokens.
    pub(super) opaque: Option<usize>,
    api: Trust,
    verified: Verified,
    /// The tokens whose signature did not match, that who goes on sending one costs no check each time.
    forged: Cache<Fingerprint, Forged>,
    /// Of tokens that did not get as far as a verifier.
    unassigned: VerifierMetrics,
}

pub(super) struct Link {
    pub(super) name: Arc<str>,
    pub(super) verifier: Arc<dyn Verifier>,
    metrics: VerifierMetrics,
    cache: VerifiedCacheMetrics,
}

/// The name of a verifier, where the configuration names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// The key that names it, like `guards.billing.verifiers`.
    pub key: String,
    /// Its name.
    pub name: String,
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

    /// Decides about what was sent as a token, for the door that trusts as `trust` says.
    pub async fn verify(&self, unverified_bearer: &[u8], trust: &Trust, now: Timestamp) -> Verdict {
        let known = self.at_hand(unverified_bearer, trust, now);
        if let Some(known) = known {
            known.count();
            return known.verdict;
        }
        let terms = Terms { audience: trust.audience.as_ref(), now };
        let (place, verdict) = self.decide(unverified_bearer, trust, terms).await;
        let link = place.map(|place| &self.links[place]);
        link.map_or(&self.unassigned, |link| &link.metrics).decided(&verdict);
        named(verdict, link)
    }

    /// Counts a request that carried no token.
    pub fn missing(&self) {
        self.unassigned.rejected(Reason::TokenMissing);
    }

    /// Counts a request that carried more than one token.
    pub fn repeated(&self) {
        self.unassigned.repeated();
    }

    /// Decides about a token of which nothing is known, and tells the place of the verifier that did.
    async fn decide(&self, unverified_bearer: &[u8], trust: &Trust, terms: Terms<'_>) -> (Option<usize>, Verdict) {
        let picked = UnverifiedToken::from_bearer(unverified_bearer).and_then(|token| self.pick(token, trust));
        let (place, token) = match picked {
            Ok(picked) => picked,
            Err(refusal) => return (None, Verdict::Rejected(refusal)),
        };
        let Link { verifier, cache, .. } = &self.links[place];
        // Read before the signature is checked: should the keys change meanwhile, what is kept here counts for nothing.
        let generation = verifier.generation();
        if generation.is_some() {
            cache.miss();
        }
        let verdict = verifier.verify(token, terms).await;
        if let Some(generation) = generation {
            self.remember(Fingerprint::of(unverified_bearer), &verdict, (place, generation));
        }
        (Some(place), verdict)
    }

    /// The verifier that a token is for, if it is trusted: that of its issuer, or the one for opaque tokens.
    pub(super) fn pick<'t>(
        &self,
        token: UnverifiedToken<'t>,
        trust: &Trust,
    ) -> Result<(usize, Unverified<'t>), Refusal> {
        if let Some(place) = self.opaque.filter(|place| trust.verifiers[*place] && !token.looks_like_jwt()) {
            return Ok((place, Unverified::Opaque(token)));
        }
        let jwt = UnverifiedJwt::parse(token).map_err(|refusal| self.not_a_jwt(refusal, token, trust))?;
        let issuer = &jwt.unverified_claims.issuer;
        let place = self.by_issuer.get(issuer).copied().filter(|place| trust.verifiers[*place]);
        let unknown = || Refusal::because(Reason::IssuerUnknown, self.expected_issuer(issuer, trust), issuer);
        Ok((place.ok_or_else(unknown)?, Unverified::Jwt(jwt)))
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

    /// Where people can log in for a token that the API accepts, as far as that is known now. What is not is asked for meanwhile. To be
    /// called within a runtime.
    pub fn login_offers(&self) -> Vec<Arc<LoginOffer>> {
        let of_api = self.links.iter().zip(&self.api.verifiers).filter(|(_, is_trusted)| **is_trusted);
        of_api.filter_map(|(link, _)| link.verifier.browser_login()?.known()).collect()
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

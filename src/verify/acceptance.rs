//! The keys that every verifier of somebody else's tokens has: which of its issuer's tokens are accepted, and what they grant here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jsonwebtoken::Algorithm;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::rules::{ACCESS_TOKEN, Rules, UNTYPED};
use super::{ScopeMeaning, Setup};
use crate::core::claim_path::ClaimPath;
use crate::core::claim_rule::ClaimRule;
use crate::core::claims::{Caller, OwnerClaim, Reading, UnverifiedClaims};
use crate::core::error::{Mistakes, list};
use crate::core::period::Period;
use crate::core::policy::Audience;
use crate::core::type_scopes::TypeScopes;
use crate::net::{secure_url, shown};

/// Which tokens of an issuer are accepted, and what they grant here.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AcceptanceSettings {
    /// The `iss` of its tokens, byte for byte.
    pub(super) issuer: String,
    /// Whom its tokens are for: at least one of these …
    audience: Vec<String>,
    /// … and every one of these.
    audience_all: Vec<String>,
    /// The claim that says whom a token is for.
    audience_claim: ClaimPath,
    /// What its scopes mean here; one that is not listed grants nothing.
    scopes: BTreeMap<String, String>,
    /// Scopes that each of its tokens has.
    grants: Vec<String>,
    /// The claims that its scopes are read from.
    grants_from: Vec<ClaimPath>,
    /// What its tokens have to say besides.
    required_claims: Vec<ClaimRule>,
    /// What owns the requests that come with its tokens.
    owner: OwnerClaim,
    /// The claim with the e-mail address.
    email_claim: ClaimPath,
    /// The `typ` that the header of its access tokens has; `none` for a header without one.
    typ: Vec<String>,
    /// How far its clock may be from ours.
    leeway: Period,
    /// Whether its provider may be asked without encryption on another machine too.
    pub(super) allow_http: bool,
    /// The scopes of request types, which are no part of the table.
    #[serde(skip)]
    type_scopes: TypeScopes,
}

impl Default for AcceptanceSettings {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audience: Vec::new(),
            audience_all: Vec::new(),
            audience_claim: "aud".into(),
            scopes: BTreeMap::new(),
            grants: Vec::new(),
            grants_from: vec!["scope".into(), "scp".into()],
            required_claims: Vec::new(),
            owner: OwnerClaim::default(),
            email_claim: "email".into(),
            typ: [ACCESS_TOKEN, "JWT", UNTYPED].map(str::to_owned).to_vec(),
            leeway: Period::seconds(5),
            allow_http: false,
            type_scopes: TypeScopes::default(),
        }
    }
}

const MAX_LEEWAY: Period = Period::seconds(60);

impl AcceptanceSettings {
    /// Judges them.
    pub(super) fn check(&self, setup: &Setup<'_>, mistakes: &mut Mistakes<'_>) {
        self.check_issuer(setup, mistakes);
        self.check_audience(mistakes);
        self.check_type_and_leeway(mistakes);
        self.check_scopes(&setup.type_scopes, mistakes);
    }

    /// The same, knowing the scopes of request types.
    pub(super) fn knowing(&self, type_scopes: &TypeScopes) -> Self {
        Self { type_scopes: type_scopes.clone(), ..self.clone() }
    }

    fn check_issuer(&self, setup: &Setup<'_>, mistakes: &mut Mistakes<'_>) {
        let remedy = "Write the exact `iss` of its tokens, like \"https://TENANT.eu.auth0.com/\"";
        if self.issuer.is_empty() {
            mistakes.add("issuer", "is missing", remedy);
        } else if let Err(problem) = secure_url(&self.issuer, self.allow_http) {
            mistakes.add("issuer", format!("\"{}\" {problem}", shown(&self.issuer)), remedy);
        } else if self.issuer.contains(['?', '#']) {
            mistakes.add("issuer", format!("\"{}\" has a query or a fragment", shown(&self.issuer)), remedy);
        } else if setup.own.as_ref().is_some_and(|own| own.url == self.issuer) {
            let problem = "is our own, and whoever makes its tokens could speak in our name";
            mistakes.add("issuer", problem, "Name the other issuer, or write kind = \"self\"");
        }
    }

    fn check_audience(&self, mistakes: &mut Mistakes<'_>) {
        let names = || self.audience.iter().chain(&self.audience_all);
        if names().next().is_none() || names().any(String::is_empty) {
            let problem = "is missing or empty, so that tokens meant for other services would pass";
            mistakes.add("audience", problem, "Name the `aud` that its tokens for this gateway have");
        }
    }

    fn check_type_and_leeway(&self, mistakes: &mut Mistakes<'_>) {
        if self.typ.is_empty() || self.typ.iter().any(String::is_empty) {
            let remedy = format!("Leave it out, or write what it may be: {}", list([ACCESS_TOKEN, "JWT", UNTYPED]));
            mistakes.add("typ", "is empty or has an empty name", remedy);
        }
        if self.leeway > MAX_LEEWAY {
            let problem = format!("{} is more than the {} allowed", self.leeway, MAX_LEEWAY);
            mistakes.add("leeway", problem, "Set the clocks by NTP, and leave it out");
        }
    }

    fn check_scopes(&self, type_scopes: &TypeScopes, mistakes: &mut Mistakes<'_>) {
        let is_unknown = |scope: &str| !type_scopes.is_scope(scope);
        let remedy = || format!("Write one of {}", list(type_scopes.all_names()));
        for (foreign, scope) in self.scopes.iter().filter(|(_, scope)| is_unknown(scope)) {
            mistakes.add(
                &format!("scopes.\"{foreign}\""),
                format!("\"{scope}\" is no scope of this gateway"),
                remedy(),
            );
        }
        for scope in self.grants.iter().filter(|scope| is_unknown(scope)) {
            mistakes.add("grants", format!("\"{scope}\" is no scope of this gateway"), remedy());
        }
    }

    /// What a client asks its issuer for, so that its token is accepted: the first that it may be meant for, what its scopes mean here, and
    /// what it grants in any case.
    pub(super) fn asked_for(&self) -> (&str, &BTreeMap<String, String>, &[String]) {
        let audience = self.audience.first().or(self.audience_all.first());
        (audience.map(String::as_str).unwrap_or_default(), &self.scopes, &self.grants)
    }

    /// What its tokens have to be like, signed with one of these algorithms.
    pub(super) fn rules(&self, algorithms: Vec<Algorithm>) -> Rules {
        Rules {
            algorithms,
            types: self.typ.clone(),
            leeway: self.leeway.duration(),
            audience: Audience { any: self.audience.clone(), all: self.audience_all.clone() },
            audience_claim: self.audience_claim.clone(),
            owner: self.owner,
            required_claims: self.required_claims.clone(),
        }
    }

    /// Whom genuine claims speak for.
    pub(super) fn caller(&self, claims: UnverifiedClaims) -> Arc<Caller> {
        let foreign = || self.grants_from.iter().flat_map(|claim| claim.words(&claims.all));
        let scopes: BTreeSet<String> =
            foreign().filter_map(|scope| self.scopes.get(scope)).chain(&self.grants).cloned().collect();
        // A word that reads like a scope of ours is not one: only the list makes it that.
        let words = foreign().filter(|word| !self.type_scopes.is_scope(word)).map(str::to_owned);
        let token_scopes = words.chain(scopes.iter().cloned()).collect();
        let reading = Reading { audience: &self.audience_claim, email: &self.email_claim, owner: self.owner };
        Arc::new(Caller { token_scopes, ..claims.into_caller(scopes, reading) })
    }

    /// What each scope in the claims of one of its tokens grants here.
    pub(super) fn meanings(&self, claims: &Map<String, Value>) -> Vec<ScopeMeaning> {
        let words = self.grants_from.iter().flat_map(|claim| claim.words(claims));
        words.map(|scope| ScopeMeaning { scope: scope.into(), grants: self.scopes.get(scope).cloned() }).collect()
    }
}

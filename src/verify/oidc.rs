//! The kind `oidc`: JWT access tokens of an OpenID provider or any other issuer that publishes its keys.

use std::path::PathBuf;
use std::sync::Arc;

use jsonwebtoken::{Algorithm, AlgorithmFamily};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::acceptance::AcceptanceSettings;
use super::browser_login::{self, BrowserLogin, LoginSetup};
use super::jwks::{KeySource, RemoteKeys, RemoteSetup, Startup};
use super::keys::KeySet;
use super::rules::Rules;
use super::table::Accepting;
use super::{
    FetchErrorClass, KeySetReport, Proof, ScopeMeaning, Setup, Terms, Unverified, UnverifiedJwt, Verifier,
    VerifierSettings,
};
use crate::core::BoxFuture;
use crate::core::claims::Caller;
use crate::core::error::{Misconfiguration, Mistakes, list};
use crate::core::period::Period;
use crate::core::verdict::{Reason, Verdict};
use crate::net::{HttpClient, Provider, secure_url, shown};
use crate::secret::Source;

/// The table of the kind `oidc`.
pub(super) type OidcSettings = Accepting<KeySettings>;

/// Where the keys are, and what they sign with.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct KeySettings {
    /// Where its keys are; unset: where its discovery document says.
    jwks_uri: Option<String>,
    /// Its keys themselves, instead of fetching them: a PEM public key or certificate, or a JWK Set.
    keys: Option<Source>,
    /// What its keys sign with.
    algorithms: Vec<String>,
    /// A PEM file with the certificates of private CAs that its own may be from.
    ca_file: Option<PathBuf>,
    /// How long its keys are used past their lifetime while new ones can not be had.
    stale_if_error: Period,
    /// Whether readiness waits for its keys.
    startup: Startup,
    /// The public client with which people log in there from `/ui/`; unset: they can not.
    ui_client_id: Option<String>,
}

impl Default for KeySettings {
    fn default() -> Self {
        Self {
            jwks_uri: None,
            keys: None,
            algorithms: vec!["RS256".into()],
            ca_file: None,
            stale_if_error: Period::seconds(3600),
            startup: Startup::default(),
            ui_client_id: None,
        }
    }
}

impl VerifierSettings for OidcSettings {
    fn build(&self, name: &str, setup: &Setup<'_>) -> Result<Arc<dyn Verifier>, Vec<Misconfiguration>> {
        let mut mistakes = Mistakes::of("verifiers", name);
        self.acceptance.check(setup, &mut mistakes);
        let algorithms = self.own.algorithms(&mut mistakes);
        self.own.check_stale_window(&mut mistakes);
        let keys = self.own.keys(&self.acceptance, setup, &algorithms, &mut mistakes);
        let login = self.own.ui_client_id.as_deref().map(|client| self.login(client, setup, &mut mistakes));
        let (Some(keys), true) = (keys, mistakes.found.is_empty()) else { return Err(mistakes.found) };
        Ok(Arc::new(Oidc {
            keys,
            rules: self.acceptance.rules(algorithms),
            acceptance: self.acceptance.knowing(&setup.type_scopes),
            login: login.flatten(),
        }))
    }

    fn effective(&self) -> serde_json::Value {
        self.effective("oidc")
    }
}

impl OidcSettings {
    /// How people log in with that public client.
    fn login(&self, client_id: &str, setup: &Setup<'_>, mistakes: &mut Mistakes<'_>) -> Option<BrowserLogin> {
        browser_login::judge(client_id, mistakes);
        let http = self.own.http(self.acceptance.allow_http, setup, mistakes)?;
        let (audience, scopes, grants) = self.acceptance.asked_for();
        Some(BrowserLogin::new(LoginSetup {
            verifier: mistakes.name,
            issuer: &self.acceptance.issuer,
            client_id,
            audience,
            scopes,
            grants,
            allow_http: self.acceptance.allow_http,
            http,
            clock: Arc::clone(&setup.clock),
        }))
    }
}

/// The algorithms that can be allowed: those whose keys can be published.
const ALGORITHMS: &[&str] = &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];
const MAX_STALE_IF_ERROR: Period = Period::seconds(24 * 3600);

impl KeySettings {
    fn algorithms(&self, mistakes: &mut Mistakes<'_>) -> Vec<Algorithm> {
        let remedy = || format!("Allow what its keys sign with: {}", list(ALGORITHMS.iter().copied()));
        if self.algorithms.is_empty() {
            mistakes.add("algorithms", "is empty", remedy());
        }
        let mut allowed = Vec::new();
        for name in &self.algorithms {
            match name.parse::<Algorithm>() {
                Ok(algorithm) if algorithm.family() != AlgorithmFamily::Hmac => allowed.push(algorithm),
                Ok(_) => mistakes.add(
                    "algorithms",
                    format!("{name} needs a shared secret, and published keys are no secret"),
                    remedy(),
                ),
                Err(_) => mistakes.add("algorithms", format!("\"{name}\" can not be allowed"), remedy()),
            }
        }
        allowed
    }

    fn keys(
        &self,
        acceptance: &AcceptanceSettings,
        setup: &Setup<'_>,
        algorithms: &[Algorithm],
        mistakes: &mut Mistakes<'_>,
    ) -> Option<Keys> {
        let source = match (&self.keys, &self.jwks_uri) {
            (Some(_), Some(_)) => {
                mistakes.add("keys", "and jwks_uri are both there", "Keep one of them");
                return None;
            }
            (Some(source), None) => return self.fixed_keys(source, setup, algorithms, mistakes).map(Keys::Fixed),
            (None, Some(address)) => KeySource::Address(address.clone()),
            (None, None) => KeySource::Discovery,
        };
        if let KeySource::Address(address) = &source
            && let Err(problem) = secure_url(address, acceptance.allow_http)
        {
            let remedy = "Write the address of its JWK Set, or leave it out for discovery";
            mistakes.add("jwks_uri", format!("\"{}\" {problem}", shown(address)), remedy);
        }
        let (verifier, allow_http) = (mistakes.name, acceptance.allow_http);
        let http = self.http(allow_http, setup, mistakes)?;
        Some(Keys::Remote(RemoteKeys::new(RemoteSetup {
            issuer: acceptance.issuer.clone(),
            source,
            algorithms: algorithms.to_vec(),
            stale_if_error: self.stale_if_error.duration(),
            startup: self.startup,
            allow_http,
            http,
            clock: Arc::clone(&setup.clock),
            entropy: Arc::clone(&setup.entropy),
            metrics: setup.metrics.key_set(verifier),
            waiting: setup.waiting.clone(),
        })))
    }

    /// What asks the provider.
    fn http(&self, allow_http: bool, setup: &Setup<'_>, mistakes: &mut Mistakes<'_>) -> Option<HttpClient> {
        let provider = Provider { verifier: mistakes.name, ca_file: self.ca_file.as_deref(), allow_http };
        let client = setup.net.client(provider);
        // Both who ask may find the same mistake.
        client.map_err(|mistake| (!mistakes.found.contains(&mistake)).then(|| mistakes.found.push(mistake))).ok()
    }

    fn check_stale_window(&self, mistakes: &mut Mistakes<'_>) {
        if self.stale_if_error > MAX_STALE_IF_ERROR {
            let problem = format!("{} is more than the {MAX_STALE_IF_ERROR} allowed", self.stale_if_error);
            mistakes.add("stale_if_error", problem, "Write a shorter time");
        }
    }

    fn fixed_keys(
        &self,
        source: &Source,
        setup: &Setup<'_>,
        algorithms: &[Algorithm],
        mistakes: &mut Mistakes<'_>,
    ) -> Option<KeySet> {
        let remedy = "Name a PEM public key or certificate, or a JWK Set, that fits `algorithms`";
        let read = source.read(setup.base).and_then(|text| {
            let keys = KeySet::from_text(text.expose_secret()).map_err(|problem| format!("{source} {problem}"))?;
            if keys.serves(algorithms) {
                Ok(keys)
            } else {
                Err(format!("{source} holds no key for {}", self.algorithms.join(", ")))
            }
        });
        read.map_err(|problem| mistakes.add("keys", problem, remedy)).ok()
    }
}

enum Keys {
    Fixed(KeySet),
    Remote(RemoteKeys),
}

struct Oidc {
    keys: Keys,
    rules: Rules,
    acceptance: AcceptanceSettings,
    login: Option<BrowserLogin>,
}

impl Oidc {
    async fn judge(&self, jwt: UnverifiedJwt<'_>, terms: Terms<'_>) -> Verdict {
        let algorithm = match self.rules.judge(&jwt, terms) {
            Ok(algorithm) => algorithm,
            Err(refusal) => return Verdict::Rejected(refusal),
        };
        let checked = match &self.keys {
            Keys::Fixed(keys) => keys.check(&jwt, algorithm).map_err(Verdict::Rejected),
            Keys::Remote(keys) => keys.check(&jwt, algorithm).await,
        };
        match checked {
            Ok(()) => Verdict::Accepted(self.acceptance.caller(jwt.unverified_claims)),
            Err(verdict) => verdict,
        }
    }
}

impl Verifier for Oidc {
    fn issuer(&self) -> &str {
        &self.acceptance.issuer
    }

    fn rules(&self) -> &Rules {
        &self.rules
    }

    fn verify<'a>(&'a self, token: Unverified<'a>, terms: Terms<'a>) -> BoxFuture<'a, Verdict> {
        match token {
            Unverified::Jwt(jwt) => Box::pin(self.judge(jwt, terms)),
            Unverified::Opaque(_) => Box::pin(std::future::ready(Verdict::Rejected(Reason::TokenMalformed.into()))),
        }
    }

    fn generation(&self) -> Option<u64> {
        match &self.keys {
            Keys::Fixed(_) => Some(0),
            Keys::Remote(keys) => keys.generation(),
        }
    }

    fn recall(&self, accepted: &Arc<Caller>, terms: Terms<'_>) -> Verdict {
        let verdict = self.rules.recall(accepted, terms);
        if let (Verdict::Accepted(_), Keys::Remote(keys)) = (&verdict, &self.keys) {
            keys.note_accepted();
        }
        verdict
    }

    fn proof(&self) -> Proof {
        match &self.keys {
            Keys::Fixed(_) => Proof::Keys,
            Keys::Remote(_) => Proof::FetchedKeys,
        }
    }

    fn meanings(&self, claims: &Map<String, Value>) -> Vec<ScopeMeaning> {
        self.acceptance.meanings(claims)
    }

    fn warm_up(&self) {
        if let Keys::Remote(keys) = &self.keys {
            keys.warm_up();
        }
        if let Some(login) = &self.login {
            login.warm_up();
        }
    }

    fn is_ready(&self) -> bool {
        match &self.keys {
            Keys::Fixed(_) => true,
            Keys::Remote(keys) => keys.is_ready(),
        }
    }

    fn report(&self) -> Option<KeySetReport> {
        match &self.keys {
            Keys::Fixed(_) => None,
            Keys::Remote(keys) => Some(keys.report()),
        }
    }

    fn browser_login(&self) -> Option<&BrowserLogin> {
        self.login.as_ref()
    }

    fn refresh(&self) -> Option<BoxFuture<'_, Result<(), FetchErrorClass>>> {
        match &self.keys {
            Keys::Fixed(_) => None,
            Keys::Remote(keys) => Some(Box::pin(keys.refresh())),
        }
    }
}

//! The kind `introspection`: tokens whose issuer is asked about them (RFC 7662). It serves opaque tokens and, where configured, JWTs.

use std::path::PathBuf;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::rules::Rules;
use super::table::Accepting;
use super::{
    IntrospectionReport, Proof, ScopeMeaning, Setup, Step, Terms, Tokens, Unverified, UnverifiedToken, Verifier,
    VerifierSettings,
};
use crate::core::BoxFuture;
use crate::core::error::{Misconfiguration, Mistakes};
use crate::core::period::Period;
use crate::core::verdict::{Reason, Refusal, Verdict};
use crate::net::{self, HttpClient, secure_url, shown};
use crate::secret::Source;

mod answer;
mod calls;
mod facts;
mod introspector;
mod provider;

use calls::Calls;
use facts::Facts;
use introspector::Introspector;
use provider::{ClientAuth, Discovered, Endpoint, Provider};

/// The table of the kind `introspection`.
pub(super) type IntrospectionSettings = Accepting<AskingSettings>;

/// How the issuer is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AskingSettings {
    /// Where it is asked; unset: where its discovery document says.
    endpoint: Option<String>,
    /// Who we are there.
    client_id: String,
    /// Our secret there.
    client_secret: Option<Source>,
    /// How we send it.
    auth: ClientAuth,
    /// Which tokens it is asked about.
    tokens: AskedTokens,
    /// How long an answer is believed; 0: for one request.
    cache: Period,
    /// How many times in a second it is asked about tokens that nobody knows.
    rate: u32,
    /// A PEM file with the certificates of private CAs that its own may be from.
    ca_file: Option<PathBuf>,
}

/// Which tokens an issuer is asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AskedTokens {
    /// Those that say nothing of themselves.
    #[default]
    Opaque,
    /// JWTs that name it.
    Jwt,
    /// Both.
    All,
}

impl From<AskedTokens> for Tokens {
    fn from(asked: AskedTokens) -> Self {
        match asked {
            AskedTokens::Opaque => Self::Opaque,
            AskedTokens::Jwt => Self::Jwts,
            AskedTokens::All => Self::All,
        }
    }
}

impl Default for AskingSettings {
    fn default() -> Self {
        Self {
            endpoint: None,
            client_id: String::new(),
            client_secret: None,
            auth: ClientAuth::default(),
            tokens: AskedTokens::default(),
            cache: Period::seconds(30),
            rate: 100,
            ca_file: None,
        }
    }
}

impl VerifierSettings for IntrospectionSettings {
    fn build(&self, name: &str, setup: &Setup<'_>) -> Result<Arc<dyn Verifier>, Vec<Misconfiguration>> {
        let mut mistakes = Mistakes::of("verifiers", name);
        self.acceptance.check(setup, &mut mistakes);
        self.own.check(self.acceptance.allow_http, &mut mistakes);
        let client_secret = self.own.read_secret(setup, &mut mistakes);
        let trust = net::Provider {
            verifier: name,
            ca_file: self.own.ca_file.as_deref(),
            allow_http: self.acceptance.allow_http,
        };
        let http = setup.net.client(trust).map_err(|mistake| mistakes.found.push(mistake)).ok();
        match (client_secret, http) {
            (Some(client_secret), Some(http)) if mistakes.found.is_empty() => {
                Ok(Arc::new(self.verifier(name, client_secret, http, setup)))
            }
            _ => Err(mistakes.found),
        }
    }

    fn effective(&self) -> serde_json::Value {
        self.effective("introspection")
    }
}

impl IntrospectionSettings {
    fn verifier(&self, name: &str, client_secret: SecretString, http: HttpClient, setup: &Setup<'_>) -> Introspection {
        let Self { acceptance, own } = self;
        let endpoint = match &own.endpoint {
            Some(address) => Endpoint::Address(address.as_str().into()),
            None => Endpoint::Discovery(Discovered::nothing()),
        };
        let provider = Provider {
            issuer: acceptance.issuer.clone(),
            endpoint,
            client_id: own.client_id.clone(),
            client_secret,
            auth: own.auth,
            allow_http: acceptance.allow_http,
            http,
            clock: Arc::clone(&setup.clock),
        };
        let introspector = Introspector {
            name: name.to_owned(),
            // Which algorithm a token is signed with is for its issuer to check.
            rules: acceptance.rules(Vec::new()),
            acceptance: acceptance.knowing(&setup.type_scopes),
            provider,
            facts: Facts::new(own.cache.duration()),
            calls: Calls::new(own.rate, setup.waiting.clone()),
            lately: std::sync::Mutex::default(),
            clock: Arc::clone(&setup.clock),
            metrics: setup.metrics.introspection(name),
        };
        Introspection { tokens: own.tokens.into(), introspector: Arc::new(introspector) }
    }
}

/// A token that may be revoked has to be asked about again soon.
const MAX_CACHE: Period = Period::seconds(60);

impl AskingSettings {
    fn check(&self, allow_http: bool, mistakes: &mut Mistakes<'_>) {
        if let Some(address) = &self.endpoint
            && let Err(problem) = secure_url(address, allow_http)
        {
            let remedy = "Write the address of its introspection endpoint, or leave it out for discovery";
            mistakes.add("endpoint", format!("\"{}\" {problem}", shown(address)), remedy);
        }
        if self.client_id.is_empty() {
            let remedy = "Name the client that this gateway is at the provider, one that may introspect";
            mistakes.add("client_id", "is missing", remedy);
        }
        if self.cache > MAX_CACHE {
            let problem = format!("{} is more than the {MAX_CACHE} allowed", self.cache);
            mistakes.add("cache", problem, "Leave it out: a revoked token is accepted for that long");
        }
        if self.rate == 0 {
            let problem = "is 0, so that nobody could be told from an intruder";
            mistakes.add("rate", problem, "Write how many calls in a second the provider bears");
        }
    }

    fn read_secret(&self, setup: &Setup<'_>, mistakes: &mut Mistakes<'_>) -> Option<SecretString> {
        let remedy = "Name where the secret of that client is, as \"file:PATH\" or \"env:NAME\"";
        let read = match &self.client_secret {
            Some(source) => source.read(setup.base),
            None => Err("is missing".into()),
        };
        let filled =
            read.and_then(|secret| if secret.expose_secret().is_empty() { Err("is empty".into()) } else { Ok(secret) });
        filled.map_err(|problem| mistakes.add("client_secret", problem, remedy)).ok()
    }
}

/// The shortest opaque token that its issuer is asked about, in bytes. One that could not be guessed is longer (RFC 6749 section 10.10).
const MIN_OPAQUE_BYTES: usize = 16;

struct Introspection {
    tokens: Tokens,
    introspector: Arc<Introspector>,
}

impl Introspection {
    /// What can be told without asking.
    fn judge_unasked<'t>(&self, token: &Unverified<'t>, terms: Terms<'_>) -> Result<UnverifiedToken<'t>, Refusal> {
        match token {
            Unverified::Opaque(token) if token.as_str().len() < MIN_OPAQUE_BYTES => {
                let expected = format!("an opaque token of at least {MIN_OPAQUE_BYTES} bytes");
                Err(Refusal::because(Reason::TokenMalformed, expected, &token.as_str().len()))
            }
            Unverified::Opaque(token) => Ok(*token),
            Unverified::Jwt(jwt) => {
                self.introspector.judge_before_asking(jwt, terms)?;
                Ok(jwt.text)
            }
        }
    }
}

impl Verifier for Introspection {
    fn issuer(&self) -> &str {
        &self.introspector.provider.issuer
    }

    fn rules(&self) -> &Rules {
        &self.introspector.rules
    }

    fn takes(&self) -> Tokens {
        self.tokens
    }

    fn verify<'a>(&'a self, token: Unverified<'a>, terms: Terms<'a>) -> BoxFuture<'a, Verdict> {
        match self.judge_unasked(&token, terms) {
            Ok(token) => Box::pin(self.introspector.judge(token, terms)),
            Err(refusal) => Box::pin(std::future::ready(Verdict::Rejected(refusal))),
        }
    }

    /// What it learns holds for a time of its own, and not for as long as some keys do.
    fn generation(&self) -> Option<u64> {
        None
    }

    fn explain(&self, token: &Unverified<'_>, terms: Terms<'_>) -> Vec<Step> {
        match token {
            Unverified::Jwt(jwt) => self.introspector.rules.explain(&Rules::CHECKS_BEFORE_ASKING, jwt, terms),
            Unverified::Opaque(_) => vec![Step::of("length", self.judge_unasked(token, terms).map(drop))],
        }
    }

    fn proof(&self) -> Proof {
        Proof::Introspection
    }

    fn meanings(&self, claims: &Map<String, Value>) -> Vec<ScopeMeaning> {
        self.introspector.acceptance.meanings(claims)
    }

    fn warm_up(&self) {
        self.introspector.find_endpoint();
    }

    fn calls(&self) -> Option<IntrospectionReport> {
        Some(self.introspector.report())
    }
}

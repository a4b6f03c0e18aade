//! The issuer: mints the tokens that the verifier kind `self` checks.

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::lifetime;
use super::signer::Signer;
use crate::core::clock::Timestamp;
use crate::core::entropy::Entropy;
use crate::core::error::Misconfiguration;
use crate::core::period::Period;
use crate::secret::Source;

/// The `[issuer]` section.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IssuerSettings {
    /// The `iss` of the tokens; default: `server.public_url`, else `http://localhost:8080`.
    pub url: Option<String>,
    /// The `aud` of the tokens.
    pub audience: Vec<String>,
    /// How tokens are signed.
    pub algorithm: SigningAlgorithm,
    /// The secrets of HS256: the first signs, all verify. None: one is made in the data directory.
    pub secrets: Vec<Source>,
    /// How long a token is valid.
    pub lifetime: Period,
    /// How long what a person has granted can be refreshed.
    pub refresh_lifetime: Period,
    /// Gives tokens without credentials (development mode only).
    pub open: bool,
    /// The subject of those tokens.
    pub open_subject: String,
}

impl Default for IssuerSettings {
    fn default() -> Self {
        Self {
            url: None,
            audience: vec!["anteroom".into()],
            algorithm: SigningAlgorithm::HS256,
            secrets: Vec::new(),
            lifetime: Period::seconds(3600),
            refresh_lifetime: Period::seconds(30 * 24 * 3600),
            open: false,
            open_subject: String::new(),
        }
    }
}

/// How the issuer signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SigningAlgorithm {
    /// HMAC with SHA-256, by a secret that nobody else has.
    HS256,
    /// ECDSA on P-256 with SHA-256, by keys in the store whose public ones are published.
    ES256,
}

impl IssuerSettings {
    /// What is wrong with the section by itself; the audience and the strength of secrets are judged with the verifier of our tokens.
    pub fn mistakes(&self) -> Vec<Misconfiguration> {
        let mut mistakes = Vec::new();
        if self.url.as_deref().is_some_and(str::is_empty) {
            let remedy = "Give the address that clients know the gateway by, or leave the key out";
            mistakes.push(Misconfiguration::new("issuer.url", "is empty", remedy));
        }
        if self.url.as_deref().is_some_and(|url| url.contains("://") && url.contains(['?', '#'])) {
            let problem =
                "has a query or a fragment, which RFC 8414 section 2 forbids: no client would find the metadata";
            mistakes.push(Misconfiguration::new("issuer.url", problem, "Leave out what begins with ? or #"));
        }
        if let Err(problem) = lifetime::judge(self.lifetime) {
            mistakes.push(Misconfiguration::new("issuer.lifetime", problem, "Leave it out, or write one like \"1h\""));
        }
        if self.algorithm == SigningAlgorithm::ES256 && !self.secrets.is_empty() {
            let problem = "are given, and issuer.algorithm is \"ES256\", which signs with keys that are in the store";
            mistakes.push(Misconfiguration::new("issuer.secrets", problem, "Leave them out, or write \"HS256\""));
        }
        if let Err(problem) = lifetime::judge(self.refresh_lifetime) {
            let remedy =
                "Leave it out, or write one like \"30 days\"; who may not refresh has no refresh_token in `grants`";
            mistakes.push(Misconfiguration::new("issuer.refresh_lifetime", problem, remedy));
        }
        mistakes
    }

    /// Reads the secrets; `file:` paths are relative to `base`. Their length is the verifier's to judge.
    ///
    /// # Errors
    /// Every secret that can not be read.
    pub fn read_secrets(&self, base: &Path) -> Result<Vec<SecretString>, Vec<Misconfiguration>> {
        let (mut secrets, mut mistakes) = (Vec::new(), Vec::new());
        for source in &self.secrets {
            match source.read(base) {
                Ok(secret) => secrets.push(secret),
                Err(problem) => {
                    let remedy =
                        "Put the secret there, or name another place; without `secrets` one is made in data_dir";
                    mistakes.push(Misconfiguration::new("issuer.secrets", problem, remedy));
                }
            }
        }
        if mistakes.is_empty() { Ok(secrets) } else { Err(mistakes) }
    }
}

/// Mints tokens.
pub struct Issuer {
    url: String,
    audience: Vec<String>,
    lifetime: Duration,
    signer: Signer,
    refresh_lifetime: Duration,
    open_subject: Option<String>,
    entropy: std::sync::Arc<dyn Entropy>,
}

/// What a token says; RFC 9068 section 2.2.
#[derive(Serialize)]
struct AccessTokenClaims<'a> {
    iss: &'a str,
    aud: Audience<'a>,
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    iat: i64,
    exp: i64,
    jti: String,
    scope: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant_id: Option<&'a str>,
}

/// What a token is to say.
#[derive(Debug)]
pub struct Minting<'a> {
    /// Whom it speaks for.
    pub subject: &'a str,
    /// By way of which client.
    pub client_id: Option<&'a str>,
    /// What it allows, separated by spaces.
    pub scope: &'a str,
    /// Which [grant](crate::core::ports::records::RecordKind::Grant) it comes of.
    pub grant_id: Option<&'a str>,
    /// For how long it is valid.
    pub lifetime: Duration,
    /// When it is issued.
    pub now: Timestamp,
}

/// RFC 7519 section 4.1.3: one audience is a text, several are an array.
#[derive(Serialize)]
#[serde(untagged)]
enum Audience<'a> {
    One(&'a str),
    Several(&'a [String]),
}

impl Issuer {
    /// An issuer that signs with `signer`.
    pub fn new(url: String, settings: &IssuerSettings, signer: Signer, entropy: std::sync::Arc<dyn Entropy>) -> Self {
        Self {
            url,
            audience: settings.audience.clone(),
            lifetime: settings.lifetime.duration(),
            signer,
            refresh_lifetime: settings.refresh_lifetime.duration(),
            open_subject: settings.open.then(|| settings.open_subject.clone()),
            entropy,
        }
    }

    /// The subject of tokens given without credentials, if such are given.
    pub fn open_subject(&self) -> Option<&str> {
        self.open_subject.as_deref()
    }

    /// The `iss` of its tokens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What signs them.
    pub(super) fn signer(&self) -> &Signer {
        &self.signer
    }

    /// How long a grant can be refreshed.
    pub fn refresh_lifetime(&self) -> Duration {
        self.refresh_lifetime
    }

    /// How long its tokens are valid, unless client or scope say otherwise.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Mints a token.
    ///
    /// # Errors
    /// That there is no key yet, or the signing library's.
    pub fn mint(&self, minting: &Minting<'_>) -> Result<String, String> {
        let Minting { subject, client_id, scope, grant_id, lifetime, now } = *minting;
        let claims = AccessTokenClaims {
            iss: &self.url,
            aud: match &self.audience[..] {
                [one] => Audience::One(one),
                several => Audience::Several(several),
            },
            sub: subject,
            client_id,
            iat: now.seconds(),
            exp: now.plus(lifetime).seconds(),
            jti: URL_SAFE_NO_PAD.encode(self.entropy.draw::<16>()),
            scope,
            grant_id,
        };
        self.signer.sign(&claims, now)
    }
}

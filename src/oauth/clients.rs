//! Clients: those that are configured and those that were added, and whether one is who it says it is.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use aws_lc_rs::{constant_time, digest};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::accounts::{ACCOUNT, ANYBODY, FIRST_PARTY};
use super::grant_type::GrantType;
use crate::core::clock::Timestamp;
use crate::core::entropy::Entropy;
use crate::core::error::Misconfiguration;
use crate::core::period::Period;
use crate::core::policy::{REQUESTS_READ, REQUESTS_WORK, REQUESTS_WRITE, WEBHOOKS_MANAGE};
use crate::core::type_scopes::TypeScopes;
use crate::secret::Source;

mod added;
pub mod administration;
pub(super) mod invisible;
mod registry;
mod rules;

pub use registry::Clients;

use invisible::is_invisible;

/// A client's own secret may not be shorter: it is what stands between a guesser and the client, since the rightful client is never
/// locked out.
const SHORTEST_SECRET: usize = 16;

/// One `[clients.NAME]` table. The name is the client id.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSettings {
    /// What people are told that it is called; default: its id.
    #[serde(default)]
    pub name: Option<String>,
    /// Its secrets; several may be valid at once.
    #[serde(default)]
    pub secrets: Vec<ClientSecret>,
    /// Whether it has no secret, since it could not keep one: a program in a browser or on somebody's machine.
    #[serde(default)]
    pub public: bool,
    /// The ways in which it may come to a token; default: by its own credentials, if it has any, and by codes and refresh tokens, if
    /// it has redirect URIs.
    #[serde(default)]
    pub grants: Option<Vec<GrantType>>,
    /// Where people's browsers may be sent with a code, each byte for byte.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// Whether people are asked before it gets a token for them.
    #[serde(default)]
    pub consent: Consent,
    /// The scopes it may ask for; all of them are granted when it asks for none.
    #[serde(default = "default_scopes")]
    pub scopes: Vec<String>,
    /// How long its tokens are valid; default: `issuer.lifetime`.
    #[serde(default)]
    pub lifetime: Option<Period>,
}

impl ClientSettings {
    /// The ways in which it may come to a token.
    pub fn grants(&self) -> Vec<GrantType> {
        let by_secret = (!self.public).then_some(GrantType::ClientCredentials);
        let by_browser = [GrantType::AuthorizationCode, GrantType::RefreshToken];
        let by_browser = by_browser.into_iter().filter(|_| !self.redirect_uris.is_empty());
        self.grants.clone().unwrap_or_else(|| by_secret.into_iter().chain(by_browser).collect())
    }
}

/// Whether people are asked before a client gets a token for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Consent {
    /// They are.
    #[default]
    Ask,
    /// They are not: the client is the Provider's own.
    Auto,
}

/// What a client gets that is configured without scopes.
pub fn default_scopes() -> Vec<String> {
    vec![REQUESTS_READ.into(), REQUESTS_WRITE.into()]
}

/// What the demo client gets: it may try the side of the workers, webhooks, and every type, too.
pub fn demo_scopes(type_scopes: &TypeScopes) -> Vec<String> {
    let mut scopes = default_scopes();
    scopes.extend([REQUESTS_WORK.into(), WEBHOOKS_MANAGE.into()]);
    scopes.extend(type_scopes.iter().map(|(name, _)| name.to_owned()));
    scopes
}

/// A client's secret: the hash of one, or the place of one.
#[derive(Clone, Debug)]
pub enum ClientSecret {
    /// SHA-256 of the secret.
    Sha256([u8; 32]),
    /// Where the secret is.
    At(Source),
}

impl FromStr for ClientSecret {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let remedy = || "write it as \"sha256:HEX\" (64 digits), \"file:PATH\" or \"env:NAME\"".to_owned();
        match text.strip_prefix("sha256:") {
            Some(hex) => hex_digest(hex).map(Self::Sha256).ok_or_else(remedy),
            None => text.parse().map(Self::At).map_err(|_| remedy()),
        }
    }
}

fn hex_digest(hex: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    for (index, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(digest)
}

impl Serialize for ClientSecret {
    /// As the effective configuration shows it: a hash is masked.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Sha256(_) => serializer.serialize_str("sha256:********"),
            Self::At(source) => source.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ClientSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// SHA-256 of a secret, which is all that is kept of it: a generated secret has too many bits to be found from its hash.
pub fn hash(secret: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, secret.as_bytes()).as_ref());
    hash
}

/// A fresh secret of 256 bits, as text.
pub fn generate_secret(entropy: &dyn Entropy) -> SecretString {
    use base64::Engine;
    let bytes: [u8; 32] = entropy.draw();
    SecretString::from(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
}

/// What the subjects of people's tokens begin with, and the gateway's own names.
const RESERVED: [&str; 3] = [ACCOUNT, ANYBODY, "urn:anteroom:"];

/// Whether that can be a client's id: RFC 6749 appendix A.1 has no control characters in one, and what
/// people can not see would make one look like another. A colon may be in it, for in Basic
/// authentication ids are form-encoded (section 2.3.1).
///
/// # Errors
/// What is wrong, to be put after the id.
pub fn judge_id(id: &str) -> Result<(), &'static str> {
    if id.is_empty() || id.chars().any(is_invisible) {
        return Err("can not be a client id: it is empty or has control characters or invisible ones");
    }
    // What a client may do with its own tokens it could do with those of everybody who has logged in.
    if id == FIRST_PARTY {
        return Err("can not be a client id: it is the gateway's own, in the tokens of POST /login");
    }
    // RFC 9068 section 5, RFC 9700 section 4.15: the subject of a client's own tokens is its id, and must never be a person's.
    if RESERVED.iter().any(|beginning| id.starts_with(beginning)) {
        return Err(
            "can not be a client id: what begins with acc_, any: or urn:anteroom: is a person or the gateway in a token",
        );
    }
    Ok(())
}

/// A client that may ask for tokens.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// What people are told that it is called.
    pub name: String,
    /// Whether it has no secret.
    pub is_public: bool,
    /// The ways in which it may come to a token.
    pub grants: Vec<GrantType>,
    /// Where people's browsers may be sent with a code, each byte for byte.
    pub redirect_uris: Vec<String>,
    /// Whether people are asked before it gets a token for them.
    pub consent: Consent,
    /// The scopes it may ask for.
    pub scopes: Vec<String>,
    /// How long its tokens are valid, where it is not as long as everybody's.
    pub lifetime: Option<Duration>,
    /// Its secrets.
    pub(super) secrets: Vec<SecretHash>,
}

/// What is kept of a secret.
#[derive(Clone, Debug)]
pub(super) struct SecretHash {
    /// SHA-256 of it.
    pub(super) sha256: [u8; 32],
    /// It is good until then.
    pub(super) expires_at: Option<Timestamp>,
}

impl Client {
    /// A client with one secret, which gets tokens by it.
    pub fn new(id: impl Into<String>, secret: &SecretString, scopes: Vec<String>) -> Self {
        let (id, grants) = (id.into(), vec![GrantType::ClientCredentials]);
        let secrets = vec![SecretHash { sha256: hash(secret.expose_secret()), expires_at: None }];
        Self { is_public: false, grants, secrets, ..Self::public(&id, &id, Vec::new(), scopes) }
    }

    /// A client without a secret, through which people let themselves in.
    pub fn public(id: &str, name: &str, redirect_uris: Vec<String>, scopes: Vec<String>) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            is_public: true,
            grants: vec![GrantType::AuthorizationCode],
            redirect_uris,
            consent: Consent::Ask,
            scopes,
            lifetime: None,
            secrets: Vec::new(),
        }
    }

    /// The same client, coming to its tokens in these ways.
    #[must_use]
    pub fn using(self, grants: Vec<GrantType>) -> Self {
        Self { grants, ..self }
    }

    /// Builds a client from its table; `file:` paths are relative to `base`, and it may have the scopes of types besides our own.
    ///
    /// # Errors
    /// Every secret that can not be read or is too short, a scope that does not exist, an id that can not be one.
    pub fn build(
        id: &str,
        settings: &ClientSettings,
        base: &Path,
        type_scopes: &TypeScopes,
    ) -> Result<Self, Vec<Misconfiguration>> {
        if let Err(problem) = judge_id(id) {
            return Err(vec![Misconfiguration::new("clients", format!("{id:?} {problem}"), "Rename it")]);
        }
        let mut mistakes = Vec::new();
        let mut add = |key: &str, problem: String, remedy: String| {
            mistakes.push(Misconfiguration::new(format!("clients.{id}.{key}"), problem, remedy));
        };
        for (key, problem, remedy) in rules::judge(settings) {
            add(key, problem, remedy);
        }
        if settings.secrets.is_empty() && !settings.public {
            let remedy = format!("Run `anteroom client new {id}` and put the line it prints here");
            add("secrets", "there is none, so the client can not get a token".into(), remedy);
        }
        if let Some(unknown) = settings.scopes.iter().find(|scope| !type_scopes.is_scope(scope)) {
            let known = type_scopes.all_names().collect::<Vec<_>>().join(", ");
            add("scopes", format!("\"{unknown}\" is not a scope"), format!("Use {known}"));
        }
        let mut secrets = Vec::new();
        for secret in &settings.secrets {
            match digest_of(secret, base) {
                Ok(sha256) => secrets.push(SecretHash { sha256, expires_at: None }),
                Err((problem, remedy)) => add("secrets", problem, remedy),
            }
        }
        if mistakes.is_empty() { Ok(Self::of(id, settings, secrets)) } else { Err(mistakes) }
    }

    /// The client that settings describe which were judged before.
    fn of(id: &str, settings: &ClientSettings, secrets: Vec<SecretHash>) -> Self {
        Self {
            id: id.into(),
            name: settings.name.clone().unwrap_or_else(|| id.into()),
            is_public: settings.public,
            grants: settings.grants(),
            redirect_uris: settings.redirect_uris.clone(),
            consent: settings.consent,
            scopes: settings.scopes.clone(),
            lifetime: settings.lifetime.map(Period::duration),
            secrets,
        }
    }

    /// Whether `secret` is one of this client's that are good at `now`; takes the same time wherever they differ.
    fn has_secret(&self, secret: &str, now: Timestamp) -> bool {
        is_one_of(&self.secrets, secret, now)
    }
}

fn is_one_of(secrets: &[SecretHash], secret: &str, now: Timestamp) -> bool {
    let given = hash(secret);
    let equal = |known: &&SecretHash| constant_time::verify_slices_are_equal(&known.sha256, &given).is_ok();
    let is_good = |known: &SecretHash| known.expires_at.is_none_or(|until| now < until);
    secrets.iter().filter(equal).filter(|known| is_good(known)).count() > 0
}

fn digest_of(secret: &ClientSecret, base: &Path) -> Result<[u8; 32], (String, String)> {
    let source = match secret {
        ClientSecret::Sha256(digest) => return Ok(*digest),
        ClientSecret::At(source) => source,
    };
    let secret =
        source.read(base).map_err(|problem| (problem, "Put the secret there, or name another place".to_owned()))?;
    let length = secret.expose_secret().chars().count();
    if length < SHORTEST_SECRET {
        let problem =
            format!("the secret at {source} has {length} characters, and at least {SHORTEST_SECRET} are needed");
        return Err((problem, "Make one with `anteroom client new NAME`".into()));
    }
    Ok(hash(secret.expose_secret()))
}

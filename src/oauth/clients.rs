//! The clients that are configured, and whether one is who it says it is.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use aws_lc_rs::{constant_time, digest};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::core::entropy::Entropy;
use crate::core::error::Misconfiguration;
use crate::core::policy::{REQUESTS_READ, REQUESTS_WORK, REQUESTS_WRITE, SCOPES, WEBHOOKS_MANAGE, is_scope};
use crate::secret::Source;

/// A client's own secret may not be shorter: it is what stands between a guesser and the client, since the rightful client is never
/// locked out.
const SHORTEST_SECRET: usize = 16;

/// One `[clients.NAME]` table. The name is the client id.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSettings {
    /// Its secrets; several may be valid at once.
    pub secrets: Vec<ClientSecret>,
    /// The scopes it may ask for; all of them are granted when it asks for none.
    #[serde(default = "default_scopes")]
    pub scopes: Vec<String>,
}

/// What a client gets that is configured without scopes.
pub fn default_scopes() -> Vec<String> {
    vec![REQUESTS_READ.into(), REQUESTS_WRITE.into()]
}

/// What the demo client gets: it may try the side of the workers, and webhooks, too.
pub fn demo_scopes() -> Vec<String> {
    let mut scopes = default_scopes();
    scopes.extend([REQUESTS_WORK.into(), WEBHOOKS_MANAGE.into()]);
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

/// Whether that can be a client's id: RFC 6749 appendix A.1 has no control characters in one. A colon may be in it, for in Basic
/// authentication ids are form-encoded (section 2.3.1).
///
/// # Errors
/// What is wrong, to be put after the id.
pub fn judge_id(id: &str) -> Result<(), &'static str> {
    if id.is_empty() || id.chars().any(char::is_control) {
        return Err("can not be a client id: it is empty or has control characters");
    }
    Ok(())
}

/// A client that may ask for tokens.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// The scopes it may ask for.
    pub scopes: Vec<String>,
    secrets: Vec<[u8; 32]>,
}

impl Client {
    /// A client with one secret.
    pub fn new(id: impl Into<String>, secret: &SecretString, scopes: Vec<String>) -> Self {
        Self { id: id.into(), scopes, secrets: vec![hash(secret.expose_secret())] }
    }

    /// Builds a client from its table; `file:` paths are relative to `base`.
    ///
    /// # Errors
    /// Every secret that can not be read or is too short, a scope that does not exist, an id that can not be one.
    pub fn build(id: &str, settings: &ClientSettings, base: &Path) -> Result<Self, Vec<Misconfiguration>> {
        if let Err(problem) = judge_id(id) {
            return Err(vec![Misconfiguration::new("clients", format!("{id:?} {problem}"), "Rename it")]);
        }
        let mut mistakes = Vec::new();
        let mut add = |key: &str, problem: String, remedy: String| {
            mistakes.push(Misconfiguration::new(format!("clients.{id}.{key}"), problem, remedy));
        };
        if settings.secrets.is_empty() {
            let remedy = format!("Run `anteroom client new {id}` and put the line it prints here");
            add("secrets", "there is none, so the client can not get a token".into(), remedy);
        }
        if let Some(unknown) = settings.scopes.iter().find(|scope| !is_scope(scope)) {
            let known = SCOPES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            add("scopes", format!("\"{unknown}\" is not a scope"), format!("Use {known}"));
        }
        let mut secrets = Vec::new();
        for secret in &settings.secrets {
            match digest_of(secret, base) {
                Ok(digest) => secrets.push(digest),
                Err((problem, remedy)) => add("secrets", problem, remedy),
            }
        }
        if mistakes.is_empty() {
            Ok(Self { id: id.into(), scopes: settings.scopes.clone(), secrets })
        } else {
            Err(mistakes)
        }
    }

    /// Whether `secret` is one of this client's; takes the same time wherever they differ.
    fn has_secret(&self, secret: &str) -> bool {
        let given = hash(secret);
        let equal = |known: &&[u8; 32]| constant_time::verify_slices_are_equal(*known, &given).is_ok();
        self.secrets.iter().filter(equal).count() > 0
    }
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

/// The clients by id.
#[derive(Debug, Default)]
pub struct Clients(BTreeMap<String, Client>);

impl Clients {
    /// These clients.
    pub fn new(clients: impl IntoIterator<Item = Client>) -> Self {
        Self(clients.into_iter().map(|client| (client.id.clone(), client)).collect())
    }

    /// The client of that id.
    pub fn get(&self, id: &str) -> Option<&Client> {
        self.0.get(id)
    }

    /// The client that these credentials prove. An unknown one costs the same work as a wrong secret.
    pub(super) fn authenticate(&self, id: &str, secret: &str) -> Option<&Client> {
        let client = self.get(id);
        let nobody = Client { id: String::new(), scopes: Vec::new(), secrets: vec![[0; 32]] };
        let proven = client.unwrap_or(&nobody).has_secret(secret);
        client.filter(|_| proven)
    }
}

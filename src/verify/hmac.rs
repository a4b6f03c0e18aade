//! Secrets that tokens are signed with by HMAC: checks signatures, and knows which secrets are none.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey};
use secrecy::{ExposeSecret, SecretString};

use super::keys::{KeySet, is_signed_by};
use super::token::UnverifiedJwt;
use crate::core::error::Misconfiguration;
use crate::core::verdict::Reason;

/// The secrets that an issuer may sign with: each one verifies, so that they can be changed without a gap.
pub(super) struct HmacKeys(Vec<DecodingKey>);

impl HmacKeys {
    /// What tokens are signed with.
    pub(super) const ALGORITHM: Algorithm = Algorithm::HS256;

    pub(super) fn new(secrets: &[SecretString]) -> Self {
        Self(secrets.iter().map(|secret| DecodingKey::from_secret(secret.expose_secret().as_bytes())).collect())
    }

    /// Checks the signature. What a token says of its key does not matter.
    pub(super) fn check(&self, jwt: &UnverifiedJwt<'_>) -> Result<(), Reason> {
        let signed = self.0.iter().any(|key| is_signed_by(jwt, key, Self::ALGORITHM));
        if signed { Ok(()) } else { Err(Reason::SignatureInvalid) }
    }
}

const REMEDY: &str = "Make one with `openssl rand -base64 48 > FILE` and name it as \"file:FILE\"";

/// RFC 7518 section 3.2: a key at least as long as the hash.
const MIN_SECRET_BYTES: usize = 32;

/// Secrets from tutorials and from the documentation of well-known tools, long enough to pass for real ones; as [`bare`] has them.
const PUBLISHED: [&str; 21] = [
    "your-256-bit-secret-your-256-bit-secret",
    "your-384-bit-secret-your-384-bit-secret",
    "your-512-bit-secret-your-512-bit-secret",
    "a-string-secret-at-least-256-bits-long",
    "a-valid-string-secret-that-is-at-least-384-bits-long",
    "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
    "this-is-a-very-secure-secret-key-that-is-at-least-32-characters",
    "super-secret-jwt-token-with-at-least-32-characters-long",
    "your-super-secret-jwt-token-with-at-least-32-characters-long",
    "your-super-secret-jwt-key-change-in-production",
    "your-super-secret-jwt-key-change-this-in-production",
    "your-secret-key-change-in-production",
    "your-secret-key-change-this-in-production",
    "your-jwt-secret-key-change-in-production",
    "your-jwt-secret-key-change-this-in-production",
    "your-jwt-secret-key-here-at-least-32-characters-long",
    "reallyreallyreallyreallyverysafe",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "404e635266556a586e3272357538782f413f4428472b4b6250645367566b5970",
    "0f987876650b4a085e64594fae9219e7781b17506bec02489ad061fba8cb22db",
    "3ek6fd+o0+c7tzbnvfjpmkndi2yaraakzqlk8o2ikoxqu4nf7edah8s3twphwrdwt6r",
];

/// What makes these secrets, which are configured at `key`, unfit to sign with; says nothing of what they are.
pub(super) fn mistakes(key: &str, secrets: &[SecretString]) -> Vec<Misconfiguration> {
    let mistake = |key, problem| Misconfiguration::new(key, problem, REMEDY);
    if secrets.is_empty() {
        return vec![mistake(key.to_owned(), "is empty, so that no token could be verified".to_owned())];
    }
    let weak = |(index, secret): (usize, &SecretString)| {
        weakness(secret.expose_secret()).map(|problem| mistake(format!("{key}[{index}]"), problem))
    };
    secrets.iter().enumerate().filter_map(weak).collect()
}

fn weakness(secret: &str) -> Option<String> {
    if secret.len() < MIN_SECRET_BYTES {
        Some(format!("is {} bytes long, and HS256 needs at least {MIN_SECRET_BYTES}", secret.len()))
    } else if is_repetitive(secret) || PUBLISHED.contains(&bare(secret).as_str()) {
        Some("is a published or repetitive one, which anybody can guess".to_owned())
    } else if is_key_material(secret) {
        Some("is a key or a certificate, whose public part anybody may know; HS256 needs a secret".to_owned())
    } else {
        None
    }
}

/// A secret without what people change in one that they copy.
fn bare(secret: &str) -> String {
    secret.trim().to_ascii_lowercase().replace(['_', ' '], "-")
}

/// Whether it is one short text over and over: `secretsecretsecret…`, `0000…`.
fn is_repetitive(secret: &str) -> bool {
    let bytes = secret.as_bytes();
    (1..=bytes.len() / 2).any(|period| bytes.iter().zip(&bytes[period..]).all(|(one, other)| one == other))
}

/// Whether it is a PEM text, a JWK, or the base64 of a DER public key, also with its lines stripped.
fn is_key_material(secret: &str) -> bool {
    if secret.contains("-----BEGIN ") || secret.trim_start().starts_with('{') {
        return true;
    }
    let base64: String = secret.chars().filter(|character| !character.is_whitespace()).collect();
    let base64 = base64.trim_end_matches('=');
    let Ok(der) = URL_SAFE_NO_PAD.decode(base64.replace('+', "-").replace('/', "_")) else { return false };
    let wrapped = |label: &str| format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(&der));
    ["PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE"].iter().any(|label| KeySet::from_pem(&wrapped(label)).is_ok())
}

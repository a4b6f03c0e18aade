//! What signs tokens: a secret, or the private keys whose public ones are published.

use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Value, json};

use super::clients::hash;
use crate::core::clock::Timestamp;

/// What stands before the 32 bytes of a private key of P-256 in PKCS #8 (RFC 5958, RFC 5915), which leaves out the public one.
const PKCS8: [u8; 35] = [
    0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01, 0x01, 0x04, 0x20,
];
/// The `typ` of an access token; RFC 9068 section 2.1.
const ACCESS_TOKEN: &str = "at+jwt";

/// What signs tokens.
pub enum Signer {
    /// HS256.
    Secret(EncodingKey),
    /// ES256: the keys that are known, which can change at any time.
    Keys(RwLock<Arc<Vec<SigningKey>>>),
}

/// A private key for ES256, ready for use.
pub struct SigningKey {
    pair: EcdsaKeyPair,
    /// The `kid`: the thumbprint of the public key, RFC 7638.
    pub(super) kid: String,
    /// When tokens are signed with it at the earliest.
    pub(super) signs_from: Timestamp,
    /// The header of the tokens that it signs, as it stands in them.
    header: String,
}

impl SigningKey {
    /// The key that these bytes are, if they are one.
    pub(super) fn of(secret: &[u8], signs_from: Timestamp) -> Option<Self> {
        let pkcs8 = [&PKCS8[..], secret].concat();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).ok()?;
        let (x, y) = coordinates(&pair)?;
        let thumbprint = hash(&format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#));
        let kid = URL_SAFE_NO_PAD.encode(thumbprint);
        let header = json!({ "typ": ACCESS_TOKEN, "alg": "ES256", "kid": kid }).to_string();
        Some(Self { pair, kid, signs_from, header: URL_SAFE_NO_PAD.encode(header) })
    }

    /// The public key as a JWK; RFC 7517, RFC 7518 section 6.2.1.
    pub(super) fn jwk(&self) -> Option<Value> {
        let (x, y) = coordinates(&self.pair)?;
        let kid = &self.kid;
        Some(json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig", "alg": "ES256", "kid": kid }))
    }

    fn sign(&self, claims: &impl Serialize) -> Result<String, String> {
        let claims = serde_json::to_vec(claims).map_err(|error| error.to_string())?;
        let mut token = format!("{}.{}", self.header, URL_SAFE_NO_PAD.encode(claims));
        let signature = self.pair.sign(&SystemRandom::new(), token.as_bytes()).map_err(|error| error.to_string())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }
}

/// Both coordinates of the public key, out of the uncompressed point.
fn coordinates(pair: &EcdsaKeyPair) -> Option<(String, String)> {
    let point = pair.public_key().as_ref();
    let (x, y) = point.get(1..).filter(|rest| rest.len() == 64)?.split_at(32);
    Some((URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y)))
}

impl Signer {
    /// One that signs with HS256.
    pub fn secret(secret: &SecretString) -> Self {
        Self::Secret(EncodingKey::from_secret(secret.expose_secret().as_bytes()))
    }

    /// One that signs with ES256, once it is told the keys.
    pub fn keys() -> Self {
        Self::Keys(RwLock::default())
    }

    /// The private keys that are known.
    pub(super) fn known(&self) -> Arc<Vec<SigningKey>> {
        match self {
            Self::Secret(_) => Arc::default(),
            Self::Keys(keys) => Arc::clone(&keys.read().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// Makes these the keys.
    pub(super) fn tell(&self, keys: Vec<SigningKey>) {
        if let Self::Keys(known) = self {
            *known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        }
    }

    /// An access token with these claims, signed at `now`.
    ///
    /// # Errors
    /// The signing library's; that there is no key yet.
    pub(super) fn sign(&self, claims: &impl Serialize, now: Timestamp) -> Result<String, String> {
        match self {
            Self::Secret(key) => {
                let header = Header { typ: Some(ACCESS_TOKEN.into()), ..Header::new(Algorithm::HS256) };
                jsonwebtoken::encode(&header, claims, key).map_err(|error| error.to_string())
            }
            Self::Keys(_) => {
                let keys = self.known();
                let newest = keys.iter().filter(|key| key.signs_from <= now).max_by_key(|key| key.signs_from);
                newest.ok_or("there is no signing key yet")?.sign(claims)
            }
        }
    }
}

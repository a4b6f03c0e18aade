//! Keys, and the signatures of Standard Webhooks 1.0: HMAC-SHA256 (`v1`) and Ed25519 (`v1a`).

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::core::entropy::Entropy;
use crate::core::webhook::SecretText;

/// What a shared secret begins with, a private key, and a public one.
const SHARED: &str = "whsec_";
const PRIVATE: &str = "whsk_";
const PUBLIC: &str = "whpk_";
/// How long a shared secret may be, in bytes.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// How deliveries are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// By a secret that sender and receiver share.
    #[default]
    HmacSha256,
    /// By a private key, of which the receiver knows the public one.
    Ed25519,
}

/// A key that signs.
pub struct Key(Kind);

enum Kind {
    Shared(Box<hmac::Key>),
    Private(Box<Ed25519KeyPair>),
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", self.algorithm())
    }
}

impl Key {
    /// Reads `whsec_…` or `whsk_…`.
    ///
    /// # Errors
    /// What is wrong; never the key.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let bytes = |base64: &str| STANDARD.decode(base64).map_err(|_| "what follows its prefix is not base64");
        if let Some(secret) = text.strip_prefix(SHARED) {
            let secret = bytes(secret)?;
            if !SECRET_BYTES.contains(&secret.len()) {
                return Err("a secret has 24 to 64 bytes");
            }
            return Ok(Self(Kind::Shared(Box::new(hmac::Key::new(hmac::HMAC_SHA256, &secret)))));
        }
        let seed = text.strip_prefix(PRIVATE).ok_or("it begins neither with whsec_ nor with whsk_")?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&bytes(seed)?);
        pair.map(|pair| Self(Kind::Private(Box::new(pair)))).map_err(|_| "a private key is a seed of 32 bytes")
    }

    /// A new key, as text.
    pub fn draw(algorithm: Algorithm, entropy: &dyn Entropy) -> SecretText {
        let prefix = match algorithm {
            Algorithm::HmacSha256 => SHARED,
            Algorithm::Ed25519 => PRIVATE,
        };
        SecretText(format!("{prefix}{}", STANDARD.encode(entropy.draw::<32>())))
    }

    /// How it signs.
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            Kind::Shared(_) => Algorithm::HmacSha256,
            Kind::Private(_) => Algorithm::Ed25519,
        }
    }

    /// What the receiver verifies by, where that is no secret.
    pub fn public(&self) -> Option<String> {
        match &self.0 {
            Kind::Shared(_) => None,
            Kind::Private(pair) => Some(format!("{PUBLIC}{}", STANDARD.encode(pair.public_key()))),
        }
    }

    fn sign(&self, content: &[u8]) -> String {
        match &self.0 {
            Kind::Shared(key) => format!("v1,{}", STANDARD.encode(hmac::sign(key, content))),
            Kind::Private(pair) => format!("v1a,{}", STANDARD.encode(pair.sign(content))),
        }
    }
}

/// The headers of a delivery that is sent at `seconds` after 1970, signed by each of these keys.
pub(super) fn headers<'k>(
    id: &str,
    seconds: i64,
    body: &str,
    keys: impl IntoIterator<Item = &'k Key>,
) -> [(&'static str, String); 3] {
    let content = format!("{id}.{seconds}.{body}");
    let signatures: Vec<_> = keys.into_iter().map(|key| key.sign(content.as_bytes())).collect();
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", signatures.join(" ")),
    ]
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::{Key, headers};

    /// The example that the libraries of Standard Webhooks share.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &str = r#"{"test": 2432232314}"#;

    #[test]
    fn the_published_example_is_signed_as_published() {
        let key = Key::parse(SECRET).unwrap();
        let [id, timestamp, signature] = headers(ID, 1_614_265_330, BODY, [&key]);
        assert_eq!((id.1.as_str(), timestamp.1.as_str()), (ID, "1614265330"));
        assert_eq!(signature, ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=".into()));
    }

    #[test]
    fn a_private_key_signs_what_its_public_key_verifies() {
        let key = Key::parse(&format!("whsk_{}", STANDARD.encode([7; 32]))).unwrap();
        let other = Key::parse(SECRET).unwrap();
        let [.., (_, signatures)] = headers(ID, 1_614_265_330, BODY, [&key, &other]);
        let (signature, rest) = signatures.split_once(' ').unwrap();
        assert_eq!(rest, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let public = STANDARD.decode(key.public().unwrap().strip_prefix("whpk_").unwrap()).unwrap();
        let signature = STANDARD.decode(signature.strip_prefix("v1a,").unwrap()).unwrap();
        let content = format!("{ID}.1614265330.{BODY}");
        assert!(UnparsedPublicKey::new(&ED25519, public).verify(content.as_bytes(), &signature).is_ok());
        assert_eq!(format!("{key:?}{other:?}"), "Key(Ed25519)Key(HmacSha256)");
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        let short = format!("whsec_{}", STANDARD.encode([1; 23]));
        let long = format!("whsec_{}", STANDARD.encode([1; 65]));
        let seed = format!("whsk_{}", STANDARD.encode([1; 31]));
        for (text, problem) in [
            ("a-secret", "it begins neither with whsec_ nor with whsk_"),
            ("whsec_***", "what follows its prefix is not base64"),
            (&short, "a secret has 24 to 64 bytes"),
            (&long, "a secret has 24 to 64 bytes"),
            (&seed, "a private key is a seed of 32 bytes"),
        ] {
            assert_eq!(Key::parse(text).unwrap_err(), problem);
        }
    }
}

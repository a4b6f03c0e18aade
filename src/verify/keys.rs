//! The public keys of one issuer, ready for use, and which of them a token may be checked with.

use aws_lc_rs::signature::{self, ParsedPublicKey, RsaPublicKeyComponents, VerificationAlgorithm};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};

use super::token::{MAX_KEY_ID_BYTES, UnverifiedJwt};
use crate::core::verdict::{Reason, Refusal};

mod jwk_set;

pub(super) use jwk_set::JwkSet;

/// How many keys of a set are kept.
const MAX_KEYS: usize = 64;
/// How many keys are tried for a token that does not name its key.
const MAX_TRIED: usize = 4;
/// How many key ids an operator is shown.
const MAX_SHOWN: usize = 8;
/// The RSA key sizes that are used, in bits: what is smaller can be factored, what is larger burns time.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

const RSA: &[Algorithm] =
    &[Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::PS256, Algorithm::PS384, Algorithm::PS512];

/// The keys of one issuer.
#[derive(Debug)]
pub(super) struct KeySet {
    keys: Vec<PublicKey>,
}

/// A key, ready for use.
#[derive(Debug)]
pub(super) struct PublicKey {
    name: KeyName,
    /// What it can be used with; never empty.
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
    /// The numbers that it was made of, if it was published as a JWK.
    numbers: Option<AlgorithmParameters>,
}

#[derive(Debug, PartialEq, Eq)]
enum KeyName {
    /// Published under this `kid`.
    Id(String),
    /// Published without a `kid`: serves tokens that do not name their key.
    None,
    /// From a PEM file, which has no place for a name: serves any token.
    Any,
}

impl KeySet {
    /// Takes what can be used from a JWK Set, each key once, and leaves out the rest: one odd key spoils
    /// nothing. The set may turn out empty.
    pub(super) fn from_jwks(set: JwkSet) -> Self {
        let mut keys: Vec<PublicKey> = Vec::new();
        for key in set.jwks().filter_map(|jwk| PublicKey::from_jwk(&jwk)) {
            if keys.len() < MAX_KEYS && !keys.iter().any(|known| known.is(&key)) {
                keys.push(key);
            }
        }
        Self { keys }
    }

    /// Reads the text of a key file: a JWK Set, or one public key or certificate in PEM.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn from_text(text: &str) -> Result<Self, &'static str> {
        if !text.trim_start().starts_with('{') {
            return Self::from_pem(text);
        }
        let set: JwkSet =
            serde_json::from_str(text).map_err(|_| "is not a JWK Set, an object with the member `keys`")?;
        if set.holds_secrets() {
            return Err("holds a private key or a secret; only public keys belong here");
        }
        Some(Self::from_jwks(set)).filter(|keys| !keys.is_empty()).ok_or("holds no key that can be used")
    }

    /// Reads one public key or certificate in PEM.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn from_pem(pem: &str) -> Result<Self, &'static str> {
        if pem.contains("PRIVATE KEY-----") {
            return Err("holds a private key; only the public one belongs here");
        }
        if pem.matches("-----BEGIN ").count() > 1 {
            return Err("holds several keys or certificates; keep one, or write them as a JWK Set");
        }
        let public = PublicKey::from_pem(pem).ok_or("holds no public key or certificate that can be used")?;
        Ok(Self { keys: vec![public] })
    }

    fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &PublicKey> {
        self.keys.iter()
    }

    /// Whether the other set has the same keys, in whatever order.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let has = |keys: &[PublicKey], key: &PublicKey| keys.iter().any(|known| known.is(key));
        self.keys.iter().all(|key| has(&other.keys, key)) && other.keys.iter().all(|key| has(&self.keys, key))
    }

    /// Whether some key can sign with one of the algorithms.
    pub(super) fn serves(&self, algorithms: &[Algorithm]) -> bool {
        self.keys.iter().flat_map(|key| &key.algorithms).any(|algorithm| algorithms.contains(algorithm))
    }

    /// Whether a key goes by the name that a token gives.
    pub(super) fn knows(&self, unverified_key_id: Option<&str>) -> bool {
        self.keys.iter().any(|key| key.name.answers_to(unverified_key_id))
    }

    /// The refusal of a token whose key is not here, or not for its algorithm.
    pub(super) fn lacks(&self, unverified_key_id: Option<&str>) -> Refusal {
        let ids: Vec<_> = self.keys.iter().filter_map(PublicKey::id).take(MAX_SHOWN).collect();
        Refusal::because(Reason::KeyUnknown, format!("one of {ids:?}"), &unverified_key_id)
    }

    /// Checks the signature with the keys that the token's key id and the algorithm leave: first with those for this algorithm alone.
    pub(super) fn check(&self, jwt: &UnverifiedJwt<'_>, algorithm: Algorithm) -> Result<(), Refusal> {
        let key_id = jwt.unverified_header.key_id.as_deref();
        let fits = |key: &&PublicKey| key.name.answers_to(key_id) && key.algorithms.contains(&algorithm);
        let is_for_it_alone = |key: &&PublicKey| key.algorithms == [algorithm];
        let (first, then) =
            (self.keys.iter().filter(is_for_it_alone), self.keys.iter().filter(|key| !is_for_it_alone(key)));
        let mut candidates = first.chain(then).filter(fits).take(MAX_TRIED).peekable();
        if candidates.peek().is_none() {
            return Err(self.lacks(key_id));
        }
        if candidates.any(|key| is_signed_by(jwt, &key.key, algorithm)) {
            Ok(())
        } else {
            Err(Reason::SignatureInvalid.into())
        }
    }
}

/// Whether `key` made the signature. What the library can not check is not signed.
pub(super) fn is_signed_by(jwt: &UnverifiedJwt<'_>, key: &DecodingKey, algorithm: Algorithm) -> bool {
    jsonwebtoken::crypto::verify(jwt.signature, jwt.signing_input.as_bytes(), key, algorithm).unwrap_or(false)
}

impl KeyName {
    fn answers_to(&self, unverified_key_id: Option<&str>) -> bool {
        match (self, unverified_key_id) {
            (_, None) | (Self::Any, Some(_)) => true,
            (Self::Id(name), Some(key_id)) => name == key_id,
            (Self::None, Some(_)) => false,
        }
    }
}

impl PublicKey {
    /// Its `kid`.
    pub(super) fn id(&self) -> Option<&str> {
        match &self.name {
            KeyName::Id(id) => Some(id),
            KeyName::None | KeyName::Any => None,
        }
    }

    /// What it can be used with.
    pub(super) fn algorithms(&self) -> &[Algorithm] {
        &self.algorithms
    }

    /// Whether it is the same key under the same name for the same use.
    pub(super) fn is(&self, other: &Self) -> bool {
        (&self.name, &self.algorithms, &self.numbers) == (&other.name, &other.algorithms, &other.numbers)
    }

    /// RFC 7517 section 4: a key that is meant for something else, or can not be used safely, is none.
    fn from_jwk(jwk: &Jwk) -> Option<Self> {
        let common = &jwk.common;
        let for_signatures = common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature);
        let for_checking =
            common.key_operations.as_ref().is_none_or(|operations| operations.contains(&KeyOperations::Verify));
        // No token can name a key by more than that.
        let is_named_briefly = common.key_id.as_ref().is_none_or(|id| id.len() <= MAX_KEY_ID_BYTES);
        if !for_signatures || !for_checking || !is_named_briefly {
            return None;
        }
        let (key, algorithms) = match &jwk.algorithm {
            AlgorithmParameters::RSA(key) => rsa_key(&decode(&key.n)?, &decode(&key.e)?)?,
            AlgorithmParameters::EllipticCurve(key) => {
                let (algorithm, size) = match key.curve {
                    EllipticCurve::P256 => (Algorithm::ES256, 32),
                    EllipticCurve::P384 => (Algorithm::ES384, 48),
                    _ => return None,
                };
                let (x, y) = (decode(&key.x)?, decode(&key.y)?);
                // RFC 7518 section 6.2.1.2: the full size, leading zeros too.
                if x.len() != size || y.len() != size {
                    return None;
                }
                curve_key(algorithm, &[&[4][..], &x, &y].concat())?
            }
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
                curve_key(Algorithm::EdDSA, &decode(&key.x)?)?
            }
            _ => return None,
        };
        let name = common.key_id.clone().map_or(KeyName::None, KeyName::Id);
        let pinned =
            |algorithm: &&Algorithm| common.key_algorithm.is_none_or(|alg| alg == KeyAlgorithm::from(**algorithm));
        let algorithms: Vec<_> = algorithms.iter().filter(pinned).copied().collect();
        let numbers = Some(jwk.algorithm.clone());
        (!algorithms.is_empty()).then_some(Self { name, algorithms, key, numbers })
    }

    fn from_pem(pem: &str) -> Option<Self> {
        let bytes = |key: DecodingKey| key.try_get_as_bytes().ok().map(<[u8]>::to_vec);
        let (key, algorithms) = if let Ok(key) = DecodingKey::from_rsa_pem(pem.as_bytes()) {
            let public = aws_lc_rs::rsa::PublicKey::from_der(&bytes(key)?).ok()?;
            let parts = RsaPublicKeyComponents::<Vec<u8>>::from(&public);
            rsa_key(&parts.n, &parts.e)?
        } else if let Ok(key) = DecodingKey::from_ec_pem(pem.as_bytes()) {
            let point = bytes(key)?;
            curve_key(if point.len() == 65 { Algorithm::ES256 } else { Algorithm::ES384 }, &point)?
        } else {
            curve_key(Algorithm::EdDSA, &bytes(DecodingKey::from_ed_pem(pem.as_bytes()).ok()?)?)?
        };
        Some(Self { name: KeyName::Any, algorithms: algorithms.to_vec(), key, numbers: None })
    }
}

fn decode(base64url: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(base64url).ok()
}

type UsableKey = (DecodingKey, &'static [Algorithm]);

fn rsa_key(modulus: &[u8], exponent: &[u8]) -> Option<UsableKey> {
    // Some providers write a leading zero byte, which RFC 7518 section 6.3.1.1 forbids and the library does not expect.
    let (modulus, exponent) = (trim(modulus), trim(exponent));
    let bits = modulus.len() * 8 - modulus.first()?.leading_zeros() as usize;
    let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
    let usable = RSA_BITS.contains(&bits) && is_odd(modulus) && is_odd(exponent) && exponent != [1];
    usable.then(|| (DecodingKey::from_rsa_raw_components(modulus, exponent), RSA))
}

fn trim(number: &[u8]) -> &[u8] {
    &number[number.iter().take_while(|byte| **byte == 0).count()..]
}

/// The points of Ed25519 whose order divides 8, by their y coordinate: 0, 1, -1 and two more. For these anybody can sign.
const SMALL_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    ends(1, 0, 0),
    ends(0xec, 0xff, 0x7f),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

const fn ends(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}

/// Whether a key of Ed25519 is a point of small order, of either sign, or written in another way than RFC 8032 section 5.1.2 has it:
/// y not less than 2^255 - 19.
fn is_weak(bytes: &[u8]) -> bool {
    let Ok(mut y) = <[u8; 32]>::try_from(bytes) else { return true };
    y[31] &= 0x7f;
    let is_reduced = y[0] < 0xed || y[1..31].iter().any(|byte| *byte != 0xff) || y[31] < 0x7f;
    !is_reduced || SMALL_ORDER.contains(&y)
}

/// A key on a curve; the library is asked whether the bytes are a point of it.
fn curve_key(algorithm: Algorithm, bytes: &[u8]) -> Option<UsableKey> {
    if algorithm == Algorithm::EdDSA && is_weak(bytes) {
        return None;
    }
    let (curve, key, algorithms): (&'static dyn VerificationAlgorithm, _, &[_]) = match algorithm {
        Algorithm::ES256 => (&signature::ECDSA_P256_SHA256_FIXED, DecodingKey::from_ec_der(bytes), &[Algorithm::ES256]),
        Algorithm::ES384 => (&signature::ECDSA_P384_SHA384_FIXED, DecodingKey::from_ec_der(bytes), &[Algorithm::ES384]),
        _ => (&signature::ED25519, DecodingKey::from_ed_der(bytes), &[Algorithm::EdDSA]),
    };
    ParsedPublicKey::new(curve, bytes).ok().map(|_| (key, algorithms))
}

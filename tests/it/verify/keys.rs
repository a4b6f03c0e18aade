//! Keys made for a test run, the tokens they sign, and the forms that their public halves come in.

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

/// A secret that our own tokens are signed with.
pub(crate) const SECRET: &str = "k8Jx2mQw7ZtR5vYb3NcA9hLs6PdF4gUe";

/// A key that signs tokens.
#[derive(Clone)]
pub(crate) struct Signer {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: &'static str,
    private: EncodingKey,
    /// The public half as DER (X.509 `SubjectPublicKeyInfo`); empty for a secret.
    pub(crate) spki: Vec<u8>,
}

pub(crate) static RSA: LazyLock<Signer> = LazyLock::new(|| rsa("rsa-1"));
pub(crate) static OTHER_RSA: LazyLock<Signer> = LazyLock::new(|| rsa("rsa-2"));
pub(crate) static EC: LazyLock<Signer> = LazyLock::new(|| ec(Algorithm::ES256));
pub(crate) static EC_384: LazyLock<Signer> = LazyLock::new(|| ec(Algorithm::ES384));
pub(crate) static ED: LazyLock<Signer> = LazyLock::new(ed);

pub(crate) fn hmac(secret: &[u8]) -> Signer {
    let private = EncodingKey::from_secret(secret);
    Signer { algorithm: Algorithm::HS256, kid: "own", private, spki: Vec::new() }
}

fn rsa(kid: &'static str) -> Signer {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
    let spki = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap();
    let private = EncodingKey::from_rsa_pem(pem("PRIVATE KEY", pkcs8.as_ref()).as_bytes()).unwrap();
    Signer { algorithm: Algorithm::RS256, kid, private, spki: spki.as_ref().to_vec() }
}

fn ec(algorithm: Algorithm) -> Signer {
    let curve =
        if algorithm == Algorithm::ES256 { &ECDSA_P256_SHA256_FIXED_SIGNING } else { &ECDSA_P384_SHA384_FIXED_SIGNING };
    let pair = EcdsaKeyPair::generate(curve).unwrap();
    let private = EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref());
    let spki = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap();
    Signer { algorithm, kid: "ec-1", private, spki: spki.as_ref().to_vec() }
}

fn ed() -> Signer {
    let pair = Ed25519KeyPair::generate().unwrap();
    let private = EncodingKey::from_ed_der(pair.to_pkcs8v1().unwrap().as_ref());
    let spki = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap();
    Signer { algorithm: Algorithm::EdDSA, kid: "ed-1", private, spki: spki.as_ref().to_vec() }
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let lines: Vec<_> = base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A JWK Set of the public halves.
pub(crate) fn key_set(signers: &[&Signer]) -> Value {
    json!({ "keys": signers.iter().map(|signer| signer.jwk()).collect::<Vec<_>>() })
}

impl Signer {
    /// The same key, signing with another algorithm.
    pub(crate) fn with(&self, algorithm: Algorithm) -> Self {
        Self { algorithm, ..self.clone() }
    }

    /// An ES256 key that was made elsewhere; without its public half.
    pub(crate) fn ec_from_pkcs8(pkcs8: &[u8]) -> Self {
        let private = EncodingKey::from_ec_der(pkcs8);
        Self { algorithm: Algorithm::ES256, kid: "ec-2", private, spki: Vec::new() }
    }

    pub(crate) fn named(&self, kid: &'static str) -> Self {
        Self { kid, ..self.clone() }
    }

    /// The public half as a JWK without `alg`, `use` and `kid`.
    pub(crate) fn bare_jwk(&self) -> Value {
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&self.private, self.algorithm).unwrap()).unwrap();
        jwk.as_object_mut().unwrap().remove("alg");
        jwk
    }

    /// The public half as a JWK, as a provider publishes it.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = self.bare_jwk();
        jwk["kid"] = self.kid.into();
        jwk["use"] = "sig".into();
        jwk
    }

    pub(crate) fn public_pem(&self) -> String {
        pem("PUBLIC KEY", &self.spki)
    }

    /// Signs what may not even be JSON.
    pub(crate) fn sign_text(&self, header: &str, claims: &str) -> String {
        self.sign_input(&format!("{}.{}", encode(header), encode(claims)))
    }

    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    pub(crate) fn sign_input(&self, input: &str) -> String {
        let signature = jsonwebtoken::crypto::sign(input.as_bytes(), &self.private, self.algorithm).unwrap();
        format!("{input}.{signature}")
    }

    /// Each form in which a careless verifier may take the public half for an HMAC secret.
    pub(crate) fn public_forms(&self) -> Vec<(&'static str, Vec<u8>)> {
        let (jwk, pem_text) = (self.bare_jwk(), self.public_pem());
        let body: String = pem_text.lines().filter(|line| !line.starts_with("--")).collect();
        let mut forms = vec![
            ("PEM", pem_text.clone().into_bytes()),
            ("PEM without the last line break", pem_text.trim_end().into()),
            ("PEM with CRLF", pem_text.replace('\n', "\r\n").into_bytes()),
            ("PEM stripped to its base64", body.into_bytes()),
            ("DER", self.spki.clone()),
            ("JWK", jwk.to_string().into_bytes()),
            ("JWK set", key_set(&[self]).to_string().into_bytes()),
        ];
        for name in ["n", "x"] {
            if let Some(text) = jwk[name].as_str() {
                forms.push(("number as text", text.into()));
                forms.push(("number", URL_SAFE_NO_PAD.decode(text).unwrap()));
            }
        }
        if jwk["kty"] == "RSA" {
            // The PKCS#1 form is what the X.509 form wraps in 24 bytes.
            forms.push(("PKCS#1 DER", self.spki[24..].to_vec()));
            forms.push(("PKCS#1 PEM", pem("RSA PUBLIC KEY", &self.spki[24..]).into_bytes()));
        }
        forms
    }
}

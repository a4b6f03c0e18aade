//! A1 to A6: which algorithm, whose key, and what is no signature at all.

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use super::{Row, row};
use crate::verify::keys::{EC, EC_384, ED, OTHER_RSA, RSA, Signer, encode, hmac};
use crate::verify::subjects::{OTHER_ISSUER, Subject, claims};

pub(crate) fn rows(subject: &Subject) -> Vec<Row> {
    let groups = [unsigned, public_key_as_secret, other_algorithm, degenerate, keys_in_the_header, key_ids, other_keys];
    groups.into_iter().flat_map(|group| group(subject)).collect()
}

fn unsigned(subject: &Subject) -> Vec<Row> {
    let name = format!("{:?}", subject.signer.algorithm);
    let words = ["none", "None", "NONE", "nOnE", "", "HS1", &name.to_lowercase(), &format!("{name} ")];
    let mut rows: Vec<_> = words
        .iter()
        .flat_map(|algorithm| {
            let signed = subject.with_header(|header| header["alg"] = (*algorithm).into());
            let bare = format!("{}.", signed.rsplit_once('.').unwrap().0);
            [signed, bare].map(|token| row("A1", format!("alg {algorithm:?}"), token, "algorithm_not_allowed"))
        })
        .collect();
    for (what, value) in [("a number", json!(1)), ("null", Value::Null), ("an array", json!([name]))] {
        let token = subject.with_header(|header| header["alg"] = value);
        rows.push(row("A1", format!("alg is {what}"), token, "token_malformed"));
    }
    let token = subject.with_header(|header| drop(header.as_object_mut().unwrap().remove("alg")));
    rows.push(row("A1", "no alg", token, "token_malformed"));
    let bare = format!("{}.", subject.token().rsplit_once('.').unwrap().0);
    rows.push(row("A1", "the signature left out", bare, "signature_invalid"));
    rows
}

fn public_key_as_secret(subject: &Subject) -> Vec<Row> {
    let victim = if subject.has_secret() { RSA.clone() } else { subject.signer.clone() };
    let expected = if subject.has_secret() { "signature_invalid" } else { "algorithm_not_allowed" };
    let mut header = subject.header();
    header["alg"] = "HS256".into();
    let forge = |(what, secret): (&str, Vec<u8>)| {
        row(
            "A2",
            format!("HMAC with the public key as {what}"),
            hmac(&secret).sign(&header, &subject.claims()),
            expected,
        )
    };
    victim.public_forms().into_iter().map(forge).collect()
}

/// Tokens well signed by the true key, with an algorithm that is not configured for it.
fn other_algorithm(subject: &Subject) -> Vec<Row> {
    use Algorithm::{HS384, HS512, PS256, PS512, RS256, RS384, RS512};
    let others: &[Algorithm] = match subject.signer.algorithm {
        Algorithm::HS256 => &[HS384, HS512],
        RS256 => &[RS384, RS512, PS256],
        PS256 => &[RS256, PS512],
        _ => &[],
    };
    let sign = |other: &Algorithm| {
        let header = json!({ "alg": other, "typ": subject.header()["typ"], "kid": subject.signer.kid });
        let token = subject.signer.with(*other).sign(&header, &subject.claims());
        row("A3", format!("{other:?} by the true key"), token, "algorithm_not_allowed")
    };
    let mut rows: Vec<_> = others.iter().map(sign).collect();
    for claimed in ["HS256", "RS256", "RS384", "PS256", "ES256", "ES384", "EdDSA"] {
        if claimed != format!("{:?}", subject.signer.algorithm) {
            let token = subject.with_header(|header| header["alg"] = claimed.into());
            rows.push(row("A3", format!("said to be {claimed}"), token, "algorithm_not_allowed"));
        }
    }
    rows
}

/// The order of the group of P-256.
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7,
    0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

fn degenerate(subject: &Subject) -> Vec<Row> {
    let token = subject.token();
    let (input, signature) = token.rsplit_once('.').unwrap();
    let genuine = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, signature).unwrap();
    let size = genuine.len();
    let number = |last: u8| [vec![0; size - 1], vec![last]].concat();
    let half = |first: &[u8], second: &[u8]| [first, second].concat();
    let (zero, mut one) = ([0; 32], [0; 32]);
    one[31] = 1;
    let mut identity = [0; 32];
    identity[0] = 1;
    let candidates = [
        ("zeros", vec![0; size]),
        ("one", number(1)),
        ("all ones", vec![0xff; size]),
        ("a byte short", genuine[..size - 1].to_vec()),
        ("a byte long", half(&genuine, &[0])),
        ("a zero before", half(&[0], &genuine)),
        ("twice", half(&genuine, &genuine)),
        ("halves swapped", half(&genuine[size / 2..], &genuine[..size / 2])),
        ("r = 0, s = 1", half(&zero, &one)),
        ("r = 1, s = 0", half(&one, &zero)),
        ("r = s = the order", half(&P256_ORDER, &P256_ORDER)),
        ("r = the order, s = 1", half(&P256_ORDER, &one)),
        ("R = identity, S = 0", half(&identity, &zero)),
        ("R = 0, S = 0 in 65 bytes", vec![0; 65]),
        ("DER of r = s = 0", vec![0x30, 6, 2, 1, 0, 2, 1, 0]),
        ("DER of the genuine one", der(&genuine)),
    ];
    let forge = |(what, bytes): (&str, Vec<u8>)| {
        let reason = "signature_invalid";
        row("A4", format!("signature: {what}"), format!("{input}.{}", encode(bytes)), reason)
    };
    candidates.into_iter().map(forge).collect()
}

/// The halves of a signature as the two numbers of a DER sequence, which is how ECDSA signatures look outside of JOSE.
fn der(signature: &[u8]) -> Vec<u8> {
    let integer = |half: &[u8]| [&[2, u8::try_from(half.len() + 1).unwrap_or(0x7f), 0], half].concat();
    let (r, s) = signature.split_at(signature.len() / 2);
    let body = [integer(r), integer(s)].concat();
    [vec![0x30, u8::try_from(body.len()).unwrap_or(0x7f)], body].concat()
}

/// An attacker's key, offered in the header, is not looked at; a good token may carry all of these.
fn keys_in_the_header(subject: &Subject) -> Vec<Row> {
    let attacker: &Signer = match subject.signer.algorithm {
        Algorithm::ES256 => &EC_384,
        Algorithm::EdDSA => &EC,
        _ => &ED,
    };
    let offers = [
        ("jwk", attacker.jwk()),
        ("jku", "https://attacker.example/keys".into()),
        ("x5u", "https://attacker.example/cert".into()),
        ("x5c", json!(["MIIB"])),
        ("x5t", "AAAA".into()),
        ("x5t#S256", "AAAA".into()),
    ];
    let mut rows = Vec::new();
    for (name, value) in offers {
        let mut header = subject.header();
        header[name] = value;
        rows.push(row(
            "A5",
            format!("{name}, well signed"),
            subject.signer.sign(&header, &subject.claims()),
            "accepted",
        ));
        let token = attacker.sign(&header, &subject.claims());
        rows.push(row("A5", format!("{name} of an attacker's key"), token, "signature_invalid"));
    }
    rows
}

fn key_ids(subject: &Subject) -> Vec<Row> {
    let expected = if subject.looks_keys_up { "key_unknown" } else { "accepted" };
    let long = "k".repeat(128);
    let hostile = [
        "../../../../../../dev/null",
        "x' UNION SELECT 'secret' --",
        "$(touch pwned)",
        "http://attacker.example/key",
        "\0",
        "__proto__",
        "",
        "RSA-1",
        &long,
    ];
    let mut rows: Vec<_> = hostile
        .iter()
        .map(|kid| {
            row("A6", format!("kid {kid:?}"), subject.with_header(|header| header["kid"] = (*kid).into()), expected)
        })
        .collect();
    let empty = json!({ "alg": "HS256", "typ": subject.header()["typ"], "kid": "/dev/null" });
    let reason = if subject.has_secret() { "signature_invalid" } else { "algorithm_not_allowed" };
    rows.push(row("A6", "signed with what /dev/null holds", hmac(b"").sign(&empty, &subject.claims()), reason));
    for (what, value) in [("129 bytes", "k".repeat(129).into()), ("a number", json!(7)), ("null", Value::Null)] {
        let token = subject.with_header(|header| header["kid"] = value);
        rows.push(row("A6", format!("kid: {what}"), token, "token_malformed"));
    }
    rows
}

/// Keys belong to their issuer.
fn other_keys(subject: &Subject) -> Vec<Row> {
    let algorithm = subject.signer.algorithm;
    let stranger = match algorithm {
        Algorithm::HS256 => hmac(b"a secret that this gateway never had"),
        Algorithm::RS256 | Algorithm::PS256 => OTHER_RSA.with(algorithm).named("rsa-1"),
        Algorithm::ES256 => EC_384.clone(),
        _ => EC.clone(),
    };
    let by_stranger = stranger.sign(&subject.header(), &subject.claims());
    let as_other = subject.signer.sign(&subject.header(), &claims(OTHER_ISSUER));
    let reason = match algorithm {
        Algorithm::HS256 => "algorithm_not_allowed",
        Algorithm::RS256 | Algorithm::PS256 => "signature_invalid",
        _ => "key_unknown",
    };
    // The other issuer takes no token type but its own kind's, and ours says at+jwt, which it takes too.
    vec![
        row("A10", "signed by a stranger under our kid", by_stranger, "signature_invalid"),
        row("A10", "in the name of the other issuer", as_other, reason),
    ]
}

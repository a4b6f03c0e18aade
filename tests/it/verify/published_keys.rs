//! What a provider may publish: odd keys, and keys without names.

use anteroom::core::verdict::Verdict;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use super::fake_provider::{Provider, jwks};
use super::keys::{EC, ED, OTHER_RSA, RSA, Signer, encode, hmac};

use super::subjects::word;

#[tokio::test]
async fn tokens_without_a_key_id() {
    let provider = Provider::publishing(jwks(&[&OTHER_RSA, &RSA, &EC])).await;
    assert_eq!(word(&provider.verdict(&RSA, None).await), "accepted");
    assert_eq!(word(&provider.verdict(&EC, None).await), "accepted");
    assert_eq!(word(&provider.verdict(&ED, None).await), "key_unknown");
    assert_eq!(provider.fetches().await, 1, "a token without a key id never causes a fetch");

    let before = ["a", "b", "c", "d"].map(|kid| OTHER_RSA.named(kid));
    let fifth: Vec<_> = before.iter().chain([&*RSA]).collect();
    let provider = Provider::publishing(jwks(&fifth)).await;
    assert_eq!(word(&provider.verdict(&RSA, None).await), "signature_invalid", "four keys are tried, not more");
    assert_eq!(word(&provider.verdict(&RSA, Some("rsa-1")).await), "accepted");

    let mut pinned: Vec<_> = fifth.iter().map(|signer| signer.jwk()).collect();
    pinned[4]["alg"] = "RS256".into();
    let set = ResponseTemplate::new(200).set_body_json(json!({ "keys": pinned }));
    let provider = Provider::publishing(set).await;
    assert_eq!(word(&provider.verdict(&RSA, None).await), "accepted", "first those for its algorithm alone");

    // One key many times over is one key.
    let same: Vec<_> = (0..100).map(|_| &*OTHER_RSA).chain([&*RSA]).collect();
    let provider = Provider::publishing(jwks(&same)).await;
    assert_eq!(word(&provider.verdict(&RSA, None).await), "accepted");
    assert_eq!(provider.report().keys.len(), 2);
}

/// Signatures by nobody, for Ed25519 keys for which these are good, and for keys written in a way that the RFC does not know.
#[tokio::test]
async fn weak_points_of_a_curve_are_no_keys() {
    let point = |first: u8, middle: u8, last: u8| {
        let mut bytes = [middle; 32];
        (bytes[0], bytes[31]) = (first, last);
        encode(bytes)
    };
    let eighth = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05";
    let other_eighth = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a";
    let [eighth, other_eighth] = [eighth, other_eighth].map(|hex| {
        let bytes: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
        bytes
    });
    let negative = |point: &[u8]| {
        let mut bytes = point.to_vec();
        bytes[31] |= 0x80;
        encode(bytes)
    };
    let weak = [
        ("0", point(0, 0, 0)),
        ("-0", point(0, 0, 0x80)),
        ("1", point(1, 0, 0)),
        ("1, negative", point(1, 0, 0x80)),
        ("-1", point(0xec, 0xff, 0x7f)),
        ("-1, negative", point(0xec, 0xff, 0xff)),
        ("p", point(0xed, 0xff, 0x7f)),
        ("p, negative", point(0xed, 0xff, 0xff)),
        ("p + 1", point(0xee, 0xff, 0x7f)),
        ("p + 1, negative", point(0xee, 0xff, 0xff)),
        ("p + 3", point(0xf0, 0xff, 0x7f)),
        ("of order 8", encode(&eighth)),
        ("of order 8, negative", negative(&eighth)),
        ("another of order 8", encode(&other_eighth)),
        ("another of order 8, negative", negative(&other_eighth)),
    ];
    let jwk = |(kid, x): &(&str, String)| json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x });
    let keys: Vec<_> = weak.iter().map(jwk).chain([ED.jwk()]).collect();
    let provider = Provider::publishing(ResponseTemplate::new(200).set_body_json(json!({ "keys": keys }))).await;
    assert_eq!(provider.judge(&ED).await, "accepted");
    for (kid, _) in &weak {
        let header = encode(json!({ "alg": "EdDSA", "kid": kid }).to_string());
        let claims = encode(super::subjects::claims(&provider.issuer).to_string());
        // R is the neutral point, S is 0.
        let signature = encode([&[1][..], &[0; 63]].concat());
        assert_eq!(word(&provider.verify(&format!("{header}.{claims}.{signature}")).await), "key_unknown", "{kid}");
    }
}

#[tokio::test]
async fn odd_keys_spoil_nothing_and_are_never_used() {
    let changed = |signer: &Signer, kid: &str, change: &dyn Fn(&mut Value)| {
        let mut jwk = signer.jwk();
        jwk["kid"] = kid.into();
        change(&mut jwk);
        jwk
    };
    let rsa = |kid: &str, change: &dyn Fn(&mut Value)| changed(&OTHER_RSA, kid, change);
    let ec = |kid: &str, change: &dyn Fn(&mut Value)| changed(&EC, kid, change);
    let small = encode([0xc5; 128]);
    let keys = json!({ "keys": [
        1, null, "key", {}, { "kid": "no-type" }, { "kty": "quantum", "kid": "new" },
        { "kty": "oct", "kid": "oct", "k": encode("a secret that everybody knows by now") },
        rsa("enc", &|jwk| jwk["use"] = "enc".into()),
        rsa("ops", &|jwk| jwk["key_ops"] = json!(["encrypt"])),
        rsa("alg", &|jwk| jwk["alg"] = "RS512".into()),
        rsa("oaep", &|jwk| jwk["alg"] = "RSA-OAEP".into()),
        rsa("no-n", &|jwk| drop(jwk.as_object_mut().unwrap().remove("n"))),
        rsa("small", &|jwk| jwk["n"] = small.clone().into()),
        rsa("e-1", &|jwk| jwk["e"] = "AQ".into()),
        rsa("padded", &|jwk| jwk["n"] = format!("{}=", jwk["n"].as_str().unwrap()).into()),
        ec("off-curve", &|jwk| jwk["x"] = encode([7; 32]).into()),
        ec("short-y", &|jwk| jwk["y"] = encode([7; 31]).into()),
        ec("other-curve", &|jwk| jwk["crv"] = "P-384".into()),
        ec("as-ed", &|jwk| { jwk["kty"] = "OKP".into(); jwk["crv"] = "Ed25519".into(); }),
        rsa("zero-before-n", &|jwk| jwk["n"] = zero_before(&jwk["n"]).into()),
        rsa("verify", &|jwk| jwk["key_ops"] = json!(["verify"])),
        rsa("RS256", &|jwk| jwk["alg"] = "RS256".into()),
        rsa(&"k".repeat(129), &|_| ()),
        RSA.jwk(), EC.jwk(), ED.jwk(),
    ] });
    let provider = Provider::publishing(ResponseTemplate::new(200).set_body_json(keys)).await;
    for good in [&RSA, &EC, &ED] {
        assert_eq!(provider.judge(good).await, "accepted");
    }
    assert!(provider.report().keys.iter().all(|key| key.id.as_deref().is_some_and(|id| id.len() < 20)));
    for kid in ["zero-before-n", "verify", "RS256"] {
        assert_eq!(word(&provider.verdict(&OTHER_RSA, Some(kid)).await), "accepted", "{kid}");
    }
    for kid in ["enc", "ops", "alg", "oaep", "no-n", "small", "e-1", "padded"] {
        assert_eq!(word(&provider.verdict(&OTHER_RSA, Some(kid)).await), "key_unknown", "{kid}");
    }
    for kid in ["off-curve", "short-y", "other-curve", "as-ed", "new", "no-type", "oct"] {
        assert_eq!(word(&provider.verdict(&EC, Some(kid)).await), "key_unknown", "{kid}");
    }
    let symmetric = hmac(b"a secret that everybody knows by now");
    assert_eq!(word(&provider.verdict(&symmetric, Some("oct")).await), "algorithm_not_allowed");
    assert_eq!(provider.judge(&RSA.with(Algorithm::RS512)).await, "algorithm_not_allowed");
}

#[tokio::test]
async fn what_is_told_of_keys_is_of_bearable_length() {
    let named = |index: usize| {
        let mut jwk = RSA.jwk();
        jwk["kid"] = format!("{index:0128}").into();
        jwk
    };
    let set = json!({ "keys": (0..8).map(named).collect::<Vec<_>>() });
    let provider = Provider::publishing(ResponseTemplate::new(200).set_body_json(set)).await;
    let Verdict::Rejected(refusal) = provider.verdict(&RSA, Some("other")).await else { panic!("not refused") };
    let expected = refusal.evidence.unwrap().expected;
    assert_eq!((expected.chars().count(), expected.ends_with('…')), (1001, true), "{expected}");
}

/// What is no key must not take much memory: only so much of a set is looked at.
#[tokio::test]
async fn a_set_that_is_stuffed() {
    let judge = async |stuffing: Vec<Value>| {
        let keys: Vec<_> = stuffing.into_iter().chain([RSA.jwk()]).collect();
        let set = ResponseTemplate::new(200).set_body_json(json!({ "keys": keys }));
        Provider::publishing(set).await.judge(&RSA).await
    };
    assert_eq!(judge(vec![json!({ "": 0 }); 255]).await, "accepted");
    assert_eq!(judge(vec![json!({ "": 0 }); 256]).await, "unavailable");
    let with_certificates = |bytes: usize| {
        let mut key = RSA.jwk();
        key["x5c"] = json!(["A".repeat(bytes)]);
        vec![EC.jwk(), key]
    };
    let of = |keys: Vec<Value>| ResponseTemplate::new(200).set_body_json(json!({ "keys": keys }));
    assert_eq!(Provider::publishing(of(with_certificates(20_000))).await.judge(&RSA).await, "accepted");
    assert_eq!(Provider::publishing(of(with_certificates(40_000))).await.judge(&RSA).await, "key_unknown");
}

fn zero_before(number: &Value) -> String {
    let number = URL_SAFE_NO_PAD.decode(number.as_str().unwrap()).unwrap();
    encode([vec![0], number].concat())
}

#[tokio::test]
async fn one_kid_for_keys_of_several_kinds() {
    let provider = Provider::publishing(jwks(&[&EC.named("same"), &RSA.named("same"), &OTHER_RSA.named("same")])).await;
    for signer in [&RSA, &OTHER_RSA, &EC] {
        assert_eq!(word(&provider.verdict(signer, Some("same")).await), "accepted");
    }
}

//! What a provider may publish: odd keys, and keys without names.

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

    let fifth: Vec<_> = (0..4).map(|_| &*OTHER_RSA).chain([&*RSA]).collect();
    let provider = Provider::publishing(jwks(&fifth)).await;
    assert_eq!(word(&provider.verdict(&RSA, None).await), "signature_invalid", "four keys are tried, not more");
    assert_eq!(word(&provider.verdict(&RSA, Some("rsa-1")).await), "accepted");
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
        RSA.jwk(), EC.jwk(), ED.jwk(),
    ] });
    let provider = Provider::publishing(ResponseTemplate::new(200).set_body_json(keys)).await;
    for good in [&RSA, &EC, &ED] {
        assert_eq!(provider.judge(good).await, "accepted");
    }
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

//! How the provider is asked: where, by whom, and about which tokens.

use anteroom::verify::FetchErrorClass;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer};

use super::{Idp, SECRET, TOKEN, body, good, with};
use crate::verify::keys::hmac;
use crate::verify::subjects::{ISSUER, NOW, claims, word};

/// The names and values of a form.
fn form(body: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(body).into_owned().collect()
}

#[tokio::test]
async fn we_say_who_we_are_as_it_is_configured() {
    let pairs = |more: &[(&str, &str)]| -> Vec<_> {
        let always = [("token", TOKEN), ("token_type_hint", "access_token")];
        always.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    for (auth, in_form, in_header) in [
        ("client_secret_basic", pairs(&[]), Some("gate%3Away:s%26cr%3Dt%3A+%25%2B%2F%C3%BC")),
        ("client_secret_post", pairs(&[("client_id", "gate:way"), ("client_secret", SECRET)]), None),
    ] {
        let idp = Idp::configured(body(&good()), &format!("auth = \"{auth}\"")).await;
        assert_eq!(idp.judge().await, "accepted");
        let request = &idp.server.received_requests().await.unwrap()[0];
        let header = |name: &str| request.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!((request.method.as_str(), request.url.path(), request.url.query()), ("POST", "/introspect", None));
        assert_eq!(header("content-type").as_deref(), Some("application/x-www-form-urlencoded"));
        assert_eq!(header("accept").as_deref(), Some("application/json"));
        assert_eq!(header("authorization"), in_header.map(|text| format!("Basic {}", STANDARD.encode(text))));
        assert_eq!(form(&request.body), in_form);
    }
}

/// A provider whose endpoint its discovery document names, and that document.
async fn discovered(mut document: Value) -> (MockServer, String) {
    let server = MockServer::start().await;
    let issuer = format!("{}/realm", server.uri());
    if document["issuer"].is_null() {
        document["issuer"] = issuer.clone().into();
    }
    if document["introspection_endpoint"] == "here" {
        document["introspection_endpoint"] = format!("{issuer}/introspect").into();
    }
    Mock::given(path("/realm/.well-known/openid-configuration")).respond_with(body(&document)).mount(&server).await;
    (server, issuer)
}

#[tokio::test]
async fn the_endpoint_is_discovered() {
    let judge = async |document, issuer_suffix: &str| {
        let (server, issuer) = discovered(document).await;
        let issuer = format!("{issuer}{issuer_suffix}");
        let answer = with(&json!({ "iss": issuer }));
        Mock::given(path("/realm/introspect")).respond_with(answer).mount(&server).await;
        let idp = Idp::discovering(server, &issuer);
        idp.judged().await
    };
    assert_eq!(judge(json!({ "introspection_endpoint": "here" }), "").await, ("accepted", 2));
    for wrong in [
        json!({ "introspection_endpoint": "here", "issuer": "https://other.example" }),
        json!({ "introspection_endpoint": "ftp://localhost/" }),
        json!({ "introspection_endpoint": "http://idp.example/" }),
        json!({ "introspection_endpoint": 5 }),
        json!({}),
    ] {
        assert_eq!(judge(wrong.clone(), "").await, ("unavailable", 1), "{wrong}");
    }
    assert_eq!(judge(json!({ "introspection_endpoint": "here" }), "/").await, ("unavailable", 1), "one slash too many");
}

/// It is not asked for again at once, and what was wrong then is what is told until it is.
#[tokio::test]
async fn what_is_wrong_with_its_document_is_told() {
    for (what, document, class) in [
        ("of another issuer", json!({ "issuer": "https://other.example" }), "issuer"),
        ("plain http elsewhere", json!({ "introspection_endpoint": "ftp://localhost/" }), "address"),
        ("without an endpoint", json!({}), "parse"),
    ] {
        let (server, issuer) = discovered(document).await;
        let idp = Idp::discovering(server, &issuer);
        for failures in 1..=2 {
            assert_eq!(idp.judged().await, ("unavailable", 1), "{what}");
            let series = format!("calls_total{{verifier=\"idp\",result=\"{class}\"}}");
            assert_eq!(idp.counted(&series), failures, "{what}");
        }
        let report = idp.chain.readiness()[0].introspection.unwrap();
        assert_eq!((report.consecutive_failures, report.last_error.map(FetchErrorClass::name)), (2, Some(class)));
    }
}

#[tokio::test]
async fn what_was_discovered_holds_until_it_is_gone() {
    let (server, issuer) = discovered(json!({ "introspection_endpoint": "here" })).await;
    let mock = Mock::given(path("/realm/introspect")).respond_with(with(&json!({ "iss": issuer })));
    let mounted = mock.mount_as_scoped(&server).await;
    let idp = Idp::discovering(server, &issuer);
    assert_eq!(idp.judged().await, ("accepted", 2));
    idp.later(30);
    assert_eq!(idp.judged().await, ("accepted", 3), "one more introspection");
    idp.later(3600);
    assert_eq!(word(&idp.verify(TOKEN).await), "token_expired");
    assert_eq!(idp.calls().await, 5, "discovery and introspection");
    drop(mounted);
    idp.later(30);
    assert_eq!(idp.judged().await.0, "unavailable", "404");
    let before = idp.calls().await;
    idp.later(1);
    assert_eq!(idp.judged().await, ("unavailable", before + 2), "asked where it is by now");
    idp.later(4);
    assert_eq!(idp.judged().await, ("unavailable", before + 3), "which was only just told");
    idp.later(1);
    assert_eq!(idp.judged().await, ("unavailable", before + 5), "and is asked again in time");
}

#[tokio::test]
async fn which_tokens_are_asked_about() {
    let jwt = |claims: &Value| {
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": "whatever" });
        hmac(b"the provider knows").sign(&header, claims)
    };
    let good_jwt = jwt(&claims(ISSUER));
    for (tokens, of_jwt, of_opaque) in [
        ("opaque", "issuer_unknown", "accepted"),
        ("jwt", "accepted", "token_malformed"),
        ("all", "accepted", "accepted"),
    ] {
        let idp = Idp::configured(body(&good()), &format!("tokens = \"{tokens}\"")).await;
        assert_eq!(word(&idp.verify(&good_jwt).await), of_jwt, "{tokens}");
        assert_eq!(idp.judge().await, of_opaque, "{tokens}");
        idp.answers(body(&json!({ "active": false })));
        idp.later(30);
        assert_eq!(word(&idp.verify(&good_jwt).await), if tokens == "opaque" { of_jwt } else { "token_inactive" });
    }
    // What a JWT says of itself is enough to refuse it, and not enough to accept it.
    let idp =
        Idp::configured(body(&good()), "tokens = \"all\"\nrequired_claims = [{ at = \"tier\", eq = \"gold\" }]").await;
    for (change, expected) in [
        (json!({ "exp": NOW - 60 }), "token_expired"),
        (json!({ "nbf": NOW + 60 }), "token_not_yet_valid"),
        (json!({ "aud": "elsewhere" }), "audience_mismatch"),
        (json!({ "typ": "ID" }), "type_mismatch"),
        (json!({ "iss": "https://other.example/" }), "issuer_unknown"),
    ] {
        let mut claims = claims(ISSUER);
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert_eq!((word(&idp.verify(&jwt(&claims)).await), idp.calls().await), (expected, 0), "{change}");
    }
    let mut golden = claims(ISSUER);
    golden["tier"] = "gold".into();
    assert_eq!((word(&idp.verify(&jwt(&golden)).await), idp.calls().await), ("claim_mismatch", 1));
}

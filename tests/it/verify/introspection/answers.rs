//! C1: what an answer has to say for its token to be accepted.

use anteroom::core::verdict::{Refusal, Verdict};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use super::{Idp, TOKEN, body, retry_after, with};
use crate::verify::subjects::{ISSUER, NOW, now, word};

#[tokio::test]
async fn only_true_is_active() {
    for active in [json!("true"), json!(1), json!([true]), json!({ "active": true }), json!("active"), json!(false)] {
        let idp = Idp::answering(with(&json!({ "active": active }))).await;
        assert_eq!(idp.judged().await, ("token_inactive", 1), "{active}");
    }
    let bare = Idp::answering(body(&json!({ "active": false }))).await;
    assert_eq!(bare.judge().await, "token_inactive");
}

/// What is there is judged as in a JWT; what is not there is optional, but for the audience.
#[tokio::test]
async fn the_members_of_an_answer() {
    let cases = [
        (json!({}), "accepted"),
        (json!({ "exp": NOW - 6 }), "token_expired"),
        (json!({ "exp": "1795330800" }), "claims_invalid"),
        (json!({ "exp": 0 }), "claims_invalid"),
        (json!({ "exp": null }), "accepted"),
        (json!({ "nbf": NOW + 6 }), "token_not_yet_valid"),
        (json!({ "iat": NOW + 6 }), "token_not_yet_valid"),
        (json!({ "iat": true }), "claims_invalid"),
        (json!({ "iat": null }), "accepted"),
        (json!({ "aud": ["elsewhere", "api"] }), "accepted"),
        (json!({ "aud": "elsewhere" }), "audience_mismatch"),
        (json!({ "aud": [] }), "audience_mismatch"),
        (json!({ "aud": null }), "audience_mismatch"),
        (json!({ "aud": 5 }), "claims_invalid"),
        (json!({ "iss": null }), "accepted"),
        (json!({ "iss": format!("{ISSUER}/") }), "issuer_unknown"),
        (json!({ "iss": "https://other.example/" }), "issuer_unknown"),
        (json!({ "iss": [ISSUER] }), "claims_invalid"),
        (json!({ "sub": null }), "accepted"),
        (json!({ "sub": "" }), "claims_invalid"),
        (json!({ "sub": 7 }), "claims_invalid"),
        (json!({ "sub": null, "client_id": null }), "claims_invalid"),
        (json!({ "token_type": null }), "accepted"),
        (json!({ "token_type": "bearer" }), "accepted"),
        (json!({ "token_type": "access_token" }), "accepted"),
        (json!({ "token_type": "DPoP" }), "type_mismatch"),
        (json!({ "token_type": "refresh_token" }), "type_mismatch"),
        (json!({ "token_type": 1 }), "type_mismatch"),
        (json!({ "token_use": "refresh_token" }), "type_mismatch"),
        (json!({ "typ": "Refresh" }), "type_mismatch"),
        (json!({ "typ": "Bearer" }), "accepted"),
        (json!({ "nonce": "n-0S6_WzA2Mj" }), "type_mismatch"),
        (json!({ "cnf": { "x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2" } }), "type_mismatch"),
    ];
    for (change, expected) in cases {
        let idp = Idp::answering(with(&change)).await;
        assert_eq!(idp.judged().await, (expected, 1), "{change}");
    }
}

#[tokio::test]
async fn what_is_no_introspection_at_all() {
    let text = |text: &str| ResponseTemplate::new(200).set_body_string(text);
    for (what, answer) in [
        ("an empty object", text("{}")),
        ("an error", text("{\"error\":\"server_error\"}")),
        ("an array", text("[{\"active\":true}]")),
        ("`active` twice", text("{\"active\":false,\"active\":true}")),
        ("`sub` twice", text("{\"active\":true,\"sub\":\"a\",\"aud\":\"anteroom\",\"\\u0073ub\":\"b\"}")),
        ("a name twice far inside", text("{\"active\":false,\"x\":[{\"y\":1,\"y\":1}]}")),
        ("something after it", text("{\"active\":true} {}")),
        ("nothing", text("")),
    ] {
        let idp = Idp::answering(answer).await;
        let verdict = idp.verify(TOKEN).await;
        assert_eq!((word(&verdict), retry_after(&verdict)), ("unavailable", 1), "{what}");
        assert_eq!(idp.counted("calls_total{verifier=\"idp\",result=\"parse\"}"), 1, "{what}");
    }
}

/// Many of them may be read at once.
#[tokio::test]
async fn an_answer_is_short() {
    for (bytes, expected) in [(60 * 1024, "accepted"), (64 * 1024, "unavailable")] {
        let idp = Idp::answering(with(&json!({ "more": "x".repeat(bytes) }))).await;
        assert_eq!(idp.judge().await, expected, "{bytes}");
    }
}

async fn caller(idp: &Idp) -> anteroom::core::claims::Caller {
    match idp.verify(TOKEN).await {
        Verdict::Accepted(caller) => (*caller).clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_it_says_reaches_the_caller() {
    let lines = "grants_from = [\"scope\", [\"realm_access\", \"roles\"]]\ngrants = [\"requests:work\"]\nemail_claim = \"mail\"";
    let more = json!({ "username": "ada", "mail": "ada@acme.example", "realm_access": { "roles": ["requests:read"] },
        "scope": "unheard-of", "permissions": ["read:invoices"] });
    let caller = caller(&Idp::configured(with(&more), lines).await).await;
    assert_eq!((caller.issuer.as_str(), caller.subject.as_str()), (ISSUER, "acme"));
    assert_eq!((caller.owner.issuer.as_str(), caller.owner.subject.as_str()), (ISSUER, "acme"));
    assert_eq!(caller.client_id.as_deref(), Some("acme-client"));
    assert_eq!(caller.scopes.iter().collect::<Vec<_>>(), ["requests:read", "requests:work"]);
    assert_eq!(caller.permissions, ["read:invoices"]);
    assert_eq!(caller.audience, ["anteroom"]);
    assert_eq!(caller.email.as_deref(), Some("ada@acme.example"));
    assert_eq!(caller.expires_at, now().plus_millis(3_600_000));
    assert_eq!(caller.claims["username"], "ada");
}

/// The issuer that was asked stands in for `iss`, the client for `sub`, and the time for which the answer is kept for `exp`.
#[tokio::test]
async fn what_it_leaves_out() {
    let sparse = json!({ "active": true, "client_id": "robot", "aud": "api" });
    let caller = caller(&Idp::configured(body(&sparse), "cache = \"20s\"").await).await;
    assert_eq!((caller.owner.issuer.as_str(), caller.owner.subject.as_str()), (ISSUER, "robot"));
    assert_eq!(caller.expires_at, now().plus_millis(20_000));
    assert_eq!((caller.issued_at, caller.not_before, caller.scopes.len()), (None, None, 0));

    let by_client = "audience = [\"robot\"]\naudience_claim = \"client_id\"\nowner = \"client\"";
    let answer = json!({ "active": true, "client_id": "robot", "sub": "ada" });
    let idp = Idp::configured(body(&answer), by_client).await;
    assert_eq!(idp.judge().await, "type_mismatch", "it may be about a refresh token");
    let mut answer = answer;
    answer["token_type"] = "Bearer".into();
    let idp = Idp::configured(body(&answer), by_client).await;
    let caller = self::caller(&idp).await;
    assert_eq!((caller.subject.as_str(), caller.owner.subject.as_str()), ("ada", "robot"));
}

#[tokio::test]
async fn the_log_learns_what_was_expected_and_found() {
    let told = async |change: Value, lines: &str| match Idp::configured(with(&change), lines).await.verify(TOKEN).await
    {
        Verdict::Rejected(Refusal { reason, verifier, evidence }) => {
            assert_eq!(verifier.as_deref(), Some("idp"));
            evidence.map(|evidence| format!("{}: {}: {}", reason.code(), evidence.expected, evidence.unverified_found))
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(
        told(json!({ "iss": "https://x\n" }), "").await.unwrap(),
        format!("issuer_unknown: iss to be {ISSUER:?}: \"https://x\\n\"")
    );
    assert_eq!(
        told(json!({ "aud": null }), "").await.unwrap(),
        "audience_mismatch: one of [\"anteroom\", \"api\"]: []"
    );
    let rule = "required_claims = [{ at = \"tier\", eq = \"gold\" }]";
    assert_eq!(told(json!({}), rule).await.unwrap(), "claim_mismatch: \"tier\" to be \"gold\": nothing");
    assert_eq!(told(json!({ "active": false }), "").await, None);
}

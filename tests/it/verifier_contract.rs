//! The verifier contract: every kind of verifier, with every way in which a token can be bad, and those in which it can be odd but
//! good. The rows A1 to A22 are named after the requirements that they show.

mod claims;
mod form;
mod signatures;
mod types;

use std::fmt::Write as _;

use anteroom::core::clock::Timestamp;
use anteroom::core::verdict::{Refusal, Verdict};
use anteroom::verify::{Means, Step};

use crate::verify::subjects::{self, Subject, now, verify};

/// One token, and the verdict that it has to get.
pub(crate) struct Row {
    id: &'static str,
    what: String,
    token: String,
    at: Timestamp,
    expected: &'static str,
}

pub(crate) fn row(id: &'static str, what: impl Into<String>, token: String, expected: &'static str) -> Row {
    Row { id, what: what.into(), token, at: now(), expected }
}

/// Judges every row by every kind, and shows all that came out otherwise. So many of the tokens are opaque; no other is sent to the issuer
/// that is asked about those.
async fn check(rows: fn(&Subject) -> Vec<Row>, opaque: usize) {
    let mut wrong = String::new();
    for subject in subjects::all().await {
        assert_eq!(subject.judge(&subject.token(), now()).await, "accepted", "{}: the good token", subject.name);
        for mut row in rows(&subject) {
            row.expected = subject.refuses(&row.token, row.expected);
            let verdict = subject.judge(&row.token, row.at).await;
            assert_eq!(explained(&subject, &row.token, row.at).await, verdict, "{}: {}", subject.name, row.what);
            if verdict != row.expected {
                let (kind, Row { id, what, expected, .. }) = (subject.name, row);
                writeln!(wrong, "{kind}: {id} {what}: {verdict} instead of {expected}").unwrap();
            }
        }
        assert_eq!(subject.opaque_calls().await, opaque, "{}", subject.name);
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// What `anteroom explain` makes of a token: by the same checks, it says the same.
async fn explained(subject: &Subject, token: &str, at: Timestamp) -> &'static str {
    let (chain, means) = (&subject.chain, Means { live: true, own_secret: true });
    let told = chain.explain(token, chain.api(), at, means).await;
    let verdict = told.verdict.expect("a verdict");
    let refusals: Vec<_> = told.steps.iter().filter_map(Step::refusal).collect();
    match &verdict {
        Verdict::Rejected(refusal) => assert_eq!(refusals[0].reason, refusal.reason),
        _ => assert_eq!(refusals, Vec::<&Refusal>::new()),
    }
    subjects::word(&verdict)
}

#[tokio::test]
async fn algorithms_and_signatures() {
    check(signatures::rows, 0).await;
}

#[tokio::test]
async fn form() {
    check(form::rows, 2).await;
}

#[tokio::test]
async fn types() {
    check(types::rows, 0).await;
}

#[tokio::test]
async fn registered_claims() {
    check(claims::rows, 0).await;
}

/// A19: no token survives the change of any one bit.
#[tokio::test]
async fn any_bit_flipped() {
    for subject in subjects::all().await {
        let token = subject.token();
        for position in 0..token.len() {
            for bit in 0..7 {
                let mut bytes = token.clone().into_bytes();
                bytes[position] ^= 1 << bit;
                let changed = String::from_utf8(bytes).unwrap();
                let verdict = verify(&subject.chain, &changed, subject.chain.api(), now()).await;
                assert!(matches!(verdict, Verdict::Rejected(_)), "{}: {verdict:?} for {changed}", subject.name);
            }
        }
        // Either dot can become a slash or an n, and what has but one is no JWT.
        assert_eq!(subject.opaque_calls().await, 4, "{}", subject.name);
    }
}

/// A5: an address in the header is not visited.
#[tokio::test]
async fn addresses_in_the_header() {
    let listener = wiremock::MockServer::start().await;
    for subject in subjects::all().await {
        for name in ["jku", "x5u", "iss", "jwks_uri"] {
            let token = subject.with_header(|header| header[name] = format!("{}/{name}", listener.uri()).into());
            assert_eq!(subject.judge(&token, now()).await, "accepted", "{}: {name}", subject.name);
            let elsewhere = subject.with_claims(|claims| claims["iss"] = listener.uri().into());
            assert_eq!(subject.judge(&elsewhere, now()).await, "issuer_unknown", "{}", subject.name);
        }
    }
    assert_eq!(listener.received_requests().await.unwrap().len(), 0);
}

/// What a genuine token says reaches the caller whole: one spot check per kind.
#[tokio::test]
async fn what_the_caller_is() {
    for subject in subjects::all().await {
        let token = subject.with_claims(|claims| {
            claims["aud"] = serde_json::json!(["elsewhere", "anteroom"]);
            claims["email"] = "ada@acme.example".into();
            claims["permissions"] = serde_json::json!(["read:invoices"]);
        });
        let Verdict::Accepted(caller) = verify(&subject.chain, &token, subject.chain.api(), now()).await else {
            panic!("{}", subject.name)
        };
        assert_eq!(caller.issuer, subject.issuer);
        assert_eq!(caller.subject, "acme");
        assert_eq!(caller.client_id.as_deref(), Some("acme-client"));
        assert_eq!(caller.audience, ["elsewhere", "anteroom"]);
        assert_eq!(caller.email.as_deref(), Some("ada@acme.example"));
        assert_eq!(caller.permissions, ["read:invoices"]);
        assert_eq!(caller.expires_at, Timestamp::from_seconds(subjects::NOW + 3600));
        assert_eq!(caller.claims["scope"], "requests:read unheard-of");
        let scopes: Vec<_> = caller.scopes.iter().map(String::as_str).collect();
        // Our own scopes stand as they are; a provider's count as far as they are listed.
        let expected = if subject.is_own() { &["requests:read", "unheard-of"][..] } else { &["requests:read"] };
        assert_eq!(scopes, expected, "{}", subject.name);
    }
}

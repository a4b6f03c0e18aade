//! What a guarded service is told of its caller: headers that can be read in one way only.

use reqwest::Method;
use serde_json::json;

use super::{IDP, ask, token, with_guards};
use crate::gateway::{Answer, problem};

/// The headers of an answer that tell an identity.
fn told(answer: &Answer) -> Vec<(&str, &str)> {
    let usual =
        ["x-anteroom-subject", "x-anteroom-client", "x-anteroom-scopes", "x-anteroom-issuer", "x-anteroom-email"];
    let names = usual.into_iter().chain(["remote-user", "x-mail"]);
    let mut told: Vec<_> = names.map(|name| (name, answer.header(name))).collect();
    let known = |name: &str| told.iter().any(|(known, _)| *known == name);
    assert!(answer.headers.keys().all(|name| known(name.as_str()) || !name.as_str().contains("anteroom")));
    told.retain(|(_, value)| !value.is_empty());
    told
}

#[tokio::test]
async fn who_calls_is_told_and_what_is_not_known_is_left_out() {
    let gateway = with_guards("");
    let whole = ask(&gateway, "idp", &token(|_| ())).await;
    let expected = [
        ("x-anteroom-subject", "anna"),
        ("x-anteroom-client", "shop"),
        ("x-anteroom-scopes", "a b clerk d invoices:read"),
        ("x-anteroom-issuer", IDP),
        ("x-anteroom-email", "anna@acme.example"),
    ];
    assert_eq!(told(&whole), expected);
    let named = ask(&gateway, "named", &token(|_| ())).await;
    let expected = [expected[1], expected[2], expected[3], ("remote-user", "anna"), ("x-mail", "anna@acme.example")];
    assert_eq!(told(&named), expected);
    let bare = token(|claims| {
        for name in ["azp", "email", "scope", "realm_access"] {
            claims.as_object_mut().unwrap().remove(name);
        }
    });
    assert_eq!(told(&ask(&gateway, "idp", &bare).await), [("x-anteroom-subject", "anna"), ("x-anteroom-issuer", IDP)]);
}

/// Two callers never look alike, and no line break of a claim's becomes one of a header's.
#[tokio::test]
async fn odd_values_are_encoded_each_in_its_own_way() {
    let gateway = with_guards("");
    for (subject, expected) in [
        ("auth0|5f\"7c;d,e=f\\", "auth0|5f\"7c;d,e=f\\"),
        ("a\r\nX-Anteroom-Email: root@acme.example", "a%0D%0AX-Anteroom-Email:%20root@acme.example"),
        (" anna", "%20anna"),
        ("anna\t", "anna%09"),
        ("%20anna", "%2520anna"),
        ("änna\u{7f}", "%C3%A4nna%7F"),
        ("\u{202e}", "%E2%80%AE"),
        ("{http.request.host}", "%7Bhttp.request.host%7D"),
    ] {
        let answer = ask(&gateway, "idp", &token(|claims| claims["sub"] = json!(subject))).await;
        assert_eq!((answer.status, answer.header("x-anteroom-subject")), (200, expected));
        assert_eq!(answer.header("x-anteroom-email"), "anna@acme.example");
    }
    let scopes = token(|claims| claims["realm_access"]["roles"] = json!(["b c", "d\ne", "%"]));
    let answer = ask(&gateway, "idp", &scopes).await;
    assert_eq!(answer.header("x-anteroom-scopes"), "%25 a b b%20c d d%0Ae invoices:read");
}

#[tokio::test]
async fn a_callers_own_identity_headers_are_not_believed() {
    let gateway = with_guards("");
    let forged = |guard: &str| {
        let call = gateway.call(Method::GET, &format!("/guard/{guard}")).header("x-anteroom-subject", "root");
        call.header("x-anteroom-email", "root@acme.example").header("x-anteroom-scopes", "invoices:read")
    };
    assert_eq!(Answer::to(forged("billing")).await.status, 401);
    let lacking = token(|claims| claims["scope"] = json!(""));
    assert_eq!(Answer::to(forged("billing").bearer_auth(&lacking)).await.status, 403);
    for call in [forged("open"), forged("open").bearer_auth(token(|_| ())), forged("open").bearer_auth("garbage")] {
        let answer = Answer::to(call).await;
        assert_eq!((answer.status, answer.text.as_str(), told(&answer)), (200, "", vec![]));
    }
}

/// Half of what is known of a caller would be another caller.
#[tokio::test]
async fn more_than_headers_carry_is_refused_and_not_cut() {
    let gateway = with_guards("");
    let wide = |letters: usize| {
        token(|claims| {
            let members = claims.as_object_mut().unwrap();
            members.retain(|name, _| ["iss", "sub", "aud", "exp"].contains(&name.as_str()));
            members.insert("scope".into(), json!("é".repeat(letters)));
        })
    };
    let answer = ask(&gateway, "idp", &wide(2_700)).await;
    assert_eq!((answer.status, answer.header("x-anteroom-scopes").len()), (200, 16_200));
    let answer = ask(&gateway, "idp", &wide(2_750)).await;
    let detail = "The token is genuine, and what it says of its caller is more than the headers to the service can carry. \
                  Get a token with fewer scopes or roles in it.";
    assert_eq!(answer.problem(), problem(403, "identity_too_large", "Identity too large", detail));
    assert_eq!(told(&answer), []);
}

//! A12 and A18: which tokens are access tokens, and what a good one may look like.

use serde_json::{Value, json};

use super::{Row, row};
use crate::verify::subjects::{NOW, Subject};

pub(crate) fn rows(subject: &Subject) -> Vec<Row> {
    [header_types, foreign_shapes, odd_but_good].into_iter().flat_map(|group| group(subject)).collect()
}

fn header_types(subject: &Subject) -> Vec<Row> {
    let foreign = [
        "id+jwt",
        "logout+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "refresh+jwt",
        "rt+jwt",
        "token-introspection+jwt",
        "client-authentication+jwt",
        "JOSE",
        "JWE",
        "",
        "at+jwt ",
        "at+jwt;v=1",
        "text/at+jwt",
    ];
    let set = |typ: &str| subject.with_header(|header| header["typ"] = typ.into());
    let mut rows: Vec<_> =
        foreign.iter().map(|typ| row("A12", format!("typ {typ:?}"), set(typ), "type_mismatch")).collect();
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt"] {
        rows.push(row("A12", format!("typ {typ:?}"), set(typ), "accepted"));
    }
    // Our own tokens say what they are; providers older than RFC 9068 do not.
    let untyped = if subject.is_own() { "type_mismatch" } else { "accepted" };
    rows.push(row("A12", "typ JWT", set("JWT"), untyped));
    rows.push(row("A12", "typ jwt", set("jwt"), untyped));
    let absent = subject.with_header(|header| drop(header.as_object_mut().unwrap().remove("typ")));
    rows.push(row("A12", "no typ", absent, untyped));
    for value in [json!(1), json!(["at+jwt"]), Value::Null] {
        let token = subject.with_header(|header| header["typ"] = value);
        rows.push(row("A12", "typ of another type", token, "token_malformed"));
    }
    rows
}

fn foreign_shapes(subject: &Subject) -> Vec<Row> {
    let shapes = [
        json!({ "nonce": "n-0S6_WzA2Mj" }),
        json!({ "at_hash": "77QmUPtjPfzWtF2AnpK9RQ" }),
        json!({ "cnf": { "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" } }),
        json!({ "c_hash": "LDktKdoQak3Pk0cnXxCltA" }),
        json!({ "events": { "http://schemas.openid.net/event/backchannel-logout": {} } }),
        json!({ "htm": "POST", "htu": "https://api.example/v1/requests" }),
        json!({ "typ": "ID" }),
        json!({ "typ": "Refresh" }),
        json!({ "typ": "Offline" }),
        json!({ "typ": "Logout" }),
        json!({ "token_use": "id" }),
    ];
    let mut rows = Vec::new();
    for shape in shapes {
        let token =
            subject.with_claims(|claims| claims.as_object_mut().unwrap().extend(shape.as_object().unwrap().clone()));
        rows.push(row("A12", format!("claims {shape}"), token, "type_mismatch"));
    }
    let bearer = subject.with_claims(|claims| claims["typ"] = "Bearer".into());
    rows.push(row("A12", "what Keycloak writes into access tokens", bearer, "accepted"));
    rows
}

fn odd_but_good(subject: &Subject) -> Vec<Row> {
    let good = [
        ("exp with a fraction", json!({ "exp": f64::from(i32::MAX) + 0.5 })),
        ("exp with an exponent", serde_json::from_str("{\"exp\": 1.8e9}").unwrap()),
        ("exp at the end of 9999", json!({ "exp": 253_402_300_799_i64 })),
        ("iat with a fraction", json!({ "iat": 1_795_327_199.999 })),
        ("nbf 0", json!({ "nbf": 0 })),
        ("nbf now", json!({ "nbf": NOW })),
        ("iat now", json!({ "iat": NOW })),
        ("several audiences", json!({ "aud": ["https://elsewhere.example", "anteroom", "x"] })),
        ("an audience twice", json!({ "aud": ["anteroom", "anteroom"] })),
        ("unknown claims", json!({ "https://acme.example/tier": { "gold": [true, null, 1.5] }, "jti": "1" })),
        ("a subject in any script", json!({ "sub": "Ада Лавлейс 🦆 \u{202e}" })),
        ("null where nobody looks", json!({ "email": null, "client_id": null, "scope": null })),
        ("a scope of another type", json!({ "scope": 5, "scp": { "a": 1 } })),
    ];
    let mut rows = Vec::new();
    for (what, change) in good {
        let token =
            subject.with_claims(|claims| claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone()));
        rows.push(row("A18", what, token, "accepted"));
    }
    let header = subject.with_header(|header| {
        header["cty"] = "json".into();
        header["https://acme.example/h"] = json!({ "x": [1] });
        header["b64"] = true.into();
    });
    rows.push(row("A18", "unknown header members", header, "accepted"));
    let spaced = subject.signer.sign_text(
        &serde_json::to_string_pretty(&subject.header()).unwrap(),
        &format!("\r\n\t {} \n", serde_json::to_string_pretty(&subject.claims()).unwrap()),
    );
    rows.push(row("A18", "white space in the JSON", spaced, "accepted"));
    let unnamed = subject.with_header(|header| drop(header.as_object_mut().unwrap().remove("kid")));
    rows.push(row("A18", "no kid", unnamed, "accepted"));
    rows
}

//! A8 to A11 and A22: the claims that every access token has to have.

use anteroom::core::clock::Timestamp;
use serde_json::{Value, json};

use super::{Row, row};
use crate::verify::subjects::{NOW, Subject, now};

pub(crate) fn rows(subject: &Subject) -> Vec<Row> {
    let groups = [expiry, other_times, moments, issuer, audience, subject_claim];
    groups.into_iter().flat_map(|group| group(subject)).collect()
}

/// Values that are no date for any claim.
fn no_dates() -> Vec<Value> {
    let text = NOW.to_string();
    let beyond = [json!(253_402_300_800_i64), json!(NOW * 1000), json!(i64::MAX), json!(1_u64 << 63), json!(u64::MAX)];
    let plain = [json!(text), json!(""), json!(true), json!([NOW]), json!({}), Value::Null, json!(-1), json!(-0.5)];
    plain.into_iter().chain(beyond).chain([json!(1e300), json!(-1e300), json!(i64::MIN)]).collect()
}

fn with(subject: &Subject, name: &str, value: Value) -> String {
    subject.with_claims(|claims| claims[name] = value)
}

fn without(subject: &Subject, name: &str) -> String {
    subject.with_claims(|claims| drop(claims.as_object_mut().unwrap().remove(name)))
}

/// A token whose claim is written with this very text.
fn written(subject: &Subject, name: &str, text: &str) -> String {
    let claims = subject.claims();
    let old = format!("\"{name}\":{}", claims[name]);
    let new = format!("\"{name}\":{text}");
    subject.signer.sign_text(&subject.header().to_string(), &claims.to_string().replace(&old, &new))
}

fn expiry(subject: &Subject) -> Vec<Row> {
    let mut rows = vec![row("A8", "no exp", without(subject, "exp"), "claims_invalid")];
    for value in no_dates().into_iter().chain([json!(0), json!(0.0), json!(-0.0)]) {
        rows.push(row("A8", format!("exp {value}"), with(subject, "exp", value), "claims_invalid"));
    }
    for text in [
        "NaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "-1e400",
        "0x7fffffff",
        "01795330800",
        "+1795330800",
        "1795330800.",
        "",
    ] {
        rows.push(row("A8", format!("exp written {text}"), written(subject, "exp", text), "token_malformed"));
    }
    for value in [json!(1), json!(NOW - 3600), json!(NOW - 6), json!(0.001)] {
        rows.push(row("A8", format!("exp {value}"), with(subject, "exp", value), "token_expired"));
    }
    rows
}

fn other_times(subject: &Subject) -> Vec<Row> {
    let mut rows = Vec::new();
    for name in ["nbf", "iat"] {
        for value in no_dates() {
            rows.push(row("A9", format!("{name} {value}"), with(subject, name, value), "claims_invalid"));
        }
        for value in [json!(NOW + 6), json!(NOW + 1800), json!(253_402_300_799_i64)] {
            rows.push(row("A9", format!("{name} {value}"), with(subject, name, value), "token_not_yet_valid"));
        }
    }
    rows.push(row("A9", "iat 0", with(subject, "iat", json!(0)), "claims_invalid"));
    rows.push(row("A9", "no iat", without(subject, "iat"), "accepted"));
    rows
}

/// A22: to the millisecond. Our own tokens have no leeway, those of providers five seconds.
fn moments(subject: &Subject) -> Vec<Row> {
    let leeway = if subject.is_own() { 0 } else { 5000 };
    let short = with(subject, "exp", json!(NOW + 2));
    let early = with(subject, "nbf", json!(NOW + 60));
    let fresh = with(subject, "iat", json!(NOW + 60));
    let at = |what: &str, token: &String, millis: i64, expected| Row {
        at: Timestamp::from_millis(now().millis() + millis),
        ..row("A22", format!("{what} at {millis} ms"), token.clone(), expected)
    };
    vec![
        at("two seconds to live", &short, 1999 + leeway, "accepted"),
        at("two seconds to live", &short, 2000 + leeway, "token_expired"),
        at("nbf in a minute", &early, 60_000 - leeway, "accepted"),
        at("nbf in a minute", &early, 59_999 - leeway, "token_not_yet_valid"),
        at("iat in a minute", &fresh, 60_000 - leeway, "accepted"),
        at("iat in a minute", &fresh, 59_999 - leeway, "token_not_yet_valid"),
    ]
}

fn issuer(subject: &Subject) -> Vec<Row> {
    let iss = subject.issuer;
    let mut rows = vec![row("A10", "no iss", without(subject, "iss"), "claims_invalid")];
    for value in [json!([iss]), json!({ "iss": iss }), json!(1), json!(true), Value::Null, json!("")] {
        rows.push(row("A10", format!("iss {value}"), with(subject, "iss", value), "claims_invalid"));
    }
    let others = [
        format!("{iss}/"),
        format!("{iss}.attacker.example"),
        format!("{iss} "),
        format!(" {iss}"),
        format!("{iss}#"),
        format!("{iss}?x"),
        iss.to_uppercase(),
        iss.replace("http", "HTTP"),
        iss[..iss.len() - 1].to_owned(),
        iss.replacen("://", "://user@", 1),
        "https://attacker.example/auth0".to_owned(),
        "self".to_owned(),
        "https://other.example".to_owned(),
    ];
    for other in others {
        rows.push(row("A10", format!("iss {other:?}"), with(subject, "iss", other.into()), "issuer_unknown"));
    }
    rows
}

fn audience(subject: &Subject) -> Vec<Row> {
    let mut rows = vec![row("A11", "no aud", without(subject, "aud"), "claims_invalid")];
    for value in
        [json!(1), json!(true), Value::Null, json!({ "anteroom": 1 }), json!(["anteroom", 1]), json!([["anteroom"]])]
    {
        rows.push(row("A11", format!("aud {value}"), with(subject, "aud", value), "claims_invalid"));
    }
    let others = [
        json!("elsewhere"),
        json!(""),
        json!([]),
        json!([""]),
        json!(["elsewhere", "other"]),
        json!("anteroo"),
        json!("anteroom2"),
        json!("Anteroom"),
        json!("anteroom api"),
        json!(" anteroom"),
    ];
    for value in others {
        rows.push(row("A11", format!("aud {value}"), with(subject, "aud", value), "audience_mismatch"));
    }
    rows
}

fn subject_claim(subject: &Subject) -> Vec<Row> {
    let mut rows = vec![row("A8", "no sub", without(subject, "sub"), "claims_invalid")];
    for value in [json!(""), json!(1), json!(["acme"]), json!({}), Value::Null, json!("a\0b")] {
        rows.push(row("A8", format!("sub {value}"), with(subject, "sub", value), "claims_invalid"));
    }
    rows
}

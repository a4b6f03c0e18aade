//! A7 and A13 to A16: the form of a token, before anything it says.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{Row, row};
use crate::verify::keys::encode;
use crate::verify::subjects::{NOW, Subject};

pub(crate) fn rows(subject: &Subject) -> Vec<Row> {
    let groups = [critical, duplicates, segments, white_space, base64_variants, encrypted, sizes];
    groups.into_iter().flat_map(|group| group(subject)).collect()
}

fn critical(subject: &Subject) -> Vec<Row> {
    let lists = [json!(["exp"]), json!(["b64"]), json!([]), json!("exp"), json!({}), json!([1]), Value::Null];
    let mut rows: Vec<_> = lists
        .into_iter()
        .map(|list| {
            let what = format!("crit {list}");
            let token = subject.with_header(|header| {
                header["crit"] = list;
                header["exp"] = 1.into();
            });
            row("A7", what, token, "critical_header_unsupported")
        })
        .collect();
    for (what, header) in [
        ("b64 false", json!({ "b64": false })),
        ("b64 false in crit", json!({ "b64": false, "crit": ["b64"] })),
        ("b64 of another type", json!({ "b64": "no" })),
    ] {
        let token =
            subject.with_header(|good| good.as_object_mut().unwrap().extend(header.as_object().unwrap().clone()));
        rows.push(row("A7", what, token, "critical_header_unsupported"));
    }
    rows
}

fn duplicates(subject: &Subject) -> Vec<Row> {
    let (header, claims) = (subject.header().to_string(), subject.claims().to_string());
    let twice = |object: &str, member: &str| format!("{},{member}}}", object.strip_suffix('}').unwrap());
    let issuer = subject.issuer;
    let in_claims = [
        ("sub", "\"sub\":\"other\"".to_owned()),
        ("sub, the same again", "\"sub\":\"acme\"".to_owned()),
        ("exp", format!("\"exp\":{}", NOW + 9000)),
        ("iss, escaped", format!("\"\\u0069ss\":\"{issuer}\"")),
        ("aud, escaped in the middle", "\"a\\u0075d\":\"anteroom\"".to_owned()),
        ("one in an object", "\"x\":{\"y\":1,\"y\":2}".to_owned()),
        ("one in an object in an array", "\"x\":[[{\"y\":1,\"\\u0079\":2}]]".to_owned()),
    ];
    let in_header = [
        ("alg", format!("\"alg\":{}", subject.header()["alg"])),
        ("alg none", "\"alg\":\"none\"".to_owned()),
        ("alg, escaped", format!("\"\\u0061lg\":{}", subject.header()["alg"])),
        ("kid", "\"kid\":\"other\"".to_owned()),
        ("one in an object", "\"jwk\":{\"kty\":\"RSA\",\"kty\":\"EC\"}".to_owned()),
    ];
    let mut rows = Vec::new();
    for (what, member) in in_claims {
        let token = subject.signer.sign_text(&header, &twice(&claims, &member));
        rows.push(row("A13", format!("claims twice: {what}"), token, "token_malformed"));
    }
    for (what, member) in in_header {
        let token = subject.signer.sign_text(&twice(&header, &member), &claims);
        rows.push(row("A13", format!("header twice: {what}"), token, "token_malformed"));
    }
    let cases = subject.signer.sign_text(&header, &twice(&claims, "\"Exp\":1,\"SUB\":\"other\",\"Iss\":[]"));
    rows.push(row("A13", "names in another case are other names", cases, "accepted"));
    rows
}

fn segments(subject: &Subject) -> Vec<Row> {
    let token = subject.token();
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let json_form = json!({ "payload": claims, "protected": header, "signature": signature }).to_string();
    let cases = [
        ("nothing", String::new()),
        ("a word", "hello".to_owned()),
        ("a dot", ".".to_owned()),
        ("two dots", "..".to_owned()),
        ("four segments", format!("{token}.{signature}")),
        ("an empty segment after", format!("{token}.")),
        ("an empty segment before", format!(".{token}")),
        ("no header", format!(".{claims}.{signature}")),
        ("no claims", format!("{header}..{signature}")),
        ("JSON serialization", json_form),
        ("claims an array", subject.signer.sign_text(&subject.header().to_string(), "[]")),
        ("header an array", subject.signer.sign_text("[]", &subject.claims().to_string())),
        (
            "claims and more",
            subject.signer.sign_text(&subject.header().to_string(), &format!("{}{{}}", subject.claims())),
        ),
        (
            "a byte order mark",
            subject.signer.sign_text(&subject.header().to_string(), &format!("\u{feff}{}", subject.claims())),
        ),
        ("a space before", format!(" {token}")),
        ("a space after", format!("{token} ")),
        ("a line break", format!("{token}\n")),
        ("two tokens", format!("{token},{token}")),
        ("not ASCII", format!("{token}é")),
    ];
    let mut rows: Vec<_> = cases.into_iter().map(|(what, token)| row("A14", what, token, "token_malformed")).collect();
    // These say nothing of themselves: the issuer of opaque tokens knows nothing of them.
    for (what, token) in
        [("two segments", format!("{header}.{claims}")), ("not JSON", subject.signer.sign_text("header", "claims"))]
    {
        rows.push(row("A14", what, token, "token_inactive"));
    }
    let latin1 = [&b"{\"iss\":\"\xe9\"}"[..]].concat();
    let token = subject.signer.sign_input(&format!("{header}.{}", encode(latin1)));
    rows.push(row("A14", "claims not UTF-8", token, "token_malformed"));
    rows
}

/// White space makes no opaque token of a JWT.
fn white_space(subject: &Subject) -> Vec<Row> {
    let (header, claims) = (subject.header(), subject.claims());
    let pretty = serde_json::to_string_pretty(&header).unwrap();
    let rest = |text: &str| text.strip_prefix('{').unwrap().to_owned();
    let headers = [
        pretty.clone(),
        pretty.replace('\n', "\r\n"),
        format!("{{\t{}", rest(&header.to_string())),
        format!(" \n{header}"),
        format!("{}{{{}{}\n", " ".repeat(61), " ".repeat(30), rest(&header.to_string())),
    ];
    let forge = |header: String| {
        let token = subject.signer.sign_text(&header, &claims.to_string());
        let spoilt = token.replacen('.', "_.", 1);
        [
            row("A14", format!("white space in {header:?}"), token, "accepted"),
            row("A14", format!("white space in {header:?}, spoilt"), spoilt, "token_malformed"),
        ]
    };
    headers.into_iter().flat_map(forge).collect()
}

/// Other spellings of the same bytes: each would make another token of a genuine one.
fn base64_variants(subject: &Subject) -> Vec<Row> {
    let token = subject.token();
    let (input, signature) = token.rsplit_once('.').unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let mut rows = vec![
        row("A14", "padded signature", format!("{token}="), "token_malformed"),
        row("A14", "padded signature, two", format!("{token}=="), "token_malformed"),
        // A last group of one character has no meaning.
        row(
            "A14",
            "a character too many",
            format!("{token}{}", &"AAA"[..(5 - signature.len() % 4) % 4]),
            "token_malformed",
        ),
    ];
    // The alphabet of plain base64, for a signature that shows the difference.
    let plain = STANDARD_NO_PAD.encode([&[0xfb, 0xff][..], &bytes[2..]].concat());
    rows.push(row("A14", "the alphabet of plain base64", format!("{input}.{plain}"), "token_malformed"));
    // The last character has bits to spare.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = alphabet.find(signature.chars().last().unwrap()).unwrap();
    let stray = &alphabet[last + 1..last + 2];
    let token = format!("{input}.{}{stray}", &signature[..signature.len() - 1]);
    rows.push(row("A14", "stray bits at the end of the signature", token, "token_malformed"));
    let claims = encode(subject.claims().to_string());
    let header = encode(subject.header().to_string());
    for (what, input) in [
        ("header", format!("{header}=.{claims}")),
        ("claims", format!("{header}.{claims}=")),
        ("claims, signed with a line break", format!("{header}.{claims}\n")),
    ] {
        rows.push(row("A14", format!("padded {what}"), subject.signer.sign_input(&input), "token_malformed"));
    }
    rows
}

fn encrypted(subject: &Subject) -> Vec<Row> {
    let headers = [
        json!({ "alg": "RSA-OAEP", "enc": "A256GCM", "kid": subject.signer.kid }),
        json!({ "alg": "dir", "enc": "A256GCM", "zip": "DEF" }),
        json!({ "alg": "PBES2-HS512+A256KW", "enc": "A256GCM", "p2c": 2_147_483_647, "p2s": "AAAA" }),
    ];
    let forge = |header: Value| {
        let what = format!("JWE {}", header["alg"]);
        row("A15", what, format!("{}.AAAA.AAAA.AAAA.AAAA", encode(header.to_string())), "token_malformed")
    };
    let mut rows: Vec<_> = headers.into_iter().map(forge).collect();
    let three = format!("{}.AAAA.AAAA", encode(json!({ "alg": "dir", "enc": "A256GCM" }).to_string()));
    rows.push(row("A15", "JWE header on three segments", three, "token_malformed"));
    rows
}

fn sizes(subject: &Subject) -> Vec<Row> {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let (header, claims) = (subject.header().to_string(), subject.claims().to_string());
    let with = |object: &str, member: &str| format!("{},{member}}}", object.strip_suffix('}').unwrap());
    let sign = |header: &str, claims: &str| subject.signer.sign_text(header, claims);
    let wide: Vec<_> = (0..300).map(|index| format!("\"x{index}\":{index}")).collect();
    let large = subject.with_claims(|claims| claims["fill"] = "x".repeat(8000).into());
    vec![
        row("A16", "larger than 8 KiB", large, "token_too_large"),
        row("A16", "a mebibyte", "A".repeat(1 << 20), "token_too_large"),
        row("A16", "deep header", sign(&with(&header, &format!("\"x\":{}", deep(2500))), "{}"), "token_malformed"),
        row("A16", "deep claims", sign(&header, &with(&claims, &format!("\"x\":{}", deep(2000)))), "token_malformed"),
        row("A16", "nested, but bearably", sign(&header, &with(&claims, &format!("\"x\":{}", deep(100)))), "accepted"),
        row("A16", "wide header", sign(&with(&header, &wide.join(",")), &claims), "accepted"),
    ]
}

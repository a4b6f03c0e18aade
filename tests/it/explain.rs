//! `anteroom explain`: what a support engineer reads when a token is refused.

use std::path::Path;
use std::process::Output;

use anteroom::app::SystemClock;
use anteroom::core::clock::Clock;
use serde_json::{Value, json};
use wiremock::MockServer;
use wiremock::matchers::{method, path};
use wiremock::{Mock, ResponseTemplate};

use crate::process::{program, run};
use crate::verify::keys::{OTHER_RSA, RSA, Signer};

mod hints;

/// Runs `explain` in a folder, with this on its standard input.
fn explain(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = program();
    command.current_dir(folder).args(["--config", "anteroom.toml", "explain"]).args(arguments);
    run(&mut command, input)
}

/// What it says, and its exit code. Neither the token nor its signature is in it.
fn told(folder: &Path, arguments: &[&str], token: &str) -> (String, i32) {
    let output = explain(folder, arguments, &format!("{token}\n"));
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    for part in token.rsplit(['.', ' ']).filter(|part| part.len() > 12) {
        assert!(!text.contains(part) && !errors.contains(part), "{part} in {text}{errors}");
    }
    (text, output.status.code().unwrap())
}

/// The part from the checks on, without the time.
fn checks(text: &str) -> &str {
    let (_, checks) = text.split_once("The checks, as of ").unwrap();
    checks.split_once(":\n").unwrap().1
}

fn folder(toml: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("anteroom.toml"), toml).unwrap();
    std::fs::write(folder.path().join("idp.pem"), RSA.public_pem()).unwrap();
    folder
}

const IDP: &str = "[verify]\nchain = [\"idp\"]\n[verifiers.idp]\nkind = \"oidc\"\nissuer = \"https://idp.example/\"\n\
                   audience = [\"anteroom\"]\nkeys = \"file:idp.pem\"\nscopes = { \"read:requests\" = \"requests:read\" }\n\
                   [verifiers.spare]\nkind = \"oidc\"\nissuer = \"https://spare.example/\"\naudience = [\"anteroom\"]\n";

fn claims(change: &Value) -> Value {
    let mut claims = json!({
        "iss": "https://idp.example/", "sub": "ada", "aud": "anteroom", "exp": 4_000_000_000_u64, "azp": "acme",
        "scope": "read:requests openid",
    });
    claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    claims
}

fn sign(signer: &Signer, claims: &Value) -> String {
    signer.sign(&json!({ "alg": signer.algorithm, "typ": "JWT", "kid": signer.kid }), claims)
}

#[test]
fn an_accepted_token_is_shown_its_caller_and_what_its_scopes_grant() {
    let folder = folder(IDP);
    let token = sign(&RSA, &claims(&json!({ "sub": "ada\u{202e}\n" })));
    let (text, code) = told(folder.path(), &[], &format!("Authorization: bearer  {token}"));
    assert_eq!(code, 0, "{text}");
    let head = format!("The token, {} bytes, says (nobody has vouched for it):\n", token.len());
    assert!(text.starts_with(&head), "{text}");
    for line in [
        "\n  alg          \"RS256\"\n  kid          \"rsa-1\"\n  typ          \"JWT\"\n",
        "\n  sub          \"ada\\u202e\\n\"\n",
        "\n  exp          4000000000 = 2096-10-02T07:06:40.000Z, in ",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    let expected = "  ok           form\n  ok           issuer (decided by [verifiers.idp])\n  ok           algorithm\n  ok           type\n\
        \x20 ok           times\n  ok           audience\n  ok           claims\n  ok           key\n  ok           signature\n\n\
        ACCEPTED by [verifiers.idp]. The caller, as /v1/whoami shows it:\n  {\n    \"issuer\": \"https://idp.example/\",\n\
        \x20   \"subject\": \"ada\\u202e\\n\",\n    \"client_id\": \"acme\",\n    \"scopes\": [\n      \"requests:read\"\n    ],\n\
        \x20   \"permissions\": [],\n    \"audience\": [\n      \"anteroom\"\n    ],\n    \"email\": null,\n\
        \x20   \"expires_at\": \"2096-10-02T07:06:40.000Z\"\n  }\n\nThe scopes of the token:\n  \"read:requests\" grants requests:read\n\
        \x20 \"openid\" grants nothing here\n";
    assert_eq!(checks(&text), expected);
    let mut names: Vec<_> = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["anteroom.toml", "idp.pem"], "it makes nothing");
}

#[test]
fn every_check_that_fails_is_shown_and_what_comes_after_is_not_reached() {
    let folder = folder(IDP);
    let token = sign(&OTHER_RSA, &claims(&json!({ "aud": ["other"], "exp": 1_000_000_000 })));
    let (text, code) = told(folder.path(), &[], &token);
    let (before, after) = text.split_once("expected exp after ").unwrap();
    assert!(
        checks(before).ends_with("  ok           type\n  FAILED       times: token_expired\n                 "),
        "{text}"
    );
    let after = after.split_once('\n').unwrap().1;
    let expected = "                 got      \"2001-09-09T01:46:40.000Z\"\n  FAILED       audience: audience_mismatch\n\
        \x20                expected one of [\"anteroom\"]\n                 got      [\"other\"]\n  ok           claims\n\
        \x20 not reached  key\n  not reached  signature\n\nREFUSED by [verifiers.idp]: token_expired. The token has expired.\n";
    assert_eq!((after, code), (expected, 1));
    let (text, code) = told(folder.path(), &[], &sign(&OTHER_RSA.named("rsa-1"), &claims(&json!({}))));
    let end = "  ok           key\n  FAILED       signature: signature_invalid\n\n\
        REFUSED by [verifiers.idp]: signature_invalid. The token's signature does not match.\n";
    assert!(text.ends_with(end) && code == 1, "{text}");
}

#[test]
fn an_issuer_that_nearly_fits_is_named() {
    let folder = folder(IDP);
    let near = |issuer: &str| told(folder.path(), &[], &sign(&RSA, &claims(&json!({ "iss": issuer }))));
    let hint = |difference: &str| {
        format!(
            "  hint: [verifiers.idp] is of \"https://idp.example/\": it differs {difference} alone, and every byte counts\n"
        )
    };
    let all = "  hint: the issuers trusted here are \"https://idp.example/\" (idp)\n";
    let end = "\nREFUSED: issuer_unknown. The token's issuer is not one that the gateway trusts.\n";
    for (issuer, hints) in [
        ("https://idp.example", hint("in the slash at the end")),
        ("https://IDP.example/", hint("in upper and lower case")),
        ("http://idp.example/", hint("in http and https")),
        (
            "http://idp.EXAMPLE",
            hint("in its spelling").replace("alone", "alone (http or https, case, the slash at the end)"),
        ),
        ("https://elsewhere.example/", String::new()),
    ] {
        let (text, code) = near(issuer);
        let expected = format!(
            "  ok           form\n  FAILED       issuer: issuer_unknown\n                 expected an issuer that is trusted here\n\
             \x20                got      {issuer:?}\n{hints}{all}{end}"
        );
        assert_eq!((checks(&text), code), (expected.as_str(), 1), "{issuer}");
    }
    let (text, _) = near("https://spare.example/");
    let unused = "  hint: [verifiers.spare] is of this issuer, and verify.chain does not name it\n";
    assert!(text.contains(&format!("{all}{unused}{end}")), "{text}");
}

#[test]
fn what_is_no_token_is_told_by_its_form() {
    let folder = folder(IDP);
    let large = "x".repeat(9000);
    for (token, reason, expected, got) in [
        ("", "token_malformed", "a token", "nothing"),
        ("a b", "token_malformed", "letters, digits and -._~+/ alone, with = at the end", "\"' ' after 1 characters\""),
        ("opaque-token-of-some-kind", "token_malformed", "three segments with dots between them", "1"),
        ("eyI.a.b.c.d", "token_malformed", "three segments with dots between them", "5"),
        (
            "eyI.e30.",
            "token_malformed",
            "a header that is one JSON object, with no member twice",
            "\"EOF while parsing a string at line 1 column 2\"",
        ),
        (&large, "token_too_large", "at most 8192 bytes", "9000"),
    ] {
        let (text, code) = told(folder.path(), &[], token);
        let failed =
            format!("  FAILED       form: {reason}\n                 expected {expected}\n                 got      ");
        assert!(checks(&text).starts_with(&failed), "{token}: {text}");
        assert!(text.contains(&format!("{failed}{got}\n  not reached  issuer\n")), "{text}");
        assert_eq!(code, 1);
        let hint = match token {
            "opaque-token-of-some-kind" => {
                "  hint: it reads like an opaque token, and no verifier for those is trusted here\n"
            }
            "eyI.a.b.c.d" => {
                "  hint: it is encrypted, for its issuer alone; Auth0 makes such a token where no `audience` was asked for\n"
            }
            "eyI.e30." => "  hint: it begins like a JWT: it may have been cut off\n",
            "a b" => "  hint: there are spaces or line breaks in it: paste one token alone, in one piece\n",
            _ => "",
        };
        assert!(text.contains(&format!("  not reached  issuer\n{hint}\nREFUSED: {reason}. ")), "{text}");
    }
    let output = explain(folder.path(), &["eyJhbGciOiJub25lIn0.e30."], "");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("can be seen by every user") && !told.contains("eyJ"), "{told}");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
}

#[test]
fn of_a_token_of_ours_it_says_where_to_ask_whether_it_was_revoked() {
    let zeros = "0".repeat(64);
    let folder =
        folder(&format!("[issuer]\nsecrets = [\"file:secret\"]\n[clients.acme]\nsecrets = [\"sha256:{zeros}\"]\n"));
    std::fs::write(folder.path().join("secret"), "a secret of more than thirty-two bytes").unwrap();
    let mut mint = program();
    let minted = run(mint.current_dir(folder.path()).args(["--config", "anteroom.toml", "token", "acme"]), "");
    let (text, code) = told(folder.path(), &[], String::from_utf8(minted.stdout).unwrap().trim_end());
    let end = "  ok           signature\n  hint: whether the token has been revoked is not looked at here: GET /v1/whoami at the \
        running gateway tells\n\nACCEPTED by [verifiers.self]. ";
    assert!(text.contains(end) && code == 0, "{text}");
}

#[test]
fn without_a_secret_a_token_of_ours_can_not_be_told() {
    let folder = folder("");
    let token =
        RSA.sign(&json!({ "alg": "HS256", "typ": "at+jwt" }), &claims(&json!({ "iss": "http://localhost:8080" })));
    let (text, code) = told(folder.path(), &[], &token);
    let end = "  unknown      signature: there is no signing secret yet: the first start makes one\n\n\
        CAN NOT BE TOLD by [verifiers.self]: a check is left.\n";
    assert!(text.ends_with(end) && code == 3, "{text}");
}

#[tokio::test]
async fn keys_are_fetched_and_providers_asked_only_live() {
    let provider = MockServer::start().await;
    let answer = |body: Value| ResponseTemplate::new(200).set_body_json(body);
    Mock::given(path("/keys")).respond_with(answer(json!({ "keys": [RSA.jwk()] }))).mount(&provider).await;
    let now = SystemClock::start().now().seconds();
    let active = json!({ "active": true, "sub": "ada", "aud": "anteroom", "exp": now + 60, "scope": "read" });
    Mock::given(method("POST")).and(path("/ask")).respond_with(answer(active)).mount(&provider).await;
    let uri = provider.uri();
    let folder = folder(&format!(
        "[verifiers.idp]\nkind = \"oidc\"\nissuer = \"https://idp.example/\"\naudience = [\"anteroom\"]\njwks_uri = \"{uri}/keys\"\n\
         [verifiers.desk]\nkind = \"introspection\"\nissuer = \"https://desk.example/\"\naudience = [\"anteroom\"]\n\
         endpoint = \"{uri}/ask\"\nclient_id = \"anteroom\"\nclient_secret = \"file:idp.pem\"\n\
         [verifiers.gone]\nkind = \"oidc\"\nissuer = \"http://127.0.0.1:9/\"\naudience = [\"anteroom\"]\n"
    ));
    let run = async |arguments: &'static [&str], token: &str| {
        let (folder, token) = (folder.path().to_owned(), token.to_owned());
        tokio::task::spawn_blocking(move || told(&folder, arguments, &token)).await.unwrap()
    };
    let (good, opaque) = (sign(&RSA, &claims(&json!({}))), "an-opaque-token-of-some-length");
    let gone = sign(&RSA, &claims(&json!({ "iss": "http://127.0.0.1:9/" })));
    let (text, code) = run(&[], &good).await;
    assert!(
        text.contains("  unknown      key: the keys have to be fetched: use --live\n  not reached  signature\n"),
        "{text}"
    );
    assert_eq!(code, 3);
    let (text, code) = run(&[], opaque).await;
    let left = "  ok           issuer (decided by [verifiers.desk])\n  ok           length\n\
        \x20 unknown      introspection: the provider has to be asked: use --live\n\n\
        CAN NOT BE TOLD by [verifiers.desk]: a check is left.\n";
    assert!(text.ends_with(left) && code == 3, "{text}");
    let (text, code) = run(&["--live"], "short").await;
    let short = "  FAILED       length: token_malformed\n                 expected an opaque token of at least 16 bytes\n\
        \x20                got      5\n  not reached  introspection\n\n\
        REFUSED by [verifiers.desk]: token_malformed. The token is not well-formed.\n";
    assert!(text.ends_with(short) && code == 1, "{text}");
    assert_eq!(provider.received_requests().await.unwrap().len(), 0, "nobody was asked");

    let (text, code) = run(&["--live"], &good).await;
    assert!(
        text.contains("  ok           key\n  ok           signature\n\nACCEPTED by [verifiers.idp].") && code == 0,
        "{text}"
    );
    let (text, code) = run(&["--live"], opaque).await;
    assert!(text.contains("  ok           introspection\n\nACCEPTED by [verifiers.desk].") && code == 0, "{text}");
    let (text, code) = run(&["--live"], &sign(&OTHER_RSA, &claims(&json!({})))).await;
    let unknown = "  FAILED       key: key_unknown\n                 expected one of [\"rsa-1\"]\n                 got      \"rsa-2\"\n\
        \x20 not reached  signature\n\nREFUSED by [verifiers.idp]: key_unknown. ";
    assert!(text.contains(unknown) && code == 1, "{text}");
    let (text, code) = run(&["--live"], &gone).await;
    let lost = "  unknown      key: what is needed can not be had from \"http://127.0.0.1:9/\" (connection)\n  not reached  signature\n\n\
        CAN NOT BE TOLD by [verifiers.gone] now. A running gateway that still has what it takes serves on; any other answers 503.\n";
    assert!(text.ends_with(lost) && code == 3, "{text}");
}

#[test]
fn what_a_guard_asks_for_is_explained_too() {
    let folder = folder(&format!(
        "{IDP}[guards.billing]\naudience = [\"billing\"]\nscopes = [\"openid\"]\npermissions = [\"invoices:read\"]\n\
         [guards.site]\npublic = true\n"
    ));
    let billing = |change: &Value| {
        let mut claims = claims(&json!({ "aud": "billing" }));
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        told(folder.path(), &["--guard", "billing"], &sign(&RSA, &claims))
    };
    let (text, code) = billing(&json!({}));
    let (caller, asked) = text.split_once("\nWhat ").unwrap();
    assert!(caller.contains("\nACCEPTED by [verifiers.idp]. The caller:\n"), "whoami would refuse it: {caller}");
    let scopes = "  \"read:requests\" grants requests:read\n  \"openid\" counts at guards by this name\n";
    assert!(caller.ends_with(scopes), "{caller}");
    let expected = "[guards.billing] asks for:\n  ok           scopes\n  FAILED       permissions: it lacks the permission \
                    invoices:read\n                 expected the permission invoices:read\n                 got      []\n  \
                    ok           claims\n\nDENIED: /guard/billing answers 403.\n";
    assert_eq!((asked, code), (expected, 1));
    let (text, code) = billing(&json!({ "permissions": ["invoices:read"] }));
    assert!(text.ends_with("\nPASSES: /guard/billing answers 200.\n"), "{text}");
    assert_eq!(code, 0);
    let (text, code) = billing(&json!({ "aud": "anteroom" }));
    let end = "\nREFUSED by [verifiers.idp]: audience_mismatch. The token is meant for another audience.\n\
               /guard/billing answers 401.\n";
    assert!(text.ends_with(end), "{text}");
    assert_eq!(code, 1);

    let (text, code) = told(folder.path(), &["--guard", "site"], "");
    assert_eq!((text.as_str(), code), ("[guards.site] is public: every call passes, with or without a token.\n", 0));
    let output = explain(folder.path(), &["--guard", "shop"], "");
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(
        errors.contains("guards.shop: there is no such guard\n    Name one that there is with --guard (billing, site)"),
        "{errors}"
    );
    assert_eq!(output.status.code(), Some(2));
}

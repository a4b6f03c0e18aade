//! What a configuration of verifiers can get wrong, and how it is told.

use std::path::Path;

use anteroom::core::clock::SetClock;
use anteroom::core::error::Misconfiguration;
use anteroom::verify::{Chain, KINDS, parse_table};
use serde_json::json;
use tempfile::TempDir;

use super::keys::{EC, RSA, SECRET, pem};
use super::subjects::{chain, now, own_issuer, setup, tables};

/// The mistakes in a chain of all these verifiers, as they are told.
pub(crate) fn mistakes(toml: &str, base: &Path) -> Vec<String> {
    tell(chain(toml, base, &SetClock::at(now())))
}

pub(super) fn tell(built: Result<Chain, Vec<Misconfiguration>>) -> Vec<String> {
    built.err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

pub(crate) fn files() -> TempDir {
    let files = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(files.path().join(name), text).unwrap();
    write("rsa.pem", &RSA.public_pem());
    write("ec.pem", &EC.public_pem());
    write("private.pem", &pem("PRIVATE KEY", &[1, 2, 3]));
    write("two.pem", &format!("{}{}", RSA.public_pem(), RSA.public_pem()));
    write("set.json", &json!({ "keys": [RSA.jwk()] }).to_string());
    write("empty.json", "{\"keys\":[]}");
    let mut private = RSA.jwk();
    private["d"] = "AQAB".into();
    write("private.json", &json!({ "keys": [RSA.jwk(), private] }).to_string());
    write("secret.json", &json!({ "keys": [RSA.jwk(), { "kty": "oct", "k": "AAAA" }] }).to_string());
    write("nonsense", "hello");
    write("good", "a secret that nobody else knows: 1");
    files
}

/// A good table of the kind `oidc`, with these lines besides.
pub(crate) fn oidc(lines: &str) -> String {
    let audience = if lines.contains("audience") { "" } else { "audience = [\"anteroom\"]\n" };
    let issuer = if lines.contains("issuer =") { "" } else { "issuer = \"https://idp.example/\"\n" };
    format!("[verifiers.idp]\nkind = \"oidc\"\n{issuer}{audience}{lines}\n")
}

/// What stands before an `@` may be a password, whatever else is wrong with the address.
#[test]
fn a_password_in_an_address_is_not_repeated() {
    const PROBLEM: &str = "has a user name or a password in it";
    const PLAIN: &str = "is not https (http is allowed for localhost only, or with allow_http = true)";
    let files = files();
    let issuer = |address: &str| oidc(&format!("issuer = \"{address}\"\njwks_uri = \"https://idp.example/keys\""));
    let keys = |address: &str| oidc(&format!("jwks_uri = \"{address}\""));
    let endpoint = |address: &str| {
        let rest = "client_id = \"gateway\"\nclient_secret = \"file:nonsense\"";
        oidc(&format!("endpoint = \"{address}\"\n{rest}")).replace("\"oidc\"", "\"introspection\"")
    };
    for (key, table) in [("issuer", &issuer as &dyn Fn(&str) -> String), ("jwks_uri", &keys), ("endpoint", &endpoint)] {
        for (address, shown, problem) in [
            ("https://gateway:hunter2@idp.example/", "https://…@idp.example/", PROBLEM),
            ("https://hunter2@idp.example/", "https://…@idp.example/", PROBLEM),
            ("http://gateway:hunter2@idp.example/", "http://…@idp.example/", PLAIN),
            ("https://gateway:hunter2/@idp.example/", "https://…@idp.example/", "is not a URL"),
            ("ftp://gateway:hunter2@idp.example/", "…@idp.example/", PLAIN),
        ] {
            let told = mistakes(&table(address), files.path()).join("\n");
            assert!(told.starts_with(&format!("verifiers.idp.{key}: \"{shown}\" {problem}. ")), "{told}");
            assert!(!told.contains("hunter2"), "{told}");
        }
    }
}

#[test]
fn what_is_wrong_with_a_provider() {
    const ALGORITHMS: &str = "Allow what its keys sign with: \"RS256\", \"RS384\", \"RS512\", \"PS256\", \"PS384\", \"PS512\", \
                              \"ES256\", \"ES384\", \"EdDSA\"";
    const SCOPES: &str =
        "Write one of \"requests:read\", \"requests:write\", \"requests:work\", \"webhooks:manage\", \"admin\"";
    const ISSUER: &str = "Write the exact `iss` of its tokens, like \"https://TENANT.eu.auth0.com/\"";
    const AUDIENCE: &str = "is missing or empty, so that tokens meant for other services would pass. \
                            Name the `aud` that its tokens for this gateway have";
    const PLAIN: &str = "is not https (http is allowed for localhost only, or with allow_http = true)";
    let cases = [
        ("issuer = \"\"", format!("issuer: is missing. {ISSUER}")),
        ("issuer = \"http://idp.example/\"", format!("issuer: \"http://idp.example/\" {PLAIN}. {ISSUER}")),
        ("issuer = \"acme\"", format!("issuer: \"acme\" is not a URL. {ISSUER}")),
        ("issuer = \"https://a.example/?x\"", format!("issuer: \"https://a.example/?x\" has a query or a fragment. {ISSUER}")),
        ("audience = []", format!("audience: {AUDIENCE}")),
        ("audience_all = [\"\"]", format!("audience: {AUDIENCE}")),
        ("algorithms = []", format!("algorithms: is empty. {ALGORITHMS}")),
        ("algorithms = [\"none\"]", format!("algorithms: \"none\" can not be allowed. {ALGORITHMS}")),
        (
            "algorithms = [\"RS256\", \"HS256\"]",
            format!("algorithms: HS256 needs a shared secret, and published keys are no secret. {ALGORITHMS}"),
        ),
        ("scopes = { \"read\" = \"requests:reed\" }", format!("scopes.\"read\": \"requests:reed\" is no scope of this gateway. {SCOPES}")),
        ("grants = [\"root\"]", format!("grants: \"root\" is no scope of this gateway. {SCOPES}")),
        ("leeway = \"61s\"", "leeway: 1m 1s is more than the 1m allowed. Set the clocks by NTP, and leave it out".into()),
        (
            "jwks_uri = \"http://idp.example/keys\"",
            format!("jwks_uri: \"http://idp.example/keys\" {PLAIN}. Write the address of its JWK Set, or leave it out for discovery"),
        ),
        (
            "jwks_uri = \"https://idp.example/keys\"\nkeys = \"file:rsa.pem\"",
            "keys: and jwks_uri are both there. Keep one of them".into(),
        ),
        ("stale_if_error = \"25h\"", "stale_if_error: 25h is more than the 24h allowed. Write a shorter time".into()),
        (
            "audiense = [\"x\"]",
            "audiense: is not a key of this kind of verifier. Correct its name, or take it out; known is one of `algorithms`, \
             `allow_http`, `audience`, `audience_all`, `audience_claim`, `ca_file`, `email_claim`, `grants`, `grants_from`, \
             `issuer`, `jwks_uri`, `keys`, `leeway`, `owner`, `required_claims`, `scopes`, `stale_if_error`, `startup`, `typ`, \
             `ui_client_id`"
                .into(),
        ),
    ];
    let files = files();
    for (lines, expected) in cases {
        let lines =
            if lines.starts_with("audience") || lines.starts_with("issuer") { lines } else { &format!("{lines}\n") };
        assert_eq!(mistakes(&oidc(lines), files.path()), [format!("verifiers.idp.{expected}")], "{lines}");
    }
}

#[test]
fn what_is_wrong_with_a_key_file() {
    const KEYS: &str = "Name a PEM public key or certificate, or a JWK Set, that fits `algorithms`";
    let cases = [
        (
            "keys = \"file:private.pem\"",
            format!("keys: file:private.pem holds a private key; only the public one belongs here. {KEYS}"),
        ),
        (
            "keys = \"file:two.pem\"",
            format!(
                "keys: file:two.pem holds several keys or certificates; keep one, or write them as a JWK Set. {KEYS}"
            ),
        ),
        (
            "keys = \"file:nonsense\"",
            format!("keys: file:nonsense holds no public key or certificate that can be used. {KEYS}"),
        ),
        (
            "keys = \"file:private.json\"",
            format!("keys: file:private.json holds a private key or a secret; only public keys belong here. {KEYS}"),
        ),
        (
            "keys = \"file:secret.json\"",
            format!("keys: file:secret.json holds a private key or a secret; only public keys belong here. {KEYS}"),
        ),
        ("keys = \"file:empty.json\"", format!("keys: file:empty.json holds no key that can be used. {KEYS}")),
        ("keys = \"file:ec.pem\"", format!("keys: file:ec.pem holds no key for RS256. {KEYS}")),
    ];
    let files = files();
    for (lines, expected) in cases {
        assert_eq!(mistakes(&oidc(lines), files.path()), [format!("verifiers.idp.{expected}")], "{lines}");
    }
}

/// What all kinds but our own share, told with the place in a list.
#[test]
fn what_is_wrong_with_claims_and_types() {
    const FORM: &str = "Write it as in the commented reference, config/anteroom.toml";
    const PATH: &str = "expected the name of a claim, or a list of names that leads to it";
    let cases = [
        (
            "typ = []",
            "typ: is empty or has an empty name. Leave it out, or write what it may be: \"at+jwt\", \"JWT\", \"none\""
                .into(),
        ),
        (
            "typ = [\"at+jwt\", \"\"]",
            "typ: is empty or has an empty name. Leave it out, or write what it may be: \"at+jwt\", \"JWT\", \"none\""
                .into(),
        ),
        ("owner = \"issuer\"", format!("owner: \"issuer\" is not a word that is known here. {FORM}")),
        ("email_claim = \"\"", format!("email_claim: the name of a claim is empty. {FORM}")),
        ("grants_from = [\"scope\", []]", format!("grants_from[1]: the name of a claim is empty. {FORM}")),
        ("grants_from = [7]", format!("grants_from[0]: {PATH}. {FORM}")),
        ("audience_claim = [[\"a\"]]", format!("audience_claim: {PATH}. {FORM}")),
        (
            "required_claims = [{ at = \"a\", eq = 1 }, { at = \"a\" }]",
            format!("required_claims[1]: a rule says either what the claim is, `eq`, or what it may be, `any`. {FORM}"),
        ),
    ];
    for (lines, expected) in cases {
        assert_eq!(mistakes(&oidc(lines), Path::new(".")), [format!("verifiers.idp.{expected}")], "{lines}");
    }
}

#[test]
fn what_can_not_even_be_read() {
    let files = files();
    let missing = mistakes(&oidc("keys = \"file:absent.pem\""), files.path());
    assert!(
        missing[0].starts_with("verifiers.idp.keys: ") && missing[0].contains("absent.pem can not be read"),
        "{missing:?}"
    );
    let untimed = mistakes(&oidc("leeway = \"5\""), files.path());
    assert!(untimed[0].contains("verifiers.idp.leeway: \"5\" is not a length of time"), "{untimed:?}");
    assert!(!untimed[0].contains("for key"), "{untimed:?}");
    let list = mistakes(&oidc("audience = 5"), files.path());
    assert!(list[0].starts_with("verifiers.idp.audience: "), "{list:?}");
}

#[test]
fn every_mistake_is_told_at_once() {
    let toml = "[verifiers.a]\nkind = \"oidc\"\nissuer = \"http://a.example\"\nleeway = \"2m\"\n[verifiers.b]\nkind = \"magic\"\n\
                [verifiers.c]\nissuer = \"https://c.example\"\n[verifiers.d]\nkind = \"self\"\nx = 1\n";
    let keys: Vec<_> = chain(toml, Path::new("."), &SetClock::at(now()))
        .err()
        .unwrap()
        .into_iter()
        .map(|mistake| format!("{}: {}", mistake.key, mistake.problem))
        .collect();
    assert_eq!(
        keys,
        [
            "verifiers.a.issuer: \"http://a.example\" is not https (http is allowed for localhost only, or with allow_http = true)",
            "verifiers.a.audience: is missing or empty, so that tokens meant for other services would pass",
            "verifiers.a.leeway: 2m is more than the 1m allowed",
            "verifiers.b.kind: \"magic\" is no kind of verifier",
            "verifiers.c.kind: is missing",
            "verifiers.d.x: is not a key of this kind of verifier",
        ]
    );
}

#[test]
fn what_is_wrong_with_a_chain() {
    let good = "[verifiers.idp]\nkind = \"oidc\"\nissuer = \"https://idp.example\"\naudience = [\"a\"]\n";
    let toml = format!("{good}{}[verifiers.broken]\nkind = \"magic\"\n", good.replace("idp]", "again]"));
    let build = |names: &[&str]| {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        tell(Chain::build(&names, &[], &tables(&toml), &setup(Path::new("."), &SetClock::at(now()), None)))
    };
    assert_eq!(build(&["idp"]), [""; 0], "a verifier that is not in the chain is not looked at");
    assert_eq!(build(&[]), ["verify.chain: names no verifier, so that nobody could call the API. Name at least one"]);
    assert_eq!(
        build(&["idp", "idp", "auth0", "again"]),
        [
            "verify.chain: names \"idp\" twice. Take one of them out",
            "verify.chain: names \"auth0\", and there is no such verifier. Add a table [verifiers.auth0], or name one that \
             there is (\"again\", \"broken\", \"idp\")",
            "verify.chain: names \"idp\" and \"again\", which have the same issuer. Keep one verifier for each issuer",
        ]
    );
}

/// A17, and A2 where it can be met at start: what can not be an HMAC secret.
#[test]
fn secrets_unfit_to_sign_with() {
    const REMEDY: &str = "Make one with `openssl rand -base64 48 > FILE` and name it as \"file:FILE\"";
    let build = |secrets: &[&str]| {
        let setup = setup(Path::new("."), &SetClock::at(now()), Some(own_issuer(secrets)));
        tell(Chain::build(&["self".into()], &[], &tables("[verifiers.self]\nkind = \"self\"\n"), &setup))
    };
    assert_eq!(build(&[SECRET]), [""; 0]);
    assert_eq!(build(&[]), [format!("issuer.secrets: is empty, so that no token could be verified. {REMEDY}")]);
    for (secret, length) in [("", 0), ("your-256-bit-secret", 19), (&SECRET[1..], 31)] {
        let problem = format!("is {length} bytes long, and HS256 needs at least 32");
        assert_eq!(build(&[SECRET, secret]), [format!("issuer.secrets[1]: {problem}. {REMEDY}")]);
    }
    let guessable = [
        "secret".repeat(6),
        "0".repeat(64),
        "a-string-secret-at-least-256-bits-long".into(),
        "super-secret-jwt-token-with-at-least-32-characters-long".into(),
        "404e635266556a586e3272357538782f413f4428472b4b6250645367566b5970".into(),
        "3EK6FD+o0+c7tzBNVfjpMkNDi2yARAAKzQlk8O2IKoxQu4nF7EdAh8s3TwpHwrdWT6R".into(),
        " YOUR_SUPER_SECRET_JWT_KEY_CHANGE_IN_PRODUCTION".into(),
        "your jwt secret key here at least 32 characters long".into(),
    ];
    for secret in &guessable {
        let problem = "is a published or repetitive one, which anybody can guess";
        assert_eq!(build(&[secret]), [format!("issuer.secrets[0]: {problem}. {REMEDY}")], "{secret}");
    }
    for signer in [&RSA, &EC] {
        let text_forms =
            signer.public_forms().into_iter().filter_map(|(form, bytes)| Some((form, String::from_utf8(bytes).ok()?)));
        for (form, text) in text_forms.filter(|(form, _)| !form.contains("number")) {
            let problem = "is a key or a certificate, whose public part anybody may know; HS256 needs a secret";
            assert_eq!(build(&[&text]), [format!("issuer.secrets[0]: {problem}. {REMEDY}")], "{form}");
        }
    }
}

#[test]
fn what_holds_is_shown_with_its_defaults() {
    const RULES: &str =
        "required_claims = [{ at = \"tier\", eq = \"gold\" }, { at = [\"a\", \"b\"], any = [1, \"x\"] }]";
    let table = |toml: &str| tables(toml).remove("idp").unwrap();
    let read =
        parse_table("idp", table(&oidc(&format!("keys = \"file:rsa.pem\"\nleeway = \"10s\"\n{RULES}")))).unwrap();
    assert_eq!(
        read.effective(),
        json!({
            "kind": "oidc", "issuer": "https://idp.example/", "jwks_uri": null, "keys": "file:rsa.pem",
            "algorithms": ["RS256"], "audience": ["anteroom"], "audience_all": [], "scopes": {}, "grants": [],
            "grants_from": ["scope", "scp"], "leeway": "10s", "email_claim": "email", "allow_http": false, "ca_file": null,
            "stale_if_error": "1h", "startup": "degraded", "ui_client_id": null, "audience_claim": "aud", "owner": "subject",
            "typ": ["at+jwt", "JWT", "none"],
            "required_claims": [{ "at": "tier", "eq": "gold" }, { "at": ["a", "b"], "any": [1, "x"] }],
        })
    );
    let own = parse_table("idp", table("[verifiers.idp]\nkind = \"self\"\n")).unwrap();
    assert_eq!(own.effective(), json!({ "kind": "self" }));
    assert_eq!(KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>(), ["self", "oidc", "introspection", "hs256"]);
}

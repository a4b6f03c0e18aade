//! What the options of a verifier do: audiences, scopes, key files, several secrets.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anteroom::core::claims::Caller;
use anteroom::core::clock::SetClock;
use anteroom::core::verdict::{Refusal, Verdict};
use anteroom::verify::Chain;
use config::ValueKind;
use jsonwebtoken::Algorithm;
use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::keys::{EC, EC_384, ED, RSA, SECRET, Signer, hmac, pem};
use super::subjects::{ISSUER, OWN, chain, claims, now, own_issuer, setup, tables, verify, word};

/// A verifier with these lines in its table, and the key of `signer` in a file.
struct Idp {
    chain: Chain,
    signer: Signer,
    _files: TempDir,
}

impl Idp {
    fn new(lines: &str) -> Self {
        let lines =
            if lines.contains("audience") { lines.to_owned() } else { format!("audience = [\"anteroom\"]\n{lines}") };
        Self::with_keys(RSA.clone(), &RSA.public_pem(), &lines)
    }

    fn with_keys(signer: Signer, keys: &str, lines: &str) -> Self {
        let files = tempfile::tempdir().unwrap();
        std::fs::write(files.path().join("keys"), keys).unwrap();
        let toml = format!(
            "[verifiers.idp]\nkind = \"oidc\"\nissuer = \"{ISSUER}\"\nkeys = \"file:keys\"\nalgorithms = [\"{:?}\"]\n{lines}\n",
            signer.algorithm
        );
        Self { chain: chain(&toml, files.path(), &SetClock::at(now())).unwrap(), signer, _files: files }
    }

    async fn verdict(&self, change: &Value) -> Verdict {
        self.verdict_of_type(None, change).await
    }

    async fn verdict_of_type(&self, typ: Option<&str>, change: &Value) -> Verdict {
        let mut claims = claims(ISSUER);
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let mut header = json!({ "alg": self.signer.algorithm, "kid": "any" });
        if let Some(typ) = typ {
            header["typ"] = typ.into();
        }
        verify(&self.chain, &self.signer.sign(&header, &claims), self.chain.api(), now()).await
    }

    async fn caller(&self, change: Value) -> Arc<Caller> {
        match self.verdict(&change).await {
            Verdict::Accepted(caller) => caller,
            other => panic!("{other:?}"),
        }
    }

    /// The reason, and what was expected and found.
    async fn refusal(&self, change: Value) -> (&'static str, String) {
        match self.verdict(&change).await {
            Verdict::Rejected(Refusal { reason, evidence: Some(evidence), .. }) => {
                (reason.code(), format!("{}: {}", evidence.expected, evidence.unverified_found))
            }
            other => panic!("{other:?}"),
        }
    }

    async fn scopes(&self, change: Value) -> Vec<String> {
        self.caller(change).await.scopes.iter().cloned().collect()
    }
}

#[tokio::test]
async fn audiences_any_or_all() {
    let cases = [
        ("audience = [\"a\", \"b\"]", json!(["b", "x"]), "accepted"),
        ("audience = [\"a\", \"b\"]", json!(["x"]), "audience_mismatch"),
        ("audience_all = [\"a\", \"b\"]", json!(["b", "x", "a"]), "accepted"),
        ("audience_all = [\"a\", \"b\"]", json!(["b"]), "audience_mismatch"),
        ("audience_all = [\"a\", \"b\"]", json!("a"), "audience_mismatch"),
        ("audience = [\"a\"]\naudience_all = [\"b\"]", json!("b"), "audience_mismatch"),
        ("audience = [\"a\"]\naudience_all = [\"b\"]", json!(["a", "b"]), "accepted"),
    ];
    for (lines, audience, expected) in cases {
        assert_eq!(word(&Idp::new(lines).verdict(&json!({ "aud": audience })).await), expected, "{lines}: {audience}");
    }
}

#[tokio::test]
async fn scopes_are_an_allow_list() {
    let map = "scopes = { \"read:all\" = \"requests:read\", \"w\" = \"requests:write\", \"root\" = \"admin\" }";
    let idp = Idp::new(map);
    assert_eq!(idp.scopes(json!({ "scope": "w read:all" })).await, ["requests:read", "requests:write"]);
    assert_eq!(idp.scopes(json!({ "scope": ["read:all"], "scp": "root" })).await, ["admin", "requests:read"]);
    assert_eq!(idp.scopes(json!({ "scope": "admin requests:read READ:ALL" })).await, [""; 0]);
    assert_eq!(idp.scopes(json!({ "scope": "", "permissions": ["root"] })).await, [""; 0]);
    // A text is split at its spaces. An item of a list is one word, spaces and all.
    let listed = json!({ "scope": ["chief root", " root", "root\t", "w read:all", ["root"], "w"] });
    assert_eq!(idp.scopes(listed).await, ["requests:write"]);

    let idp = Idp::new(&format!("{map}\ngrants_from = [\"permissions\"]\ngrants = [\"requests:work\"]"));
    assert_eq!(idp.scopes(json!({ "scope": "w", "permissions": ["root"] })).await, ["admin", "requests:work"]);
    assert_eq!(idp.scopes(json!({ "permissions": ["not root"] })).await, ["requests:work"]);
    let idp =
        Idp::new("scopes = { \"Printer admin\" = \"requests:read\", admin = \"admin\" }\ngrants_from = [\"groups\"]");
    assert_eq!(idp.scopes(json!({ "groups": ["Printer admin"] })).await, ["requests:read"]);
    assert_eq!(idp.scopes(json!({ "groups": "Printer admin" })).await, ["admin"]);
    assert_eq!(
        Idp::new("").scopes(json!({ "scope": "requests:read" })).await,
        [""; 0],
        "nothing listed, nothing granted"
    );
}

#[tokio::test]
async fn the_client_and_the_email() {
    let idp = Idp::new("email_claim = \"https://acme.example/mail\"");
    let caller = async |change: Value| {
        let caller = idp.caller(change).await;
        (caller.client_id.clone(), caller.email.clone())
    };
    let some = |text: &str| Some(text.to_owned());
    let mail = json!({ "client_id": null, "azp": "by-azp", "cid": "by-cid", "https://acme.example/mail": "a@b", "email": "x" });
    assert_eq!(caller(mail).await, (some("by-azp"), some("a@b")));
    assert_eq!(caller(json!({ "client_id": "", "cid": "by-cid" })).await, (some("by-cid"), None));
    assert_eq!(caller(json!({ "client_id": ["x"] })).await, (None, None));
}

/// Keycloak's roles stand in an object, Auth0's own claims have names with dots and slashes.
#[tokio::test]
async fn claims_are_named_by_a_list_of_names() {
    let idp = Idp::new(
        "scopes = { clerk = \"requests:read\", boss = \"admin\", w = \"requests:write\" }\n\
         grants_from = [\"scope\", [\"realm_access\", \"roles\"], \"https://acme.example/a.b\"]\n\
         email_claim = [\"profile\", \"mail\"]",
    );
    let nested = json!({ "scope": "x", "realm_access": { "roles": ["clerk", "offline_access"] }, "roles": ["boss"],
        "https://acme.example/a.b": "w", "profile": { "mail": "a@b" } });
    let caller = idp.caller(nested).await;
    assert_eq!(caller.scopes.iter().collect::<Vec<_>>(), ["requests:read", "requests:write"]);
    assert_eq!(caller.email.as_deref(), Some("a@b"));
    for odd in [json!({}), json!("boss"), json!(["boss"]), json!({ "roles": { "boss": true } }), Value::Null] {
        assert_eq!(idp.scopes(json!({ "realm_access": odd, "realm_access.roles": "boss" })).await, [""; 0], "{odd}");
    }
}

#[tokio::test]
async fn required_claims() {
    let idp = Idp::new(
        "required_claims = [{ at = \"tier\", eq = \"gold\" }, { at = [\"realm_access\", \"roles\"], any = [\"clerk\", \"boss\"] }]",
    );
    let good = json!({ "tier": "gold", "realm_access": { "roles": ["x", "clerk"] } });
    assert_eq!(word(&idp.verdict(&good).await), "accepted");
    let silver = json!({ "tier": "silver\n", "realm_access": { "roles": ["clerk"] } });
    let told = r#""tier" to be "gold": "silver\n""#;
    assert_eq!(idp.refusal(silver).await, ("claim_mismatch", told.to_owned()));
    let absent = json!({ "tier": "gold" });
    let told = r#"["realm_access", "roles"] to be one of ["clerk","boss"]: nothing"#;
    assert_eq!(idp.refusal(absent).await, ("claim_mismatch", told.to_owned()));
}

#[tokio::test]
async fn the_owner_is_the_subject_or_the_client() {
    let owner = async |lines: &str, change: Value| {
        let owner = &Idp::new(lines).caller(change).await.owner;
        (owner.issuer.clone(), owner.subject.clone())
    };
    let is = |name: &str| (ISSUER.to_owned(), name.to_owned());
    assert_eq!(owner("", json!({})).await, is("acme"));
    assert_eq!(owner("owner = \"subject\"", json!({})).await, is("acme"));
    assert_eq!(owner("owner = \"client\"", json!({ "sub": "a person" })).await, is("acme-client"));
    assert_eq!(owner("owner = \"client\"", json!({ "client_id": null, "azp": "by-azp" })).await, is("by-azp"));
    let by_client = Idp::new("owner = \"client\"");
    for nobody in [json!({ "client_id": null }), json!({ "client_id": "" }), json!({ "client_id": "a\0b" })] {
        assert_eq!(by_client.refusal(nobody.clone()).await.0, "claims_invalid", "{nobody}");
    }
}

/// Cognito writes no `aud` into access tokens.
#[tokio::test]
async fn another_claim_may_stand_for_the_audience() {
    let idp = Idp::new("audience = [\"acme-client\", \"b\"]\naudience_claim = \"client_id\"");
    assert_eq!(idp.caller(json!({ "aud": null })).await.audience, ["acme-client"]);
    assert_eq!(word(&idp.verdict(&json!({ "aud": "b", "client_id": "another" })).await), "audience_mismatch");
    assert_eq!(word(&idp.verdict(&json!({ "aud": "b", "client_id": null })).await), "claims_invalid");
}

#[tokio::test]
async fn types_are_those_that_are_configured() {
    let names = [None, Some("JWT"), Some("at+jwt"), Some("application/AT+JWT"), Some("acme+jwt"), Some("none")];
    for (lines, accepted) in [
        ("", [true, true, true, true, false, false]),
        ("typ = [\"at+jwt\"]", [false, false, true, true, false, false]),
        ("typ = [\"application/at+jwt\", \"Acme+JWT\"]", [false, false, true, true, true, false]),
        ("typ = [\"none\"]", [true, false, false, false, false, false]),
    ] {
        let idp = Idp::new(lines);
        for (name, accepted) in names.into_iter().zip(accepted) {
            let expected = if accepted { "accepted" } else { "type_mismatch" };
            assert_eq!(word(&idp.verdict_of_type(name, &json!({})).await), expected, "{lines}: {name:?}");
        }
    }
}

#[tokio::test]
async fn leeway_is_what_is_configured() {
    let expired = json!({ "exp": now().seconds() - 30 });
    assert_eq!(word(&Idp::new("leeway = \"1m\"").verdict(&expired).await), "accepted");
    assert_eq!(word(&Idp::new("leeway = \"30s\"").verdict(&expired).await), "token_expired");
    let just = json!({ "exp": now().seconds() });
    assert_eq!(word(&Idp::new("leeway = \"0s\"").verdict(&just).await), "token_expired");
}

#[tokio::test]
async fn key_files_of_every_kind() {
    for signer in [&RSA, &EC, &EC_384, &ED, &RSA.with(Algorithm::PS512)] {
        let set = json!({ "keys": [signer.named("any").jwk()] }).to_string();
        let crlf = signer.public_pem().replace('\n', "\r\n");
        let with_words = format!("The key of the provider:\n{}", signer.public_pem());
        for keys in [signer.public_pem(), crlf, with_words, set] {
            let idp = Idp::with_keys((*signer).clone(), &keys, "audience = [\"anteroom\"]");
            assert_eq!(word(&idp.verdict(&json!({})).await), "accepted", "{keys}");
        }
    }
    let pkcs1 = pem("RSA PUBLIC KEY", &RSA.spki[24..]);
    let idp = Idp::with_keys(RSA.clone(), &pkcs1, "audience = [\"anteroom\"]");
    assert_eq!(word(&idp.verdict(&json!({})).await), "accepted");

    let pair = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["idp.example".into()]).unwrap().self_signed(&pair).unwrap();
    let signer = Signer::ec_from_pkcs8(&pair.serialize_der());
    let idp = Idp::with_keys(signer, &certificate.pem(), "audience = [\"anteroom\"]");
    assert_eq!(word(&idp.verdict(&json!({})).await), "accepted", "a certificate");
}

#[tokio::test]
async fn every_secret_of_our_own_verifies() {
    let second = "another secret, good for a rotation";
    let setup = setup(Path::new("."), &SetClock::at(now()), Some(own_issuer(&[SECRET, second])));
    let chain = Chain::build(&["self".into()], &[], &tables("[verifiers.self]\nkind = \"self\"\n"), &setup).unwrap();
    assert!(chain.readiness()[0].is_ready);
    for (secret, expected) in
        [(SECRET, "accepted"), (second, "accepted"), ("a third one, which is not configured", "signature_invalid")]
    {
        let token = hmac(secret.as_bytes()).sign(&json!({ "alg": "HS256", "typ": "at+jwt" }), &claims(OWN));
        assert_eq!(word(&verify(&chain, &token, chain.api(), now()).await), expected);
    }
}

/// What comes from environment variables is text.
#[tokio::test]
async fn text_stands_in_for_other_types() {
    let idp = "[verifiers.idp]\nkind = \"oidc\"\nissuer = \"https://idp.example\"\naudience = [\"1\"]\n";
    let mut table = tables(idp).remove("idp").unwrap();
    if let ValueKind::Table(members) = &mut table.kind {
        members.insert("leeway".into(), "2s".into());
        members.insert("audience".into(), config::Value::new(None, vec![42]));
    }
    let settings = anteroom::verify::parse_table("idp", table).unwrap();
    assert_eq!(settings.effective()["audience"], json!(["42"]));
    assert!(settings.build("idp", &setup(Path::new("."), &SetClock::at(now()), None)).is_ok());
}

proptest! {
    /// Nothing that can be sent brings a verifier down, and nothing random passes.
    #[test]
    fn no_text_passes(header in ".{0,60}", payload in ".{0,120}", tail in "\\PC{0,40}", separator in "[.]{0,5}") {
        let tables = BTreeMap::from_iter(tables("[verifiers.self]\nkind = \"self\"\n"));
        let setup = setup(Path::new("."), &SetClock::at(now()), Some(own_issuer(&[SECRET])));
        let chain = Arc::new(Chain::build(&["self".into()], &[], &tables, &setup).unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for text in [format!("{header}{separator}{payload}.{tail}"), hmac(SECRET.as_bytes()).sign_text(&header, &payload)] {
            let verdict = runtime.block_on(verify(&chain, &text, chain.api(), now()));
            prop_assert!(matches!(verdict, Verdict::Rejected(_)), "{verdict:?}");
        }
    }
}

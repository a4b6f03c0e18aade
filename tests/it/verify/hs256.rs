//! The kind `hs256`: which secrets may be shared, and what is told when one may not. What its tokens have to be like, the contract shows.

use anteroom::core::clock::SetClock;
use serde_json::json;
use tempfile::TempDir;

use super::keys::{RSA, SECRET, hmac};
use super::subjects::{ISSUER, SHARED, chain, claims, now, verify, word};

const SECOND: &str = "the secret of last year: still good";
const REMEDY: &str = "Make one with `openssl rand -base64 48 > FILE` and name it as \"file:FILE\"";

fn table(issuer: &str, secrets: &str) -> String {
    format!(
        "[verifiers.idp]\nkind = \"hs256\"\nissuer = \"{issuer}\"\naudience = [\"anteroom\"]\nsecrets = {secrets}\n"
    )
}

fn files() -> TempDir {
    let files = tempfile::tempdir().unwrap();
    for (name, text) in [("first", SHARED), ("second", SECOND), ("short", "short"), ("ours", SECRET)] {
        std::fs::write(files.path().join(name), format!("{text}\n")).unwrap();
    }
    std::fs::write(files.path().join("key.pem"), RSA.public_pem()).unwrap();
    files
}

#[tokio::test]
async fn every_shared_secret_verifies() {
    let toml = table(ISSUER, "[\"file:first\", \"file:second\"]");
    let chain = chain(&toml, files().path(), &SetClock::at(now())).unwrap();
    assert!(chain.readiness()[0].is_ready);
    for (secret, expected) in [
        (SHARED, "accepted"),
        (SECOND, "accepted"),
        ("a third one, which is not configured", "signature_invalid"),
        (SECRET, "signature_invalid"),
    ] {
        let token = hmac(secret.as_bytes()).sign(&json!({ "alg": "HS256", "kid": "any" }), &claims(ISSUER));
        assert_eq!(word(&verify(&chain, &token, chain.api(), now()).await), expected);
    }
}

#[test]
fn what_can_not_be_shared() {
    let files = files();
    let mistakes = |issuer: &str, secrets: &str| -> Vec<String> {
        let built = chain(&table(issuer, secrets), files.path(), &SetClock::at(now()));
        built.err().unwrap_or_default().iter().map(ToString::to_string).collect()
    };
    let secrets = |told: String| [format!("verifiers.idp.secrets{told}")];
    assert_eq!(mistakes(ISSUER, "[]"), secrets(format!(": is empty, so that no token could be verified. {REMEDY}")));
    assert_eq!(
        mistakes(ISSUER, "[\"file:first\", \"file:short\"]"),
        secrets(format!("[1]: is 5 bytes long, and HS256 needs at least 32. {REMEDY}"))
    );
    assert_eq!(
        mistakes(ISSUER, "[\"file:key.pem\"]"),
        secrets(format!(
            "[0]: is a key or a certificate, whose public part anybody may know; HS256 needs a secret. {REMEDY}"
        ))
    );
    assert_eq!(
        mistakes(ISSUER, "[\"file:first\", \"file:ours\"]"),
        secrets(
            "[1]: is a secret of [issuer] as well, and whoever shares it could make tokens of ours. \
             Agree on another secret with that issuer"
                .into()
        )
    );
    let absent = mistakes(ISSUER, "[\"file:absent\", \"env:ANTEROOM_NO_SUCH_VARIABLE\"]");
    assert!(absent[0].starts_with("verifiers.idp.secrets[0]: ") && absent[0].contains("absent can not be read"));
    assert!(
        absent[1]
            .starts_with("verifiers.idp.secrets[1]: the environment variable ANTEROOM_NO_SUCH_VARIABLE is not set")
    );
    assert_eq!(absent.len(), 2);
}

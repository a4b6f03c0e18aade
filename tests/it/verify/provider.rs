//! A real OpenID provider (panva's oidc-provider, run by node): its access token is accepted through discovery.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anteroom::core::clock::{SetClock, Timestamp};
use anteroom::core::verdict::Verdict;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::subjects::{chain, word};

struct Provider {
    process: Child,
    issuer: String,
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn start() -> Provider {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/provider");
    assert!(
        folder.join("node_modules/oidc-provider").exists(),
        "the test provider is not installed: run scripts/test, or `npm ci --ignore-scripts` in tests/provider"
    );
    let mut process = Command::new("node")
        .arg(folder.join("server.mjs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("node runs the test provider: install it, then run scripts/test");
    let mut issuer = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut issuer).unwrap();
    Provider { process, issuer: issuer.trim().to_owned() }
}

impl Provider {
    async fn token(&self, form: &str) -> String {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.post(format!("{}/token", self.issuer)).body(format!(
            "grant_type=client_credentials&client_id=acme&client_secret=the-secret-of-acme-in-the-tests&{form}"
        ));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }
}

#[tokio::test]
async fn the_token_of_a_real_provider() {
    let provider = start();
    let toml = format!(
        "[verifiers.idp]\nkind = \"oidc\"\nissuer = \"{}\"\naudience = [\"urn:api-prototype\"]\n\
         scopes = {{ \"read:requests\" = \"requests:read\" }}\n",
        provider.issuer
    );
    let form = "scope=read:requests%20write:requests&resource=urn:api-prototype";
    let token = provider.token(form).await;
    let payload: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap();
    let now = Timestamp::from_seconds(payload["iat"].as_i64().unwrap());
    let chain = chain(&toml, Path::new("."), &SetClock::at(now)).unwrap();

    let Verdict::Accepted(caller) = chain.verify(&token, chain.api(), now).await else { panic!("refused") };
    assert_eq!(caller.issuer, provider.issuer);
    assert_eq!((caller.subject.as_str(), caller.client_id.as_deref()), ("acme", Some("acme")));
    assert_eq!(caller.scopes.iter().collect::<Vec<_>>(), ["requests:read"]);
    assert_eq!(caller.expires_at, now.plus_millis(3_600_000));

    let elsewhere = provider.token("scope=read:requests&resource=urn:elsewhere").await;
    assert_eq!(word(&chain.verify(&elsewhere, chain.api(), now).await), "audience_mismatch");
    assert_eq!(word(&chain.verify(&token, chain.api(), now.plus_millis(3_605_000)).await), "token_expired");
}

//! A real OpenID provider, panva's oidc-provider, run by node; what it can be told is in `tests/provider/server.mjs`.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};

use anteroom::core::clock::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::gateway::http;
use crate::patience::sent;

pub(crate) struct RealProvider {
    process: Child,
    commands: ChildStdin,
    answers: Receiver<String>,
    pub(crate) issuer: String,
}

impl Drop for RealProvider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl RealProvider {
    pub(crate) fn start() -> Self {
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
        let (commands, lines) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()).lines());
        let (answer, answers) = mpsc::channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| answer.send(line)));
        let mut provider = Self { process, commands, answers, issuer: String::new() };
        provider.issuer = provider.answer();
        provider
    }

    /// Gives it a command, and what it answers.
    pub(crate) fn tell(&mut self, command: &str) -> String {
        writeln!(self.commands, "{command}").unwrap();
        self.answer()
    }

    fn answer(&self) -> String {
        sent(&self.answers).expect("the test provider has ended")
    }

    /// A token of the client `acme` for this resource: `urn:opaque`, `urn:es256`, or any other for RS256.
    pub(crate) async fn token(&self, resource: &str, scope: &str) -> String {
        let form = [("grant_type", "client_credentials"), ("resource", resource), ("scope", scope)];
        let answer: Value = self.post("/token", &form).await.json().await.unwrap();
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// Has the client `acme` revoke a token of its own.
    pub(crate) async fn revoke(&self, token: &str) {
        assert_eq!(self.post("/token/revocation", &[("token", token)]).await.status(), 200);
    }

    /// Posts a form in the name of the client `acme`.
    async fn post(&self, path: &str, form: &[(&str, &str)]) -> reqwest::Response {
        let credentials = [("client_id", "acme"), ("client_secret", "the-secret-of-acme-in-the-tests")];
        let mut body = form_urlencoded::Serializer::new(String::new());
        let body = body.extend_pairs(credentials).extend_pairs(form).finish();
        let request = http().post(format!("{}{path}", self.issuer)).body(body);
        request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap()
    }
}

/// When a JWT says that it was issued.
pub(crate) fn issued_at(token: &str) -> Timestamp {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let payload: Value = serde_json::from_slice(&payload).unwrap();
    Timestamp::from_seconds(payload["iat"].as_i64().unwrap())
}

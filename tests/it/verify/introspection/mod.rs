//! The kind `introspection`, against a provider that answers what a test wants, and against a real one.

mod answers;
mod asking;
mod faults;
mod keeping;
mod limits;
mod real;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use anteroom::core::clock::{Clock, SetClock};
use anteroom::core::verdict::Verdict;
use anteroom::telemetry::metrics::Metrics;
use anteroom::verify::{Chain, Setup};
use serde_json::Value;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::fake_provider::Changing;
use super::subjects::{ISSUER, claims, now, setup, tables, verify, word};
use crate::patience::patiently;

/// An opaque token.
pub(crate) const TOKEN: &str = "mF_9.B5f-4.1JqM-opaque";
/// Our secret at the provider: every character of it has to be written in another way somewhere.
pub(crate) const SECRET: &str = "s&cr=t: %+/ü";

/// A provider with an introspection endpoint, and a chain that asks it.
pub(crate) struct Idp {
    pub(crate) server: MockServer,
    answer: Changing,
    pub(crate) clock: SetClock,
    pub(crate) chain: Chain,
    metrics: Arc<Metrics>,
}

/// The answer about a good token.
pub(crate) fn good() -> Value {
    let mut answer = claims(ISSUER);
    answer["active"] = true.into();
    answer["token_type"] = "Bearer".into();
    answer
}

pub(crate) fn body(json: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json)
}

/// The answer about a good token, with these members changed; `null` takes one out.
pub(crate) fn with(changed: &Value) -> ResponseTemplate {
    let mut answer = good();
    let members = answer.as_object_mut().unwrap();
    for (name, value) in changed.as_object().unwrap() {
        if value.is_null() { drop(members.remove(name)) } else { drop(members.insert(name.clone(), value.clone())) }
    }
    body(&answer)
}

/// A chain of the verifier `idp` of [`ISSUER`], with these lines in its table.
pub(crate) fn chain(lines: &str, clock: &SetClock, metrics: &Arc<Metrics>) -> Chain {
    let files = tempfile::tempdir().unwrap();
    std::fs::write(files.path().join("secret"), SECRET).unwrap();
    let unless = |key: &str, line: String| if lines.contains(key) { String::new() } else { line };
    let issuer = unless("issuer =", format!("issuer = \"{ISSUER}\"\n"));
    let audience = unless("audience =", "audience = [\"anteroom\", \"api\"]\n".to_owned());
    let toml = format!(
        "[verifiers.idp]\nkind = \"introspection\"\n{issuer}{audience}\
         client_id = \"gate:way\"\nclient_secret = \"file:secret\"\n\
         scopes = {{ \"requests:read\" = \"requests:read\" }}\n{lines}\n"
    );
    let setup = Setup { metrics: Arc::clone(metrics), ..setup(files.path(), clock, None) };
    Chain::build(&["idp".into()], &[], &tables(&toml), &setup).unwrap()
}

impl Idp {
    pub(crate) async fn answering(answer: ResponseTemplate) -> Self {
        Self::configured(answer, "").await
    }

    /// With these lines in the table of its verifier.
    pub(crate) async fn configured(answer: ResponseTemplate, lines: &str) -> Self {
        let server = MockServer::start().await;
        let answer = Changing::from(answer);
        Mock::given(path("/introspect")).respond_with(answer.clone()).mount(&server).await;
        let (clock, metrics) = (SetClock::at(now()), Arc::new(Metrics::new()));
        let chain = chain(&format!("endpoint = \"{}/introspect\"\n{lines}", server.uri()), &clock, &metrics);
        Self { server, answer, clock, chain, metrics }
    }

    /// Whose endpoint has to be discovered: `server` serves its discovery document.
    pub(crate) fn discovering(server: MockServer, issuer: &str) -> Self {
        let (clock, metrics) = (SetClock::at(now()), Arc::new(Metrics::new()));
        let chain = chain(&format!("issuer = \"{issuer}\""), &clock, &metrics);
        let answer = Changing::from(ResponseTemplate::new(500));
        Self { server, answer, clock, chain, metrics }
    }

    pub(crate) fn answers(&self, answer: ResponseTemplate) {
        self.answer.to(answer);
    }

    pub(crate) async fn verify(&self, token: &str) -> Verdict {
        verify(&self.chain, token, self.chain.api(), self.clock.now()).await
    }

    /// The verdict about [`TOKEN`] in one word.
    pub(crate) async fn judge(&self) -> &'static str {
        word(&self.verify(TOKEN).await)
    }

    /// The verdict, and how often the provider has been asked by then.
    pub(crate) async fn judged(&self) -> (&'static str, usize) {
        (self.judge().await, self.calls().await)
    }

    pub(crate) async fn calls(&self) -> usize {
        self.server.received_requests().await.unwrap().len()
    }

    pub(crate) fn later(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// The value of a metric whose name and labels end with this text.
    pub(crate) fn counted(&self, series: &str) -> u64 {
        let text = self.metrics.encode(&[], &[], crate::gateway::NOON);
        let line = text.lines().find_map(|line| line.strip_prefix("anteroom_introspection_")?.strip_prefix(series));
        line.unwrap_or_else(|| panic!("no {series} in {text}")).trim().parse().unwrap()
    }

    /// Waits until the provider has been asked so often.
    pub(crate) async fn asked(&self, calls: usize) {
        let asking = async {
            while self.calls().await < calls {
                tokio::task::yield_now().await;
            }
        };
        patiently(asking).await;
    }
}

/// How long a verdict asks the caller to wait; 0 for a verdict that does not.
pub(crate) fn retry_after(verdict: &Verdict) -> u64 {
    match verdict {
        Verdict::Unavailable { retry_after } => retry_after.as_secs(),
        _ => 0,
    }
}

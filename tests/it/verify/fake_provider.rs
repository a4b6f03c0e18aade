//! A provider that publishes what a test wants, and a gateway's verifiers that trust it, by a clock and a chance that the test sets.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anteroom::core::clock::{Clock, SetClock};
use anteroom::core::entropy::Entropy;
use anteroom::core::verdict::Verdict;
use anteroom::telemetry::metrics::Metrics;
use anteroom::verify::{Chain, KeySetReport, Setup};
use futures_util::future::join;
use serde_json::{Value, json};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::keys::{Signer, key_set};
use super::subjects::{claims, now, setup, tables, verify, word};
use crate::patience::{patiently, until};

/// What makes jitter: always the same.
pub(crate) struct Chance(pub(crate) u8);

impl Entropy for Chance {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

/// The least and the greatest chance.
pub(crate) const LEAST: u8 = 0;
pub(crate) const GREATEST: u8 = 0xff;

/// What a provider answers until a test changes it.
#[derive(Clone)]
pub(crate) struct Changing(Arc<Mutex<ResponseTemplate>>);

impl Changing {
    pub(crate) fn from(answer: ResponseTemplate) -> Self {
        Self(Arc::new(Mutex::new(answer)))
    }

    pub(crate) fn to(&self, answer: ResponseTemplate) {
        *self.0.lock().unwrap() = answer;
    }
}

impl Respond for Changing {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        self.0.lock().unwrap().clone()
    }
}

/// A provider whose answer can be changed, and a chain that trusts it.
pub(crate) struct Provider {
    pub(crate) server: MockServer,
    answer: Changing,
    pub(crate) clock: SetClock,
    pub(crate) chain: Chain,
    pub(crate) issuer: String,
    metrics: Arc<Metrics>,
}

/// An answer with a JWK Set of these keys.
pub(crate) fn jwks(signers: &[&Signer]) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(key_set(signers))
}

impl Provider {
    /// Publishes its keys at `/keys`, which the configuration names.
    pub(crate) async fn publishing(answer: ResponseTemplate) -> Self {
        Self::configured(answer, "", GREATEST).await
    }

    /// The same with these lines in the table of its verifier, and this chance.
    pub(crate) async fn configured(answer: ResponseTemplate, lines: &str, chance: u8) -> Self {
        Self::start(answer, |server| format!("jwks_uri = \"{server}/keys\"\n{lines}"), "", chance).await
    }

    /// Publishes its keys at `/keys`, which only its discovery document can tell. Its issuer is its own address and `suffix`.
    pub(crate) async fn discovered(answer: ResponseTemplate, suffix: &str) -> Self {
        Self::start(answer, |_| String::new(), suffix, GREATEST).await
    }

    async fn start(answer: ResponseTemplate, lines: impl Fn(&str) -> String, suffix: &str, chance: u8) -> Self {
        let server = MockServer::start().await;
        let answer = Changing::from(answer);
        Mock::given(path("/keys")).respond_with(answer.clone()).mount(&server).await;
        let (clock, issuer) = (SetClock::at(now()), format!("{}{suffix}", server.uri()));
        let toml = format!(
            "[verifiers.idp]\nkind = \"oidc\"\nissuer = \"{issuer}\"\naudience = [\"anteroom\"]\n\
             algorithms = [\"RS256\", \"ES256\", \"EdDSA\"]\n{}\n",
            lines(&server.uri())
        );
        let metrics = Arc::new(Metrics::new());
        let setup = Setup {
            entropy: Arc::new(Chance(chance)),
            metrics: Arc::clone(&metrics),
            ..setup(Path::new("."), &clock, None)
        };
        let chain = Chain::build(&["idp".into()], &[], &tables(&toml), &setup).unwrap();
        Self { server, answer, clock, chain, issuer, metrics }
    }

    pub(crate) fn answers(&self, answer: ResponseTemplate) {
        self.answer.to(answer);
    }

    /// Serves its discovery document, which names `keys` for the keys.
    pub(crate) async fn describes(&self, claimed: &str, keys: &str) {
        let at = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let document = json!({ "issuer": claimed, "jwks_uri": keys, "x": [1] });
        let discovery = ResponseTemplate::new(200).set_body_json(document);
        let at = at.strip_prefix(&self.server.uri()).unwrap().to_owned();
        Mock::given(path(at)).respond_with(discovery).mount(&self.server).await;
    }

    pub(crate) fn later(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Time goes by, and what is to be fetched by then is fetched.
    pub(crate) async fn settled_after(&self, seconds: u64) -> KeySetReport {
        self.later(seconds);
        self.settled().await
    }

    /// Waits until no fetch is due or running.
    pub(crate) async fn settled(&self) -> KeySetReport {
        self.chain.warm_up();
        until(|| self.report().next_refresh.is_some_and(|left| !left.is_zero())).await;
        self.report()
    }

    pub(crate) fn report(&self) -> KeySetReport {
        self.chain.readiness()[0].keys.clone().unwrap()
    }

    /// How often the keys were fetched.
    pub(crate) async fn fetches(&self) -> usize {
        self.calls("/keys").await
    }

    pub(crate) async fn calls(&self, path: &str) -> usize {
        let requests = self.server.received_requests().await.unwrap();
        requests.iter().filter(|request| request.url.path() == path).count()
    }

    /// The value of a metric whose name and labels end with this text.
    pub(crate) fn counted(&self, series: &str) -> u64 {
        let text = self.metrics.encode(&[], &[], crate::gateway::NOON);
        let line = text.lines().find_map(|line| line.strip_prefix("anteroom_")?.strip_prefix(series));
        line.unwrap_or_else(|| panic!("no {series} in {text}")).trim().parse().unwrap()
    }

    /// A good token of two days that names `kid` for its key.
    pub(crate) fn token(&self, signer: &Signer, kid: Option<&str>) -> String {
        let mut header = json!({ "alg": signer.algorithm, "typ": "JWT" });
        if let Some(kid) = kid {
            header["kid"] = kid.into();
        }
        let mut claims = claims(&self.issuer);
        claims["exp"] = (self.clock.now().seconds() + 2 * 86_400).into();
        signer.sign(&header, &claims)
    }

    pub(crate) async fn verify(&self, token: &str) -> Verdict {
        verify(&self.chain, token, self.chain.api(), self.clock.now()).await
    }

    pub(crate) async fn verdict(&self, signer: &Signer, kid: Option<&str>) -> Verdict {
        self.verify(&self.token(signer, kid)).await
    }

    /// The verdict, in one word, about a token that names its signer.
    pub(crate) async fn judge(&self, signer: &Signer) -> &'static str {
        word(&self.verdict(signer, Some(signer.kid)).await)
    }

    /// The verdict, while the clock moves on by `millis` once the provider has been asked for the `fetch`-th time.
    pub(crate) async fn judge_while(&self, signer: &Signer, fetch: usize, millis: u64) -> &'static str {
        let time_goes_by = async {
            while self.fetches().await < fetch {
                tokio::task::yield_now().await;
            }
            self.clock.advance(Duration::from_millis(millis));
        };
        // The clock of the test decides, and not the minute after which the connection is given up.
        patiently(join(self.judge(signer), time_goes_by)).await.0
    }
}

/// Every way in which a provider can fail to publish keys, with the class that it is told as.
pub(crate) fn failures() -> Vec<(&'static str, ResponseTemplate, &'static str)> {
    let html = "<html><body>Service Unavailable</body></html>";
    let json = |value: Value| ResponseTemplate::new(200).set_body_json(value);
    let text = |text: &str| ResponseTemplate::new(200).set_body_string(text);
    let large = format!("{{\"x\":\"{}\",\"keys\":[]}}", "x".repeat(600 * 1024));
    let other_kinds = json!({ "keys": [{ "kty": "oct", "k": "AAAA" }, 1, null, super::keys::EC_384.jwk()] });
    vec![
        ("500", ResponseTemplate::new(500), "http"),
        ("404", ResponseTemplate::new(404), "http"),
        ("a redirect", ResponseTemplate::new(302).insert_header("location", "/elsewhere"), "http"),
        ("204", ResponseTemplate::new(204), "http"),
        ("304 unasked", ResponseTemplate::new(304), "http"),
        ("a web page", text(html), "parse"),
        ("garbage", ResponseTemplate::new(200).set_body_bytes([0xff, 0xfe, 0x00]), "parse"),
        ("an array", json(json!([super::keys::RSA.jwk()])), "parse"),
        ("half a document", text("{\"keys\":[{"), "parse"),
        ("an empty set", json(json!({ "keys": [] })), "empty"),
        ("a set of unusable keys", json(other_kinds), "empty"),
        ("more than is read", text(&large), "too_large"),
    ]
}

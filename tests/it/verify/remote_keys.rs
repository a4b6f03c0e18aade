//! Fetched keys through time: rotation, outages, floods.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anteroom::app::SystemEntropy;
use anteroom::core::clock::{Clock, SetClock};
use anteroom::core::period::Period;
use anteroom::core::verdict::Verdict;
use anteroom::net::NetSettings;
use anteroom::verify::{Chain, Setup};
use futures_util::future::{FutureExt, join, join_all};
use serde_json::{Value, json};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::keys::{EC, OTHER_RSA, RSA, Signer, hmac};
use super::subjects::{claims, now, tables, word};

/// A provider whose answer can be changed, and a gateway that trusts it.
pub(crate) struct Provider {
    pub(crate) server: MockServer,
    answer: Arc<Mutex<ResponseTemplate>>,
    clock: SetClock,
    chain: Chain,
    pub(crate) issuer: String,
}

/// A JWK Set of these keys.
pub(crate) fn jwks(signers: &[&Signer]) -> ResponseTemplate {
    let keys: Vec<_> = signers.iter().map(|signer| signer.jwk()).collect();
    ResponseTemplate::new(200).set_body_json(json!({ "keys": keys }))
}

impl Provider {
    /// Publishes its keys at `/keys`, which the configuration names.
    pub(crate) async fn publishing(answer: ResponseTemplate) -> Self {
        Self::start(answer, |server| format!("jwks_uri = \"{server}/keys\""), "").await
    }

    /// Its issuer is its own address and `suffix`.
    pub(crate) async fn start(answer: ResponseTemplate, keys: fn(&str) -> String, suffix: &str) -> Self {
        let server = MockServer::start().await;
        let answer = Arc::new(Mutex::new(answer));
        let shared = Arc::clone(&answer);
        let respond = move |_: &Request| shared.lock().unwrap().clone();
        Mock::given(path("/keys")).respond_with(respond).mount(&server).await;
        let (clock, issuer) = (SetClock::at(now()), format!("{}{suffix}", server.uri()));
        let toml = format!(
            "[verifiers.idp]\nkind = \"oidc\"\nissuer = \"{issuer}\"\naudience = [\"anteroom\"]\n\
             algorithms = [\"RS256\", \"ES256\", \"EdDSA\"]\n{}\n",
            keys(&server.uri())
        );
        let settings = NetSettings { timeout: Period::seconds(60), ..NetSettings::default() };
        let base = std::path::Path::new(".");
        let setup = Setup {
            base,
            net: settings.open(base).unwrap(),
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(SystemEntropy),
            own: None,
        };
        let chain = Chain::build(&["idp".into()], &[], &tables(&toml), &setup).unwrap();
        Self { server, answer, clock, chain, issuer }
    }

    fn answers(&self, answer: ResponseTemplate) {
        *self.answer.lock().unwrap() = answer;
    }

    fn later(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(crate) async fn fetches(&self) -> usize {
        let requests = self.server.received_requests().await.unwrap();
        requests.iter().filter(|request| request.url.path() == "/keys").count()
    }

    fn token(&self, signer: &Signer, kid: Option<&str>) -> String {
        let mut header = json!({ "alg": signer.algorithm, "typ": "JWT" });
        if let Some(kid) = kid {
            header["kid"] = kid.into();
        }
        let mut claims = claims(&self.issuer);
        claims["exp"] = (self.clock.now().seconds() + 3600).into();
        signer.sign(&header, &claims)
    }

    pub(crate) async fn verdict(&self, signer: &Signer, kid: Option<&str>) -> Verdict {
        self.chain.verify(&self.token(signer, kid), self.chain.api(), self.clock.now()).await
    }

    /// The verdict, in one word, about a token that names its signer.
    pub(crate) async fn judge(&self, signer: &Signer) -> &'static str {
        word(&self.verdict(signer, Some(signer.kid)).await)
    }

    /// The verdict, while the clock moves on by `millis` once the provider has been asked for the `fetch`-th time.
    async fn judge_while(&self, signer: &Signer, fetch: usize, millis: u64) -> &'static str {
        let time_goes_by = async {
            while self.fetches().await < fetch {
                tokio::task::yield_now().await;
            }
            self.clock.advance(Duration::from_millis(millis));
        };
        // The clock of the test decides, and not the minute after which the connection is given up.
        tokio::time::timeout(Duration::from_secs(30), join(self.judge(signer), time_goes_by)).await.unwrap().0
    }

    /// Waits for the fetches that nobody waited for.
    async fn is_ready_soon(&self) -> bool {
        let ready = async {
            while !self.chain.readiness()[0].is_ready {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), ready).await.is_ok()
    }
}

/// Every way in which a provider can fail to publish keys.
fn failures() -> Vec<(&'static str, ResponseTemplate)> {
    let html = "<html><body>Service Unavailable</body></html>";
    let json = |value: Value| ResponseTemplate::new(200).set_body_json(value);
    let large = format!("{{\"x\":\"{}\",\"keys\":[]}}", "x".repeat(600 * 1024));
    vec![
        ("500", ResponseTemplate::new(500)),
        ("404", ResponseTemplate::new(404)),
        ("a redirect", ResponseTemplate::new(302).insert_header("location", "/elsewhere")),
        ("204", ResponseTemplate::new(204)),
        ("a web page", ResponseTemplate::new(200).set_body_string(html)),
        ("garbage", ResponseTemplate::new(200).set_body_bytes([0xff, 0xfe, 0x00])),
        ("an empty set", json(json!({ "keys": [] }))),
        ("a set of unusable keys", json(json!({ "keys": [{ "kty": "oct", "k": "AAAA" }, 1, null] }))),
        ("an array", json(json!([RSA.jwk()]))),
        ("half a document", ResponseTemplate::new(200).set_body_string("{\"keys\":[{")),
        ("more than is read", ResponseTemplate::new(200).set_body_string(large)),
    ]
}

#[tokio::test]
async fn a_rotation_is_picked_up_at_once() {
    let provider = Provider::publishing(jwks(&[&RSA])).await;
    assert_eq!(provider.judge(&RSA).await, "accepted");
    provider.answers(jwks(&[&RSA, &OTHER_RSA]));
    assert_eq!(provider.judge(&OTHER_RSA).await, "accepted");
    assert_eq!(provider.judge(&RSA).await, "accepted");
    assert_eq!(provider.fetches().await, 2);

    assert_eq!(provider.judge(&EC).await, "key_unknown");
    assert_eq!(provider.fetches().await, 2, "one refetch in 30 seconds");
    provider.answers(jwks(&[&EC]));
    provider.later(29);
    assert_eq!(provider.judge(&EC).await, "key_unknown");
    provider.later(1);
    assert_eq!(provider.judge(&EC).await, "accepted");
    assert_eq!(provider.judge(&RSA).await, "key_unknown", "withdrawn");
    assert_eq!(provider.fetches().await, 3);
}

#[tokio::test]
async fn a_withdrawn_key_is_gone_with_the_lifetime() {
    for (cache_control, lifetime) in [
        (None, 600),
        (Some("public, max-age=120"), 120),
        (Some("max-age=1"), 60),
        (Some("no-cache"), 60),
        (Some("no-store, max-age=900"), 60),
        (Some("max-age=900, no-store"), 60),
        (Some("max-age=31536000"), 86_400),
        (Some("max-age=banana"), 600),
    ] {
        let with = |answer: ResponseTemplate| match cache_control {
            Some(value) => answer.insert_header("cache-control", value),
            None => answer,
        };
        let provider = Provider::publishing(with(jwks(&[&RSA, &EC]))).await;
        assert_eq!(provider.judge(&RSA).await, "accepted");
        provider.answers(with(jwks(&[&EC])));
        provider.later(lifetime - 1);
        assert_eq!(provider.judge(&RSA).await, "accepted", "{cache_control:?}");
        assert_eq!(provider.fetches().await, 1, "{cache_control:?}");
        provider.later(1);
        assert_eq!(provider.judge(&RSA).await, "key_unknown", "{cache_control:?}");
    }
}

#[tokio::test]
async fn old_keys_serve_through_an_outage() {
    for (what, failure) in failures() {
        let provider = Provider::publishing(jwks(&[&RSA])).await;
        assert_eq!(provider.judge(&RSA).await, "accepted");
        provider.answers(failure);
        provider.later(601);
        assert_eq!(provider.judge(&RSA).await, "accepted", "{what}");
        assert_eq!(provider.judge(&EC).await, "unavailable", "{what}: whether that key is new can not be told");
        provider.later(3599);
        assert_eq!(provider.judge(&RSA).await, "unavailable", "{what}: an hour is enough");
    }
}

#[tokio::test]
async fn without_keys_it_is_unavailable_and_recovers() {
    for (what, failure) in failures() {
        let provider = Provider::publishing(failure).await;
        assert!(!provider.chain.readiness()[0].is_ready, "{what}");
        for _ in 0..20 {
            let Verdict::Unavailable { retry_after } = provider.verdict(&RSA, Some("rsa-1")).await else {
                panic!("{what}: keys that can not be had must not refuse a token")
            };
            assert!((1..=5).contains(&retry_after.as_secs()), "{what}: {retry_after:?}");
        }
        assert_eq!(provider.fetches().await, 1, "{what}: one attempt in five seconds");
        provider.answers(jwks(&[&RSA]));
        provider.later(5);
        assert_eq!(provider.judge(&RSA).await, "accepted", "{what}");
    }
}

#[tokio::test]
async fn bad_tokens_are_refused_without_keys() {
    let provider = Provider::publishing(ResponseTemplate::new(500)).await;
    let mut expired = claims(&provider.issuer);
    expired["exp"] = 1.into();
    let token = RSA.sign(&json!({ "alg": "RS256", "kid": "rsa-1" }), &expired);
    assert_eq!(word(&provider.chain.verify(&token, provider.chain.api(), now()).await), "token_expired");
    assert_eq!(provider.judge(&hmac(b"x")).await, "algorithm_not_allowed");
    assert_eq!(provider.fetches().await, 0, "what no key could help fetches none");
}

#[tokio::test]
async fn readiness_fetches_the_keys() {
    let provider = Provider::publishing(jwks(&[&RSA])).await;
    assert!(provider.is_ready_soon().await);
    provider.answers(ResponseTemplate::new(500));
    assert_eq!(provider.judge(&RSA).await, "accepted");
    assert_eq!(provider.fetches().await, 1);
    provider.later(600 + 3599);
    assert!(provider.chain.readiness()[0].is_ready);
    provider.later(1);
    assert!(!provider.chain.readiness()[0].is_ready);
}

#[tokio::test]
async fn a_flood_of_unknown_key_ids() {
    let provider = Provider::publishing(jwks(&[&RSA])).await;
    for index in 0..1000 {
        let verdict = provider.verdict(&EC, Some(&format!("unknown-{index}"))).await;
        assert_eq!(word(&verdict), "key_unknown");
    }
    assert!(provider.fetches().await <= 2, "{} fetches", provider.fetches().await);

    // When the refetch fails it is the attempt that counts, and known keys are not affected.
    provider.answers(ResponseTemplate::new(500));
    provider.later(31);
    for index in 0..1000 {
        assert_eq!(word(&provider.verdict(&EC, Some(&format!("other-{index}"))).await), "key_unknown");
    }
    assert_eq!(provider.judge(&RSA).await, "accepted");
    assert_eq!(provider.fetches().await, 3);
}

#[tokio::test]
async fn a_herd_causes_one_fetch() {
    let provider = Provider::publishing(jwks(&[&RSA]).set_delay(Duration::from_millis(100))).await;
    let herd = join_all((0..100).map(|_| provider.judge(&RSA))).await;
    assert_eq!(herd, ["accepted"; 100]);
    assert_eq!(provider.fetches().await, 1);
}

#[tokio::test]
async fn the_first_to_wait_may_leave() {
    let provider = Provider::publishing(jwks(&[&RSA]).set_delay(Duration::from_millis(200))).await;
    assert_eq!(provider.judge(&RSA).now_or_never(), None, "it waited, and is gone");
    assert_eq!(provider.judge(&RSA).await, "accepted");
    assert_eq!(provider.fetches().await, 1);
}

/// Nobody waits long for a provider that takes the connection and says nothing.
#[tokio::test]
async fn a_provider_that_hangs() {
    let silence = || jwks(&[&RSA]).set_delay(Duration::from_mins(10));
    let provider = Provider::publishing(jwks(&[&RSA])).await;
    assert_eq!(provider.judge(&RSA).await, "accepted");
    provider.answers(silence());
    provider.later(600);
    assert_eq!(provider.judge_while(&RSA, 2, 500).await, "accepted", "half a second, where old keys serve");

    let provider = Provider::publishing(silence()).await;
    assert_eq!(provider.judge_while(&RSA, 1, 1000).await, "unavailable", "a second, where there are none");
}

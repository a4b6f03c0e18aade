//! C2: when the provider can not tell, neither can we: 503, never 401, and never what was true a while ago.

use std::sync::Arc;
use std::time::Duration;

use anteroom::core::clock::SetClock;
use anteroom::telemetry::metrics::Metrics;
use futures_util::future::join;
use reqwest::Method;
use serde_json::json;
use wiremock::ResponseTemplate;

use super::{Idp, SECRET, TOKEN, body, chain, good, retry_after, with};
use crate::gateway::{Answer, Gateway as OwnGateway};
use crate::process::Gateway;
use crate::verify::fake_provider::failures;
use crate::verify::subjects::{ISSUER, NOW, now, verify, word};
use crate::verify::wire::{NOBODY, Wire};

#[tokio::test]
async fn every_fault_is_unavailable_and_over_with_its_cause() {
    let more = [("401", ResponseTemplate::new(401), "http"), ("403", ResponseTemplate::new(403), "http")];
    // An empty key set and its like say nothing here.
    let faults = failures().into_iter().filter(|(_, _, class)| *class != "empty").chain(more);
    for (what, answer, class) in faults {
        let idp = Idp::answering(answer).await;
        let verdict = idp.verify(TOKEN).await;
        assert_eq!((word(&verdict), retry_after(&verdict)), ("unavailable", 1), "{what}");
        assert_eq!(idp.counted(&format!("calls_total{{verifier=\"idp\",result=\"{class}\"}}")), 1, "{what}");
        idp.answers(body(&good()));
        assert_eq!(idp.judged().await, ("accepted", 2), "{what}");
    }
}

#[tokio::test]
async fn connections_that_break_or_are_not_to_be_had() {
    let (clock, metrics) = (SetClock::at(now()), Arc::new(Metrics::new()));
    let judge = async |address: std::net::SocketAddr| {
        let chain = chain(&format!("endpoint = \"http://{address}/\""), &clock, &metrics);
        word(&verify(&chain, TOKEN, chain.api(), now()).await)
    };
    let reset = Wire::start(Arc::new(|_| {}));
    assert_eq!(judge(reset.address).await, "unavailable");
    let half = Wire::start(Arc::new(|stream| {
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"active\":true"));
    }));
    assert_eq!(judge(half.address).await, "unavailable");
    assert_eq!(judge(NOBODY).await, "unavailable");
}

/// Nobody waits longer than two seconds; what comes later serves the next.
#[tokio::test]
async fn a_provider_that_takes_its_time() {
    let idp = Idp::answering(body(&good()).set_delay(Duration::from_mins(1))).await;
    let time_goes_by = async {
        idp.asked(1).await;
        idp.clock.advance(Duration::from_secs(2));
    };
    let verdict = join(idp.verify(TOKEN), time_goes_by).await.0;
    assert_eq!((word(&verdict), retry_after(&verdict)), ("unavailable", 1));
}

/// Times are judged when the answer is there, and one without `exp` is good for who waited for it.
#[tokio::test]
async fn a_token_that_expires_while_it_is_asked_about() {
    for (exp, expected) in [(json!(NOW + 1), "token_expired"), (json!(NOW + 2), "accepted"), (json!(null), "accepted")]
    {
        let slow = with(&json!({ "exp": exp })).set_delay(Duration::from_millis(200));
        let idp = Idp::configured(slow, "leeway = \"0s\"\ncache = \"0s\"").await;
        let time_goes_by = async {
            idp.asked(1).await;
            idp.clock.advance(Duration::from_millis(1500));
        };
        assert_eq!(join(idp.judge(), time_goes_by).await.0, expected, "{exp}");
    }
}

#[tokio::test]
async fn nothing_stale_is_served() {
    let idp = Idp::answering(body(&good())).await;
    assert_eq!(idp.judged().await, ("accepted", 1));
    idp.answers(ResponseTemplate::new(500));
    idp.later(29);
    assert_eq!(idp.judged().await, ("accepted", 1));
    idp.later(1);
    assert_eq!(idp.judged().await, ("unavailable", 2));
    assert_eq!(idp.judged().await, ("unavailable", 3));
    idp.answers(body(&good()));
    assert_eq!(idp.judged().await, ("accepted", 4));
}

#[tokio::test]
async fn a_provider_that_asks_for_a_pause_gets_one() {
    let idp = Idp::answering(ResponseTemplate::new(429).insert_header("retry-after", "7")).await;
    let verdict = idp.verify(TOKEN).await;
    assert_eq!((word(&verdict), retry_after(&verdict)), ("unavailable", 7));
    idp.answers(body(&good()));
    idp.later(4);
    assert_eq!(retry_after(&idp.verify(TOKEN).await), 3);
    assert_eq!((idp.calls().await, idp.counted("limited_total{verifier=\"idp\"}")), (1, 1));
    idp.later(3);
    assert_eq!(idp.judged().await, ("accepted", 2));

    let for_a_year = ResponseTemplate::new(503).insert_header("retry-after", "31536000");
    let idp = Idp::answering(for_a_year).await;
    assert_eq!(retry_after(&idp.verify(TOKEN).await), 60);
    idp.answers(body(&good()));
    idp.later(60);
    assert_eq!(idp.judged().await, ("accepted", 2), "no longer than a minute");
}

/// What is said of one token stops no other, and a pause leaves those that were active one call in a second.
#[tokio::test]
async fn whoever_can_cause_a_pause_stops_nobody_else() {
    const BAD: &str = "the-token-of-one-who-means-harm";
    let idp = Idp::configured(body(&good()), "cache = \"0s\"").await;
    let bad = async |status| {
        idp.answers(ResponseTemplate::new(status).insert_header("retry-after", "60"));
        let told = retry_after(&idp.verify(BAD).await);
        idp.answers(body(&good()));
        told
    };
    assert_eq!(idp.judged().await, ("accepted", 1));
    for (status, calls) in [(400, 3), (401, 5), (500, 7)] {
        assert_eq!((bad(status).await, idp.judged().await), (1, ("accepted", calls)), "{status}");
    }
    assert_eq!((bad(429).await, idp.judged().await), (60, ("unavailable", 8)));
    for calls in [9, 10] {
        idp.later(1);
        assert_eq!(idp.judged().await, ("accepted", calls));
        assert_eq!(idp.judged().await, ("unavailable", calls));
    }
    assert_eq!((retry_after(&idp.verify(BAD).await), idp.calls().await), (58, 10));
}

/// A verifier for a gateway whose folder holds the secret.
pub(super) fn table(server: &str) -> String {
    format!(
        "[verifiers.idp]\nkind = \"introspection\"\nissuer = \"{ISSUER}\"\naudience = [\"anteroom\"]\n\
         endpoint = \"{server}/introspect\"\nclient_id = \"gateway\"\nclient_secret = \"file:secret\"\n"
    )
}

#[tokio::test]
async fn a_client_is_told_to_come_again() {
    let idp = Idp::answering(ResponseTemplate::new(500)).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), SECRET).unwrap();
    let gateway = OwnGateway::in_folder(folder, &table(&idp.server.uri()));
    let ask = || Answer::to(gateway.call(Method::GET, "/v1/whoami").bearer_auth(TOKEN));
    let answer = ask().await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
    assert_eq!(answer.problem()["code"], "verifier_unavailable");
    idp.answers(body(&json!({ "active": false })));
    let refused = ask().await;
    let refused = refused.problem();
    assert_eq!(json!([refused["status"], refused["code"]]), json!([401, "token_inactive"]));
    idp.answers(body(&good()));
    gateway.advance(5);
    assert_eq!(ask().await.status, 200);
}

/// Operators see a provider that is down, and why, before its clients ask them.
#[tokio::test]
async fn an_operator_is_told() {
    let idp = Idp::answering(ResponseTemplate::new(500)).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), SECRET).unwrap();
    let toml = format!("server.mode = \"production\"\nshutdown.delay = \"0s\"\n{}", table(&idp.server.uri()));
    let gateway = OwnGateway::in_folder(folder, &toml);
    let told = async || {
        let readiness = gateway.operate("/readyz").await.json();
        (readiness["ready"].clone(), readiness["issuers"].clone(), readiness["problems"].clone())
    };
    let view = |ready: bool, calls: serde_json::Value| json!([{ "name": "idp", "issuer": ISSUER, "ready": ready, "keys": null, "introspection": calls }]);
    let nothing = json!({ "last_call_seconds": null, "consecutive_failures": 0, "last_error": null });
    assert_eq!(told().await, (json!(true), view(true, nothing), json!([])), "nobody has asked yet");
    for _ in 0..2 {
        assert_eq!(gateway.get(TOKEN, "/v1/whoami").await.status, 503);
    }
    gateway.advance(3);
    let down = json!({ "last_call_seconds": 3, "consecutive_failures": 2, "last_error": "http" });
    let problem =
        format!("idp: {ISSUER} can not be asked about tokens (http): those that are not known are answered 503.");
    assert_eq!(told().await, (json!(true), view(false, down), json!([problem])), "it serves the others");
    idp.answers(body(&json!({ "active": false })));
    assert_eq!(gateway.get(TOKEN, "/v1/whoami").await.status, 401);
    let up = json!({ "last_call_seconds": 0, "consecutive_failures": 0, "last_error": null });
    assert_eq!(told().await, (json!(true), view(true, up), json!([])));
}

/// C4: our credentials are in no line of the log, and which key is wrong is in one.
#[tokio::test]
async fn a_provider_that_refuses_us() {
    let idp = Idp::answering(ResponseTemplate::new(401)).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), SECRET).unwrap();
    let toml = format!("{}[log]\nformat = \"json\"\nlevel = \"trace\"\n", table(&idp.server.uri()));
    let gateway = Gateway::configured(folder.path(), &toml, &[]);
    for _ in 0..3 {
        assert_eq!(gateway.whoami(TOKEN).await, 503);
    }
    let log = gateway.kill();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("verifiers.idp.client_id")).collect();
    assert_eq!(lines.len(), 1, "once in ten seconds: {log}");
    let line: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
    let error = format!(
        "{}/introspect answered 401 Unauthorized; only 200 counts, and redirects are not followed",
        idp.server.uri()
    );
    assert_eq!(
        json!([line["level"], line["verifier"], line["issuer"], line["error"]]),
        json!(["ERROR", "idp", ISSUER, error])
    );
    for secret in [TOKEN, SECRET, "s%26cr%3Dt", "Z2F0ZXdheT"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

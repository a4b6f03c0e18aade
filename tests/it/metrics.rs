//! `/metrics`: what happened, under labels that nobody from outside can make up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anteroom::core::ports::requests::Backlog;
use anteroom::telemetry::metrics::{KeySetGauges, Lease, Metrics};
use reqwest::Method;
use serde_json::json;

use crate::gateway::{Gateway, NOON};
use crate::idp::{Idp, readiness_when};
use crate::verify::keys::{OTHER_RSA, RSA};

/// The samples of these families that are not 0, in order, without the prefix and without buckets.
async fn scrape(gateway: &Gateway, families: &[&str]) -> Vec<String> {
    let answer = gateway.operate("/metrics").await;
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!((answer.status, answer.header("content-type")), (200, media_type));
    assert!(answer.text.ends_with("# EOF\n"));
    let samples = answer.text.lines().filter_map(|line| line.strip_prefix("anteroom_"));
    let wanted = |line: &&str| families.iter().any(|family| line.starts_with(family)) && !line.contains("_bucket{");
    let mut samples: Vec<_> = samples
        .filter(wanted)
        .filter(|line| !line.ends_with(" 0") && !line.ends_with(" 0.0"))
        .map(str::to_owned)
        .collect();
    samples.sort();
    samples
}

#[tokio::test]
async fn what_was_asked_is_counted_by_method_path_and_status() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    for _ in 0..2 {
        assert_eq!(gateway.get(&token, &format!("//v1/requests/{id}")).await.status, 200);
    }
    let calls = [
        (Method::GET, "/v1/requests", 401),
        (Method::GET, "/nobody/knows", 404),
        (Method::HEAD, "/nothing", 404),
        (Method::from_bytes(b"BREW").unwrap(), "/healthz", 405),
    ];
    for (method, path, status) in calls {
        assert_eq!(gateway.call(method, path).send().await.unwrap().status(), status, "{path}");
    }
    let expected = [
        "http_requests_total{method=\"GET\",path=\"/v1/requests\",status=\"401\"} 1",
        "http_requests_total{method=\"GET\",path=\"/v1/requests/{request_id}\",status=\"200\"} 2",
        "http_requests_total{method=\"GET\",path=\"unmatched\",status=\"404\"} 1",
        "http_requests_total{method=\"HEAD\",path=\"unmatched\",status=\"404\"} 1",
        "http_requests_total{method=\"POST\",path=\"/oauth/token\",status=\"200\"} 1",
        "http_requests_total{method=\"POST\",path=\"/v1/requests\",status=\"202\"} 1",
        "http_requests_total{method=\"other\",path=\"/healthz\",status=\"405\"} 1",
    ];
    assert_eq!(scrape(&gateway, &["http_requests_total"]).await, expected);
    let timed =
        scrape(&gateway, &["http_request_seconds_count{method=\"GET\",path=\"/v1/requests/{request_id}\"}"]).await;
    assert_eq!(timed, ["http_request_seconds_count{method=\"GET\",path=\"/v1/requests/{request_id}\"} 2"]);
    let scrapes = scrape(&gateway, &["http_requests_total{method=\"GET\",path=\"/metrics\""]).await;
    assert_eq!(scrapes, ["http_requests_total{method=\"GET\",path=\"/metrics\",status=\"200\"} 2"]);
}

#[tokio::test]
async fn what_is_refused_before_its_resource_is_counted_under_its_path() {
    let gateway = Gateway::start();
    let refused = gateway.call(Method::GET, "/v1/requests").header("host", "evil.example");
    assert_eq!(refused.send().await.unwrap().status(), 403);
    let counted = scrape(&gateway, &["http_requests_total{method=\"GET\""]).await;
    assert_eq!(counted, ["http_requests_total{method=\"GET\",path=\"/v1/requests\",status=\"403\"} 1"]);
}

#[tokio::test]
async fn verdicts_and_commits_are_counted() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    gateway.submit(&token).await;
    assert_eq!(gateway.get(&token, "/v1/whoami").await.status, 200);
    let claims = json!({ "iss": "https://evil.example/", "sub": "ada", "aud": "anteroom", "exp": 1 });
    for bad in ["x", &RSA.sign(&json!({ "alg": "RS256" }), &claims)] {
        assert_eq!(gateway.get(bad, "/v1/whoami").await.status, 401);
    }
    let whoami = || gateway.call(Method::GET, "/v1/whoami");
    assert_eq!(whoami().send().await.unwrap().status(), 401);
    let repeated = whoami().header("authorization", "Bearer x").header("authorization", "Bearer y");
    assert_eq!(repeated.send().await.unwrap().status(), 400);
    gateway.advance(7200);
    for _ in 0..2 {
        assert_eq!(gateway.get(&token, "/v1/whoami").await.problem()["code"], "token_expired");
    }
    // How many operations are in the commit is left out: what the gateway does by itself may be among them.
    let counted = [
        "build_info",
        "store_commit_batch_size_count",
        "store_commit_seconds",
        "store_commits",
        "store_sync_seconds",
        "verifications",
        "verified_cache",
    ];
    let expected = [
        "build_info{version=\"0.1.0\"} 1",
        "store_commit_batch_size_count 1",
        "store_commit_seconds_count 1",
        "store_commits_total{result=\"done\"} 1",
        "store_sync_seconds_count 1",
        "verifications_total{verifier=\"none\",result=\"issuer_unknown\"} 1",
        "verifications_total{verifier=\"none\",result=\"token_malformed\"} 1",
        "verifications_total{verifier=\"none\",result=\"token_missing\"} 1",
        "verifications_total{verifier=\"none\",result=\"token_repeated\"} 1",
        "verifications_total{verifier=\"self\",result=\"accepted\"} 2",
        "verifications_total{verifier=\"self\",result=\"token_expired\"} 2",
        // Checked at first; remembered twice, the second time for the last; checked again.
        "verified_cache_total{verifier=\"self\",outcome=\"hit\"} 2",
        "verified_cache_total{verifier=\"self\",outcome=\"miss\"} 2",
    ];
    assert_eq!(scrape(&gateway, &counted).await, expected);
}

#[tokio::test]
async fn how_keys_get_on_is_shown_by_issuer() {
    let idp = Idp::publishing(&[&RSA, &OTHER_RSA]).await;
    let gateway = Gateway::configured(&idp.toml(""));
    readiness_when(&gateway, |keys| keys["state"] == "fresh").await;
    gateway.advance(60);
    let expected = [
        "jwks_age_seconds{issuer=\"idp\"} 60.0",
        "jwks_fetch_seconds_count{issuer=\"idp\"} 1",
        "jwks_fetch_total{issuer=\"idp\",result=\"ok\"} 1",
        "jwks_keys{issuer=\"idp\"} 2",
        "jwks_state{issuer=\"idp\",state=\"fresh\"} 1",
    ];
    assert_eq!(scrape(&gateway, &["jwks"]).await, expected);
    assert_eq!(gateway.get(&idp.token(&RSA), "/v1/whoami").await.status, 200);
    idp.fail(503);
    gateway.advance(660);
    readiness_when(&gateway, |keys| keys["state"] == "stale" && keys["consecutive_failures"] == 1).await;
    assert_eq!(gateway.get(&idp.token(&OTHER_RSA), "/v1/whoami").await.status, 200);
    let expected = [
        "jwks_age_seconds{issuer=\"idp\"} 720.0",
        "jwks_consecutive_failures{issuer=\"idp\"} 1",
        "jwks_fetch_seconds_count{issuer=\"idp\"} 2",
        "jwks_fetch_total{issuer=\"idp\",result=\"http\"} 1",
        "jwks_fetch_total{issuer=\"idp\",result=\"ok\"} 1",
        "jwks_keys{issuer=\"idp\"} 2",
        "jwks_stale_served_total{issuer=\"idp\"} 1",
        "jwks_state{issuer=\"idp\",state=\"stale\"} 1",
    ];
    assert_eq!(scrape(&gateway, &["jwks"]).await, expected);
}

/// The rows of the table are the families that there are, each with its type, its labels and its help.
#[test]
fn the_page_about_metrics_is_true() {
    let metrics = Metrics::new();
    let moment = Duration::from_millis(1);
    metrics.verifier("idp").accepted();
    metrics.guard("billing");
    metrics.verified_cache("idp");
    metrics.key_set("idp").stale_served();
    metrics.introspection("idp").limited();
    metrics.route("/healthz").answered("GET", 200, moment);
    metrics.leases().count("render", Lease::Given);
    let states = vec![("fresh", true)];
    let gauges = KeySetGauges { verifier: "idp", age: Some(moment), keys: 1, states, consecutive_failures: 0 };
    metrics.keeper();
    let backlog = Backlog { kind: "render".into(), ready: 1, waiting: 0, in_flight: 0, oldest_ready: None };
    let text = metrics.encode(&[gauges], &[backlog], NOON);
    let about = |what: &str| -> BTreeMap<String, String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(what)?.split_once(' '));
        lines.map(|(name, rest)| (name.to_owned(), rest.to_owned())).collect()
    };
    let (types, helps) = (about("# TYPE "), about("# HELP "));
    let labels = |name: &str| -> BTreeSet<String> {
        let parts = ["", "_info", "_total", "_bucket", "_sum", "_count"].map(|end| format!("{name}{end}{{"));
        let samples = text.lines().filter_map(|line| parts.iter().find_map(|part| line.strip_prefix(part)));
        let pairs = samples.flat_map(|rest| rest.split('}').next().unwrap().split(','));
        let names = pairs.map(|pair| pair.split('=').next().unwrap().to_owned());
        names.filter(|name| name != "le").collect()
    };
    let expected: BTreeSet<_> = types
        .iter()
        .map(|(name, kind)| {
            let end = if kind == "info" { "_info" } else { "" };
            let (help, labels) = (helps[name].trim_end_matches('.'), labels(name));
            (format!("{name}{end}"), kind.clone(), labels, help.to_owned())
        })
        .collect();
    let rows = include_str!("../../docs/metrics.md").lines().filter(|line| line.starts_with("| `"));
    let told: BTreeSet<_> = rows
        .map(|row| {
            let cells: Vec<_> = row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
            let labels = cells[2].split(',').map(|label| label.trim().trim_matches('`').to_owned());
            let labels = labels.filter(|label| !label.is_empty()).collect::<BTreeSet<_>>();
            (cells[0].trim_matches('`').to_owned(), cells[1].clone(), labels, cells[3].clone())
        })
        .collect();
    assert_eq!(told, expected);
}

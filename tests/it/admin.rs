//! The listener for operators, and `/v1/admin/…`.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::gateway::{Answer, Gateway, client, http, problem};
use crate::idp::{Idp, RSA_ALGORITHMS, readiness_when};
use crate::verify::keys::{OTHER_RSA, RSA};

const SECRET: &str = "an-example-of-a-secret";
const PRODUCTION: &str = "shutdown.delay = \"0s\"\nserver.mode = \"production\"\n";

/// What an operator is answered.
async fn operate(gateway: &Gateway, token: &str, method: Method, path: &str) -> Answer {
    let admin = gateway.admin.unwrap_or(gateway.address);
    Answer::to(http().request(method, format!("http://{admin}{path}")).bearer_auth(token)).await
}

#[tokio::test]
async fn in_production_clients_and_operators_have_nothing_of_each_other() {
    let gateway = Gateway::configured(PRODUCTION);
    for path in ["/metrics", "/v1/admin/issuers"] {
        assert_eq!(Answer::to(gateway.call(Method::GET, path)).await.status, 404, "{path}");
    }
    for path in ["/v1/requests", "/oauth/token", "/openapi.json", "/ui/", "/"] {
        let answer = gateway.operate(path).await;
        assert_eq!((answer.status, &answer.problem()["code"]), (404, &json!("not_found")), "{path}");
    }
    assert_eq!(gateway.operate("/v1/admin/issuers").await.problem()["code"], "token_missing");
    let document = Answer::to(gateway.call(Method::GET, "/openapi.json")).await.json();
    let paths: Vec<_> = document["paths"].as_object().unwrap().keys().filter(|path| path.contains("admin")).collect();
    assert_eq!(paths, Vec::<&String>::new());
}

#[tokio::test]
async fn it_can_be_elsewhere_or_nowhere() {
    let elsewhere = Gateway::configured("server.admin_bind = \"127.0.0.1:0\"");
    assert_eq!(elsewhere.operate("/metrics").await.status, 200);
    assert_eq!(Answer::to(elsewhere.call(Method::GET, "/metrics")).await.status, 404);
    // What development mode refuses, it refuses there as well.
    let admin = elsewhere.admin.unwrap();
    let foreign = http().get(format!("http://{admin}/metrics")).header("host", "evil.example");
    assert_eq!(Answer::to(foreign).await.problem()["code"], "development_mode");
    for toml in ["server.admin_bind = \"off\"", &format!("{PRODUCTION}server.admin_bind = \"off\"")] {
        let nowhere = Gateway::configured(toml);
        assert_eq!(nowhere.admin, None);
        assert_eq!(Answer::to(nowhere.call(Method::GET, "/metrics")).await.status, 404);
        assert_eq!(Answer::to(nowhere.call(Method::GET, "/readyz")).await.text, "");
    }
}

/// Those of operators are not counted, and so none of them may be counted out.
#[tokio::test]
async fn what_an_operator_leaves_unsent_keeps_no_client_out() {
    let gateway = Gateway::configured(&format!("{PRODUCTION}verify.token_in_form = true\nserver.max_in_flight = 2\n"));
    let opening = "POST /v1/admin/issuers/self/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\
                   Content-Type: application/x-www-form-urlencoded\r\n\r\n";
    let mut unsent: Vec<_> = (0..3).map(|_| TcpStream::connect(gateway.admin.unwrap()).unwrap()).collect();
    for connection in &mut unsent {
        connection.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        connection.write_all(opening.as_bytes()).unwrap();
        // No form is waited for here.
        let mut answer = [0; 12];
        connection.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 401");
    }
    assert_eq!(Answer::to(gateway.call(Method::GET, "/v1/whoami")).await.status, 401);
}

/// A page that has its own name lead to this machine is a page of elsewhere still.
#[tokio::test]
async fn on_this_machine_an_operator_calls_it_by_no_other_name() {
    let status = async |gateway: &Gateway, host: &str| {
        let call = http().get(format!("http://{}/metrics", gateway.admin.unwrap())).header("host", host);
        Answer::to(call).await.status
    };
    let here = Gateway::configured(PRODUCTION);
    for host in ["localhost", "LOCALHOST:9090", "127.0.0.1:9090", "[::1]:9090"] {
        assert_eq!(status(&here, host).await, 200, "{host}");
    }
    for host in ["evil.example", "evil.example:9090", "localhost.evil.example", "192.0.2.7", "localhost@evil.example"] {
        assert_eq!(status(&here, host).await, 421, "{host}");
    }
    let everywhere = Gateway::configured(&format!("{PRODUCTION}server.admin_bind = \"0.0.0.0:0\""));
    assert_eq!(status(&everywhere, "gateway.example").await, 200);
}

/// As many as may be are idle: soon there is room for another.
#[test]
fn idle_connections_of_operators_keep_no_operator_out() {
    let gateway = Gateway::configured(PRODUCTION);
    let call = || {
        let mut connection = TcpStream::connect(gateway.admin.unwrap()).unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        connection.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = [0; 12];
        connection.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        connection
    };
    let idle: Vec<_> = (0..64).map(|_| call()).collect();
    call();
    drop(idle);
}

#[test]
fn an_address_that_can_not_be_had_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mistakes = Gateway::refusal(&format!("server.admin_bind = \"{address}\""));
    let [mistake] = mistakes.as_slice() else { panic!("{mistakes:?}") };
    assert_eq!(mistake.key, "server.admin_bind");
    assert!(mistake.problem.starts_with(&format!("{address} can not be listened on: ")), "{}", mistake.problem);
    assert_eq!(mistake.remedy, "Stop what listens there, or choose another address with this key, or \"off\"");
}

/// A gateway that trusts an issuer, and a token of whom may operate it.
async fn operated(idp: &Idp) -> (Gateway, String) {
    operated_in(tempfile::tempdir().unwrap(), &idp.toml("")).await
}

/// The same with these verifiers, and files that the test put into its folder.
async fn operated_in(folder: TempDir, verifiers: &str) -> (Gateway, String) {
    let clients = [client("root", SECRET, &["admin"]), client("acme", SECRET, &["requests:read"])];
    let gateway = Gateway::in_folder(folder, &format!("{PRODUCTION}{verifiers}{}", clients.concat()));
    let token = gateway.token("root", SECRET, None).await;
    (gateway, token)
}

/// The view of the issuer, but for when its keys are fetched next.
fn view(answer: &Answer) -> Value {
    let mut view = answer.json();
    assert!(view["keys"].as_object_mut().unwrap().remove("next_refresh_seconds").unwrap().is_u64());
    view
}

#[tokio::test]
async fn an_operator_has_keys_fetched_at_once() {
    let idp = Idp::publishing(&[&RSA]).await;
    let (gateway, token) = operated(&idp).await;
    readiness_when(&gateway, |keys| keys["state"] == "fresh").await;
    let good = idp.token(&RSA);
    assert_eq!(gateway.get(&good, "/v1/whoami").await.status, 200);

    idp.publish(&[&OTHER_RSA]);
    gateway.advance(1);
    let key = json!({ "id": "rsa-2", "algorithms": RSA_ALGORITHMS, "first_seen": "2026-11-22T06:12:04.482Z" });
    let keys = json!({
        "state": "fresh", "age_seconds": 0, "consecutive_failures": 0, "last_error": null, "keys": [key],
    });
    let issuer = json!({ "name": "idp", "issuer": idp.issuer(), "ready": true, "keys": keys, "introspection": null });
    let refreshed = operate(&gateway, &token, Method::POST, "/v1/admin/issuers/idp/refresh").await;
    assert_eq!((refreshed.status, view(&refreshed)), (200, issuer));
    assert_eq!(gateway.get(&idp.token(&OTHER_RSA), "/v1/whoami").await.status, 200);
    assert_eq!(gateway.get(&good, "/v1/whoami").await.problem()["code"], "key_unknown", "withdrawn");

    let listed = operate(&gateway, &token, Method::GET, "/v1/admin/issuers").await.json();
    assert_eq!(listed["next_cursor"], Value::Null);
    let names: Vec<_> = listed["items"].as_array().unwrap().iter().map(|issuer| &issuer["name"]).collect();
    assert_eq!(names, ["idp", "self"]);
    assert_eq!(listed["items"][0], refreshed.json());

    idp.fail(500);
    let failed = operate(&gateway, &token, Method::POST, "/v1/admin/issuers/idp/refresh").await;
    let detail = "The keys could not be fetched (http); those that there were stay. The log says more.";
    assert_eq!(failed.problem(), problem(502, "keys_not_refreshed", "Keys not refreshed", detail));
    assert_eq!(gateway.get(&idp.token(&OTHER_RSA), "/v1/whoami").await.status, 200, "the old ones stay");
}

#[tokio::test]
async fn what_can_not_be_refreshed_is_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), SECRET).unwrap();
    let idp = Idp::publishing(&[&RSA]).await;
    let asked = "[verifiers.asked]\nkind = \"introspection\"\nissuer = \"https://asked.example/\"\n\
        audience = [\"anteroom\"]\nclient_id = \"gateway\"\nclient_secret = \"file:secret\"\n\
        endpoint = \"https://localhost:1/introspect\"\n";
    let (gateway, token) = operated_in(folder, &format!("{}{asked}", idp.toml(""))).await;
    let refresh = async |token: &str, name: &str| {
        operate(&gateway, token, Method::POST, &format!("/v1/admin/issuers/{name}/refresh")).await
    };
    assert_eq!(refresh(&token, "nobody").await.problem()["code"], "not_found");
    // Neither kind has keys that it fetches: of the one they are our own, of the other there are none.
    let detail = "This verifier fetches no keys: there is nothing to refresh. \
        Refresh one that has `keys` in `GET /v1/admin/issuers`.";
    for name in ["self", "asked"] {
        let keyless = refresh(&token, name).await;
        assert_eq!(keyless.problem(), problem(409, "keys_not_fetched", "Keys not fetched", detail), "{name}");
    }
    let other = gateway.token("acme", SECRET, None).await;
    assert_eq!(refresh(&other, "idp").await.problem()["code"], "insufficient_scope");
}

//! `/register`, `/login`, `/users` and the operators' calls: people with a name and a password.

use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::gateway::{Answer, Gateway, client, http, problem};
use crate::process;

const ADMIN_SECRET: &str = "an-example-of-a-secret";
const PASSWORD: &str = "correct horse";
const OPEN: &str = "[accounts]\nregistration = \"open\"\n";

fn configured(toml: &str) -> Gateway {
    Gateway::configured(&format!(
        "[verify]\ntoken_header = \"x-access-tokens\"\n{toml}{}",
        client("root", ADMIN_SECRET, &["admin"])
    ))
}

async fn register(gateway: &Gateway, name: &str, password: &str) -> Answer {
    let body = json!({ "name": name, "password": password });
    Answer::to(gateway.call(Method::POST, "/register").json(&body)).await
}

async fn log_in(gateway: &Gateway, name: &str, password: &str) -> Answer {
    Answer::to(gateway.call(Method::POST, "/login").basic_auth(name, Some(password))).await
}

fn token(answer: &Answer) -> String {
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"), "{}", answer.text);
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(answer.json(), json!({ "token": token }));
    token
}

fn assert_failed(answer: &Answer) {
    let detail = "There is no such account, or the password is wrong; or no name and password were sent. Send both by HTTP Basic.";
    assert_eq!((answer.status, answer.problem()), (401, problem(401, "login_failed", "Login failed", detail)));
    assert_eq!(answer.header("www-authenticate"), "Basic realm=\"anteroom\", charset=\"UTF-8\"");
}

#[tokio::test]
async fn the_bookstores_users_register_log_in_and_call() {
    let gateway = configured(OPEN);
    let made = register(&gateway, "alain", PASSWORD).await;
    assert_eq!((made.status, made.json()), (201, json!({ "message": "registered successfully" })));
    let taken = register(&gateway, "Alain", "another password").await;
    assert_eq!((taken.status, &taken.problem()["code"]), (409, &json!("account_exists")));
    let bearer = token(&log_in(&gateway, "ALAIN", PASSWORD).await);
    let submit = gateway.call(Method::POST, "/v1/requests").header("x-access-tokens", &bearer);
    let submitted = Answer::to(submit.json(&json!({ "type": "default", "payload": {} }))).await;
    assert_eq!(submitted.status, 202);
    let who = gateway.get(&bearer, "/v1/whoami").await.json();
    assert!(who["subject"].as_str().unwrap().starts_with("acc_"), "{who}");
    assert_eq!(who["client_id"], "urn:anteroom:login");
    assert_eq!(who["scopes"], json!(["requests:read", "requests:write"]));
    assert_eq!(gateway.get(&bearer, "/users").await.status, 403);
    gateway.advance(45 * 60 - 2);
    assert_eq!(gateway.get(&bearer, "/v1/whoami").await.status, 200);
    gateway.advance(2);
    let expired = gateway.get(&bearer, "/v1/whoami").await;
    assert_eq!((expired.status, &expired.problem()["code"]), (401, &json!("token_expired")));
}

#[tokio::test]
async fn who_is_not_proved_is_told_the_same_whatever_is_wrong() {
    let gateway = configured(OPEN);
    assert_eq!(register(&gateway, "alain", PASSWORD).await.status, 201);
    for (name, password) in [("alain", "wrong horse"), ("nobody", PASSWORD), ("alain", ""), ("", PASSWORD)] {
        assert_failed(&log_in(&gateway, name, password).await);
    }
    assert_failed(&Answer::to(gateway.call(Method::POST, "/login")).await);
    assert_failed(&Answer::to(gateway.call(Method::POST, "/login").bearer_auth("x")).await);
    let unlikely = gateway.call(Method::POST, "/login").header(header::AUTHORIZATION, "Basic !");
    assert_failed(&Answer::to(unlikely).await);
}

#[tokio::test]
async fn a_name_or_password_that_is_not_taken_is_pointed_at() {
    let gateway = configured(OPEN);
    let refused = register(&gateway, "a:b", "pwd").await;
    let errors = json!([
        { "pointer": "/name", "code": "invalid_value", "detail": "A name has 1 to 64 letters and digits of any script, and the characters . _ - @ +" },
        { "pointer": "/password", "code": "weak_password", "detail": "The password has fewer than 8 characters." },
    ]);
    assert_eq!((refused.status, &refused.problem()["errors"]), (422, &errors));
    let number = gateway.call(Method::POST, "/register").json(&json!({ "name": "a", "password": 12_345_678 }));
    let refused = Answer::to(number).await;
    assert_eq!((refused.status, refused.text.contains("12345678")), (400, false), "{}", refused.text);
}

#[tokio::test]
async fn registration_is_for_whom_it_is_said_to_be() {
    let gateway = configured("");
    let off = register(&gateway, "alain", PASSWORD).await;
    assert_eq!((off.status, &off.problem()["code"]), (403, &json!("registration_off")));
    assert_eq!(register(&gateway, "a:b", "pwd").await.status, 403, "whatever name and password are like");
    let gateway = configured("[accounts]\nregistration = \"admin\"\n");
    assert_eq!(register(&gateway, "alain", PASSWORD).await.status, 401);
    let body = json!({ "name": "alain", "password": PASSWORD });
    let root = gateway.token("root", ADMIN_SECRET, None).await;
    assert_eq!(gateway.post(&root, "/register", &body).await.status, 201);
    let alain = token(&log_in(&gateway, "alain", PASSWORD).await);
    assert_eq!(gateway.post(&alain, "/register", &body).await.status, 403);
}

#[tokio::test]
async fn an_operator_who_registers_somebody_is_in_the_audit_log() {
    let folder = tempfile::tempdir().unwrap();
    let toml = format!("[accounts]\nregistration = \"admin\"\n{}", client("root", ADMIN_SECRET, &["admin"]));
    let gateway = process::Gateway::configured(folder.path(), &format!("[log]\nformat = \"json\"\n{toml}"), &[]);
    let url = |path: &str| format!("{}{path}", gateway.base());
    let form = http().post(url("/oauth/token")).basic_auth("root", Some(ADMIN_SECRET));
    let form = form.header("content-type", "application/x-www-form-urlencoded").body("grant_type=client_credentials");
    let token = Answer::to(form).await.json();
    for status in [201, 409] {
        let call = http().post(url("/register")).bearer_auth(token["access_token"].as_str().unwrap());
        let body = json!({ "name": "alain", "password": PASSWORD });
        assert_eq!(Answer::to(call.json(&body)).await.status, status);
    }
    let log = gateway.kill();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let audits = lines.filter(|line| line["message"] == "audit");
    let told: Vec<_> = audits
        .map(|line| ["action", "object", "outcome", "subject"].map(|key| line[key].as_str().unwrap().to_owned()))
        .collect();
    let expected =
        ["done", "account_exists"].map(|outcome| ["account.create", "alain", outcome, "root"].map(str::to_owned));
    assert_eq!(told, expected, "{log}");
}

#[tokio::test]
async fn operators_list_accounts_without_hashes_and_end_them() {
    let gateway = configured("");
    let root = gateway.token("root", ADMIN_SECRET, None).await;
    for (name, admin) in [("grace", true), ("alain", false)] {
        let new = json!({ "name": name, "password": PASSWORD, "admin": admin });
        assert_eq!(gateway.post(&root, "/v1/admin/accounts", &new).await.status, 201);
    }
    let first = gateway.get(&root, "/users?limit=1").await;
    let cursor = first.json()["next_cursor"].as_str().unwrap().to_owned();
    let second = gateway.get(&root, &format!("/users?limit=1&cursor={cursor}")).await.json();
    let seen = [&first.json()["items"][0], &second["items"][0]].map(|user| {
        let keys: Vec<_> = user.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["admin", "created_at", "id", "name"]);
        (user["name"].clone(), user["admin"].clone())
    });
    assert_eq!(
        (seen, &second["next_cursor"]),
        ([(json!("alain"), json!(false)), (json!("grace"), json!(true))], &Value::Null)
    );

    let grace = token(&log_in(&gateway, "grace", PASSWORD).await);
    assert_eq!(gateway.get(&grace, "/users").await.status, 200, "an administrator's token has the scope admin");
    gateway.advance(1);
    let other = json!({ "password": "a longer horse" });
    assert_eq!(gateway.post(&root, "/v1/admin/accounts/Grace/password", &other).await.status, 204);
    let refused = gateway.get(&grace, "/users").await;
    assert_eq!((refused.status, &refused.problem()["code"]), (401, &json!("token_revoked")));
    assert_failed(&log_in(&gateway, "grace", PASSWORD).await);
    gateway.advance(1);
    let grace = token(&log_in(&gateway, "grace", "a longer horse").await);
    let remove = gateway.call(Method::DELETE, "/v1/admin/accounts/grace").bearer_auth(&root);
    assert_eq!(Answer::to(remove).await.status, 204);
    assert_eq!(gateway.get(&grace, "/users").await.status, 401);
    assert_failed(&log_in(&gateway, "grace", "a longer horse").await);
}

#[tokio::test]
async fn a_guesser_is_slowed_down_and_the_time_lets_them_in_again() {
    let gateway = configured(OPEN);
    assert_eq!(register(&gateway, "alain", PASSWORD).await.status, 201);
    for _ in 0..5 {
        assert_failed(&log_in(&gateway, "alain", "wrong horse").await);
    }
    let slowed = log_in(&gateway, "alain", PASSWORD).await;
    assert_eq!((slowed.status, slowed.header("retry-after")), (429, "30"));
    assert_eq!(slowed.problem()["code"], "too_many_attempts");
    gateway.advance(30);
    token(&log_in(&gateway, "alain", PASSWORD).await);
}

#[tokio::test]
async fn another_address_is_not_locked_out_by_a_guesser() {
    let gateway = configured(&format!(
        "[shutdown]\ndelay = \"0s\"\n[server]\nmode = \"production\"\ntrusted_proxies = [\"127.0.0.1\"]\n{OPEN}"
    ));
    let from = async |address: &str, password: &str| {
        let call = gateway.call(Method::POST, "/login").basic_auth("alain", Some(password));
        Answer::to(call.header("x-forwarded-for", address)).await.status
    };
    assert_eq!(register(&gateway, "alain", PASSWORD).await.status, 201);
    assert_eq!(from("192.0.2.1", PASSWORD).await, 200);
    for host in 0..60 {
        assert_eq!(from(&format!("198.51.100.{host}"), "wrong horse").await, 401);
    }
    assert_eq!(from("198.51.100.1", "wrong horse").await, 401);
    assert_eq!(from("198.51.100.1", "wrong horse").await, 429, "few attempts each while it is under attack");
    assert_eq!(from("203.0.113.9", PASSWORD).await, 200, "from where nobody has called yet");
    assert_eq!(from("192.0.2.1", PASSWORD).await, 200, "from where it was logged in to before");
}

/// Checking a password is work, and anybody may have right ones checked: of accounts that they have made.
#[tokio::test]
async fn whoever_logs_in_without_end_does_it_at_nobody_elses_cost() {
    let folder = tempfile::tempdir().unwrap();
    let proxy = "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let gateway = process::Gateway::configured(folder.path(), &format!("{proxy}{OPEN}"), &[]);
    let base = gateway.base();
    let call = |path: &str, from: &str| http().post(format!("{base}{path}")).header("x-forwarded-for", from);
    let log_in = |name: String, from: &str| call("/login", from).basic_auth(name, Some(PASSWORD));
    let (crowd, victim) = ("198.51.100.1", "192.0.2.1");
    let names = (0..8).map(|number| (format!("crowd-{number}"), crowd)).chain([("victim".to_owned(), victim)]);
    for (name, from) in names {
        let body = json!({ "name": name, "password": PASSWORD });
        assert_eq!(Answer::to(call("/register", from).json(&body)).await.status, 201);
        assert_eq!(Answer::to(log_in(name, from)).await.status, 200);
    }
    let calls: Vec<_> = (0..80).map(|number| log_in(format!("crowd-{}", number % 8), crowd)).collect();
    let all: Vec<_> = calls.into_iter().map(|call| tokio::spawn(Answer::to(call))).collect();
    for _ in 0..5 {
        assert_eq!(Answer::to(log_in("victim".into(), victim)).await.status, 200);
    }
    let mut told = Vec::new();
    for answer in all {
        let answer = answer.await.unwrap();
        assert!(answer.status == 200 || !answer.header("retry-after").is_empty(), "{}", answer.text);
        told.push(answer.status);
    }
    assert!(told.iter().any(|status| [429, 503].contains(status)), "{told:?}");
    let log = gateway.kill();
    assert!(!log.contains("ERROR") && log.matches("too many passwords wait to be checked").count() <= 1, "{log}");
}

#[tokio::test]
async fn in_development_anybody_may_be_let_in_and_nowhere_else() {
    let gateway = configured("[accounts]\nlogin = \"any\"\n");
    let token = token(&log_in(&gateway, "Anna", "x").await);
    assert_eq!(gateway.get(&token, "/v1/whoami").await.json()["subject"], "any:anna");
    let found = Gateway::refusal(
        "server.mode = \"production\"\naccounts.login = \"any\"\naccounts.scopes = [\"admin\", \"x\"]\n",
    );
    let keys: Vec<_> = found.iter().map(|mistake| mistake.key.as_str()).collect();
    assert_eq!(keys, ["accounts.login", "accounts.scopes", "accounts.scopes"]);
}

//! Clients that are added while the gateway runs: `/v1/admin/clients`, and what their secrets are good for.

use anteroom::core::clock::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::gateway::{Answer, Gateway, NOON, client, problem};
use crate::postgres_server::Server;

const SECRET: &str = "an-example-of-a-secret";
const FORM: &str = "application/x-www-form-urlencoded";
const CLIENTS: &str = "/v1/admin/clients";

fn operated(toml: &str) -> Gateway {
    Gateway::configured(&format!("{toml}{}", client("root", SECRET, &["admin"])))
}

async fn operator(gateway: &Gateway) -> String {
    gateway.token("root", SECRET, None).await
}

async fn delete(gateway: &Gateway, token: &str, path: &str) -> Answer {
    Answer::to(gateway.call(Method::DELETE, path).bearer_auth(token)).await
}

/// One asks by HTTP Basic for a token by its own credentials.
async fn ask(gateway: &Gateway, id: &str, secret: &str) -> Answer {
    let call = gateway.call(Method::POST, "/oauth/token").basic_auth(id, Some(secret));
    Answer::to(call.header("content-type", FORM).body("grant_type=client_credentials")).await
}

fn at(timestamp: Timestamp) -> Value {
    serde_json::to_value(timestamp).unwrap()
}

/// Adds a client; answers its secret and what else was answered.
async fn add(gateway: &Gateway, token: &str, body: &Value) -> (String, Value) {
    let added = gateway.post(token, CLIENTS, body).await;
    assert_eq!((added.status, added.header("cache-control")), (201, "private, no-store"), "{}", added.text);
    let mut shown = added.json();
    let secret = shown.as_object_mut().unwrap().remove("client_secret");
    (secret.map_or_else(String::new, |secret| secret.as_str().unwrap().to_owned()), shown)
}

#[tokio::test]
async fn a_client_that_is_added_gets_a_token_at_once() {
    let gateway = operated("");
    let token = operator(&gateway).await;
    assert_eq!(ask(&gateway, "acme", SECRET).await.status, 401);
    let (secret, shown) = add(&gateway, &token, &json!({ "client_id": "acme", "name": "Acme" })).await;
    let whole = json!({
        "client_id": "acme", "name": "Acme", "configured": false, "public": false, "grants": ["client_credentials"],
        "redirect_uris": [], "scopes": ["requests:read", "requests:write"], "consent": "ask", "lifetime_seconds": null,
        "secrets": [{ "created_at": at(NOON), "expires_at": null }], "created_at": at(NOON),
    });
    assert_eq!(shown, whole);
    assert_eq!(secret.len(), 43);
    let acme = gateway.token("acme", &secret, None).await;
    assert_eq!(gateway.get(&acme, "/v1/whoami").await.json()["client_id"], "acme");
    let got = gateway.get(&token, &format!("{CLIENTS}/acme")).await;
    assert_eq!((got.status, got.json()), (200, whole.clone()), "the secret is never shown again");
    let listed = gateway.get(&token, CLIENTS).await.json();
    let ids: Vec<_> =
        listed["items"].as_array().unwrap().iter().map(|item| item["client_id"].as_str().unwrap()).collect();
    assert_eq!(
        (ids, &listed["items"][0], &listed["next_cursor"]),
        (vec!["acme", "root", "swagger-ui"], &whole, &Value::Null)
    );
    assert_eq!((&listed["items"][1]["configured"], &listed["items"][1]["created_at"]), (&json!(true), &Value::Null));
    // It lasts, and nothing of its secret is in the file.
    let folder = gateway.stop();
    let needle = secret.as_bytes();
    for file in ["data/anteroom.db", "data/anteroom.db-wal"] {
        let bytes = std::fs::read(folder.path().join(file)).unwrap_or_default();
        assert!(!bytes.windows(needle.len()).any(|window| window == needle), "{file}");
    }
    let gateway = Gateway::in_folder(folder, &client("root", SECRET, &["admin"]));
    assert_eq!(ask(&gateway, "acme", &secret).await.status, 200);
}

#[tokio::test]
async fn a_client_is_added_as_it_is_described() {
    let gateway = operated("");
    let token = operator(&gateway).await;
    let body = json!({
        "client_id": "https://app.example/?a=b c", "public": true, "grants": ["authorization_code", "refresh_token", "device_code"],
        "redirect_uris": ["https://app.example/callback", "https://app.example/other"], "consent": "auto",
        "scopes": ["requests:read"], "lifetime": "5m",
    });
    let (secret, shown) = add(&gateway, &token, &body).await;
    assert_eq!(secret, "", "a public client has none");
    for key in ["client_id", "public", "grants", "redirect_uris", "consent", "scopes"] {
        assert_eq!(shown[key], body[key], "{key}");
    }
    assert_eq!((&shown["lifetime_seconds"], &shown["secrets"]), (&json!(300), &json!([])));
    let path = format!("{CLIENTS}/https%3A%2F%2Fapp.example%2F%3Fa=b%20c");
    assert_eq!(gateway.get(&token, &path).await.json(), shown);
    let refused = gateway.post(&token, &format!("{path}/rotate"), &json!({})).await;
    let detail = "This client is public: it has no secret.";
    assert_eq!(refused.problem(), problem(409, "client_conflict", "Client conflict", detail));
    assert_eq!(delete(&gateway, &token, &path).await.status, 204);
    assert_eq!(gateway.get(&token, &path).await.status, 404);
}

#[tokio::test]
async fn what_is_wrong_with_a_client_is_told() {
    let gateway = operated("");
    let token = operator(&gateway).await;
    let known = "admin, requests:read, requests:work, requests:write, webhooks:manage";
    for (body, pointer, detail) in [
        (json!({ "client_id": "" }), "/client_id", "It can not be a client id: it is empty or has control characters or invisible ones. Choose another.".to_owned()),
        (json!({ "client_id": "a\u{0}b" }), "/client_id", "It can not be a client id: it is empty or has control characters or invisible ones. Choose another.".to_owned()),
        (json!({ "client_id": "any:ada" }), "/client_id", "It can not be a client id: what begins with acc_, any: or urn:anteroom: is a person or the gateway in a token. Choose another.".into()),
        (json!({ "client_id": "x".repeat(256) }), "/client_id", "It is longer than 255 bytes. Choose a shorter one.".into()),
        (json!({ "client_id": "a", "scopes": ["requests:read", "all"] }), "/scopes", format!("\"all\" is not a scope. Use {known}.")),
        (
            json!({ "client_id": "a", "public": true, "grants": ["client_credentials"] }),
            "/grants",
            "grants: client_credentials needs a secret, and a public client has none. Take client_credentials away, or public = true.".into(),
        ),
        (
            json!({ "client_id": "a", "public": true }),
            "/grants",
            "grants: there is none, so the client can not get a token. Name authorization_code, refresh_token or device_code, or redirect_uris.".into(),
        ),
        (
            json!({ "client_id": "a", "grants": ["authorization_code"] }),
            "/redirect_uris",
            "redirect_uris: there is none, and `grants` names authorization_code. \
             Name the addresses that people's browsers come back to with a code.".into(),
        ),
        (
            json!({ "client_id": "a", "redirect_uris": ["http://app.example/"] }),
            "/redirect_uris",
            "redirect_uris: \"http://app.example/\" is http to another machine, where a code can be read on the way: use https. \
             Write it as the client sends it, byte for byte.".into(),
        ),
        (
            json!({ "client_id": "a", "lifetime": "0s" }),
            "/lifetime",
            "lifetime: is less than a second, so that a token would be expired as soon as it is given. Leave it out, or write one like \"1h\".".into(),
        ),
    ] {
        let refused = gateway.post(&token, CLIENTS, &body).await;
        let mut expected = problem(400, "malformed", "Malformed request", "The client can not be as it was sent.");
        expected["errors"] = json!([{ "pointer": pointer, "code": "invalid_value", "detail": detail }]);
        assert_eq!(refused.problem(), expected, "{body}");
    }
    for body in
        [json!({}), json!({ "client_id": "a", "grants": ["password"] }), json!({ "client_id": "a", "secret": "x" })]
    {
        let refused = gateway.post(&token, CLIENTS, &body).await;
        assert_eq!((refused.status, &refused.problem()["code"]), (400, &json!("malformed")), "{body}");
    }
}

#[tokio::test]
async fn what_is_taken_configured_or_not_there_is_told() {
    let gateway = operated("");
    let token = operator(&gateway).await;
    add(&gateway, &token, &json!({ "client_id": "acme" })).await;
    for (id, detail) in [
        ("acme", "There is a client of this id already: remove it first, or choose another."),
        ("root", "This client is in the Provider's configuration, and is changed there alone."),
    ] {
        let refused = gateway.post(&token, CLIENTS, &json!({ "client_id": id })).await;
        assert_eq!(refused.problem(), problem(409, "client_conflict", "Client conflict", detail));
    }
    for (method, path) in [(Method::DELETE, "root"), (Method::POST, "root/rotate")] {
        let call = gateway.call(method, &format!("{CLIENTS}/{path}")).bearer_auth(&token).json(&json!({}));
        assert_eq!(Answer::to(call).await.problem()["code"], "client_conflict", "{path}");
    }
    for (method, path) in [(Method::DELETE, "nobody"), (Method::POST, "nobody/rotate"), (Method::GET, "a%00b")] {
        let call = gateway.call(method, &format!("{CLIENTS}/{path}")).bearer_auth(&token).json(&json!({}));
        assert_eq!(Answer::to(call).await.problem()["code"], "not_found", "{path}");
    }
}

#[tokio::test]
async fn operators_alone_have_to_do_with_clients() {
    let gateway = operated(&client("acme", SECRET, &["requests:read", "requests:write"]));
    let token = gateway.token("acme", SECRET, None).await;
    for (method, path) in [
        (Method::GET, CLIENTS),
        (Method::POST, CLIENTS),
        (Method::GET, "/v1/admin/clients/acme"),
        (Method::DELETE, "/v1/admin/clients/acme"),
        (Method::POST, "/v1/admin/clients/acme/rotate"),
    ] {
        let call = || gateway.call(method.clone(), path).json(&json!({ "client_id": "x" }));
        assert_eq!(Answer::to(call()).await.problem()["code"], "token_missing", "{method} {path}");
        assert_eq!(
            Answer::to(call().bearer_auth(&token)).await.problem()["code"],
            "insufficient_scope",
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn an_old_secret_is_good_until_its_date() {
    let gateway = operated("");
    let token = operator(&gateway).await;
    let (first, _) = add(&gateway, &token, &json!({ "client_id": "acme" })).await;
    let rotate = async |body: &Value| {
        let token = operator(&gateway).await;
        gateway.post(&token, &format!("{CLIENTS}/acme/rotate"), body).await
    };
    let secret_in = |answer: &Answer| answer.json()["client_secret"].as_str().unwrap().to_owned();
    let rotated = rotate(&json!({})).await;
    assert_eq!((rotated.status, rotated.header("cache-control")), (200, "private, no-store"));
    let second = secret_in(&rotated);
    let tomorrow = NOON.plus_millis(24 * 3_600_000);
    let secrets =
        json!([{ "created_at": at(NOON), "expires_at": at(tomorrow) }, { "created_at": at(NOON), "expires_at": null }]);
    assert_eq!(rotated.json()["secrets"], secrets);
    for secret in [&first, &second] {
        assert_eq!(ask(&gateway, "acme", secret).await.status, 200);
    }
    gateway.clock.set(tomorrow.plus_millis(-1));
    assert_eq!(ask(&gateway, "acme", &first).await.status, 200);
    gateway.clock.set(tomorrow);
    let expired = ask(&gateway, "acme", &first).await;
    assert_eq!((expired.status, expired.text), (401, ask(&gateway, "nobody", &first).await.text));
    assert_eq!(ask(&gateway, "acme", &second).await.status, 200);
    // At once.
    let third = secret_in(&rotate(&json!({ "overlap": "0s" })).await);
    assert_eq!(ask(&gateway, "acme", &second).await.status, 401);
    assert_eq!(ask(&gateway, "acme", &third).await.status, 200);
    for _ in 0..4 {
        assert_eq!(rotate(&json!({ "overlap": "90 days" })).await.status, 200);
    }
    let refused = rotate(&json!({})).await;
    let detail = "This client has five secrets that are good still. Wait until one has expired, or rotate with an overlap of 0s.";
    assert_eq!(refused.problem(), problem(409, "client_conflict", "Client conflict", detail));
    assert_eq!(ask(&gateway, "acme", &third).await.status, 200, "what is refused changes nothing");
    assert_eq!(rotate(&json!({ "overlap": "91 days" })).await.problem()["errors"][0]["pointer"], "/overlap");
}

#[tokio::test]
async fn what_a_removed_client_was_given_is_believed_no_more() {
    let gateway = operated("");
    let token = operator(&gateway).await;
    let (secret, _) = add(&gateway, &token, &json!({ "client_id": "acme" })).await;
    let acme = gateway.token("acme", &secret, None).await;
    assert_eq!(gateway.get(&acme, "/v1/whoami").await.status, 200);
    let removed = delete(&gateway, &token, &format!("{CLIENTS}/acme")).await;
    assert_eq!((removed.status, removed.text.as_str()), (204, ""));
    assert_eq!(gateway.get(&acme, "/v1/whoami").await.status, 401);
    assert_eq!(ask(&gateway, "acme", &secret).await.status, 401);
    // Another of this name is another, once no gateway remembers this one.
    let again = gateway.post(&token, CLIENTS, &json!({ "client_id": "acme" })).await.problem();
    assert_eq!((&again["status"], &again["code"]), (&json!(409), &json!("client_conflict")), "{again}");
    gateway.advance(10);
    let (other, _) = add(&gateway, &token, &json!({ "client_id": "acme" })).await;
    assert_eq!(ask(&gateway, "acme", &secret).await.status, 401);
    let new = gateway.token("acme", &other, None).await;
    assert_eq!(gateway.get(&new, "/v1/whoami").await.status, 200);
    assert_eq!(gateway.get(&acme, "/v1/whoami").await.status, 401);
}

#[tokio::test]
async fn clients_are_listed_page_by_page() {
    let gateway = operated(&client("b", SECRET, &["requests:read"]));
    let token = operator(&gateway).await;
    for id in ["c", "a", "\u{e4}", "z"] {
        add(&gateway, &token, &json!({ "client_id": id })).await;
    }
    for limit in 1..=7 {
        let (mut listed, mut path) = (Vec::new(), format!("{CLIENTS}?limit={limit}"));
        loop {
            let answer = gateway.get(&token, &path).await;
            let page = answer.json();
            let items = page["items"].as_array().unwrap();
            assert!(!items.is_empty() && items.len() <= limit, "{page}");
            listed.extend(items.iter().map(|item| item["client_id"].as_str().unwrap().to_owned()));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("{CLIENTS}?limit={limit}&cursor={cursor}");
            assert_eq!(answer.header("link"), format!("<{}>; rel=\"next\"", gateway.url(&path)));
        }
        assert_eq!(listed, ["a", "b", "c", "root", "swagger-ui", "z", "\u{e4}"], "{limit} at a time");
    }
    let long = format!("cursor={}", "YWJj".repeat(200));
    for query in ["limit=0", "limit=201", "limit=x", "cursor=%25", "cursor=gA", "cursor=AA", &long, "after=a"] {
        assert_eq!(gateway.get(&token, &format!("{CLIENTS}?{query}")).await.problem()["code"], "malformed", "{query}");
    }
}

/// Gateways that share a store know of each other's clients: of a new one at once, of a change within five seconds.
#[tokio::test]
async fn another_gateway_learns_of_it() {
    let url = Server::shared().database();
    let folder = || {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("signing"), "a secret that all of the gateways have").unwrap();
        folder
    };
    let root = client("root", SECRET, &["admin"]);
    let toml = format!("[store]\nurl = \"{url}\"\n[issuer]\nsecrets = [\"file:signing\"]\n{root}");
    let [here, there] = [(); 2].map(|()| Gateway::in_folder(folder(), &toml));
    let token = operator(&here).await;
    assert_eq!(ask(&there, "acme", SECRET).await.status, 401);
    let (first, _) = add(&here, &token, &json!({ "client_id": "acme" })).await;
    assert_eq!(ask(&there, "acme", &first).await.status, 200);
    let rotated = here.post(&token, &format!("{CLIENTS}/acme/rotate"), &json!({ "overlap": "0s" })).await.json();
    let second = rotated["client_secret"].as_str().unwrap();
    assert_eq!(ask(&here, "acme", &first).await.status, 401, "at once in the same process");
    there.advance(5);
    assert_eq!(ask(&there, "acme", &first).await.status, 401);
    assert_eq!(ask(&there, "acme", second).await.status, 200);
    assert_eq!(delete(&here, &token, &format!("{CLIENTS}/acme")).await.status, 204);
    assert_eq!(ask(&here, "acme", second).await.status, 401);
    there.advance(5);
    assert_eq!(ask(&there, "acme", second).await.status, 401);
}

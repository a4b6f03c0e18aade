//! People log in at `/ui/` with the provider of an `oidc` verifier: what the contract and the page say of it, and when.

use reqwest::Method;
use serde_json::{Value, json};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::gateway::{Answer, Gateway};
use crate::patience::patiently;
use crate::verify::configuration::{files, mistakes, oidc};
use crate::verify::fake_provider::{Changing, jwks};
use crate::verify::keys::RSA;

const DOCUMENT: &str = "/.well-known/openid-configuration";
const LOGIN: &str = "ui_client_id = \"page\"";
const SCOPES: &str = "scopes = { \"read:requests\" = \"requests:read\", \"write\" = \"requests:write\", \"edit\" = \"requests:write\" }\n";

/// A provider whose discovery document can be changed.
struct Provider {
    server: MockServer,
    document: Changing,
}

impl Provider {
    async fn start() -> Self {
        let (server, document) = (MockServer::start().await, Changing::from(ResponseTemplate::new(503)));
        Mock::given(path(DOCUMENT)).respond_with(document.clone()).mount(&server).await;
        Mock::given(path("/keys")).respond_with(jwks(&[&RSA])).mount(&server).await;
        Self { server, document }
    }

    async fn with_endpoints(folder: &str) -> Self {
        let provider = Self::start().await;
        provider.names(folder);
        provider
    }

    /// Has its endpoints in this folder from here on.
    fn names(&self, folder: &str) {
        let at = |name: &str| format!("{}/{folder}/{name}", self.server.uri()).into();
        self.says(&[("authorization_endpoint", at("authorize")), ("token_endpoint", at("token"))]);
    }

    /// Says this in its discovery document from here on.
    fn says(&self, members: &[(&str, Value)]) {
        let mut document = json!({ "issuer": self.server.uri() });
        for (name, value) in members {
            document[*name] = value.clone();
        }
        self.document.to(ResponseTemplate::new(200).set_body_json(document));
    }

    /// A gateway that trusts it and itself, with these lines in its verifier.
    fn gateway(&self, lines: &str) -> Gateway {
        let uri = self.server.uri();
        Gateway::configured(&format!(
            "[verifiers.self]\nkind = \"self\"\n[verifiers.idp]\nkind = \"oidc\"\nissuer = \"{uri}\"\njwks_uri = \"{uri}/keys\"\n\
             audience = [\"https://api.example\", \"other\"]\n{lines}\n"
        ))
    }

    async fn asked(&self) -> usize {
        let requests = self.server.received_requests().await.unwrap();
        requests.iter().filter(|request| request.url.path() == DOCUMENT).count()
    }
}

async fn read(gateway: &Gateway, path: &str) -> Answer {
    let answer = Answer::to(gateway.call(Method::GET, path)).await;
    assert_eq!(answer.status, 200);
    answer
}

/// The contract, as soon as its login leads there.
async fn contract_leading_to(gateway: &Gateway, address: &str) -> Value {
    let waiting = async {
        loop {
            let contract = read(gateway, "/openapi.json").await.json();
            if flow(&contract)["authorizationUrl"] == address {
                return contract;
            }
            // More than once: an attempt that failed may end only after the clock has moved, and the next one is due 5 s later.
            gateway.advance(5);
        }
    };
    patiently(waiting).await
}

fn flow(contract: &Value) -> &Value {
    &contract["components"]["securitySchemes"]["idp"]["flows"]["authorizationCode"]
}

/// The contract without its login at the provider.
fn without_login(mut contract: Value) -> Value {
    contract["components"]["securitySchemes"].as_object_mut().unwrap().remove("idp");
    for operation in
        contract["paths"].as_object_mut().unwrap().values_mut().flat_map(|it| it.as_object_mut().unwrap().values_mut())
    {
        if let Some(ways) = operation.get_mut("security").and_then(Value::as_array_mut) {
            ways.retain(|way| way.get("idp").is_none());
        }
    }
    contract
}

/// What the policy of an answer lets it call.
fn callable(answer: &Answer) -> &str {
    let mut directives = answer.header("content-security-policy").split("; ");
    directives.find_map(|directive| directive.strip_prefix("connect-src ")).unwrap()
}

#[tokio::test]
async fn the_contract_has_a_scheme_for_it_and_the_page_the_client() {
    let provider = Provider::with_endpoints("v1").await;
    let (uri, gateway) = (provider.server.uri(), provider.gateway(&format!("{SCOPES}{LOGIN}")));
    let contract = contract_leading_to(&gateway, &format!("{uri}/v1/authorize")).await;
    let scheme = json!({
        "type": "oauth2",
        "description": format!("Log in at {uri}"),
        "flows": { "authorizationCode": {
            "authorizationUrl": format!("{uri}/v1/authorize"),
            "tokenUrl": format!("{uri}/v1/token"),
            "scopes": {
                "read:requests": "Read your requests, their status and their results",
                "write": "Submit and cancel your requests",
                "edit": "Submit and cancel your requests",
            },
        } },
    });
    assert_eq!(contract["components"]["securitySchemes"]["idp"], scheme);
    let ways = |path: &str, method: &str| contract["paths"][path][method]["security"].clone();
    let submit = json!([{ "oauth2": ["requests:write"] }, { "bearer": [] }, { "idp": ["edit"] }, { "idp": ["write"] }]);
    assert_eq!(sorted(ways("/v1/requests", "post")), sorted(submit));
    assert_eq!(sorted(ways("/v1/leases", "post")), sorted(json!([{ "oauth2": ["requests:work"] }, { "bearer": [] }])));
    assert_eq!(sorted(ways("/v1/whoami", "get")), sorted(json!([{ "oauth2": [] }, { "bearer": [] }, { "idp": [] }])));
    assert_eq!(without_login(contract), read(&Gateway::start(), "/openapi.json").await.json());

    let page = read(&gateway, "/ui/").await;
    assert_eq!(callable(&page), format!("'self' {uri}"));
    assert_eq!(page.header("content-security-policy").replace(&format!(" {uri}"), ""), default_policy().await);
    assert_eq!(read(&gateway, "/ui/openapi.json").await.json()["components"]["securitySchemes"]["idp"], scheme);
    assert_eq!(callable(&read(&gateway, "/ui/oauth2-redirect.html").await), "'self'");
    let script = read(&gateway, "/ui/swagger-initializer.js").await.text;
    let logins = script.split_once("const logins = ").unwrap().1.split_once(';').unwrap().0;
    let login = json!({
        "scheme": "idp", "flow": "authorizationCode", "clientId": "page",
        "additionalQueryStringParams": { "audience": "https://api.example" },
    });
    assert_eq!(serde_json::from_str::<Vec<Value>>(logins).unwrap().last(), Some(&login));
    let yaml = read(&gateway, "/openapi.yaml").await.text;
    assert!(yaml.contains(&format!("{uri}/v1/authorize")), "{yaml:.300}");
}

async fn default_policy() -> String {
    read(&Gateway::start(), "/ui/").await.header("content-security-policy").to_owned()
}

fn sorted(ways: Value) -> Vec<String> {
    let mut ways: Vec<_> = ways.as_array().unwrap().iter().map(ToString::to_string).collect();
    ways.sort_unstable();
    ways
}

#[tokio::test]
async fn what_can_not_be_asked_for_is_not_offered_and_opens_what_it_means_all_the_same() {
    const ROLES: &str =
        "scopes = { \"read\" = \"requests:read\", \"clerk\" = \"requests:work\", \"two words\" = \"webhooks:manage\" }";
    let provider = Provider::with_endpoints("v1").await;
    let gateway = provider.gateway(&format!("{ROLES}\ngrants = [\"requests:write\"]\n{LOGIN}"));
    let uri = provider.server.uri();
    for (folder, listed, offered, work) in [
        ("v1", json!(["openid"]), vec!["clerk", "read"], json!(["clerk"])),
        ("v2", json!(["openid", "read"]), vec!["read"], json!([])),
        ("v3", json!("read"), vec!["clerk", "read"], json!(["clerk"])),
    ] {
        let at = |name: &str| format!("{uri}/{folder}/{name}").into();
        provider.says(&[
            ("authorization_endpoint", at("authorize")),
            ("token_endpoint", at("token")),
            ("scopes_supported", listed),
        ]);
        gateway.advance(3600);
        let contract = contract_leading_to(&gateway, &format!("{uri}/{folder}/authorize")).await;
        let mut scopes: Vec<_> = flow(&contract)["scopes"].as_object().unwrap().keys().collect();
        scopes.sort_unstable();
        assert_eq!(scopes, offered);
        for (path, method, needed) in [
            ("/v1/requests", "get", json!(["read"])),
            ("/v1/requests", "post", json!([])),
            ("/v1/leases", "post", work),
            ("/v1/webhook-endpoints", "get", json!([])),
        ] {
            let ways = contract["paths"][path][method]["security"].as_array().unwrap();
            let ways: Vec<_> = ways.iter().filter_map(|way| way.get("idp")).collect();
            assert_eq!(ways, [&needed], "{folder}: {method} {path}");
        }
    }
}

#[tokio::test]
async fn without_a_client_for_it_nobody_asks_and_nothing_is_said_of_it() {
    let provider = Provider::with_endpoints("v1").await;
    let gateway = provider.gateway(SCOPES);
    let page = read(&gateway, "/ui/").await;
    assert_eq!(callable(&page), "'self'");
    assert_eq!(read(&gateway, "/openapi.json").await.text, read(&Gateway::start(), "/openapi.json").await.text);
    assert_eq!(provider.asked().await, 0);
}

#[tokio::test]
async fn a_dead_provider_keeps_nothing_from_being_served_and_is_offered_once_it_is_back() {
    let provider = Provider::start().await;
    let (uri, gateway) = (provider.server.uri(), provider.gateway(&format!("{SCOPES}{LOGIN}")));
    let dead = read(&gateway, "/openapi.json").await;
    assert_eq!(dead.text, read(&Gateway::start(), "/openapi.json").await.text);
    let page = read(&gateway, "/ui/").await;
    assert_eq!(callable(&page), "'self'");
    // A second attempt shows that the first is over.
    next_attempt(&gateway, &provider, |_| ()).await;

    provider.names("v1");
    contract_leading_to(&gateway, &format!("{uri}/v1/authorize")).await;
    let known = gateway.call(Method::GET, "/openapi.json").header("if-none-match", dead.header("etag"));
    assert_eq!(Answer::to(known).await.status, 200, "it is another document");
    // What belongs to the page that somebody has loaded before stays as that is.
    let script = async || read(&gateway, "/ui/swagger-initializer.js").await.text;
    assert!(read(&gateway, "/ui/openapi.json").await.json()["components"]["securitySchemes"].get("idp").is_none());
    assert!(!script().await.contains("\"page\""));
    let known = gateway.call(Method::GET, "/ui/").header("if-none-match", page.header("etag"));
    let page = Answer::to(known).await;
    assert_eq!((page.status, callable(&page)), (200, &*format!("'self' {uri}")), "a policy may not outlive its page");
    assert!(script().await.contains("\"page\""));
    assert!(flow(&read(&gateway, "/ui/openapi.json").await.json()).is_object());

    // It is believed for an hour, asked then, and for as long as it does not answer what it said holds.
    provider.names("v2");
    gateway.advance(3000);
    let asked = provider.asked().await;
    read(&gateway, "/openapi.json").await;
    assert_eq!(provider.asked().await, asked);
    gateway.advance(600);
    contract_leading_to(&gateway, &format!("{uri}/v2/authorize")).await;
    provider.document.to(ResponseTemplate::new(503));
    gateway.advance(3600);
    next_attempt(&gateway, &provider, |contract| {
        assert_eq!(flow(contract)["authorizationUrl"], format!("{uri}/v2/authorize"));
    })
    .await;
}

/// Reads the contract, which is as `check` says, until an attempt to find the endpoints is over: the next one has been made.
async fn next_attempt(gateway: &Gateway, provider: &Provider, check: impl Fn(&Value)) {
    for _ in 0..2 {
        let asked = provider.asked().await;
        let waiting = async {
            while provider.asked().await == asked {
                check(&read(gateway, "/openapi.json").await.json());
                gateway.advance(5);
            }
        };
        patiently(waiting).await;
    }
}

#[tokio::test]
async fn a_page_sends_nobody_to_an_address_that_is_none_of_the_web_or_not_safe() {
    let provider = Provider::start().await;
    let (uri, gateway) = (provider.server.uri(), provider.gateway(LOGIN));
    let good = || Value::from(format!("{uri}/x"));
    let with =
        |authorization: Value, token: Value| vec![("authorization_endpoint", authorization), ("token_endpoint", token)];
    let mut bad = vec![
        with(Value::Null, good()),
        with(good(), Value::Null),
        with(good(), json!(["https://idp.example/token"])),
        with(format!("https://idp.example/{}", "x".repeat(2048)).into(), good()),
    ];
    for address in [
        "javascript:alert(1)",
        "data:text/html,x",
        "/authorize",
        "http://idp.example/x",
        "https://me:it@idp.example/",
        "https://idp.example/#x",
    ] {
        bad.push(with(address.into(), good()));
        bad.push(with(good(), address.into()));
    }
    for host in ["*", "*.example", "idp.example;script-src", "idp.example,x", "'unsafe-inline'", "[::1]:1"] {
        bad.push(with(good(), format!("https://{host}/token").into()));
    }
    let mut foreign = with(good(), good());
    foreign.push(("issuer", "https://other.example/".into()));
    bad.push(foreign);
    for says in bad {
        provider.says(&says);
        next_attempt(&gateway, &provider, |contract| assert!(flow(contract).is_null(), "{says:?}")).await;
        assert_eq!(callable(&read(&gateway, "/ui/").await), "'self'");
    }
    provider.says(&with(good(), "https://idp.example:8443/token".into()));
    contract_leading_to(&gateway, &format!("{uri}/x")).await;
    assert_eq!(callable(&read(&gateway, "/ui/").await), "'self' https://idp.example:8443");
}

#[test]
fn a_client_id_that_can_be_none_is_refused_and_so_is_a_name_that_no_scheme_can_have() {
    const CLIENT: &str = "verifiers.idp.ui_client_id: is empty, longer than 255 bytes, or has something else than visible ASCII. \
                          Write the client id of a single-page application of that provider";
    let files = files();
    for id in ["", " ", "two words", "naïve", "tab\\t", &"x".repeat(256)] {
        assert_eq!(mistakes(&oidc(&format!("ui_client_id = \"{id}\"")), files.path()), [CLIENT], "{id:?}");
    }
    assert_eq!(mistakes(&oidc(&format!("ui_client_id = \"{}\"", "x".repeat(255))), files.path()), [""; 0]);
    for name in ["oauth2", "bearer", "basic", "my idp", "b/c", "ö"] {
        let table = oidc(LOGIN).replace("verifiers.idp", &format!("verifiers.\"{name}\""));
        let told = format!(
            "verifiers.{name}.ui_client_id: makes \"{name}\" the name of a security scheme, which it can not be. \
             Give the verifier another name, of letters, digits, \".\", \"-\" and \"_\""
        );
        assert_eq!(mistakes(&table, files.path()), [told]);
        assert_eq!(mistakes(&table.replace(LOGIN, ""), files.path()), [""; 0]);
    }
    let told = mistakes(&oidc(&format!("{LOGIN}\nca_file = \"absent.pem\"")), files.path());
    assert_eq!(told.len(), 1, "{told:?}");
    let told = mistakes(&oidc(LOGIN).replace("\"oidc\"", "\"hs256\""), files.path());
    assert!(told[0].starts_with("verifiers.idp.ui_client_id: is not a key of this kind of verifier"), "{told:?}");
}

#[test]
fn the_page_offers_no_login_whose_tokens_the_api_refuses() {
    let table = oidc(LOGIN);
    let told = Gateway::refusal(&format!(
        "[verify]\nchain = [\"self\"]\n[verifiers.self]\nkind = \"self\"\n{table}[guards.billing]\nauthenticated = true\n\
         verifiers = [\"idp\"]\n"
    ));
    let told: Vec<_> = told.iter().map(ToString::to_string).collect();
    let expected = "verifiers.idp.ui_client_id: is there, and verify.chain does not name \"idp\", so that the API refuses its tokens. \
                    Name the verifier in verify.chain, or take the key out";
    assert_eq!(told, [expected]);
}

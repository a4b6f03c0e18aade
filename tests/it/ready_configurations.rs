//! The ready configurations with nothing changed in them but the issuer, and tokens of the shapes that Auth0 and Keycloak make. The rows
//! are those of the systems that the gateway takes the place of.

use reqwest::Method;
use serde_json::{Value, json};
use wiremock::matchers::{basic_auth, body_string_contains, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::gateway::{Answer, Gateway, NOON};
use crate::verify::keys::{OTHER_RSA, RSA, Signer, hmac};

const AUTH0: (&str, &str) = (include_str!("../../config/auth0.toml"), "https://TENANT.eu.auth0.com/");
const KEYCLOAK: (&str, &str) = (include_str!("../../config/keycloak.toml"), "https://idp.example/realms/acme");

/// A gateway by a ready configuration, and the provider that stands in for the real one.
struct Ready {
    gateway: Gateway,
    provider: MockServer,
    issuer: String,
}

/// A file with the issuer that it names put to `path` of the test's provider, changed once more as `change` does.
async fn ready((file, issuer): (&str, &str), path: &str, change: impl FnOnce(String) -> String) -> Ready {
    let provider = provider(path).await;
    let ours = format!("{}{path}", provider.uri());
    let toml = change(file.replace(issuer, &ours));
    assert!(!toml.contains(issuer) && toml.contains(&ours), "{toml}");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "the-secret-of-the-gateway\n").unwrap();
    Ready { gateway: Gateway::in_folder(folder, &toml), provider, issuer: ours }
}

/// Publishes [`RSA`] where the discovery document of the issuer at `issuer` says.
async fn provider(issuer: &str) -> MockServer {
    let server = MockServer::start().await;
    let realm = format!("{}{}", server.uri(), issuer.trim_end_matches('/'));
    let document = json!({
        "issuer": format!("{}{issuer}", server.uri()), "jwks_uri": format!("{realm}/keys"),
        "introspection_endpoint": format!("{realm}/introspect"),
    });
    let realm = issuer.trim_end_matches('/');
    for (place, body) in [("/.well-known/openid-configuration", document), ("/keys", json!({ "keys": [RSA.jwk()] }))] {
        let answer = ResponseTemplate::new(200).set_body_json(body);
        Mock::given(method("GET")).and(path(format!("{realm}{place}"))).respond_with(answer).mount(&server).await;
    }
    server
}

fn unchanged(toml: String) -> String {
    toml
}

impl Ready {
    async fn auth0(change: impl FnOnce(String) -> String) -> Self {
        ready(AUTH0, "/", change).await
    }

    /// A token of this provider's: these claims, and those that all of them have.
    fn token(&self, claims: &Value) -> String {
        self.token_by(&RSA, claims)
    }

    fn token_by(&self, signer: &Signer, claims: &Value) -> String {
        let mut whole = json!({ "iss": self.issuer, "iat": NOON.seconds(), "exp": NOON.seconds() + 86_400 });
        let claims = claims.as_object().unwrap().clone();
        whole.as_object_mut().unwrap().extend(claims);
        whole.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        signer.sign(&json!({ "alg": signer.algorithm, "typ": "JWT", "kid": signer.kid }), &whole)
    }

    async fn whoami(&self, token: &str) -> Value {
        self.gateway.get(token, "/v1/whoami").await.json()
    }

    async fn submit(&self, token: &str) -> Answer {
        self.gateway.post(token, "/v1/requests", &json!({ "payload": 1 })).await
    }
}

/// What a machine gets that is authorized for an API with RBAC.
fn machine() -> Value {
    json!({
        "sub": "Hf3kLq0eXw9tZ@clients", "aud": "https://api.example", "azp": "Hf3kLq0eXw9tZ", "gty": "client-credentials",
        "scope": "read:requests", "permissions": ["read:requests"],
    })
}

/// What a person gets in a browser.
fn person() -> Value {
    json!({
        "sub": "auth0|5f7c8ec7c33c6c004bbafe82", "aud": ["https://api.example", "https://tenant.eu.auth0.com/userinfo"],
        "azp": "SpaSpaSpa", "scope": "openid profile email read:requests",
        "permissions": ["read:requests", "write:requests", "read:blabla"],
        "https://github.com/dorinclisu/fastapi-auth0/email": "ada@acme.example",
    })
}

#[tokio::test]
async fn tokens_of_auth0s_shape_are_accepted_a05_a18_a23() {
    let ready = Ready::auth0(unchanged).await;
    let caller = json!({
        "issuer": ready.issuer, "subject": "Hf3kLq0eXw9tZ@clients", "client_id": "Hf3kLq0eXw9tZ", "scopes": ["requests:read"],
        "permissions": ["read:requests"], "audience": ["https://api.example"], "email": null,
        "expires_at": "2026-11-23T06:12:03.000Z",
    });
    assert_eq!(ready.whoami(&ready.token(&machine())).await, caller);
    let caller = json!({
        "issuer": ready.issuer, "subject": "auth0|5f7c8ec7c33c6c004bbafe82", "client_id": "SpaSpaSpa",
        "scopes": ["requests:read", "requests:write"], "permissions": ["read:requests", "write:requests", "read:blabla"],
        "audience": ["https://api.example", "https://tenant.eu.auth0.com/userinfo"], "email": "ada@acme.example",
        "expires_at": "2026-11-23T06:12:03.000Z",
    });
    assert_eq!(ready.whoami(&ready.token(&person())).await, caller);
    let mut google = person();
    google["sub"] = "google-oauth2|108204268033311374519".into();
    google["email"] = google["https://github.com/dorinclisu/fastapi-auth0/email"].take();
    let google = ready.whoami(&ready.token(&google)).await;
    // The claim is the one that is named, and no other.
    assert_eq!((&google["subject"], &google["email"]), (&"google-oauth2|108204268033311374519".into(), &Value::Null));
    // Our own tokens serve next to it.
    assert_eq!(ready.whoami(&ready.gateway.demo_token().await).await["subject"], "demo");
}

#[tokio::test]
async fn a_permission_is_no_scope_unless_it_is_said_a17() {
    let narrow =
        |toml: String| toml.replacen("grants_from = [\"scope\", \"permissions\"]", "grants_from = [\"scope\"]", 1);
    let (ready, narrow) = (Ready::auth0(unchanged).await, Ready::auth0(narrow).await);
    assert_eq!(ready.submit(&ready.token(&person())).await.status, 202);
    let token = narrow.token(&person());
    let caller = narrow.whoami(&token).await;
    assert_eq!((&caller["scopes"], &caller["permissions"][1]), (&json!(["requests:read"]), &"write:requests".into()));
    let answer = narrow.submit(&token).await;
    assert_eq!((answer.status, &answer.json()["code"]), (403, &"insufficient_scope".into()));
    let challenge = answer.header("www-authenticate");
    assert!(challenge.starts_with("Bearer realm=\"anteroom\", error=\"insufficient_scope\", scope=\"requests:write\""));
    let mut odd = person();
    odd["scope"] = json!({ "read:requests": true });
    assert_eq!(narrow.whoami(&narrow.token(&odd)).await["scopes"], json!([]), "a scope of another type is none");
}

#[tokio::test]
async fn what_is_wrong_with_a_token_is_told_a05_a13_a14_a16() {
    let ready = Ready::auth0(unchanged).await;
    let with = |name: &str, value: Value| {
        let mut claims = machine();
        claims[name] = value;
        ready.token(&claims)
    };
    let good = ready.token(&machine());
    for (what, token, code) in [
        ("expired", with("exp", json!(NOON.seconds() - 6)), "token_expired"),
        ("not yet", with("nbf", json!(NOON.seconds() + 6)), "token_not_yet_valid"),
        ("another audience", with("aud", json!("https://other.example")), "audience_mismatch"),
        ("no audience", with("aud", Value::Null), "claims_invalid"),
        ("no expiry", with("exp", Value::Null), "claims_invalid"),
        ("no subject", with("sub", Value::Null), "claims_invalid"),
        ("another tenant", with("iss", json!("https://other.eu.auth0.com/")), "issuer_unknown"),
        ("no slash", with("iss", json!(ready.issuer.trim_end_matches('/'))), "issuer_unknown"),
        ("garbage", "garbage".to_owned(), "token_malformed"),
        ("half a token", good[..good.len() / 2].to_owned(), "token_malformed"),
        (
            "HS256",
            ready.token_by(&hmac(b"a secret that is not asked for, really"), &machine()),
            "algorithm_not_allowed",
        ),
        ("a rotated key", ready.token_by(&OTHER_RSA, &machine()), "key_unknown"),
        (
            "another's kid",
            OTHER_RSA.sign(
                &json!({ "alg": "RS256", "kid": RSA.kid }),
                &json!({
                    "iss": ready.issuer, "sub": "a", "aud": "https://api.example", "exp": NOON.seconds() + 60,
                }),
            ),
            "signature_invalid",
        ),
    ] {
        let answer = ready.gateway.get(&token, "/v1/whoami").await;
        assert_eq!((answer.status, &answer.json()["code"]), (401, &code.into()), "{what}");
        let challenge = answer.header("www-authenticate");
        assert!(
            challenge.starts_with("Bearer realm=\"anteroom\", error=\"invalid_token\", error_description="),
            "{what}"
        );
    }
    assert_eq!(ready.gateway.get(&good, "/v1/whoami").await.status, 200);
}

/// What Keycloak writes into an access token, and answers about one.
fn keycloak(roles: &[&str], scope: &str) -> Value {
    json!({
        "jti": "trrtcc:1c2b", "aud": ["anteroom", "account"], "sub": "1c2b8f0e-6b8f-4d3e-9a55-0a4ad6c1b1f3", "typ": "Bearer",
        "azp": "acme-client", "sid": "8b6f", "acr": "1", "scope": scope, "realm_access": { "roles": roles },
        "resource_access": { "account": { "roles": ["manage-account", "requests:read"] } },
        "email_verified": false, "preferred_username": "ada", "email": "ada@acme.example",
    })
}

fn keycloak_caller(issuer: &str, scopes: &[&str]) -> Value {
    json!({
        "issuer": issuer, "subject": "1c2b8f0e-6b8f-4d3e-9a55-0a4ad6c1b1f3", "client_id": "acme-client", "scopes": scopes,
        "permissions": [], "audience": ["anteroom", "account"], "email": "ada@acme.example",
        "expires_at": "2026-11-23T06:12:03.000Z",
    })
}

#[tokio::test]
async fn tokens_of_keycloaks_shape_are_accepted_r16_r17_r27() {
    let ready = ready(KEYCLOAK, "/realms/acme", unchanged).await;
    let roles = ["default-roles-acme", "offline_access", "requests-clerk"];
    let clerk = ready.token(&keycloak(&roles, "email requests:read profile"));
    assert_eq!(ready.whoami(&clerk).await, keycloak_caller(&ready.issuer, &["requests:read", "requests:write"]));
    assert_eq!(ready.submit(&clerk).await.status, 202);
    // The one does not imply the other, and lacking it is 403, not 401.
    let (reader, writer) = (keycloak(&[], "requests:read"), keycloak(&roles, "profile"));
    assert_eq!(ready.submit(&ready.token(&reader)).await.status, 403);
    assert_eq!(ready.gateway.get(&ready.token(&reader), "/v1/requests").await.status, 200);
    assert_eq!(ready.gateway.get(&ready.token(&writer), "/v1/requests").await.status, 403);
    let mut identity = keycloak(&roles, "openid requests:read");
    identity["typ"] = "ID".into();
    assert_eq!(ready.whoami(&ready.token(&identity)).await["code"], "type_mismatch");
    let mut unmapped = keycloak(&roles, "requests:read");
    unmapped["aud"] = "account".into();
    assert_eq!(ready.whoami(&ready.token(&unmapped)).await["code"], "audience_mismatch");
    let nobody = Answer::to(ready.gateway.call(Method::GET, "/v1/requests")).await;
    assert_eq!((nobody.status, &nobody.json()["code"]), (401, &"token_missing".into()));
}

#[tokio::test]
async fn keycloak_is_asked_where_the_chain_says_so_r15_r26() {
    let ready = ready(KEYCLOAK, "/realms/acme", |toml| {
        let asking = toml.replacen("chain = [\"keycloak\"]", "chain = [\"keycloak-introspection\"]", 1);
        asking.replacen("env:INTROSPECTION_SECRET", "file:secret", 1)
    })
    .await;
    let claims = keycloak(&["requests-clerk"], "requests:read profile");
    let token = ready.token(&claims);
    let mut answer = claims.clone();
    let more = json!({
        "active": true, "iss": ready.issuer, "iat": NOON.seconds(), "exp": NOON.seconds() + 86_400, "username": "ada",
        "client_id": "acme-client", "token_type": "Bearer",
    });
    answer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Mock::given(method("POST"))
        .and(path("/realms/acme/introspect"))
        .and(basic_auth("anteroom", "the-secret-of-the-gateway"))
        .and(body_string_contains(&token))
        .respond_with(ResponseTemplate::new(200).set_body_json(answer))
        .mount(&ready.provider)
        .await;
    assert_eq!(ready.whoami(&token).await, keycloak_caller(&ready.issuer, &["requests:read", "requests:write"]));
    // What the realm can not tell is no verdict on the token.
    let mut other = claims;
    other["jti"] = "another".into();
    let answer = ready.gateway.get(&ready.token(&other), "/v1/whoami").await;
    assert_eq!((answer.status, &answer.json()["code"]), (503, &"verifier_unavailable".into()));
    assert_eq!(answer.header("www-authenticate"), "");
}

/// That nobody is trusted opens nothing: what is public is served, and all else is refused.
#[tokio::test]
async fn without_a_provider_what_is_guarded_stays_closed_r18() {
    let mut claims = keycloak(&["requests-clerk"], "requests:read");
    claims["iss"] = KEYCLOAK.1.into();
    claims["exp"] = (NOON.seconds() + 600).into();
    let token = RSA.sign(&json!({ "alg": "RS256", "kid": RSA.kid }), &claims);
    for gateway in [Gateway::start(), Gateway::configured("shutdown.delay = \"0s\"\nserver.mode = \"production\"")] {
        for path in ["/healthz", "/readyz", "/openapi.json", "/ui/index.html"] {
            assert_eq!(Answer::to(gateway.call(Method::GET, path)).await.status, 200, "{path}");
        }
        for (method, path) in [
            (Method::GET, "/v1/whoami"),
            (Method::GET, "/v1/requests"),
            (Method::POST, "/v1/requests"),
            (Method::GET, "/v1/requests/x"),
            (Method::POST, "/v1/requests/x/cancel"),
        ] {
            let call = || gateway.call(method.clone(), path).json(&json!({ "payload": {} }));
            let (nobody, stranger) = (Answer::to(call()).await, Answer::to(call().bearer_auth(&token)).await);
            let told = [nobody, stranger].map(|answer| (answer.status, answer.problem()["code"].clone()));
            assert_eq!(told, [(401, "token_missing".into()), (401, "issuer_unknown".into())], "{path}");
        }
    }
}

//! `/guard/{guard}`: decisions for reverse proxies, by rules that are configuration alone.

mod configuration;
mod decisions;
mod dodges;
mod forwarded;
mod identity;
mod proxies;

use reqwest::Method;
use serde_json::{Value, json};

use crate::gateway::{Answer, Gateway, NOON, client};
use crate::verify::keys::RSA;

pub(crate) const SECRET: &str = "an-example-of-a-secret";
pub(crate) const IDP: &str = "https://idp.example/";

/// Our own issuer guards the API; two others are good at guards only, one of which can not be reached.
pub(crate) const TOML: &str = r#"
[verifiers.self]
kind = "self"
[verifiers.idp]
kind = "oidc"
issuer = "https://idp.example/"
audience = ["api"]
keys = "file:idp.pem"
scopes = { "write:requests" = "requests:write" }
grants_from = ["scope", ["realm_access", "roles"]]
[verifiers.down]
kind = "oidc"
issuer = "https://down.example/"
audience = ["api"]
jwks_uri = "http://127.0.0.1:1/keys"

[guards.open]
public = true
[guards.any]
authenticated = true
[guards.down]
verifiers = ["down"]
authenticated = true
[guards.idp]
verifiers = ["idp"]
authenticated = true
[guards.billing]
verifiers = ["idp", "self"]
audience = ["billing", "api"]
scopes = ["invoices:read"]
[guards.books]
verifiers = ["idp"]
audience_all = ["books", "api"]
authenticated = true
[guards.strict]
verifiers = ["idp"]
scopes = ["a", "b"]
scopes_any = ["c", "d"]
permissions = ["p"]
permissions_any = ["q", "r"]
claims = [{ at = ["realm_access", "roles"], any = ["clerk", "admin"] }, { at = ["https://acme.example/tier"], eq = "gold" }]
[guards.ours]
verifiers = ["idp", "self"]
scopes = ["requests:write"]
[guards.named]
verifiers = ["idp"]
authenticated = true
headers = { subject = "Remote-User", email = "X-Mail" }
"#;

/// A gateway with these guards, and more configuration before them.
pub(crate) fn with_guards(more: &str) -> Gateway {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("idp.pem"), RSA.public_pem()).unwrap();
    let acme = client("acme", SECRET, &["requests:read", "requests:write"]);
    Gateway::in_folder(folder, &format!("shutdown.delay = \"0s\"\nverify.chain = [\"self\"]\n{more}\n{TOML}\n{acme}"))
}

/// The claims of a good token of the provider's.
pub(crate) fn claims() -> Value {
    json!({
        "iss": IDP, "sub": "anna", "aud": "api", "iat": NOON.seconds(), "exp": NOON.seconds() + 600, "azp": "shop",
        "email": "anna@acme.example", "scope": "a b d invoices:read", "permissions": ["p", "q"],
        "realm_access": { "roles": ["clerk"] }, "https://acme.example/tier": "gold",
    })
}

/// A token of the provider's with something else in its claims.
pub(crate) fn token(change: impl FnOnce(&mut Value)) -> String {
    let mut claims = claims();
    change(&mut claims);
    RSA.sign(&json!({ "alg": "RS256", "typ": "JWT", "kid": RSA.kid }), &claims)
}

/// What a guard decides about a token.
pub(crate) async fn ask(gateway: &Gateway, guard: &str, token: &str) -> Answer {
    Answer::to(gateway.call(Method::GET, &format!("/guard/{guard}")).bearer_auth(token)).await
}

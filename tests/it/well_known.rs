//! `/.well-known/oauth-protected-resource`: what a client is told before it has a token, and where it is told to look.

use reqwest::Method;
use serde_json::json;

use crate::gateway::{Answer, Gateway};
use crate::guard::with_guards;

const PATH: &str = "/.well-known/oauth-protected-resource";

#[tokio::test]
async fn the_challenge_leads_to_the_metadata_of_the_very_resource() {
    let gateway = Gateway::start();
    let refused = Answer::to(gateway.call(Method::GET, "/v1/requests")).await;
    let (_, address) = refused.header("www-authenticate").split_once("resource_metadata=\"").unwrap();
    let path = address.trim_end_matches('"').strip_prefix(&gateway.url("")).unwrap();
    let answer = Answer::to(gateway.call(Method::GET, path)).await;
    assert_eq!((path, answer.status, answer.header("content-type")), (PATH, 200, "application/json"));
    let whole = json!({
        "resource": gateway.url(""), "authorization_servers": ["http://localhost:8080"],
        "scopes_supported": ["requests:read", "requests:write"], "bearer_methods_supported": ["header"],
        "resource_name": "Anteroom", "resource_documentation": gateway.url("/ui/"),
    });
    assert_eq!(answer.json(), whole);
}

#[tokio::test]
async fn it_names_the_issuers_of_the_api_alone_and_every_place_of_a_token() {
    let gateway = with_guards(
        "verify.token_in_query = true\nverify.token_in_form = true\nissuer.url = \"https://own.example\"\n\
         [server]\npublic_url = \"https://gw.example/anteroom\"\n",
    );
    let metadata = Answer::to(gateway.call(Method::GET, PATH)).await.json();
    assert_eq!(metadata["resource"], "https://gw.example/anteroom");
    assert_eq!(metadata["authorization_servers"], json!(["https://own.example"]));
    assert_eq!(metadata["bearer_methods_supported"], json!(["header", "body", "query"]));
    let refused = Answer::to(gateway.call(Method::GET, "/v1/whoami")).await;
    let challenge = format!("Bearer realm=\"anteroom\", resource_metadata=\"https://gw.example/anteroom{PATH}\"");
    assert_eq!(refused.header("www-authenticate"), challenge);
}

/// The operators' listener is another resource, which the metadata of the API does not describe.
#[tokio::test]
async fn the_listener_of_operators_names_none() {
    let gateway = Gateway::configured("server.mode = \"production\"\nshutdown.delay = \"0s\"");
    let refused = gateway.operate("/v1/admin/issuers").await;
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, "Bearer realm=\"anteroom\""));
    assert_eq!(gateway.operate(PATH).await.status, 404);
}

//! A gateway that starts while a provider is down.

use anteroom::core::clock::Clock;
use reqwest::Method;
use serde_json::json;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::fake_provider::jwks;
use super::keys::RSA;
use super::subjects::claims;
use crate::gateway::{Answer, Gateway};
use crate::patience::patiently;

#[tokio::test]
async fn others_are_served_and_the_provider_is_found_without_a_restart() {
    for (startup, ready) in [("degraded", 200), ("require", 503)] {
        let provider = MockServer::start().await;
        let toml = format!(
            "[verify]\nchain = [\"self\", \"idp\"]\n[verifiers.self]\nkind = \"self\"\n[verifiers.idp]\nkind = \"oidc\"\n\
             issuer = \"{0}\"\njwks_uri = \"{0}/keys\"\naudience = [\"anteroom\"]\nstartup = \"{startup}\"\n",
            provider.uri()
        );
        let down = Mock::given(path("/keys")).respond_with(ResponseTemplate::new(500)).mount_as_scoped(&provider).await;
        let gateway = Gateway::configured(&toml);
        let readyz = async || Answer::of(gateway.call(Method::GET, "/readyz").send().await.unwrap()).await.status;
        assert_eq!(readyz().await, ready, "{startup}");
        let own = gateway.demo_token().await;
        assert_eq!(gateway.get(&own, "/v1/whoami").await.status, 200, "{startup}");

        let mut claims = claims(&provider.uri());
        claims["exp"] = (gateway.clock.now().seconds() + 600).into();
        let foreign = RSA.sign(&json!({ "alg": "RS256", "kid": "rsa-1" }), &claims);
        let refused = gateway.get(&foreign, "/v1/whoami").await;
        assert_eq!((refused.status, refused.header("retry-after")), (503, "1"), "{startup}");
        assert_eq!(refused.json()["code"], "verifier_unavailable");

        drop(down);
        Mock::given(path("/keys")).respond_with(jwks(&[&RSA])).mount(&provider).await;
        gateway.advance(60);
        patiently(async { while gateway.get(&foreign, "/v1/whoami").await.status == 503 {} }).await;
        assert_eq!(gateway.get(&foreign, "/v1/whoami").await.status, 200, "{startup}");
        assert_eq!(readyz().await, 200, "{startup}");
    }
}

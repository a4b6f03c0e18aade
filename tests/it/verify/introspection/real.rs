//! The opaque tokens of a real provider: accepted, and refused within the documented time of being revoked.

use std::path::Path;
use std::time::Duration;

use anteroom::app::SystemClock;
use anteroom::core::clock::{Clock, SetClock};
use anteroom::core::verdict::Verdict;
use anteroom::verify::Chain;

use crate::verify::real_provider::{RealProvider, issued_at};
use crate::verify::subjects::{chain, verify, word};

fn table(provider: &RealProvider, folder: &Path, client: &str, auth: &str) -> String {
    std::fs::write(folder.join(client), format!("the-secret-of-{client}-in-the-tests")).unwrap();
    format!(
        "[verifiers.opaque]\nkind = \"introspection\"\nissuer = \"{issuer}\"\naudience = [\"urn:opaque\"]\nclient_id = \"{client}\"\n\
         client_secret = \"file:{client}\"\nauth = \"{auth}\"\nscopes = {{ \"read:requests\" = \"requests:read\" }}\n\
         [verifiers.jwts]\nkind = \"oidc\"\nissuer = \"{issuer}\"\naudience = [\"urn:api-prototype\"]\n",
        issuer = provider.issuer,
    )
}

async fn judge(chain: &Chain, token: &str, clock: &SetClock) -> &'static str {
    word(&verify(chain, token, chain.api(), clock.now()).await)
}

#[tokio::test]
async fn an_opaque_token_is_good_until_it_is_revoked() {
    let provider = RealProvider::start();
    let folder = tempfile::tempdir().unwrap();
    for (client, auth) in [("gateway", "client_secret_basic"), ("gateway-post", "client_secret_post")] {
        let token = provider.token("urn:opaque", "read:requests write:requests").await;
        let clock = SetClock::at(SystemClock::start().now());
        let chain = chain(&table(&provider, folder.path(), client, auth), folder.path(), &clock).unwrap();
        let Verdict::Accepted(caller) = verify(&chain, &token, chain.api(), clock.now()).await else {
            panic!("{client}")
        };
        assert_eq!((caller.issuer.as_str(), caller.subject.as_str()), (provider.issuer.as_str(), "acme"));
        assert_eq!(caller.client_id.as_deref(), Some("acme"));
        assert_eq!(caller.scopes.iter().collect::<Vec<_>>(), ["requests:read"]);
        assert_eq!(caller.audience, ["urn:opaque"]);

        provider.revoke(&token).await;
        clock.advance(Duration::from_secs(29));
        assert_eq!(judge(&chain, &token, &clock).await, "accepted", "as documented");
        clock.advance(Duration::from_secs(1));
        assert_eq!(judge(&chain, &token, &clock).await, "token_inactive");
        assert_eq!(judge(&chain, "made-up-and-never-issued-by-anybody", &clock).await, "token_inactive");
    }
}

/// One issuer may have a verifier for each form of its tokens.
#[tokio::test]
async fn both_forms_of_one_issuer_side_by_side() {
    let mut provider = RealProvider::start();
    let folder = tempfile::tempdir().unwrap();
    let jwt = provider.token("urn:api-prototype", "read:requests").await;
    let opaque = provider.token("urn:opaque", "read:requests").await;
    let clock = SetClock::at(issued_at(&jwt));
    let chain =
        chain(&table(&provider, folder.path(), "gateway", "client_secret_basic"), folder.path(), &clock).unwrap();
    assert_eq!(judge(&chain, &jwt, &clock).await, "accepted");
    assert_eq!(judge(&chain, &opaque, &clock).await, "accepted");
    assert_eq!(provider.tell("count /token/introspection"), "1");
    provider.tell("down");
    assert_eq!(judge(&chain, &jwt, &clock).await, "accepted");
    assert_eq!(judge(&chain, &opaque, &clock).await, "accepted");
    clock.advance(Duration::from_secs(30));
    assert_eq!(judge(&chain, &jwt, &clock).await, "accepted");
    assert_eq!(judge(&chain, &opaque, &clock).await, "unavailable");
    provider.tell("up");
    assert_eq!(judge(&chain, &opaque, &clock).await, "accepted");
}

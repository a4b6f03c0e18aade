//! Where deliveries go: to the public Internet, and into one's own network only where the operator allows it.

use serde_json::json;

use super::{Receiver, add, delivery, path_of, post};
use crate::gateway::{Gateway, client};

const SECRET: &str = "an-example-of-a-secret";

/// A gateway in production mode with these lines in its section of webhooks.
async fn production(lines: &str) -> (Gateway, String) {
    let client = client("anna", SECRET, &["webhooks:manage"]);
    let gateway = Gateway::configured(&format!(
        "[server]\nmode = \"production\"\n[shutdown]\ndelay = \"0s\"\n[webhooks]\n{lines}\n{client}"
    ));
    let token = gateway.token("anna", SECRET, None).await;
    (gateway, token)
}

/// The address of a receiver by the name of this machine, which only a look-up leads back to it.
fn by_name(receiver: &Receiver, scheme: &str) -> String {
    receiver.url().replace("http://127.0.0.1", &format!("{scheme}://localhost"))
}

#[tokio::test]
async fn a_name_that_leads_into_ones_own_network_is_not_asked() {
    let (gateway, token) = production("allow_http = true").await;
    let receiver = Receiver::start().await;
    let endpoint = path_of(&add(&gateway, &token, &json!({ "url": by_name(&receiver, "http") })).await);
    post(&gateway, &token, &format!("{endpoint}/test")).await;
    let logged = delivery(&gateway, &token, &endpoint, 1).await;
    let error = logged["attempts"][0]["error"].as_str().unwrap();
    // It does not say to which address: that is nobody's business outside.
    let expected = "There was no connection: the name leads to an address that is not one of the public Internet.";
    assert_eq!(error, expected);
    receiver.told(0).await;
}

#[tokio::test]
async fn what_the_operator_allows_is_asked() {
    let (gateway, token) = production("allow_http = true\nallow_private = [\"127.0.0.0/8\", \"::1\"]").await;
    let receiver = Receiver::start().await;
    for url in [receiver.url(), by_name(&receiver, "http")] {
        let endpoint = path_of(&add(&gateway, &token, &json!({ "url": url })).await);
        post(&gateway, &token, &format!("{endpoint}/test")).await;
        assert_eq!(delivery(&gateway, &token, &endpoint, 1).await["status"], "delivered", "{url}");
    }
}

#[tokio::test]
async fn in_production_this_machine_is_no_endpoint() {
    let (gateway, token) = production("").await;
    let receiver = Receiver::start().await;
    let refused = |url: &str| {
        let body = json!({ "url": url });
        let (gateway, token) = (&gateway, &token);
        async move { gateway.post(token, super::PATH, &body).await.problem()["errors"][0]["detail"].clone() }
    };
    assert_eq!(refused(&receiver.url()).await, "the address is not https");
    assert_eq!(refused(&by_name(&receiver, "http")).await, "the address is not https");
    let private = "the address leads to 127.0.0.1, which is not an address of the public Internet";
    assert_eq!(refused(&receiver.url().replace("http:", "https:")).await, private);
    receiver.told(0).await;
}

//! `/healthz` and `/readyz`.

use reqwest::Method;

use crate::gateway::{Answer, Gateway};

#[tokio::test]
async fn a_started_gateway_is_alive_and_ready() {
    let gateway = Gateway::start();
    for path in ["/healthz", "/readyz"] {
        for method in [Method::GET, Method::HEAD] {
            let answer = Answer::of(gateway.call(method, path).send().await.unwrap()).await;
            assert_eq!((answer.status, answer.text.as_str()), (200, ""), "{path}");
        }
    }
}

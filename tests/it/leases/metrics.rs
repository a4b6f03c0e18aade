//! What is counted of leases.

use serde_json::json;

use super::{Workshop, failure};

#[tokio::test]
async fn what_becomes_of_leases_is_counted_by_type() {
    let shop = Workshop::open().await;
    for _ in 0..4 {
        shop.submit().await;
    }
    let completed = shop.lease().await;
    for _ in 0..2 {
        shop.say(&completed, "complete", json!({})).await;
    }
    shop.say(&shop.lease().await, "fail", failure()).await;
    let mut last = failure();
    last["retryable"] = json!(false);
    shop.say(&shop.lease().await, "fail", last).await;
    shop.say(&shop.lease().await, "release", json!({ "delay_seconds": 5000 })).await;
    shop.gateway.advance(30);
    let first = shop.lease().await;
    shop.submit().await;
    let lapses = shop.lease().await;
    shop.gateway.advance(60);
    let again = shop.lease().await;
    assert_eq!(again["request_id"], lapses["request_id"]);
    shop.say(&lapses, "complete", json!({})).await;
    shop.cancel(again["request_id"].as_str().unwrap()).await;
    shop.say(&again, "release", json!({})).await;
    let text = shop.gateway.operate("/metrics").await.text;
    let mut counted: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("anteroom_leases_total")).collect();
    counted.sort_unstable();
    let sample = |outcome: &str, count| format!("{{type=\"render\",outcome=\"{outcome}\"}} {count}");
    let expected = [
        sample("cancelled", 1),
        sample("completed", 1),
        sample("failed", 1),
        sample("given", 7),
        sample("lapsed", 1),
        sample("late", 1),
        sample("released", 1),
        sample("retried", 1),
    ];
    assert_eq!(counted, expected, "{first}");
}

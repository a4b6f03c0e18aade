//! Owners take turns: one with much to do does not keep the others waiting.

use serde_json::{Value, json};

use super::Workshop;

#[tokio::test]
async fn an_owner_with_much_to_do_does_not_keep_another_waiting() {
    let shop = Workshop::open().await;
    let bob = shop.token("bob").await;
    for n in 0..20 {
        shop.submit_as(&shop.anna, json!(["anna", n])).await;
    }
    shop.gateway.advance(60);
    for n in 0..3 {
        shop.submit_as(&bob, json!(["bob", n])).await;
    }
    let whose = |leases: &Value| -> Vec<String> {
        let leases = leases["leases"].as_array().unwrap();
        leases.iter().map(|lease| lease["payload"][0].as_str().unwrap().to_owned()).collect()
    };
    // Bob's are done after six turns, over several calls.
    let mut order = Vec::new();
    for max in [1, 2, 1, 4] {
        order.extend(whose(&shop.ask_as(&shop.works, max).await.json()));
    }
    let bobs = order[..6].iter().filter(|owner| *owner == "bob").count();
    assert_eq!((bobs, order.len()), (3, 8), "{order:?}");
}

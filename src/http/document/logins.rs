//! What the contract says of logins at other issuers: each has a security scheme of its own, called like the verifier of its tokens.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::core::schemes::OAUTH2;
use crate::verify::LoginOffer;

/// Adds their schemes, and each as a way to call what our own tokens open.
pub(super) fn describe(document: &mut Value, offers: &[Arc<LoginOffer>]) {
    let meanings = document["components"]["securitySchemes"][OAUTH2]["flows"]["clientCredentials"]["scopes"].take();
    for offer in offers {
        document["components"]["securitySchemes"][&offer.verifier] = scheme(offer, &meanings);
    }
    document["components"]["securitySchemes"][OAUTH2]["flows"]["clientCredentials"]["scopes"] = meanings;
    let paths = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    for operation in paths.filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        let Some(ways) = operation.get_mut("security").and_then(Value::as_array_mut) else { continue };
        let needed: Vec<_> = ways.iter().filter_map(|way| way.get(OAUTH2)?.as_array().cloned()).collect();
        for way in offers.iter().flat_map(|offer| needed.iter().flat_map(|scopes| ways_in(offer, scopes))) {
            if !ways.contains(&way) {
                ways.push(way);
            }
        }
    }
}

/// The scheme, with the scopes that mean something in this document; `meanings` are those of our own.
fn scheme(offer: &LoginOffer, meanings: &Value) -> Value {
    let scopes = offer.scopes.iter().filter_map(|(word, scope)| Some((word.clone(), meanings.get(scope)?.clone())));
    json!({
        "type": "oauth2",
        "description": format!("Log in at {}", offer.issuer),
        "flows": { "authorizationCode": {
            "authorizationUrl": offer.authorization_endpoint,
            "tokenUrl": offer.token_endpoint,
            "scopes": scopes.collect::<Map<_, _>>(),
        } },
    })
}

/// How a token of that issuer comes by these scopes of ours: without being asked for, or by one of the words that mean them.
fn ways_in(offer: &LoginOffer, needed: &[Value]) -> Vec<Value> {
    let way = |words: &[&str]| json!({ &*offer.verifier: words });
    let Some(needed) = needed.first().and_then(Value::as_str) else { return vec![way(&[])] };
    if offer.unasked.iter().any(|scope| scope == needed) {
        return vec![way(&[])];
    }
    let words = offer.scopes.iter().filter(|(_, scope)| *scope == needed);
    words.map(|(word, _)| way(&[word])).collect()
}

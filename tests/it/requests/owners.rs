//! Whose a request is: the issuer and the name that it gives, whatever its verifier is called.

use reqwest::Method;
use serde_json::json;

use super::PATH;
use crate::gateway::{Answer, Gateway, NOON};
use crate::verify::keys::{EC, RSA, Signer};

const FIRST: &str = "https://first.example/";
const SECOND: &str = "https://second.example/";

/// A verifier called `name` for this issuer, whose key lies in the folder under `keys`.
fn verifier(name: &str, issuer: &str, keys: &str, lines: &str) -> String {
    let algorithm = if keys == "rsa.pem" { "RS256" } else { "ES256" };
    format!(
        "[verifiers.{name}]\nkind = \"oidc\"\nissuer = \"{issuer}\"\naudience = [\"anteroom\"]\nkeys = \"file:{keys}\"\n\
         algorithms = [\"{algorithm}\"]\ngrants = [\"requests:read\", \"requests:write\"]\n{lines}\n"
    )
}

fn gateway(folder: tempfile::TempDir, toml: &str) -> Gateway {
    std::fs::write(folder.path().join("rsa.pem"), RSA.public_pem()).unwrap();
    std::fs::write(folder.path().join("ec.pem"), EC.public_pem()).unwrap();
    Gateway::in_folder(folder, toml)
}

fn token(signer: &Signer, issuer: &str, subject: &str, client: &str) -> String {
    let claims =
        json!({ "iss": issuer, "sub": subject, "client_id": client, "aud": "anteroom", "exp": NOON.seconds() + 3600 });
    signer.sign(&json!({ "alg": signer.algorithm }), &claims)
}

/// The ids that this caller sees, the newest first.
async fn seen(gateway: &Gateway, token: &str) -> Vec<String> {
    let list = gateway.get(token, PATH).await.json();
    list["items"].as_array().unwrap().iter().map(|item| item["request_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_subject_of_two_issuers_is_two_owners_and_a_name_is_only_a_name() {
    let toml = [verifier("a", FIRST, "rsa.pem", ""), verifier("b", SECOND, "ec.pem", "")].concat();
    let gateway = self::gateway(tempfile::tempdir().unwrap(), &toml);
    let (first, second) = (token(&RSA, FIRST, "acme", "x"), token(&EC, SECOND, "acme", "x"));
    let (of_first, of_second) = (gateway.submit(&first).await, gateway.submit(&second).await);
    let is_separate = async |gateway: &Gateway| {
        assert_eq!(seen(gateway, &first).await, [of_first.as_str()]);
        assert_eq!(seen(gateway, &second).await, [of_second.as_str()]);
        for (token, foreign) in [(&first, &of_second), (&second, &of_first)] {
            let missing = gateway.get(token, &format!("{PATH}/req_01JD0000000000000000000000")).await.problem();
            assert_eq!(gateway.get(token, &format!("{PATH}/{foreign}")).await.problem(), missing);
            let cancel = gateway.call(Method::POST, &format!("{PATH}/{foreign}/cancel")).bearer_auth(token);
            assert_eq!(Answer::to(cancel).await.status, 404);
        }
    };
    is_separate(&gateway).await;

    // Renamed, and the names changed over as well.
    let renamed = [verifier("b", FIRST, "rsa.pem", ""), verifier("c", SECOND, "ec.pem", "")].concat();
    let gateway = self::gateway(gateway.stop(), &renamed);
    is_separate(&gateway).await;
}

#[tokio::test]
async fn who_acts_through_one_client_shares_its_requests_where_the_client_owns() {
    let toml =
        [verifier("a", FIRST, "rsa.pem", "owner = \"client\""), verifier("b", SECOND, "ec.pem", "owner = \"client\"")];
    let gateway = gateway(tempfile::tempdir().unwrap(), &toml.concat());
    let id = gateway.submit(&token(&RSA, FIRST, "ada", "shop")).await;
    assert_eq!(seen(&gateway, &token(&RSA, FIRST, "grace", "shop")).await, [id.as_str()]);
    assert_eq!(seen(&gateway, &token(&RSA, FIRST, "ada", "another")).await, [""; 0]);
    assert_eq!(seen(&gateway, &token(&EC, SECOND, "ada", "shop")).await, [""; 0]);
    let without = RSA.sign(
        &json!({ "alg": "RS256" }),
        &json!({ "iss": FIRST, "sub": "ada", "aud": "anteroom", "exp": NOON.seconds() + 3600 }),
    );
    let refused = gateway.get(&without, PATH).await;
    assert_eq!((refused.status, &refused.problem()["code"]), (401, &json!("claims_invalid")));
}

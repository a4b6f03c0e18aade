//! The partner prototype's API, under the configuration that stands in `config/partner.toml`.

mod auth0;
mod refused;
mod requests;
mod tokens;

use reqwest::Method;
use serde_json::{Value, json};

use crate::gateway::{Answer, Gateway};

pub(crate) const TOML: &str = include_str!("../../../config/partner.toml");

/// What the prototype named the notebook's request, for the subject "who knows?".
const FIXTURE: &str = "QR-8eaedc400e2b5721bc255f9f9c31f8b1";

fn partner() -> Gateway {
    Gateway::configured(TOML)
}

/// The body in the prototype's notebook.
fn notebook() -> Value {
    json!({
        "fastq_files": ["s3://somebucket/path/to/sample_R1.fastq.gz", "s3://somebucket/path/to/sample_R2.fastq.gz"],
        "patient_info": {
            "biological_sex": "MALE", "dob": "2022-01-10",
            "first_name": "string", "last_name": "string", "middle_name": "string",
        },
        "product_id": "PR-012345.1",
    })
}

/// The prototype's token, which asks for no credentials.
async fn open_token(gateway: &Gateway) -> String {
    let answer = Answer::to(gateway.call(Method::GET, "//auth")).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    assert_eq!(answer.header("cache-control"), "no-store");
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(answer.json(), json!({ "access_token": token }));
    token
}

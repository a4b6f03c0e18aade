//! `anteroom key list|rotate`: beside a running gateway, on its store when none runs, and where there is nothing to rotate.

use std::path::Path;
use std::process::Output;

use reqwest::Method;
use serde_json::Value;

use crate::gateway::{Answer, http};
use crate::process::{self, Gateway, program};

const ES256: &str = "[issuer]\nalgorithm = \"ES256\"\n";

fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = program();
    command.arg("--config").arg(folder.join("anteroom.toml")).arg("--data-dir").arg(folder.join("data"));
    let Output { status, stdout, stderr } = process::run(command.arg("key").args(arguments), "");
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

const HEADING: [&str; 4] = ["KID", "CREATED", "SIGNS FROM", "RETIRES"];

/// The cells of the lines below the heading.
fn rows(printed: &str) -> Vec<Vec<&str>> {
    let (first, rest) = printed.split_once('\n').unwrap();
    assert_eq!(first.split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect::<Vec<_>>(), HEADING);
    rest.lines().map(|line| line.split_whitespace().collect()).collect()
}

async fn published(gateway: &Gateway) -> Vec<String> {
    let answer = Answer::to(http().request(Method::GET, format!("{}/.well-known/jwks.json", gateway.base()))).await;
    let set: Value = answer.json();
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn keys_are_listed_and_rotated_beside_a_running_gateway_and_without() {
    let folder = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::configured(folder.path(), ES256, &[]);
    let (code, listed, told) = run(folder.path(), &["list"]);
    assert_eq!((code, told.as_str()), (Some(0), ""));
    let first: Vec<_> = rows(&listed)[0].iter().map(|&cell| cell.to_owned()).collect();
    assert_eq!((rows(&listed).len(), first.len(), first[3].as_str()), (1, 4, "-"), "{listed}");
    assert_eq!(published(&gateway).await, [first[0].clone()]);

    let (code, printed, told) = run(folder.path(), &["list", "--json"]);
    let answer: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((code, told.as_str(), &answer["items"][0]["kid"]), (Some(0), "", &Value::from(&*first[0])));

    let (code, rotated, told) = run(folder.path(), &["rotate"]);
    assert_eq!((code, told.as_str()), (Some(0), ""));
    let table = rows(&rotated);
    assert_eq!((table.len(), table[0][..3] == first[..3], table[1][3]), (2, true, "-"), "{rotated}");
    let (created, signs_from, retires) = (table[1][1], table[1][2], table[0][3]);
    assert!(first[1].as_str() < created && created < signs_from && signs_from < retires, "{rotated}");
    assert_eq!(published(&gateway).await, [table[0][0], table[1][0]]);
    assert_eq!(run(folder.path(), &["list"]), (Some(0), rotated.clone(), String::new()));

    let (code, printed, told) = run(folder.path(), &["rotate"]);
    assert_eq!((code, printed.as_str()), (Some(1), ""));
    assert!(told.starts_with("anteroom: No key was made: ") && told.contains(signs_from), "{told}");
    gateway.terminate();
    assert!(gateway.end().0.success());
    let (code, listed, told) = run(folder.path(), &["list"]);
    assert_eq!((code, listed, told), (Some(0), rotated, String::new()));
}

#[test]
fn where_there_is_nothing_to_rotate_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (code, printed, told) = run(folder.path(), &["list"]);
    assert_eq!((code, printed.as_str()), (Some(2), ""));
    assert!(told.contains("anteroom.toml"), "{told}");
    let gateway = Gateway::configured(folder.path(), "", &[]);
    let (code, listed, told) = run(folder.path(), &["list"]);
    assert_eq!((code, rows(&listed).len(), told.as_str()), (Some(0), 0, ""));
    let (code, printed, told) = run(folder.path(), &["rotate"]);
    let expected = "anteroom: No key was made: issuer.algorithm is \"HS256\", whose secrets the gateway does not change by itself. ";
    assert_eq!((code, printed.as_str(), told.starts_with(expected)), (Some(1), "", true), "{told}");
    drop(gateway);
    for (arguments, words) in [
        (&[][..], "Usage: anteroom key [OPTIONS] <COMMAND>"),
        (&["rotat"], "unrecognized subcommand 'rotat'"),
        (&["list", "all"], "unexpected argument 'all' found"),
    ] {
        let (code, printed, told) = run(folder.path(), arguments);
        assert_eq!((code, printed.as_str(), told.contains(words)), (Some(2), "", true), "{told}");
    }
}

//! The command line, as an operator uses it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::process::{self, Gateway, program};

/// Runs the program in a folder of its own.
fn run(folder: &Path, arguments: &[&str]) -> Output {
    process::run(program().current_dir(folder).args(arguments), "")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn says_its_version() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["--version"]);
    assert_eq!(text(&output.stdout), concat!("anteroom ", env!("CARGO_PKG_VERSION"), "\n"));
    assert!(output.status.success());
}

#[test]
fn check_prints_what_holds_and_masks_what_is_secret() {
    let folder = tempfile::tempdir().unwrap();
    let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    std::fs::write(folder.path().join("acme.txt"), "a secret of more than sixteen\n").unwrap();
    let config = format!("[clients.acme]\nsecrets = [\"sha256:{hash}\", \"file:acme.txt\"]\n");
    std::fs::write(folder.path().join("anteroom.toml"), config).unwrap();
    let output = run(folder.path(), &["--config", "anteroom.toml", "check"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    let effective: toml::Table = printed.parse().unwrap();
    assert_eq!(effective["clients"]["acme"]["secrets"].to_string(), r#"["sha256:********", "file:acme.txt"]"#);
    assert_eq!(effective["clients"]["acme"]["scopes"].to_string(), r#"["requests:read", "requests:write"]"#);
    assert_eq!(effective["server"]["mode"].as_str(), Some("development"));
    assert_eq!(effective["verifiers"]["self"]["kind"].as_str(), Some("self"));
    assert!(!printed.contains(hash) && !printed.contains("sixteen"));
    assert!(!folder.path().join("data").exists(), "a check makes nothing");
}

/// What `check` says of a file besides the values, and the values.
fn checked(toml: &str) -> (Vec<String>, toml::Table) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("anteroom.toml"), toml).unwrap();
    let output = run(folder.path(), &["--config", "anteroom.toml", "check"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    let remarks = printed.lines().skip(1).map_while(|line| line.strip_prefix("# ")).map(str::to_owned).collect();
    (remarks, printed.parse().unwrap())
}

#[test]
fn check_warns_of_what_is_seldom_meant_and_leaves_nothing_out_without_a_word() {
    let (remarks, holds) = checked("");
    assert_eq!(remarks, ["server.admin_bind is not set: in development mode operators are served at server.bind"]);
    let usual = "format = \"pretty\"\nlevel = \"info,actix_server=warn\"\n";
    assert_eq!((holds["log"].to_string(), holds["shutdown"]["delay"].as_str()), (inline(usual), Some("0s")));
    let (remarks, holds) = checked(
        "[server]\nbind = \"0.0.0.0:8080\"\n[verify]\nchain = [\"self\", \"idp\"]\n[verifiers.self]\nkind = \"self\"\n\
         [verifiers.idp]\nkind = \"oidc\"\nissuer = \"https://idp.example/.well-known/openid-configuration\"\n\
         audience = [\"anteroom\"]\n[verifiers.spare]\nkind = \"oidc\"\n",
    );
    assert_eq!(holds["server"]["admin_bind"].as_str(), Some("127.0.0.1:9090"));
    assert_eq!((holds["log"]["format"].as_str(), holds["shutdown"]["delay"].as_str()), (Some("json"), Some("1s")));
    for (remark, start) in remarks.iter().zip([
        "Warning: neither server.public_url nor issuer.url is set, so our tokens and the metadata name \"http://localhost:8080\" ",
        "Warning: verifiers.idp has neither scopes nor grants: ",
        "Warning: verifiers.idp.issuer is the address of a discovery document: write the `iss` of its tokens, likely \
         \"https://idp.example\" or \"https://idp.example/\"",
        "[verifiers.spare] is not looked at, nor printed: neither verify.chain nor a guard names it",
    ]) {
        assert!(remark.starts_with(start), "{remark}");
    }
    assert_eq!(remarks.len(), 4, "{remarks:#?}");
    let elsewhere = "[server]\nbind = \"0.0.0.0:8080\"\nmode = \"development\"\n";
    assert!(
        checked(elsewhere).0[0].starts_with("Warning: server.mode is \"development\", and 0.0.0.0:8080 can be reached")
    );
    let (remarks, _) = checked("[server]\nbind = \"0.0.0.0:8080\"\npublic_url = \"https://gateway.example\"\n");
    assert!(remarks.len() == 1 && remarks[0].starts_with("Warning: no client is configured"), "{remarks:?}");
}

/// TOML as a value prints it.
fn inline(toml: &str) -> String {
    toml::Value::Table(toml.parse().unwrap()).to_string()
}

#[test]
fn a_new_client_gets_a_token_with_the_lines_that_were_printed() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["client", "new", "acme.de", "--scope", "requests:read"]);
    let printed = text(&output.stdout);
    let table: toml::Table = printed.parse().unwrap();
    let client = &table["clients"]["acme.de"];
    assert_eq!(client["scopes"].to_string(), r#"["requests:read"]"#);
    let secret = printed.lines().find_map(|line| line.strip_prefix("#   ")).unwrap();
    assert_eq!(secret.len(), 43, "256 bits as base64url");
    assert!(!client["secrets"].to_string().contains(secret));
    std::fs::write(folder.path().join("anteroom.toml"), &printed).unwrap();

    let gateway = crate::gateway::Gateway::configured(&printed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let token = gateway.token("acme.de", secret, None).await;
        assert_eq!(gateway.get(&token, "/v1/whoami").await.json()["scopes"], serde_json::json!(["requests:read"]));
    });
}

#[test]
fn a_client_id_with_a_control_character_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["client", "new", "acme\u{7}"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("can not be a client id"));
}

#[test]
fn a_secret_that_can_not_be_read_is_not_taken_for_none() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("data/issuer-secret")).unwrap();
    for command in [&["token", "demo"][..], &["check"]] {
        let output = run(folder.path(), command);
        assert_eq!(output.status.code(), Some(2));
        let told = text(&output.stderr);
        assert!(told.contains("server.data_dir: data/issuer-secret can not be read or made: "), "{told}");
    }
}

#[test]
fn a_secret_that_was_emptied_is_told_by_its_file() {
    for name in ["issuer-secret", "demo-secret"] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        std::fs::write(folder.path().join("data").join(name), "\n").unwrap();
        let output = run(folder.path(), &["--bind", "127.0.0.1:0"]);
        assert_eq!(output.status.code(), Some(2));
        let expected = format!("server.data_dir: data/{name} has 0 characters, and at least 32 are needed");
        assert!(text(&output.stderr).contains(&expected), "{}", text(&output.stderr));
    }
}

#[test]
fn an_unknown_scope_is_refused_with_those_that_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["client", "new", "acme", "--scope", "everything"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("the scopes are: requests:read, requests:write"));
}

#[tokio::test]
async fn token_mints_what_the_running_gateway_believes() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(folder.path());
    let data_dir = folder.path().to_str().unwrap();
    let output = run(folder.path(), &["--data-dir", data_dir, "token", "demo", "--scope", "requests:read"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let call = crate::gateway::http().get(format!("{}/v1/whoami", gateway.base()));
    let answer = call.bearer_auth(text(&output.stdout).trim_end()).send().await.unwrap();
    let caller: Value = answer.json().await.unwrap();
    assert_eq!((&caller["subject"], &caller["scopes"]), (&"demo".into(), &serde_json::json!(["requests:read"])));

    let output = run(folder.path(), &["--data-dir", data_dir, "token", "nobody"]);
    assert_eq!(text(&output.stderr), "anteroom: there is no client \"nobody\"; the clients are: demo\n");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn token_before_the_first_start_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["token", "demo"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("Start the gateway once, or configure issuer.secrets"));
}

#[test]
fn healthcheck_tells_by_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(folder.path());
    let address = gateway.base().strip_prefix("http://").unwrap().to_owned();
    assert_eq!(run(folder.path(), &["--bind", &address, "healthcheck"]).status.code(), Some(0));
    gateway.kill();
    let output = run(folder.path(), &["--bind", &address, "healthcheck"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with(&format!("anteroom: {address} does not answer: ")));
}

#[test]
fn a_second_process_on_the_same_data_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = Gateway::start(folder.path());
    let data_dir = folder.path().to_str().unwrap();
    let arguments = ["--bind", "127.0.0.1:0", "--data-dir", data_dir];
    let output = run(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        text(&output.stderr),
        format!(
            "anteroom: can not start with this configuration (1 mistake)\n  --data-dir: server.data_dir: {data_dir} is in use by \
             another gateway process\n    Stop the other gateway, or give this one a data_dir of its own\n"
        )
    );
    first.kill();
    Gateway::start(folder.path());
}

#[test]
fn what_is_made_on_the_first_start_is_for_its_user_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    Gateway::start(&data_dir).kill();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data_dir), 0o700);
    let mut names: Vec<_> = std::fs::read_dir(&data_dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert!(names.len() >= 4, "{names:?}");
    for path in names {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn an_address_in_use_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(folder.path(), &["--bind", &address]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("Stop what listens there, or choose another address with --bind"));
}

//! `[login]`: what `anteroom login` is told once, in a file.

use serde_json::{Value, json};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, ResponseTemplate};

use super::{given, provider, run_as};

const CONFIGURED: [&str; 4] = ["login", "-q", "--config", "etc/client.toml"];

#[tokio::test]
async fn the_configuration_stands_in_for_the_options_of_login() {
    let home = tempfile::tempdir().unwrap();
    let server = provider().await;
    let folder = home.path().join("etc");
    std::fs::create_dir(&folder).unwrap();
    let section = format!(
        "[login]\nclient_id = \"cli\"\nclient_secret = \"file:secret\"\ndiscovery_url = \"{}\"\n",
        server.uri()
    );
    std::fs::write(folder.join("client.toml"), section).unwrap();
    let (code, _, told) = run_as(home.path(), &CONFIGURED, "");
    let gone = folder.canonicalize().unwrap().join("secret");
    let expected = format!("anteroom: login.client_secret: {} can not be read", gone.display());
    assert_eq!((code, told.starts_with(&expected)), (Some(2), true), "{told}");
    std::fs::write(folder.join("secret"), "a s&cret\n").unwrap();
    // "cli" and "a s&cret", and then "other" with it, form-encoded.
    for basic in ["Basic Y2xpOmErcyUyNmNyZXQ=", "Basic b3RoZXI6YStzJTI2Y3JldA=="] {
        let proven = Mock::given(method("POST")).and(path("/token")).and(header("authorization", basic));
        proven.respond_with(ResponseTemplate::new(200).set_body_json(given("t", 60))).mount(&server).await;
    }
    let options = [&CONFIGURED[..], &["--client-id", "other"]].concat();
    for (arguments, client_id) in [(&CONFIGURED[..], "cli"), (&options, "other")] {
        let (code, _, told) = run_as(home.path(), arguments, "");
        assert_eq!(code, Some(0), "{told}");
        let kept = std::fs::read(home.path().join("anteroom/token.json")).unwrap();
        let kept: Value = serde_json::from_slice(&kept).unwrap();
        let place = format!("file:{}", gone.display());
        assert_eq!((&kept["client_id"], &kept["client_secret"]), (&json!(client_id), &json!(place)));
    }
    let (_, shown, _) = run_as(home.path(), &["check", "--config", "etc/client.toml"], "");
    assert!(shown.contains("[login]\nclient_id = \"cli\"\nclient_secret = \"file:secret\"\n"), "{shown}");
}

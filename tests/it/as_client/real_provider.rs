//! A person logs in at a provider that is not ours, panva's oidc-provider, and uses the token at a gateway that trusts it.

use serde_json::Value;

use super::command_as;
use crate::process::Gateway;
use crate::terminal::Terminal;
use crate::verify::real_provider::RealProvider;

const SCOPE: &str = "openid offline_access read:requests write:requests";

#[tokio::test]
async fn a_person_logs_in_at_a_real_provider_and_its_tokens_are_renewed() {
    let (home, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut provider = RealProvider::start();
    let issuer = provider.issuer.clone();
    let toml = format!(
        "[verifiers.idp]\nkind = \"oidc\"\nissuer = \"{issuer}\"\naudience = [\"urn:anteroom\"]\n\
         scopes = {{ \"read:requests\" = \"requests:read\", \"write:requests\" = \"requests:write\" }}\n{}",
        super::TYPES
    );
    let gateway = Gateway::configured(folder.path(), &toml, &[]);
    let login = ["login", "--discovery-url", &issuer, "--client-id", "tv", "--scope", SCOPE, "--url", gateway.base()];
    let mut terminal = Terminal::run(&command_as(home.path(), &login));
    terminal.wait_for(" Waiting for you to confirm it (");
    let screen = terminal.screen();
    let (_, complete) = screen.split_once("Or just open ").unwrap();
    let complete = complete.lines().next().unwrap().to_owned();
    assert_eq!(provider.tell(&format!("confirm {complete}")), "Sign-in Success");
    let session = terminal.end();
    let user_code = complete.split_once("?user_code=").unwrap().1;
    let file = home.path().join("anteroom/token.json");
    let expected = format!(
        "To log in, open {issuer}/device and enter the code {user_code} (within 10 min).\n\
         Or just open {issuer}/device?user_code={user_code}\n\
         Logged in. The token is kept in {} and is renewed by itself.",
        file.display()
    );
    assert_eq!((session.code, session.screen), (Some(0), expected));
    let refresh_token = || {
        let kept: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        kept["refresh_token"].as_str().unwrap().to_owned()
    };
    let first = refresh_token();

    // Its tokens live for nine seconds: each command has a new one given, and keeps the refresh token that came with it.
    std::fs::write(home.path().join("request.json"), r#"{"type": "default", "payload": {}}"#).unwrap();
    let session = Terminal::run(&command_as(home.path(), &["submit", "request.json"])).end();
    let id = session.screen.lines().next().unwrap().to_owned();
    let expected = format!("{id}\nSubmitted. See how it gets on with `anteroom status {id} --wait`.");
    assert_eq!((session.code, session.screen), (Some(0), expected));
    assert_ne!(refresh_token(), first);
    let session = Terminal::run(&command_as(home.path(), &["status", &id, "--wait"])).end();
    assert_eq!((session.code, session.screen), (Some(0), format!("{id} succeeded, stage done")));
    assert!(provider.tell("count /token").parse::<u32>().unwrap() >= 3);
}

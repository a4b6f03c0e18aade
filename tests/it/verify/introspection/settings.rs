//! What a table of the kind `introspection` can get wrong, and what holds when it says little.

use std::path::Path;

use anteroom::core::clock::SetClock;
use anteroom::verify::parse_table;
use serde_json::json;

use crate::verify::subjects::{chain, now, tables};

const FORM: &str = "Write it as in the commented reference, config/anteroom.toml";

fn table(lines: &str) -> String {
    let given = |key: &str| lines.contains(&format!("{key} ="));
    let line = |key: &str, line: &'static str| if given(key) { "" } else { line };
    format!(
        "[verifiers.idp]\nkind = \"introspection\"\nissuer = \"https://idp.example/\"\naudience = [\"anteroom\"]\n{}{}{lines}\n",
        line("client_id", "client_id = \"gateway\"\n"),
        line("client_secret", "client_secret = \"file:secret\"\n"),
    )
}

#[test]
fn what_is_wrong_with_it() {
    const SECRET: &str = "Name where the secret of that client is, as \"file:PATH\" or \"env:NAME\"";
    let cases = [
        (
            "endpoint = \"http://idp.example/introspect\"",
            "endpoint: \"http://idp.example/introspect\" is not https (http is allowed for localhost only, or with allow_http = true). \
             Write the address of its introspection endpoint, or leave it out for discovery"
                .to_owned(),
        ),
        (
            "client_id = \"\"",
            "client_id: is missing. Name the client that this gateway is at the provider, one that may introspect".into(),
        ),
        ("client_secret = \"env:ANTEROOM_NO_SUCH_VARIABLE\"", format!(
            "client_secret: the environment variable ANTEROOM_NO_SUCH_VARIABLE is not set, or is not text. {SECRET}"
        )),
        ("client_secret = \"file:empty\"", format!("client_secret: is empty. {SECRET}")),
        ("client_secret = \"hunter2\"", format!("client_secret: write it as \"file:PATH\" or \"env:NAME\". {FORM}")),
        ("client_secret = [\"hunter2\"]", format!("client_secret: it does not have the right form. {FORM}")),
        ("auth = \"private_key_jwt\"", format!("auth: \"private_key_jwt\" is not a word that is known here. {FORM}")),
        ("tokens = \"both\"", format!("tokens: \"both\" is not a word that is known here. {FORM}")),
        (
            "cache = \"61s\"",
            "cache: 1m 1s is more than the 1m allowed. Leave it out: a revoked token is accepted for that long".into(),
        ),
        (
            "rate = 0",
            "rate: is 0, so that nobody could be told from an intruder. Write how many calls in a second the provider bears".into(),
        ),
    ];
    let files = tempfile::tempdir().unwrap();
    std::fs::write(files.path().join("secret"), "a secret").unwrap();
    std::fs::write(files.path().join("empty"), "\n").unwrap();
    for (lines, expected) in cases {
        let mistakes = chain(&table(lines), files.path(), &SetClock::at(now())).err().unwrap_or_default();
        let told: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
        assert_eq!(told, [format!("verifiers.idp.{expected}")], "{lines}");
    }
    let bare = "[verifiers.idp]\nkind = \"introspection\"\n";
    let mistakes = chain(bare, Path::new("."), &SetClock::at(now())).err().unwrap();
    let keys: Vec<_> = mistakes.iter().map(|mistake| mistake.key.trim_start_matches("verifiers.idp.")).collect();
    assert_eq!(keys, ["issuer", "audience", "client_id", "client_secret"]);
}

#[test]
fn one_verifier_takes_opaque_tokens() {
    let files = tempfile::tempdir().unwrap();
    std::fs::write(files.path().join("secret"), "a secret").unwrap();
    let two = |first: &str, second: &str| {
        let second = table(second).replace("idp]", "second]").replace("idp.example", "second.example");
        let built = chain(&format!("{}{second}", table(first)), files.path(), &SetClock::at(now()));
        built.err().unwrap_or_default().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let ambiguous = [
        "verify.chain: names \"idp\" and \"second\", which both take opaque tokens. Keep one verifier for opaque tokens",
    ];
    assert_eq!(two("", ""), ambiguous);
    assert_eq!(two("tokens = \"all\"", ""), ambiguous);
    assert_eq!(two("tokens = \"jwt\"", ""), [""; 0]);
    assert_eq!(two("tokens = \"jwt\"", "tokens = \"jwt\""), [""; 0]);
}

#[test]
fn what_holds_by_default() {
    let effective = parse_table("idp", tables(&table("")).remove("idp").unwrap()).unwrap().effective();
    let own = ["kind", "endpoint", "client_id", "client_secret", "auth", "tokens", "cache", "rate", "ca_file"];
    let shown: Vec<_> = own.iter().map(|key| effective[key].clone()).collect();
    assert_eq!(
        json!(shown),
        json!(["introspection", null, "gateway", "file:secret", "client_secret_basic", "opaque", "30s", 100, null])
    );
}

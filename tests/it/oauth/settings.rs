//! Settings of the authorization server that do not go together: each is refused, with its file, its key and what to do.

use crate::gateway::{Gateway, client};
use crate::process::{program, run};

const SECRET: &str = "secrets = [\"sha256:0000000000000000000000000000000000000000000000000000000000000000\"]\n";
const PAGE: &str = "[server]\npublic_url = \"https://gw.example/a\"\n[ui]\nclient_id = \"page\"\n[clients.page]\n";

/// The lines in which the program says what is wrong with a file.
fn told(toml: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("anteroom.toml"), toml).unwrap();
    let output = run(program().current_dir(&folder).args(["--config", "anteroom.toml", "check"]), "");
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{toml}: {told}");
    told.lines().skip(1).map(|line| line.trim().to_owned()).collect()
}

/// That each is refused, for this mistake alone.
fn assert_refused(cases: &[(String, &str, &str)]) {
    for (toml, mistake, remedy) in cases {
        assert_eq!(told(toml), [format!("anteroom.toml: {mistake}"), (*remedy).to_owned()], "{toml}");
    }
}

#[test]
fn sections_that_contradict_themselves_are_refused_with_file_key_and_remedy() {
    assert_refused(&[
        (
            "[issuer]\nalgorithm = \"ES256\"\nsecrets = [\"file:secret\"]\n".to_owned(),
            "issuer.secrets: are given, and issuer.algorithm is \"ES256\", which signs with keys that are in the store",
            "Leave them out, or write \"HS256\"",
        ),
        (
            "[issuer]\nurl = \"https://gw.example/#x\"\n".into(),
            "issuer.url: has a query or a fragment, which RFC 8414 section 2 forbids: no client would find the metadata",
            "Leave out what begins with ? or #",
        ),
        (
            "[accounts]\nlogin = \"any\"\nregistration = \"open\"\n".into(),
            "accounts.registration: lets people make accounts, and with accounts.login = \"any\" nobody needs one or is asked for its password",
            "Leave it out, or set accounts.login = \"password\"",
        ),
    ]);
}

/// What is revoked could else be forgotten before it has expired.
#[test]
fn what_would_live_for_longer_than_a_year_is_refused_with_file_key_and_remedy() {
    let cases = [
        ("[issuer]\nlifetime = ", "issuer.lifetime", "Leave it out, or write one like \"1h\""),
        (
            "[issuer]\nrefresh_lifetime = ",
            "issuer.refresh_lifetime",
            "Leave it out, or write one like \"30 days\"; who may not refresh has no refresh_token in `grants`",
        ),
        ("[accounts]\nlifetime = ", "accounts.lifetime", "Leave it out, or write one like \"45m\""),
        ("[clients.a]\nlifetime = ", "clients.a.lifetime", "Leave it out, or write one like \"1h\""),
    ];
    for (lines, key, remedy) in cases {
        let secret = if key.starts_with("clients") { SECRET } else { "" };
        let mistake = format!("{key}: is longer than 366 days, and what is revoked is remembered for no longer");
        assert_refused(&[(format!("{lines}\"367 days\"\n{secret}"), &mistake, remedy)]);
    }
}

#[test]
fn clients_that_contradict_themselves_are_refused_with_file_key_and_remedy() {
    let client = |lines: &str| format!("[clients.a]\n{lines}{SECRET}");
    assert_refused(&[
        (
            "[clients.a]\npublic = true\n".into(),
            "clients.a.grants: there is none, so the client can not get a token",
            "Name authorization_code, refresh_token or device_code, or redirect_uris",
        ),
        (
            client("grants = [\"client_credentials\", \"refresh_token\"]\n"),
            "clients.a.grants: refresh_token goes on from authorization_code or device_code, and neither is there",
            "Name one of them, or take refresh_token away",
        ),
        (
            client("grants = [\"client_credentials\"]\nredirect_uris = [\"https://a.example/\"]\n"),
            "clients.a.redirect_uris: there are some, and `grants` does not name authorization_code, which alone sends browsers there",
            "Name authorization_code, or take them away",
        ),
        (
            client("consent = \"auto\"\n"),
            "clients.a.consent: is \"auto\", and `grants` does not name authorization_code, the only one that can do without asking",
            "Leave it out, or name authorization_code",
        ),
        (
            "[clients.a]\npublic = true\nconsent = \"auto\"\nredirect_uris = [\"https://a.example/\", \"http://127.0.0.1/cb\"]\n".into(),
            "clients.a.consent: is \"auto\", and any program on the person's machine could take the code of a public client that comes back \
             to http or to a private scheme",
            "Leave it out, or let it come back to https alone",
        ),
        (
            format!("[clients.\"acc_1\"]\n{SECRET}"),
            "clients: \"acc_1\" can not be a client id: what begins with acc_, any: or urn:anteroom: is a person or the gateway in a token",
            "Rename it",
        ),
        (
            format!("[clients.\"urn:anteroom:login\"]\n{SECRET}"),
            "clients: \"urn:anteroom:login\" can not be a client id: it is the gateway's own, in the tokens of POST /login",
            "Rename it",
        ),
    ]);
}

#[test]
fn a_client_that_the_page_can_not_use_is_refused_with_file_key_and_remedy() {
    assert_refused(&[
        (
            format!("{PAGE}redirect_uris = [\"https://gw.example/a/ui/oauth2-redirect.html\"]\n{SECRET}"),
            "ui.client_id: names the client \"page\", which has a secret, and a page can not keep one",
            "Name one with public = true",
        ),
        (
            format!("{PAGE}public = true\ngrants = [\"device_code\"]\n"),
            "ui.client_id: names the client \"page\", whose grants do not have authorization_code",
            "Add it, and the redirect URI of /ui/",
        ),
        (
            format!("{PAGE}public = true\nredirect_uris = [\"https://gw.example/ui/oauth2-redirect.html\"]\n"),
            "ui.client_id: names the client \"page\", which no browser may come back to /ui/ with",
            "Add to its redirect_uris: https://gw.example/a/ui/oauth2-redirect.html",
        ),
    ]);
}

/// What turns the letters around, or is not seen at all, would have one client look like another.
#[test]
fn what_is_not_seen_is_in_no_name_or_id_of_a_client() {
    let name = "clients.a.name: is empty, longer than 200 characters or has control characters or invisible ones";
    for unseen in [
        "\\u202E",
        "\\u2066",
        "\\u200B",
        "\\u200D",
        "\\u3164",
        "\\u115F",
        "\\uFFA0",
        "\\u00AD",
        "\\uFEFF",
        "\\U000E0041",
    ] {
        let named = format!("[clients.a]\nname = \"My{unseen}App\"\n{SECRET}");
        assert_refused(&[(named, name, "Leave it out, or write what people call the client")]);
        let told = told(&format!("[clients.\"my{unseen}app\"]\n{SECRET}"));
        let mistake = "can not be a client id: it is empty or has control characters or invisible ones";
        assert!(told[0].ends_with(mistake) && told[1] == "Rename it", "{told:?}");
    }
    drop(Gateway::configured(&format!("[clients.a]\nname = \"Zoë's Büro, 東京, עברית\"\n{SECRET}")));
}

/// What looks alike and does make sense.
#[test]
fn what_goes_together_is_taken() {
    for toml in [
        "[issuer]\nalgorithm = \"ES256\"\nsecrets = []\n".to_owned(),
        "[issuer]\nurl = \"gw\"\n".into(),
        "[accounts]\nlogin = \"any\"\nregistration = \"off\"\n".into(),
        "[clients.a]\npublic = true\ngrants = [\"device_code\", \"refresh_token\"]\n".into(),
        format!("{}redirect_uris = [\"https://a.example/\"]\nconsent = \"auto\"\n", client("a", "0123456789abcdef", &["admin"])),
        format!("{PAGE}public = true\nredirect_uris = [\"https://gw.example/a/ui/oauth2-redirect.html\"]\n"),
        "[ui]\nclient_id = \"added\"\n".into(),
        "[ui]\nclient_id = \"page\"\n[clients.page]\npublic = true\nredirect_uris = [\"http://127.0.0.1/ui/oauth2-redirect.html\"]\n"
            .into(),
    ] {
        let toml = if toml.contains("https://gw.example") { format!("shutdown.delay = \"0s\"\n{toml}") } else { toml };
        drop(Gateway::configured(&toml));
    }
}

#[test]
fn mistakes_in_configured_clients_are_told() {
    let secret = format!("secrets = [\"sha256:{}\"]\n", "0".repeat(64));
    for (lines, key, problem) in [
        (
            format!("public = true\ngrants = [\"device_code\"]\n{secret}"),
            "secrets",
            "there are some, and a public client has none",
        ),
        (
            "public = true\ngrants = [\"client_credentials\"]\n".into(),
            "grants",
            "client_credentials needs a secret, and a public client has none",
        ),
        (
            format!("grants = [\"authorization_code\"]\n{secret}"),
            "redirect_uris",
            "there is none, and `grants` names authorization_code",
        ),
        (
            format!("redirect_uris = [\"https://*.example/\"]\n{secret}"),
            "redirect_uris",
            "\"https://*.example/\" has a wildcard, and is compared byte for byte: list each URI",
        ),
        (
            format!("lifetime = \"0s\"\n{secret}"),
            "lifetime",
            "is less than a second, so that a token would be expired as soon as it is given",
        ),
        (format!("scopes = [\"all\"]\n{secret}"), "scopes", "\"all\" is not a scope"),
    ] {
        let mistakes = Gateway::refusal(&format!("[clients.acme]\n{lines}"));
        let told: Vec<_> = mistakes.iter().map(|mistake| (mistake.key.as_str(), mistake.problem.as_str())).collect();
        assert_eq!(told, [(&*format!("clients.acme.{key}"), problem)], "{lines}");
        assert!(mistakes.iter().all(|mistake| !mistake.remedy.is_empty()));
    }
}

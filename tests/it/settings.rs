//! The configuration: its layers, its mistakes, and the files that ship with the program.

use std::path::{Path, PathBuf};

use anteroom::http::{Listener, Mode};
use anteroom::settings::{Flags, Settings};
use serde::Serialize;

use crate::process::{program, run};

/// Loads a file's text with environment variables and flags.
fn load(toml: &str, variables: &[(&str, &str)], bind: Option<&str>) -> Result<Settings, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("anteroom.toml");
    std::fs::write(&file, toml).unwrap();
    let flags = Flags { config: Some(file.clone()), bind: bind.map(str::to_owned), data_dir: None };
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Settings::load(&flags, variables).map_err(|unusable| {
        let origin = |key: &str| unusable.origin.of(key).replace(&file.display().to_string(), "FILE");
        unusable
            .mistakes
            .iter()
            .map(|mistake| format!("{}: {}: {}", origin(&mistake.key), mistake.key, mistake.problem))
            .collect()
    })
}

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name)
}

#[test]
fn a_later_layer_wins() {
    let file = "[server]\nbind = \"127.0.0.1:1\"\nmax_in_flight = 7\n";
    let bind = |variables: &[(&str, &str)], flag| load(file, variables, flag).unwrap().server.bind.port();
    assert_eq!(load("", &[], None).unwrap().server.bind.port(), 8080);
    assert_eq!(bind(&[], None), 1);
    assert_eq!(bind(&[("ANTEROOM__SERVER__BIND", "127.0.0.1:2")], None), 2);
    assert_eq!(bind(&[("ANTEROOM__SERVER__BIND", "127.0.0.1:2")], Some("127.0.0.1:3")), 3);
    assert_eq!(load(file, &[("ANTEROOM__SERVER__MAX_IN_FLIGHT", "9")], None).unwrap().server.max_in_flight, 9);
}

#[test]
fn the_environment_gives_lists_and_tables_as_json() {
    let settings = load(
        "[clients.Acme]\nsecrets = [\"env:A\"]\n",
        &[
            ("ANTEROOM__SERVER__TRUSTED_PROXIES", r#"["127.0.0.1", "::1"]"#),
            ("ANTEROOM__CLIENTS__ACME__SCOPES", r#"["requests:read"]"#),
            ("ANTEROOM__CLIENTS", r#"{"beta": {"secrets": ["env:B"]}}"#),
            ("ANTEROOM_CONFIG", "ignored here"),
            ("PATH", "/bin"),
        ],
        None,
    )
    .unwrap();
    assert_eq!(settings.server.trusted_proxies.len(), 2);
    assert_eq!(settings.clients.keys().collect::<Vec<_>>(), ["Acme", "beta"]);
    assert_eq!(settings.clients["Acme"].scopes, ["requests:read"]);
}

#[test]
fn every_mistake_is_told_at_once_and_where_it_is() {
    let file =
        "[server]\nbindd = \"x\"\n[log]\nlevel = \"anteroom=loud\"\n[typo]\nx = 1\n[issuer]\nlifetime = \"soon\"\n";
    let variables =
        [("ANTEROOM__STORE__URL", "[1]"), ("ANTEROOM__TYPO__X", "1"), ("ANTEROOM__CLIENTS__ACME__SCOPES", "[]")];
    assert_eq!(
        load(file, &variables, None).map(|_| ()),
        Err([
            "environment: ANTEROOM__CLIENTS__ACME__SCOPES: there is no table [clients.acme]",
            "environment: ANTEROOM__TYPO__X: the variable does not name a key of a section",
            "FILE: server.bindd: unknown field `bindd`",
            "ANTEROOM__STORE__URL: store.url: it does not have the right form",
            "FILE: issuer.lifetime: \"soon\" is not a length of time; write \"500ms\", \"5s\", \"1h 30m\" or \"7 days\"",
            "FILE: typo: there is no such section",
            "FILE: log.level: it can not be read: error parsing level filter: expected one of \"off\", \"error\", \"warn\", \"info\", \"debug\", \"trace\", or a number 0-5",
        ]
        .map(str::to_owned)
        .to_vec())
    );
}

#[test]
fn a_mistake_is_told_in_the_words_and_at_the_place_that_are_the_operators_own() {
    let variables = [
        ("ANTEROOM__CLIENTS", r#"{"acme": {"secrets": ["env:A"]}}"#),
        ("ANTEROOM__CLIENTS__ACME__SCOPES", "sitemap"),
        ("ANTEROOM__SERVER__TRUSTED_PROXIES", r#"["sitemap"]"#),
    ];
    let told = load("[net]\nca_file = 1\nsitemap = 1\n", &variables, None).map(|_| ()).unwrap_err();
    assert_eq!(
        told,
        [
            "ANTEROOM__SERVER__TRUSTED_PROXIES: server.trusted_proxies[0]: invalid IP address syntax",
            "FILE: net.sitemap: unknown field `sitemap`",
            "ANTEROOM__CLIENTS__ACME__SCOPES: clients.acme.scopes: it does not have the right form",
        ]
    );
}

#[test]
fn a_chain_that_names_nobody_is_not_the_default() {
    let chain = |verify: &str| load(&format!("[verify]\n{verify}"), &[], None).unwrap().chain().to_vec();
    assert_eq!(chain(""), ["self"]);
    assert_eq!(chain("chain = []"), [""; 0]);
}

/// What the program says of a file, and that it leaves nothing behind.
fn refused(toml: &str, command: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("anteroom.toml"), toml).unwrap();
    let mut program = program();
    program.current_dir(&folder).args(["--config", "anteroom.toml"]).args(command);
    let output = run(program.env("ANTEROOM_TEST_WEAK", "secret".repeat(9)), "");
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{toml}: {told}");
    assert!(!folder.path().join("data").exists(), "{toml}: a refused start makes nothing");
    told
}

#[test]
fn a_check_and_a_start_refuse_the_same() {
    let provider = "[verifiers.idp]\nkind = \"oidc\"\nissuer = \"https://idp.example/\"\naudience = [\"a\"]\n";
    for (toml, expected) in [
        ("[store]\nurl = \"mysql:x\"\n".to_owned(), "store.url: there is no store \"mysql:\""),
        ("[verify]\nchain = []\n".to_owned(), "verify.chain: names no verifier"),
        (format!("{provider}[issuer]\naudience = []\n"), "issuer.audience: is empty"),
        (format!("{provider}[issuer]\nsecrets = [\"env:ANTEROOM_TEST_WEAK\"]\n"), "issuer.secrets[0]: is a published"),
        ("[issuer]\nlifetime = \"0s\"\n".to_owned(), "issuer.lifetime: is less than a second"),
        ("[issuer]\nurl = \"\"\n".to_owned(), "issuer.url: is empty"),
        ("[server]\nhead_timeout = \"0s\"\n".to_owned(), "server.head_timeout: with 0s"),
        ("[server]\nbody_timeout = \"0s\"\n".to_owned(), "server.body_timeout: with 0s"),
        (
            "[clients.\"a\\u0007b\"]\nsecrets = [\"env:HOME\"]\n".to_owned(),
            "clients: \"a\\u{7}b\" can not be a client id",
        ),
    ] {
        for command in [&["check"][..], &[]] {
            let told = refused(&toml, command);
            assert!(told.contains(expected) && told.contains("(1 mistake)"), "{expected} in: {told}");
        }
    }
}

#[test]
fn a_secret_in_the_wrong_place_is_not_repeated() {
    for file in [
        "[clients.acme]\nsecrets = \"hunter2-hunter2\"\n",
        "[clients.acme]\nsecrets = [\"hunter2-hunter2\"]\n",
        "[clients.acme]\nsecrets = [[\"hunter2-hunter2\"]]\n",
        "[issuer]\nsecrets = [\"hunter2-hunter2\"]\n",
        "[issuer]\nsecrets = \"hunter2-hunter2\"\n",
        "[verifiers.a]\nkind = \"hs256\"\nsecrets = [\"hunter2-hunter2\"]\n",
        "[verifiers.a]\nkind = \"hs256\"\nsecrets = \"hunter2-hunter2\"\n",
        "[clients]\nsecrets = \"hunter2-hunter2\"\n",
        "[store]\nurl = [\"hunter2-hunter2\"]\n",
        "[store]\nurl = \"postgres://a@b.example/c\"\npassword = [\"hunter2-hunter2\"]\n",
        "[store]\nurl = \"postgres://a@b.example/c\"\npassword = \"hunter2-hunter2\"\n",
        "[store]\nurl = \"postgres:/a:hunter2-hunter2@b.example/c\"\n",
        "[webhooks]\nendpoints = \"hunter2-hunter2\"\n",
        "[webhooks.endpoints.a]\nclient = \"acme\"\nurl = \"https://a.example/\"\nsecrets = \"hunter2-hunter2\"\n",
        "[webhooks.endpoints.a]\nclient = \"acme\"\nurl = \"https://a.example/\"\nsecrets = [\"hunter2-hunter2\"]\n",
        "[clients.acme]\nsecrets = [\"hunter2-hunter2\n",
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("anteroom.toml"), file).unwrap();
        let output = run(program().current_dir(&folder).args(["--config", "anteroom.toml", "check"]), "");
        assert_eq!(output.status.code(), Some(2));
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("anteroom.toml") && !told.contains("hunter2"), "{told}");
    }
}

#[test]
fn a_secret_in_broken_json_is_not_repeated() {
    let broken = [("ANTEROOM__CLIENTS", r#"{"acme": {"secrets": ["hunter2-hunter2"]}"#)];
    let expected = ["environment: ANTEROOM__CLIENTS: it is not JSON from line 1, column 41 on".to_owned()];
    assert_eq!(load("", &broken, None).map(|_| ()), Err(expected.to_vec()));
}

#[test]
fn mistakes_of_every_section_reach_the_operator_together() {
    let folder = tempfile::tempdir().unwrap();
    let file = "[server]\nbind = \"here\"\n[clients.acme]\nsecrets = [\"file:absent\"]\n[verify]\nchain = [\"nobody\"]\n\
                [verifiers.self]\nkind = \"self\"\n[types.t]\nstages = [{ after = \"1s\", stage = \"a\", status = \"queued\" }]\n";
    std::fs::write(folder.path().join("anteroom.toml"), file).unwrap();
    let output = run(program().current_dir(&folder).args(["--config", "anteroom.toml"]), "");
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    for key in ["server.bind", "clients.acme.secrets", "verify.chain", "types.t.stages"] {
        assert!(told.contains(&format!("anteroom.toml: {key}: ")), "{key} in: {told}");
    }
    assert!(told.contains("(4 mistakes)"), "{told}");
}

/// What can not be read or opened keeps nothing else from being judged.
#[test]
fn mistakes_beside_an_unreadable_secret_and_a_useless_network_are_told_with_them() {
    let told = refused(
        "[net]\ntimeout = \"0s\"\nmax_body_bytes = 0\nca_file = \"absent.pem\"\n\
         [issuer]\nsecrets = [\"file:absent-1\", \"env:ANTEROOM_TEST_ABSENT\"]\naudience = []\n\
         [clients.acme]\nsecrets = [\"file:absent-2\", \"file:absent-3\"]\nscopes = [\"everything\"]\n\
         [clients.\"\"]\nsecrets = []\n\
         [verify]\nchain = [\"self\", \"legacy\", \"nobody\"]\ntoken_header = \"host\"\n\
         [verifiers.self]\nkind = \"self\"\n[verifiers.legacy]\nkind = \"hs256\"\naudience = [\"a\"]\n\
         issuer = \"https://legacy.example/\"\nsecrets = [\"file:absent-4\", \"file:absent-5\"]\n[guards.a]\n",
        &["check"],
    );
    let mut keys: Vec<_> = told.lines().filter_map(|line| line.strip_prefix("  anteroom.toml: ")).collect();
    keys.sort_unstable();
    let expected = [
        "clients.acme.scopes: \"everything\" is not",
        "clients.acme.secrets: absent-2 can not be read",
        "clients.acme.secrets: absent-3 can not be read",
        "clients: \"\" can not be a client id",
        "guards.a: asks for nothing",
        "issuer.audience: is empty",
        "issuer.secrets: absent-1 can not be read",
        "issuer.secrets: the environment variable ANTEROOM_TEST_ABSENT is not set",
        "net.ca_file: absent.pem can not be read",
        "net.max_body_bytes: is 0",
        "net.timeout: is 0",
        "verifiers.legacy.secrets[0]: absent-4 can not be read",
        "verifiers.legacy.secrets[1]: absent-5 can not be read",
        "verify.chain: names \"nobody\"",
        "verify.token_header: \"host\" means something else",
    ];
    assert_eq!(keys.len(), expected.len(), "{told}");
    for (key, expected) in keys.iter().zip(expected) {
        assert!(key.starts_with(expected), "{expected} in: {told}");
    }
}

#[test]
fn development_is_the_default_only_where_nobody_else_can_call() {
    let mode = |server: &str| load(&format!("[server]\n{server}"), &[], None).unwrap().server.effective_mode();
    assert_eq!(mode(""), Mode::Development);
    assert_eq!(mode("bind = \"[::1]:8080\"\npublic_url = \"http://localhost:8080\""), Mode::Development);
    assert_eq!(mode("bind = \"0.0.0.0:8080\""), Mode::Production);
    assert_eq!(mode("public_url = \"https://gateway.example\""), Mode::Production);
    assert_eq!(mode("trusted_proxies = [\"127.0.0.1\"]"), Mode::Production);
    assert_eq!(mode("bind = \"0.0.0.0:8080\"\nmode = \"development\""), Mode::Development);
}

#[test]
fn tokens_without_credentials_are_for_development_alone() {
    let open = "[issuer]\nopen = true\nopen_subject = \"x\"\n";
    assert!(load(open, &[], None).is_ok());
    let expected = ["FILE: issuer.open: tokens without credentials are given in development mode only".to_owned()];
    assert_eq!(load(&format!("{open}[server]\nbind = \"0.0.0.0:1\"\n"), &[], None).map(|_| ()), Err(expected.to_vec()));
}

#[test]
fn the_files_that_ship_can_be_used() {
    for name in ["anteroom.toml", "auth0.toml", "clock.toml", "keycloak.toml", "partner.toml", "production.toml"] {
        let output = run(program().arg("--config").arg(shipped(name)).arg("check"), "");
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The commented reference, with its examples switched on.
pub(crate) fn reference() -> String {
    let text = std::fs::read_to_string(shipped("anteroom.toml")).unwrap();
    let example = |line: &&str| {
        let words = line.trim_start_matches("# ");
        let key = words.split(" = ").next().unwrap();
        let is_key = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        line.starts_with("# [") || line.starts_with("#   {") || *line == "# ]" || (words.contains(" = ") && is_key(key))
    };
    text.lines()
        .map(|line| if example(&line) { line.trim_start_matches("# ") } else { line })
        .collect::<Vec<_>>()
        .join("\n")
}

pub(crate) fn keys_of(section: &impl Serialize) -> Vec<String> {
    serde_json::to_value(section).unwrap().as_object().unwrap().keys().cloned().collect()
}

#[test]
fn the_reference_names_every_key_and_no_other() {
    let reference = reference();
    let settings = load(&reference, &[], None).map_err(|mistakes| format!("{mistakes:#?}\n{reference}")).unwrap();
    let written: toml::Table = reference.parse().unwrap();
    let documented = |path: &[&str]| {
        let table = path.iter().fold(written.clone(), |table, name| table[*name].as_table().unwrap().clone());
        let mut keys: Vec<_> = table.into_iter().map(|(key, _)| key).collect();
        keys.sort();
        keys
    };
    assert_eq!(documented(&["server"]), keys_of(&settings.server));
    assert_eq!([documented(&["log"]), documented(&["ui"])], [keys_of(&settings.log), keys_of(&settings.ui)]);
    assert_eq!(documented(&["store"]), keys_of(&settings.store));
    assert_eq!(documented(&["retention"]), keys_of(&settings.retention));
    assert_eq!(documented(&["shutdown"]), keys_of(&settings.shutdown));
    assert_eq!(documented(&["net"]), keys_of(&settings.net));
    assert_eq!(documented(&["verify"]), keys_of(&settings.verify));
    assert_eq!(documented(&["issuer"]), keys_of(&settings.issuer));
    assert_eq!(documented(&["clients", "acme"]), keys_of(&settings.clients["acme"]));
    assert_eq!(documented(&["types", "default"]), keys_of(&settings.types["default"]));
    let guard = &settings.guards["billing"];
    assert_eq!(documented(&["guards", "billing"]), keys_of(guard));
    assert_eq!(
        documented(&["guards", "billing", "headers"]),
        keys_of(&serde_json::to_value(guard).unwrap()["headers"])
    );
    // What all kinds but `self` share stands in one table; a verifier's own table says what it knows.
    let shared = documented(&["verifiers", "auth0"]);
    for (name, table) in &settings.verifiers {
        let read = anteroom::verify::parse_table(name, table.clone()).map_err(|mistake| mistake.to_string()).unwrap();
        let (known, documented) = (keys_of(&read.effective()), documented(&["verifiers", name]));
        let missing: Vec<_> = known.iter().filter(|key| !documented.contains(key) && !shared.contains(key)).collect();
        let foreign: Vec<_> = documented.iter().filter(|key| !known.contains(key)).collect();
        assert_eq!((missing, foreign), (vec![], vec![]), "[verifiers.{name}]");
        if name == "auth0" {
            assert_eq!(documented, known);
        }
    }
}

#[test]
fn operators_have_an_address_that_clients_do_not() {
    let listeners = |toml: &str| {
        let server = load(toml, &[], None).unwrap().server;
        (server.main_listener(), server.admin_address().map(|address| address.to_string()))
    };
    let own = |address: &str| (Listener::Api, Some(address.to_owned()));
    assert_eq!(listeners(""), (Listener::All, None));
    assert_eq!(listeners("server.mode = \"production\""), own("127.0.0.1:9090"));
    for mode in ["development", "production"] {
        let with = |admin: &str| listeners(&format!("[server]\nmode = \"{mode}\"\nadmin_bind = \"{admin}\""));
        assert_eq!((with("10.0.0.1:1"), with("off")), (own("10.0.0.1:1"), (Listener::Api, None)));
    }
    let shared = |key| Err(vec![format!("FILE: server.{key}: it is the address of server.bind too")]);
    for toml in [
        "[server]\nadmin_bind = \"127.0.0.1:8080\"",
        "[server]\nbind = \"0.0.0.0:1\"\nadmin_bind = \"127.0.0.1:1\"",
        // The default in production.
        "[server]\nbind = \"0.0.0.0:9090\"",
    ] {
        assert_eq!(load(toml, &[], None).map(|_| ()), shared("admin_bind"), "{toml}");
    }
    for toml in ["admin_bind = \"127.0.0.2:8080\"", "admin_bind = \"[::1]:8080\"", "admin_bind = \"off\"", ""] {
        assert!(load(&format!("[server]\n{toml}"), &[], None).is_ok(), "{toml}");
    }
    let unreadable =
        "server.admin_bind: \"9090\" is neither an address with a port, as \"127.0.0.1:9090\", nor \"off\"";
    assert_eq!(load("server.admin_bind = \"9090\"", &[], None).map(|_| ()), Err(vec![format!("FILE: {unreadable}")]));
}

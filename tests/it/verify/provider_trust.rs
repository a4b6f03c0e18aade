//! Which providers the program believes: those with a certificate from a CA that it was told of, asked directly.

use std::path::Path;

use anteroom::app::SystemClock;
use anteroom::core::clock::Clock;
use serde_json::json;

use super::keys::{RSA, key_set};
use super::wire::{Wire, ok};
use crate::patience::{patiently, until};
use crate::process::Gateway;

fn keys() -> String {
    key_set(&[&RSA]).to_string()
}

/// What a gateway with this configuration answers a token of this issuer once it has asked `provider` twice or has its keys, and what
/// it logged until then.
async fn ask(folder: &Path, issuer: &str, toml: &str, variables: &[(&str, &str)], provider: &Wire) -> (u16, String) {
    let gateway = Gateway::configured(folder, toml, variables);
    let exp = SystemClock::start().now().seconds() + 600;
    let claims = json!({ "iss": issuer, "sub": "acme", "aud": "anteroom", "exp": exp });
    let token = RSA.sign(&json!({ "alg": "RS256", "kid": "rsa-1" }), &claims);
    let (mut status, before) = (503, provider.connections());
    let asking = async {
        while status == 503 && provider.connections() < before + 2 {
            status = gateway.whoami(&token).await;
        }
    };
    patiently(asking).await;
    (status, gateway.kill())
}

fn table(issuer: &str, lines: &str) -> String {
    format!(
        "[verifiers.idp]\nkind = \"oidc\"\nissuer = \"{issuer}\"\njwks_uri = \"{issuer}/keys\"\naudience = [\"anteroom\"]\n{lines}\n"
    )
}

#[tokio::test]
async fn a_private_ca_is_named_or_the_log_says_where_to_r29() {
    let (server, ca) = Wire::start_tls(ok(&keys()));
    let issuer = format!("https://localhost:{}", server.address.port());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), ca).unwrap();
    let by_variable = [("ANTEROOM__NET__CA_FILE", "ca.pem")];
    for (lines, variables) in
        [("ca_file = \"ca.pem\"", &[][..]), ("[net]\nca_file = \"ca.pem\"", &[]), ("", &by_variable)]
    {
        let (status, log) = ask(folder.path(), &issuer, &table(&issuer, lines), variables, &server).await;
        assert_eq!(status, 200, "{lines}: {log}");
    }
    let (status, log) = ask(folder.path(), &issuer, &table(&issuer, "[log]\nformat = \"json\""), &[], &server).await;
    assert_eq!(status, 503, "{log}");
    let line = log.lines().find(|line| line.contains("can not be fetched")).unwrap_or_else(|| panic!("{log}"));
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(
        json!([line["level"], line["issuer"], line["class"], line["failures"], line["error"]]),
        json!([
            "WARN",
            issuer,
            "tls",
            1,
            format!(
                "{issuer}/keys can not be trusted: its certificate is from a CA that is not trusted here. Put the certificate \
                 of its CA into a PEM file and name that in verifiers.idp.ca_file or net.ca_file"
            )
        ])
    );
}

#[tokio::test]
async fn a_proxy_of_the_environment_counts_only_when_told() {
    let (server, proxy) = (Wire::start(ok(&keys())), Wire::start(ok(&keys())));
    let (issuer, via) = (format!("http://{}", server.address), format!("http://{}", proxy.address));
    let variables = [("http_proxy", via.as_str()), ("HTTP_PROXY", &via), ("NO_PROXY", ""), ("no_proxy", "")];
    let folder = tempfile::tempdir().unwrap();
    let (status, log) = ask(folder.path(), &issuer, &table(&issuer, ""), &variables, &server).await;
    assert_eq!((status, proxy.connections()), (200, 0), "{log}");
    server.answers(ok("{}"));
    let told = table(&issuer, "[net]\nproxy_from_environment = true");
    let (status, log) = ask(folder.path(), &issuer, &told, &variables, &proxy).await;
    assert_eq!((status, server.connections()), (200, 1), "{log}");
    until(|| proxy.requests() == [format!("GET {issuer}/keys HTTP/1.1")]).await;
}

/// Plain http on another machine is refused, or allowed and warned of.
#[tokio::test]
async fn plain_http_takes_a_switch() {
    let proxy = Wire::start(ok(&keys()));
    let (issuer, via) = ("http://idp.test", format!("http://{}", proxy.address));
    let folder = tempfile::tempdir().unwrap();
    let toml = table(issuer, "allow_http = true\n[net]\nproxy_from_environment = true");
    let (status, log) = ask(folder.path(), issuer, &toml, &[("http_proxy", &via)], &proxy).await;
    assert_eq!(status, 200, "{log}");
    let warned: Vec<_> = log.lines().filter(|line| line.contains("WARN") && line.contains("allow_http")).collect();
    assert!(matches!(warned[..], [once] if once.contains("http://idp.test/keys") && once.contains("idp")), "{log}");
}

/// A line of the log stays bearable, whatever a provider says of itself.
#[tokio::test]
async fn what_a_provider_says_does_not_fill_the_log() {
    let (server, endless) = (Wire::start(ok("{}")), "x".repeat(400_000));
    let issuer = format!("http://{}", server.address);
    let folder = tempfile::tempdir().unwrap();
    let toml = format!("[verifiers.idp]\nkind = \"oidc\"\nissuer = \"{issuer}\"\naudience = [\"anteroom\"]\n");
    for document in
        [json!({ "issuer": endless }), json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/{endless}") })]
    {
        server.answers(ok(&document.to_string()));
        let (status, log) = ask(folder.path(), &issuer, &toml, &[], &server).await;
        let told = log.lines().find(|line| line.contains("can not be fetched")).unwrap_or_default();
        let longest = log.lines().map(str::len).max();
        assert_eq!((status, told.is_empty(), longest < Some(1000)), (503, false, true), "{longest:?}");
    }
}

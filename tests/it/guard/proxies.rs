//! Real proxies in front of a small service: what `deploy/nginx.conf` and the snippet in `deploy/Caddyfile` promise, as they stand.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpSocket;

use super::{token, with_guards};
use crate::gateway::{Gateway, connect};
use crate::patience::until;
use crate::verify::wire::NOBODY;

/// A service that answers with the head of what it was asked. The thread ends with the test run.
fn service() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut connection in listener.incoming().map(Result::unwrap) {
            let lines = BufReader::new(connection.try_clone().unwrap()).lines().map_while(Result::ok);
            let head = lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
            let length = head.len();
            let _ =
                write!(connection, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{head}");
        }
    });
    address
}

/// A proxy in front of the service, which asks the gateway.
pub(super) struct Proxy {
    process: Child,
    address: SocketAddr,
    _port: TcpSocket,
    _gateway: Gateway,
    _folder: TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Proxy {
    /// Starts it on a free port. A socket that does not listen holds the port: the proxy can listen there, and the system gives it to
    /// nobody else.
    pub(super) async fn start(command: impl Fn(&Path, u16, SocketAddr, SocketAddr) -> Command) -> Self {
        let places = "verify.token_in_query = true\nverify.token_header = \"x-access-tokens\"\n";
        let gateway = with_guards(&format!("{places}[server]\ntrusted_proxies = [\"127.0.0.1\"]\n"));
        let (folder, service) = (tempfile::tempdir().unwrap(), service());
        let port = TcpSocket::new_v4().unwrap();
        port.set_reuseaddr(true).unwrap();
        port.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = port.local_addr().unwrap();
        let mut command = command(folder.path(), address.port(), gateway.address, service);
        let log = folder.path().join("log");
        command.stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap());
        let process = command.spawn().expect("scripts/install installs it");
        let mut proxy = Self { process, address, _port: port, _gateway: gateway, _folder: folder };
        until(|| TcpStream::connect(address).is_ok() || proxy.process.try_wait().unwrap().is_some()).await;
        let ended = proxy.process.try_wait().unwrap();
        assert!(ended.is_none(), "it does not start: {}", std::fs::read_to_string(log).unwrap());
        proxy
    }

    /// The answer to a call with these lines in its head: status line and headers, and body.
    pub(super) fn call(&self, path: &str, lines: &[&str]) -> (String, String) {
        let first = format!("GET {path} HTTP/1.1");
        self.raw(&[&[&*first, "Host: gateway.example", "Connection: close"], lines, &["\r\n"]].concat().join("\r\n"))
    }

    /// The answer to this head.
    pub(super) fn raw(&self, head: &str) -> (String, String) {
        let mut answer = String::new();
        connect(self.address, head).read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }
}

/// A file of `deploy/`, with the lines for `verify.token_header` put in force.
fn shipped(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name);
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains("X-Access-Tokens"), "{name}");
    text.replace("# proxy_set_header X-Access", "proxy_set_header X-Access")
        .replace("# request_header -X-Access", "request_header -X-Access")
}

/// The guarded locations, as `deploy/nginx-guard.conf` says to write them.
pub(super) fn nginx(folder: &Path, port: u16, gateway: SocketAddr, service: SocketAddr) -> Command {
    for name in ["nginx.conf", "nginx-guard.conf"] {
        std::fs::write(folder.join(format!("shipped-{name}")), shipped(name)).unwrap();
    }
    let location = |guard: &str| {
        let include = "include shipped-nginx-guard.conf";
        format!(
            "location /{guard}/ {{ auth_request /_anteroom_guard/{guard}; {include}; proxy_pass http://service; }}\n"
        )
    };
    let locations = ["billing", "idp", "down", "open", "nobody"].map(location).concat();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary.map(|name| format!("{name}_temp_path {name};\n")).concat();
    let whole = format!(
        "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr warn;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}\
         upstream anteroom {{ server {gateway}; server 127.0.0.1:1 backup; }}\nupstream service {{ server {service}; }}\n\
         server {{\nlisten 127.0.0.1:{port};\ninclude shipped-nginx.conf;\n{locations}}}\n}}\n"
    );
    std::fs::write(folder.join("nginx.conf"), whole).unwrap();
    let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap());
    let mut command = Command::new(if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" });
    command.env("PATH", path).args(["-e", "stderr", "-c", "nginx.conf", "-p"]).arg(folder);
    command
}

/// The snippet as it stands, in a site of the test's own, without administration and state: here the path says which guard is asked.
pub(super) fn caddy(folder: &Path, port: u16, gateway: SocketAddr, service: SocketAddr) -> Command {
    let shipped = shipped("Caddyfile");
    let (snippet, _) = shipped.split_once("{$ANTEROOM_SITE").unwrap();
    let guards = ["billing", "idp", "down", "open", "nobody"];
    let handle =
        |guard: &str| format!("\thandle /{guard}/* {{\n\t\timport anteroom_guard {gateway} {guard} {service}\n\t}}\n");
    let handles = guards.map(handle).concat();
    let global = "{\n\tadmin off\n\tauto_https off\n}\n";
    std::fs::write(
        folder.join("Caddyfile"),
        format!("{global}{snippet}\nhttp://:{port} {{\n\tbind 127.0.0.1\n\timport anteroom {gateway}\n{handles}}}\n"),
    )
    .unwrap();
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(folder.join("Caddyfile"));
    command.env("HOME", folder).env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder).current_dir(folder);
    command
}

/// Every spelling of a header that some service takes for the same.
fn spellings(what: &str) -> Vec<String> {
    let parts = ["-", "_", "."].map(|first| ["-", "_", "."].map(|second| format!("X{first}Anteroom{second}{what}")));
    parts.concat().into_iter().flat_map(|name| [name.to_lowercase(), name.to_uppercase(), name]).collect()
}

const WHAT: [&str; 5] = ["Subject", "Client", "Scopes", "Issuer", "Email"];

/// The identity that reached the service, however it is spelt.
pub(super) fn reached(head: &str) -> Vec<String> {
    let mut lines: Vec<_> = head.lines().map(str::to_lowercase).filter(|line| line.contains("anteroom")).collect();
    lines.sort();
    lines
}

fn with<'l>(lines: &[&'l str], line: &'l str) -> Vec<&'l str> {
    lines.iter().copied().chain([line]).collect()
}

/// A line for each spelling of each identity header.
fn forged() -> Vec<String> {
    WHAT.iter().flat_map(|what| spellings(what)).map(|name| format!("{name}: root")).collect()
}

pub(super) fn bearer(token: String) -> String {
    format!("Authorization: Bearer {token}")
}

/// What both proxies have to do.
fn keeps_its_promises(proxy: &Proxy) {
    tells_who_calls(proxy);
    believes_no_address(proxy);
    serves_the_gateway(proxy);
    answers_in_the_place_of_the_service(proxy);
}

fn tells_who_calls(proxy: &Proxy) {
    let forged = forged();
    let forged: Vec<&str> = forged.iter().map(String::as_str).collect();
    let good = bearer(token(|_| ()));
    let (head, body) = proxy.call("/billing/7?x=1", &with(&forged, &good));
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(
        body.starts_with("GET /billing/7?x=1 HTTP/1.") && !body.to_lowercase().contains("authorization:"),
        "{body}"
    );
    let whole = [
        "x-anteroom-client: shop",
        "x-anteroom-email: anna@acme.example",
        "x-anteroom-issuer: https://idp.example/",
        "x-anteroom-scopes: a b clerk d invoices:read",
        "x-anteroom-subject: anna",
    ];
    assert_eq!(reached(&body), whole);
    // What is not known, and all of a public guard, is not left to the client.
    let bare = bearer(token(|claims| {
        let members = claims.as_object_mut().unwrap();
        members.retain(|name, _| !["azp", "email", "scope", "realm_access"].contains(&name.as_str()));
    }));
    let (head, body) = proxy.call("/idp/", &with(&forged, &bare));
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(reached(&body), [whole[2], whole[4]]);
    for call in [&with(&forged, &good)[..], &forged] {
        let (head, body) = proxy.call("/open/", call);
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert_eq!(reached(&body), [""; 0]);
    }
}

/// The gateway itself is below its prefix, and its metadata where its address says.
fn serves_the_gateway(proxy: &Proxy) {
    let (head, body) = proxy.call("/anteroom/v1/whoami", &[&bearer(token(|_| ()))]);
    let problem: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((head.starts_with("HTTP/1.1 401 "), &problem["code"]), (true, &json!("issuer_unknown")), "{head}");
    let (head, body) = proxy.call("/anteroom/healthz", &["Forwarded: for=evil"]);
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}\n{body}");
    let (head, _) = proxy.call("/anteroom", &[]);
    assert!(head.starts_with("HTTP/1.1 308 ") && head.contains("\r\nLocation: /anteroom/"), "{head}");
    let (head, body) = proxy.call("/.well-known/oauth-protected-resource/anteroom", &[]);
    let metadata: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((head.starts_with("HTTP/1.1 200 "), &metadata["resource"]), (true, &json!("http://gateway.example")));
}

/// The token of the address counts, and not what a client says of the address.
fn believes_no_address(proxy: &Proxy) {
    let good = bearer(token(|_| ()));
    let query = format!("/billing/?access_token={}", token(|_| ()));
    assert!(proxy.call(&query, &[]).0.starts_with("HTTP/1.1 200 "));
    for name in ["X-Forwarded-Uri", "X-Original-Uri"] {
        let line = format!("{name}: {query}");
        assert!(proxy.call("/billing/", &[&line]).0.starts_with("HTTP/1.1 401 "), "{name}");
        assert!(proxy.call("/billing/", &[&line, &good]).0.starts_with("HTTP/1.1 200 "), "{name}");
    }
}

fn answers_in_the_place_of_the_service(proxy: &Proxy) {
    let forged = forged();
    let forged: Vec<&str> = forged.iter().map(String::as_str).collect();
    let good = bearer(token(|_| ()));
    let query = format!("/billing/?access_token={}", token(|_| ()));
    let down = bearer(token(|claims| claims["iss"] = json!("https://down.example/")));
    let lacking = bearer(token(|claims| claims["scope"] = json!("a")));
    let challenge = |error: &str| format!("bearer realm=\"anteroom\"{error}");
    let lacks_scope = challenge(", error=\"insufficient_scope\", scope=\"invoices:read\"");
    for (path, lines, status, challenge) in [
        ("/billing/", forged.clone(), 401, challenge("")),
        ("/billing/", with(&forged, &lacking), 403, lacks_scope),
        (&*query, with(&forged, &good), 400, challenge(", error=\"invalid_request\"")),
        ("/down/", with(&forged, &down), 503, String::new()),
    ] {
        let (head, body) = proxy.call(path, &lines);
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{path} {status}: {head}");
        assert!(!body.contains("HTTP/1.1"), "{path} {status} reached the service: {body}");
        let head = head.to_lowercase();
        let challenges: Vec<_> = head.lines().filter_map(|line| line.strip_prefix("www-authenticate: ")).collect();
        assert_eq!(challenges.join("|"), challenge, "{path} {status}");
        assert_eq!(head.contains("\r\nretry-after: "), status == 503, "{head}");
        assert_eq!(head.matches("\r\nx-trace-id: ").count(), 1, "{head}");
    }
    let (head, body) = proxy.call("/nobody/", &with(&forged, &good));
    assert!(!head.starts_with("HTTP/1.1 2") && !body.contains("HTTP/1.1"), "{head}\n{body}");
}

#[tokio::test]
async fn nginx_lets_pass_whom_a_guard_lets_pass() {
    let proxy = Proxy::start(nginx).await;
    keeps_its_promises(&proxy);
    // Nobody asks a guard, or is answered in its place, from outside.
    for path in ["/_anteroom_guard/open", "/@anteroom_forbidden", "/@anteroom_unauthenticated"] {
        assert!(proxy.call(path, &[]).0.starts_with("HTTP/1.1 404 "), "{path}");
    }
}

#[tokio::test]
async fn caddy_lets_pass_whom_a_guard_lets_pass() {
    let proxy = Proxy::start(caddy).await;
    keeps_its_promises(&proxy);
    let (_, body) = proxy.call("/billing/", &["Authorization: Bearer garbage"]);
    let problem: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(problem["code"], "token_malformed");
}

/// A gateway that is not there lets nobody pass.
#[tokio::test]
async fn without_the_gateway_nobody_passes() {
    for (command, status) in [(nginx as fn(&Path, u16, SocketAddr, SocketAddr) -> Command, 503), (caddy, 502)] {
        let proxy = Proxy::start(|folder, port, _, service| command(folder, port, NOBODY, service)).await;
        let (head, body) = proxy.call("/open/", &[]);
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        assert!(!body.contains("HTTP/1.1"), "{body}");
    }
}

/// Traefik is not run here, so at least its list is whole.
#[test]
fn the_file_for_traefik_takes_out_every_spelling() {
    let file = include_str!("../../../deploy/traefik.yml");
    for name in
        WHAT.iter().flat_map(|what| spellings(what)).filter(|name| name.starts_with('X') && name.contains("Anteroom"))
    {
        assert_eq!(file.matches(&format!("\"{name}\": \"\"")).count(), 1, "{name}");
    }
}

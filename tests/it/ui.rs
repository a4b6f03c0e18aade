//! `/ui/`: the page is whole, its own, and loads nothing from elsewhere.

use std::io::Read;

use flate2::read::GzDecoder;
use reqwest::{Method, Response};

use crate::gateway::{Answer, Gateway, client};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

async fn fetch(gateway: &Gateway, path: &str, encoding: &str) -> Response {
    gateway.call(Method::GET, path).header("accept-encoding", encoding).send().await.unwrap()
}

/// The addresses in a page's `src` and `href`.
fn loaded(page: &str) -> Vec<&str> {
    let after = |name: &'static str| page.split(name).skip(1).filter_map(|rest| rest.split('"').next());
    after("src=\"").chain(after("href=\"")).collect()
}

fn header(response: &Response, name: &str) -> String {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned()
}

#[tokio::test]
async fn the_root_leads_to_the_page_wherever_that_is() {
    let gateway = Gateway::start();
    for path in ["/", "/ui"] {
        for method in [Method::GET, Method::HEAD] {
            let answer = Answer::to(gateway.call(method, path)).await;
            assert_eq!((answer.status, answer.header("location"), answer.text.as_str()), (307, "ui/", ""), "{path}");
        }
    }
}

#[tokio::test]
async fn every_file_of_the_page_is_there_in_both_encodings() {
    let gateway = Gateway::start();
    let index = Answer::to(gateway.call(Method::GET, "/ui/")).await;
    let mut names = loaded(&index.text);
    assert!(names.len() >= 6, "{names:?}");
    names.extend(["", "index.html", "oauth2-redirect.html", "oauth2-redirect.js", "openapi.json"]);
    for name in names {
        let path = format!("/ui/{}", name.trim_start_matches("./"));
        let plain = fetch(&gateway, &path, "identity").await;
        assert_eq!((plain.status().as_u16(), header(&plain, "content-encoding")), (200, String::new()), "{path}");
        let etag = header(&plain, "etag");
        for (name, value) in
            [("content-security-policy", POLICY), ("vary", "Accept-Encoding"), ("cache-control", "no-cache")]
        {
            assert_eq!(header(&plain, name), value, "{path}");
        }
        let plain = plain.bytes().await.unwrap();
        let packed = fetch(&gateway, &path, "br, gzip;q=0.5").await;
        let unpacked = if header(&packed, "content-encoding") == "gzip" {
            let mut unpacked = Vec::new();
            GzDecoder::new(&packed.bytes().await.unwrap()[..]).read_to_end(&mut unpacked).unwrap();
            unpacked
        } else {
            packed.bytes().await.unwrap().to_vec()
        };
        assert!(!plain.is_empty() && plain == unpacked, "{path}");
        let known = gateway.call(Method::GET, &path).header("if-none-match", &etag);
        let known = Answer::to(known).await;
        assert_eq!((known.status, known.header("etag"), known.text.as_str()), (304, etag.as_str(), ""), "{path}");
    }
}

#[tokio::test]
async fn the_scripts_come_packed_to_who_takes_that_and_to_nobody_else() {
    let gateway = Gateway::start();
    for (encoding, packed) in [
        ("gzip", "gzip"),
        ("deflate, gzip", "gzip"),
        ("", ""),
        ("br", ""),
        ("gzip;q=0", ""),
        ("identity, gzip; q=0", ""),
    ] {
        let response = fetch(&gateway, "/ui/swagger-ui-bundle.js", encoding).await;
        assert_eq!(header(&response, "content-encoding"), packed, "{encoding}");
        // One tag for two encodings can only be a weak one, RFC 9110 section 8.8.3.3.
        assert!(header(&response, "etag").starts_with("W/\""));
    }
    let head =
        Answer::to(gateway.call(Method::HEAD, "/ui/swagger-ui-bundle.js").header("accept-encoding", "gzip")).await;
    let get = fetch(&gateway, "/ui/swagger-ui-bundle.js", "gzip").await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), get.bytes().await.unwrap().len().to_string());
}

#[tokio::test]
async fn the_page_loads_its_own_files_only() {
    let gateway = Gateway::start();
    for name in ["index.html", "swagger-initializer.js", "oauth2-redirect.html", "oauth2-redirect.js", "index.css"] {
        let text = Answer::to(gateway.call(Method::GET, &format!("/ui/{name}"))).await.text;
        for scheme in ["http://", "https://", "url(//", "src=\"//", "href=\"//"] {
            assert!(!text.contains(scheme), "{name} names {scheme}");
        }
        // The policy lets no script stand in a page.
        assert!(!text.contains("<script>"), "{name}");
    }
}

#[tokio::test]
async fn the_page_reads_the_contract_beside_it() {
    let gateway = Gateway::start();
    let script = Answer::to(gateway.call(Method::GET, "/ui/swagger-initializer.js")).await.text;
    assert!(script.contains("\"openapi.json\"") && script.contains("\"clientId\": \"demo\""), "{script}");
    let mut page = Answer::to(gateway.call(Method::GET, "/ui/openapi.json")).await.json();
    assert_eq!(page["servers"], serde_json::json!([{ "url": "../" }]));
    let places = [
        ("clientCredentials/tokenUrl", "oauth/token"),
        ("authorizationCode/tokenUrl", "oauth/token"),
        ("authorizationCode/authorizationUrl", "oauth/authorize"),
    ];
    for (place, url) in places {
        let shown = page.pointer_mut(&format!("/components/securitySchemes/oauth2/flows/{place}")).unwrap();
        assert_eq!(*shown, format!("../{url}"));
        *shown = url.into();
    }
    page["servers"][0]["url"] = "./".into();
    assert_eq!(page, Answer::to(gateway.call(Method::GET, "/openapi.json")).await.json());
}

#[tokio::test]
async fn each_way_to_log_in_is_filled_in_with_the_client_that_there_is_for_it() {
    let acme = client("acme", "an-example-of-a-secret", &["admin"]);
    let production = format!("server.mode = \"production\"\nshutdown.delay = \"0s\"\n{acme}");
    for (configuration, filled_in) in [
        (String::new(), vec!["demo", "swagger-ui"]),
        (acme.clone(), vec!["swagger-ui"]),
        (production.clone(), vec![]),
        (format!("ui.client_id = \"pages\"\n{production}"), vec!["pages"]),
    ] {
        let gateway = Gateway::configured(&configuration);
        let script = Answer::to(gateway.call(Method::GET, "/ui/swagger-initializer.js")).await.text;
        let shown: Vec<_> =
            script.split("\"clientId\": \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(shown, filled_in, "{script}");
        let document = Answer::to(gateway.call(Method::GET, "/openapi.json")).await.json();
        let by_code = &document["components"]["securitySchemes"]["oauth2"]["flows"]["authorizationCode"];
        assert_eq!(by_code.is_object(), filled_in.iter().any(|client| *client != "demo"));
    }
}

#[tokio::test]
async fn no_path_leads_out_of_the_page() {
    let gateway = Gateway::start();
    for path in [
        "/ui/../Cargo.toml",
        "/ui/%2e%2e/Cargo.toml",
        "/ui/..%2fCargo.toml",
        "/ui/%2e%2e%2f%2e%2e%2fetc/passwd",
        "/ui//etc/passwd",
        "/ui/%2Fetc%2Fpasswd",
        "/ui/..\\Cargo.toml",
        "/ui/index.html%00",
        "/ui/index.html/",
        "/ui/INDEX.HTML",
        "/ui/x",
    ] {
        let answer = gateway.raw(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer:.200}");
        assert!(answer.contains("\"code\":\"not_found\""), "{path}");
    }
}

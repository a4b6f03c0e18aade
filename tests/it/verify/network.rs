//! Outbound HTTP: private CAs, limits, addresses, and what its errors say.

use std::path::Path;
use std::time::Duration;

use anteroom::core::period::Period;
use anteroom::net::{Answer, HttpClient, NetSettings, Provider, Validators, secure_url};
use secrecy::SecretString;
use serde_json::Value;
use wiremock::matchers::{body_string, header, headers, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::wire::{NOBODY, Wire, ok};

fn client(change: impl FnOnce(&mut NetSettings)) -> HttpClient {
    let mut settings = NetSettings { timeout: Period::seconds(60), ..NetSettings::default() };
    change(&mut settings);
    settings.open(Path::new(".")).unwrap().client(PROVIDER).unwrap()
}

/// What a verifier called `idp` says that says nothing.
const PROVIDER: Provider<'static> = Provider { verifier: "idp", ca_file: None, allow_http: false };

async fn error(client: &HttpClient, url: &str) -> String {
    client.get_json::<Value>(url).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_private_ca_is_trusted_when_named() {
    let (server, ca) = Wire::start_tls(ok("{\"keys\":[]}"));
    let port = server.address.port();
    let url = format!("https://localhost:{port}/keys");
    assert_eq!(
        error(&client(|_| ()), &url).await,
        format!(
            "{url} can not be trusted: its certificate is from a CA that is not trusted here. \
             Put the certificate of its CA into a PEM file and name that in verifiers.idp.ca_file or net.ca_file"
        )
    );
    let files = tempfile::tempdir().unwrap();
    std::fs::write(files.path().join("ca.pem"), ca).unwrap();
    let settings =
        NetSettings { ca_file: Some("ca.pem".into()), timeout: Period::seconds(60), ..NetSettings::default() };
    let net = NetSettings { ca_file: None, ..settings.clone() }.open(files.path()).unwrap();
    let own = net.client(Provider { ca_file: Some(Path::new("ca.pem")), ..PROVIDER }).unwrap();
    let trusting = settings.open(files.path()).unwrap().client(PROVIDER).unwrap();
    for client in [&own, &trusting] {
        assert_eq!(client.get_json::<Value>(&url).await.unwrap().document["keys"], serde_json::json!([]));
    }

    let by_address = error(&trusting, &format!("https://127.0.0.1:{port}/keys")).await;
    assert!(by_address.contains("can not be trusted") && by_address.contains("not valid for name"), "{by_address}");
}

#[test]
fn a_ca_file_that_is_none() {
    let files = tempfile::tempdir().unwrap();
    std::fs::write(files.path().join("empty.pem"), "nothing").unwrap();
    let problem = |name: &str| {
        let settings = NetSettings { ca_file: Some(name.into()), ..NetSettings::default() };
        let [mistake] = <[_; 1]>::try_from(settings.open(files.path()).unwrap_err()).unwrap();
        let net = NetSettings::default().open(files.path()).unwrap();
        let own = net.client(Provider { ca_file: Some(Path::new(name)), ..PROVIDER }).unwrap_err();
        assert_eq!([mistake.key.as_str(), own.key.as_str()], ["net.ca_file", "verifiers.idp.ca_file"]);
        assert_eq!(mistake.remedy, "Name a PEM file with at least one CA certificate");
        assert_eq!((&mistake.problem, &mistake.remedy), (&own.problem, &own.remedy));
        mistake.problem
    };
    assert!(problem("absent.pem").contains("absent.pem can not be read"));
    assert!(problem("empty.pem").ends_with("empty.pem holds no certificate"));
}

#[tokio::test]
async fn errors_say_what_happened() {
    let server = MockServer::start().await;
    let serve = async |at: &str, answer| Mock::given(path(at)).respond_with(answer).mount(&server).await;
    serve("/slow", ResponseTemplate::new(200).set_delay(Duration::from_mins(1))).await;
    serve("/page", ResponseTemplate::new(200).set_body_string("{\"a\":\n oops")).await;
    serve("/large", ResponseTemplate::new(200).set_body_string(format!("\"{}\"", "x".repeat(100)))).await;
    serve("/moved", ResponseTemplate::new(301).insert_header("location", "/exact")).await;
    serve("/exact", ResponseTemplate::new(200).set_body_string(format!("\"{}\"", "x".repeat(98)))).await;
    let client = client(|settings| settings.max_body_bytes = 100);
    let hasty = self::client(|settings| settings.timeout = "100ms".parse().unwrap());
    let uri = server.uri();
    let cases = [
        ("/page", "did not answer the JSON document that was expected, at line 2, column 2"),
        ("/large", "answered more than 100 bytes (net.max_body_bytes)"),
        ("/moved", "answered 301 Moved Permanently; only 200 counts, and redirects are not followed"),
        ("/absent", "answered 404 Not Found; only 200 counts, and redirects are not followed"),
    ];
    for (at, says) in cases {
        assert_eq!(error(&client, &format!("{uri}{at}")).await, format!("{uri}{at} {says}"));
    }
    assert_eq!(error(&hasty, &format!("{uri}/slow")).await, format!("{uri}/slow did not answer in time (net.timeout)"));
    assert!(client.get_json::<Value>(&format!("{uri}/exact")).await.is_ok());
    let refused = error(&client, &format!("http://{NOBODY}/")).await;
    assert!(refused.contains("can not be reached: Connection refused"), "{refused}");
}

#[test]
fn addresses_that_may_be_asked() {
    for good in
        ["https://a.example/x", "http://localhost:1/", "http://127.0.0.1/", "http://127.8.9.1/", "http://[::1]:8/"]
    {
        assert!(secure_url(good, false).is_ok(), "{good}");
    }
    let plain =
        ["http://a.example/", "http://localhost.a.example/", "http://10.0.0.1/", "ftp://localhost/", "file:///etc/x"];
    for bad in
        plain.into_iter().chain(["http://127.0.0.1.a.example/", "http://[::2]/", "http://user@a.example@localhost.x/"])
    {
        assert_eq!(
            secure_url(bad, false),
            Err("is not https (http is allowed for localhost only, or with allow_http = true)"),
            "{bad}"
        );
    }
    assert!(secure_url("http://a.example/", true).is_ok());
    assert!(secure_url("ftp://a.example/", true).is_err());
    assert_eq!(secure_url("a.example", true), Err("is not a URL"));
    assert_eq!(secure_url("https://a:b@c.example", false), Err("has a user name or a password in it"));
}

#[tokio::test]
async fn a_document_is_fetched_again_only_when_it_changed() {
    let server = MockServer::start().await;
    let document = |etag| {
        let answer = ResponseTemplate::new(200).insert_header("etag", etag).insert_header("cache-control", "max-age=7");
        answer.set_body_string(etag).insert_header("last-modified", "Sun, 22 Nov 2026 05:00:00 GMT")
    };
    let same = ResponseTemplate::new(304).insert_header("cache-control", "max-age=9");
    Mock::given(header("if-none-match", "\"1\""))
        .and(headers("if-modified-since", vec!["Sun", "22 Nov 2026 05:00:00 GMT"]))
        .respond_with(same)
        .mount(&server)
        .await;
    Mock::given(path("/")).respond_with(document("\"1\"")).mount(&server).await;
    let (client, url) = (client(|_| ()), server.uri());
    let Ok(Answer::Document(first)) = client.get_if_changed::<Value>(&url, &Validators::default()).await else {
        panic!("no document")
    };
    assert_eq!((first.document, first.max_age), (Value::from("1"), Some(Duration::from_secs(7))));
    let again = client.get_if_changed::<Value>(&url, &first.validators).await;
    assert!(matches!(again, Ok(Answer::NotModified { max_age: Some(nine) }) if nine.as_secs() == 9), "{again:?}");
}

#[tokio::test]
async fn a_form_is_posted_and_never_repeated_in_an_error() {
    let server = MockServer::start().await;
    // The base64 of "an+id%3A:it%27s+secret".
    Mock::given(method("POST"))
        .and(path("/form"))
        .and(header("authorization", "Basic YW4raWQlM0E6aXQlMjdzK3NlY3JldA=="))
        .and(header("content-type", "application/x-www-form-urlencoded"))
        .and(body_string("token=t%26t&x=1"))
        .respond_with(ResponseTemplate::new(200).set_body_string("{\"active\":true}"))
        .mount(&server)
        .await;
    let (client, secret) = (client(|_| ()), SecretString::from("it's secret"));
    let post = async |at: &str, form: &[(&str, &str)]| {
        let url = format!("{}{at}", server.uri());
        client.post_form::<Value>(&url, form, Some(("an id:", &secret))).await.map(|fetched| fetched.document)
    };
    let active = post("/form", &[("token", "t&t"), ("x", "1")]).await.unwrap();
    assert_eq!(active, serde_json::json!({ "active": true }));
    let absent = post("/absent", &[("token", "confidential")]).await.unwrap_err();
    let shown = format!("{absent} {absent:?} {client:?}");
    assert!(shown.contains("404 Not Found") && !shown.contains("confidential") && !shown.contains("secret"), "{shown}");
}

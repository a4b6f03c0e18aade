//! A gateway of one's own for a test: the real program on a free port, with a clock that the test sets.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anteroom::app::{Application, SystemEntropy};
use anteroom::core::clock::{SetClock, Timestamp};
use anteroom::core::error::Misconfiguration;
use anteroom::http::{AdminBind, Mode};
use anteroom::oauth::clients::hash;
use anteroom::settings::{Flags, Settings};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::patience::{PATIENCE, sent};

/// When a test's clock begins: 2026-11-22T06:12:03.482Z.
pub(crate) const NOON: Timestamp = Timestamp::from_millis(1_795_327_923_482);

/// A running gateway. It stops, and its data goes, when this is dropped.
pub(crate) struct Gateway {
    pub(crate) clock: SetClock,
    pub(crate) address: SocketAddr,
    /// Where it is operated; none where that is no address of its own.
    pub(crate) admin: Option<SocketAddr>,
    pub(crate) folder: TempDir,
    http: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    ended: mpsc::Receiver<Result<(), String>>,
}

impl Gateway {
    /// One without configuration: development mode, the demo client, the built-in types.
    pub(crate) fn start() -> Self {
        Self::configured("")
    }

    /// One with this configuration file. Address and data directory are the test's own.
    pub(crate) fn configured(toml: &str) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), toml)
    }

    /// One that finds what an earlier one left in its folder, or files that the test put there.
    pub(crate) fn in_folder(folder: TempDir, toml: &str) -> Self {
        let clock = SetClock::at(NOON);
        let settings = settings(folder.path(), toml);
        let (stop, stopped) = oneshot::channel();
        let ((started, starting), (end, ended)) = (mpsc::channel(), mpsc::channel());
        let its_clock = Arc::new(clock.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let outcome = runtime.block_on(async move {
                let application = Application::start(&settings, its_clock, Arc::new(SystemEntropy));
                let application = application.map_err(|mistakes| format!("{mistakes:?}"))?;
                started.send((application.address(), application.admin_address())).unwrap();
                application.run(async { _ = stopped.await }).await
            });
            // Once nothing is left of it.
            drop(runtime);
            _ = end.send(outcome);
        });
        let Some((address, admin)) = sent(&starting) else { panic!("not started: {:?}", sent(&ended)) };
        Self { clock, address, admin, folder, http: http(), stop: Some(stop), ended }
    }

    /// Stops it, and gives its folder to the next.
    pub(crate) fn stop(mut self) -> TempDir {
        self.end().unwrap().unwrap();
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }

    /// Tells it to stop, and does not wait.
    pub(crate) fn begin_to_stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    fn end(&mut self) -> Option<Result<(), String>> {
        self.stop.take().map(|stop| stop.send(()));
        let ended = self.ended.recv_timeout(PATIENCE);
        // Where a test has failed already, its own words count.
        assert!(ended != Err(RecvTimeoutError::Timeout) || std::thread::panicking(), "the gateway does not stop");
        ended.ok()
    }

    /// The address of a path here.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A call without a token.
    pub(crate) fn call(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(path))
    }

    /// What is answered without a token at a path of the listener for operators.
    pub(crate) async fn operate(&self, path: &str) -> Answer {
        let admin = self.admin.unwrap_or(self.address);
        Answer::to(self.http.get(format!("http://{admin}{path}"))).await
    }

    /// The secret of the demo client.
    pub(crate) fn demo_secret(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("data/demo-secret")).unwrap()
    }

    /// A token of the demo client's.
    pub(crate) async fn demo_token(&self) -> String {
        self.token("demo", &self.demo_secret(), None).await
    }

    /// A token for these credentials, narrowed to `scope`.
    pub(crate) async fn token(&self, id: &str, secret: &str, scope: Option<&str>) -> String {
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(scope.map(|scope| ("scope", scope)));
        let body: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let call = self.call(Method::POST, "/oauth/token").basic_auth(id, Some(secret));
        let answer = call.header("content-type", "application/x-www-form-urlencoded").body(body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json::<Value>().await.unwrap()["access_token"].as_str().unwrap().to_owned()
    }

    /// Submits a request of the type `default` and answers its id.
    pub(crate) async fn submit(&self, token: &str) -> String {
        let body = json!({ "type": "default", "payload": {} });
        let answer = self.call(Method::POST, "/v1/requests").bearer_auth(token).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 202);
        answer.json::<Value>().await.unwrap()["request_id"].as_str().unwrap().to_owned()
    }

    /// What an owner reads at a path.
    pub(crate) async fn get(&self, token: &str, path: &str) -> Answer {
        Answer::to(self.call(Method::GET, path).bearer_auth(token)).await
    }

    /// What an owner is answered who sends JSON to a path.
    pub(crate) async fn post(&self, token: &str, path: &str, body: &Value) -> Answer {
        Answer::to(self.call(Method::POST, path).bearer_auth(token).json(body)).await
    }

    /// A connection to which these bytes were written: for what no client library would send.
    pub(crate) fn connect(&self, bytes: &str) -> TcpStream {
        connect(self.address, bytes)
    }

    /// The answer to these bytes, head and body; `bytes` asks for the connection to be closed.
    pub(crate) fn raw(&self, bytes: &str) -> String {
        let mut answer = String::new();
        self.connect(bytes).read_to_string(&mut answer).unwrap();
        answer
    }

    /// What was wrong with a configuration that does not start.
    pub(crate) fn refusal(toml: &str) -> Vec<Misconfiguration> {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), toml);
        let started = Application::start(&settings, Arc::new(SetClock::at(NOON)), Arc::new(SystemEntropy));
        started.err().expect("a refusal")
    }

    /// From now on the store, which is SQLite, answers nothing about records of the authorization server.
    pub(crate) fn break_records(&self) {
        break_records(&self.folder.path().join("data"));
    }

    /// Moves the clock on.
    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.end();
    }
}

/// From now on the SQLite store in a data directory answers nothing about records of the authorization server.
pub(crate) fn break_records(data: &Path) {
    let connection = rusqlite::Connection::open(data.join("anteroom.db")).unwrap();
    connection.execute_batch("ALTER TABLE records RENAME TO lost").unwrap();
}

/// A table `[clients.ID]` with this secret.
pub(crate) fn client(id: &str, secret: &str, scopes: &[&str]) -> String {
    let hex = hash(secret).iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    });
    format!("[clients.{id:?}]\nsecrets = [\"sha256:{hex}\"]\nscopes = {scopes:?}\n")
}

/// A problem's whole body, but for its `trace_id`.
pub(crate) fn problem(status: u16, code: &str, title: &str, detail: &str) -> Value {
    let kind = format!("urn:anteroom:error:{code}");
    json!({ "type": kind, "title": title, "status": status, "detail": detail, "code": code })
}

/// The challenge of this gateway's API, with this error.
pub(crate) fn challenge(gateway: &Gateway, error: &str) -> String {
    let metadata = gateway.url("/.well-known/oauth-protected-resource");
    format!("Bearer realm=\"anteroom\"{error}, resource_metadata=\"{metadata}\"")
}

/// A connection to this address to which these bytes were written, and which waits for no answer for ever.
pub(crate) fn connect(address: SocketAddr, bytes: &str) -> TcpStream {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    connection.set_write_timeout(Some(PATIENCE)).unwrap();
    connection.write_all(bytes.as_bytes()).unwrap();
    connection
}

/// A client that follows no redirect, asks no proxy and waits for no answer for ever.
pub(crate) fn http() -> reqwest::Client {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
    client.timeout(PATIENCE).build().unwrap()
}

/// The settings of a gateway in a folder.
fn settings(folder: &Path, toml: &str) -> Settings {
    let file = folder.join("anteroom.toml");
    std::fs::write(&file, toml).unwrap();
    // A test that is about every address says so itself.
    let bind = (!toml.contains("bind = \"[::]:0\"")).then(|| "127.0.0.1:0".to_owned());
    let flags = Flags { config: Some(file), bind, data_dir: Some(folder.join("data")) };
    let mut settings = Settings::load(&flags, std::iter::empty()).map_err(|unusable| unusable.mistakes).unwrap();
    // Tests run side by side, and the address in production is always the same.
    if settings.server.effective_mode() == Mode::Production {
        settings.server.admin_bind.get_or_insert(AdminBind::At(SocketAddr::from(([127, 0, 0, 1], 0))));
    }
    settings
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// Makes the call and reads what it is answered.
    pub(crate) async fn to(call: RequestBuilder) -> Self {
        Self::of(call.send().await.unwrap()).await
    }

    /// Reads it.
    pub(crate) async fn of(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    /// A header's text; empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body as JSON, with `trace_id` taken out: it must be the exchange's own.
    pub(crate) fn problem(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/problem+json");
        let mut problem = self.json();
        let trace_id = problem.as_object_mut().unwrap().remove("trace_id").unwrap();
        assert_eq!(trace_id, self.header("x-trace-id"));
        problem
    }
}

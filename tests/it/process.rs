//! A gateway as a process of its own, which can be killed like one; and a client of it.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;

use serde_json::{Value, json};

use crate::gateway::http;
use crate::patience::PATIENCE;

/// The built program, to be run without what the environment says of it.
pub(crate) fn program() -> Command {
    program_under(&[])
}

fn program_under(tracer: &[&str]) -> Command {
    let words: Vec<_> = tracer.iter().copied().chain([env!("CARGO_BIN_EXE_anteroom")]).collect();
    let mut command = Command::new(words[0]);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ANTEROOM_") {
            command.env_remove(name);
        }
    }
    command.args(&words[1..]);
    command
}

/// What a program says and how it ends, with this on its standard input; it need not read it.
pub(crate) fn run(command: &mut Command, input: &str) -> Output {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut process = command.spawn().unwrap();
    let (group, input) = (process.id(), input.to_owned());
    let (end, ended) = mpsc::channel();
    std::thread::spawn(move || {
        _ = process.stdin.take().unwrap().write_all(input.as_bytes());
        _ = end.send(process.wait_with_output());
    });
    ended
        .recv_timeout(PATIENCE)
        .unwrap_or_else(|_| {
            kill_group(group);
            panic!("the program does not end")
        })
        .unwrap()
}

fn kill_group(group: u32) {
    let kill = format!("kill -KILL -{group} 2>/dev/null");
    Command::new("sh").args(["-c", &kill]).status().unwrap();
}

/// A running gateway; dropping it kills it.
pub(crate) struct Gateway {
    id: u32,
    data_dir: PathBuf,
    base: String,
    http: reqwest::Client,
    /// How it ends, and its log; none once that was taken.
    ended: Option<mpsc::Receiver<(ExitStatus, String)>>,
}

impl Gateway {
    /// Starts the built program on a free port, and waits until it listens.
    pub(crate) fn start(data_dir: &Path) -> Self {
        Self::start_under(&[], data_dir)
    }

    /// The same below another program, such as a tracer.
    pub(crate) fn start_under(tracer: &[&str], data_dir: &Path) -> Self {
        Self::run(program_under(tracer), data_dir)
    }

    /// Starts the built program with this configuration file in `folder`, and with these variables.
    pub(crate) fn configured(folder: &Path, toml: &str, variables: &[(&str, &str)]) -> Self {
        let file = folder.join("anteroom.toml");
        std::fs::write(&file, toml).unwrap();
        let mut command = program();
        command.envs(variables.iter().copied()).arg("--config").arg(file);
        Self::run(command, &folder.join("data"))
    }

    fn run(mut command: Command, data_dir: &Path) -> Self {
        command.args(["serve", "--bind", "127.0.0.1:0", "--data-dir"]).arg(data_dir);
        // A process group of its own, so that a tracer and what it traces die together.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
        let mut process = command.spawn().unwrap();
        let (id, stderr) = (process.id(), BufReader::new(process.stderr.take().unwrap()));
        let ((sender, receiver), (end, ended)) = (mpsc::channel(), mpsc::channel());
        std::thread::spawn(move || {
            let mut text = String::new();
            for line in stderr.lines().map_while(Result::ok) {
                if let Some((_, address)) = line.split_once("listening on http://") {
                    let end =
                        address.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').unwrap_or(address.len());
                    _ = sender.send(format!("http://{}", &address[..end]));
                }
                text.push_str(&line);
                text.push('\n');
            }
            _ = end.send((process.wait().unwrap(), text));
        });
        let mut gateway = Self { id, data_dir: data_dir.into(), base: String::new(), http: http(), ended: Some(ended) };
        match receiver.recv_timeout(PATIENCE) {
            Ok(base) => gateway.base = base,
            Err(error) => panic!("the gateway does not listen ({error}); its log:\n{}", gateway.kill()),
        }
        gateway
    }

    /// A client with a token of the demo client.
    pub(crate) async fn client(&self) -> Client {
        let http = self.http.clone();
        let secret = std::fs::read_to_string(self.data_dir.join("demo-secret")).unwrap();
        let body = json!({"grant_type": "client_credentials", "client_id": "demo", "client_secret": secret.trim_end()});
        let answer = http.post(format!("{}/oauth/token", self.base)).json(&body).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        Client { http, base: self.base.clone(), token: answer["access_token"].as_str().unwrap().into() }
    }

    /// The status that `/v1/whoami` answers this token.
    pub(crate) async fn whoami(&self, token: &str) -> u16 {
        let call = self.http.get(format!("{}/v1/whoami", self.base)).bearer_auth(token);
        call.send().await.unwrap().status().as_u16()
    }

    /// Kills it as `kill -9` does; answers its log.
    pub(crate) fn kill(mut self) -> String {
        kill_group(self.id);
        self.end().1
    }

    /// Asks it to stop, as `kill -TERM` does.
    pub(crate) fn terminate(&self) {
        let id = self.id.to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    /// A line of what the system says of the process, such as `VmHWM`: the most memory that it has had, in KiB.
    pub(crate) fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Its address, as `http://HOST:PORT`.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Waits for it to end by itself; answers how it did, and its log.
    pub(crate) fn end(&mut self) -> (ExitStatus, String) {
        let ended = self.ended.take().unwrap();
        ended.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            kill_group(self.id);
            let log = ended.recv_timeout(PATIENCE).map(|(_, log)| log);
            panic!("the gateway does not end; its log:\n{}", log.unwrap_or_default())
        })
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if self.ended.is_some() {
            kill_group(self.id);
            self.end();
        }
    }
}

/// How a request stands: its version, which never goes back, and its status.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct State((u32, u32), String);

impl State {
    fn of(etag: &str, view: &Value) -> Option<Self> {
        let (write, step) = etag.trim_matches('"').split_once('.')?;
        Some(Self((write.parse().ok()?, step.parse().ok()?), view["status"].as_str()?.to_owned()))
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.1 == "cancelled"
    }

    pub(crate) fn is_over(&self) -> bool {
        ["cancelled", "succeeded", "failed", "expired"].contains(&self.1.as_str())
    }
}

/// A client of one gateway process.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    /// Its token.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Submits a request under an idempotency key; the id it was accepted under, or what came instead.
    pub(crate) async fn submit(&self, key: &str) -> Result<String, String> {
        let body = json!({"type": "default", "payload": {"key": key}, "tags": {"key": key}});
        let post = self.http.post(format!("{}/v1/requests", self.base)).bearer_auth(&self.token);
        let answer = post.header("Idempotency-Key", key).json(&body).send().await.map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let view: Value = answer.json().await.map_err(|error| error.to_string())?;
        match (status, view["request_id"].as_str()) {
            (202, Some(id)) => Ok(id.into()),
            _ => Err(format!("{status} {view}")),
        }
    }

    /// The key in the tags of the request with this id; none when there is no such request.
    pub(crate) async fn key_of(&self, id: &str) -> Option<String> {
        let view = self.get(&format!("/v1/requests/{id}")).await;
        view["tags"]["key"].as_str().map(str::to_owned)
    }

    /// How the request with this id stands; none when there is no answer.
    pub(crate) async fn state(&self, id: &str) -> Option<State> {
        self.state_from(self.http.get(format!("{}/v1/requests/{id}", self.base))).await
    }

    /// How the request with this id stands after it was cancelled; none when there is no answer, or it was not.
    pub(crate) async fn cancel(&self, id: &str) -> Option<State> {
        self.state_from(self.http.post(format!("{}/v1/requests/{id}/cancel", self.base))).await
    }

    async fn state_from(&self, call: reqwest::RequestBuilder) -> Option<State> {
        let answer = call.bearer_auth(&self.token).send().await.ok()?;
        let etag = answer.headers().get("etag").filter(|_| answer.status() == 200)?.to_str().ok()?.to_owned();
        State::of(&etag, &answer.json().await.ok()?)
    }

    /// The ids of the requests that were submitted under this idempotency key.
    pub(crate) async fn ids_of(&self, key: &str) -> Vec<String> {
        let list = self.get(&format!("/v1/requests?idempotency_key={key}")).await;
        let items = list["items"].as_array().unwrap_or_else(|| panic!("not a list: {list}"));
        items.iter().map(|view| view["request_id"].as_str().unwrap().to_owned()).collect()
    }

    async fn get(&self, path: &str) -> Value {
        let get = self.http.get(format!("{}{path}", self.base)).bearer_auth(&self.token);
        get.send().await.unwrap().json().await.unwrap()
    }
}

//! A PostgreSQL of the tests' own: made when the first test needs it, with a database for each, and gone with the process.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, mpsc};

use tempfile::TempDir;

use crate::patience::sent;
use crate::stores::Place;

/// Who the tests are to the server.
pub(crate) const USER: &str = "tester";
pub(crate) const PASSWORD: &str = "s3cret&";
/// The same in a URL.
const ESCAPED_PASSWORD: &str = "s3cret%26";

/// A server on a port of its own.
pub(crate) struct Server {
    folder: TempDir,
    port: u16,
    options: Vec<String>,
    process: Mutex<Option<Child>>,
    databases: AtomicU32,
    /// Removes the folder when the tests are gone, who drop nothing that all of them share.
    _sweeper: Child,
}

impl Server {
    /// The one that tests share which leave it running. It syncs nothing: no test pulls the plug.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| {
            Self::new(&[
                "fsync=off",
                "full_page_writes=off",
                "max_connections=500",
                "autovacuum=off",
                "shared_buffers=32MB",
            ])
        })
    }

    /// One with these options, for a test that stops it.
    pub(crate) fn new(options: &[&str]) -> Self {
        Self::prepared(options, |_| {})
    }

    /// One in whose data directory files are put before it starts.
    pub(crate) fn prepared(options: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::Builder::new().prefix("anteroom-postgres").tempdir().unwrap();
        std::fs::write(folder.path().join("password"), PASSWORD).unwrap();
        if is_root() {
            succeed(Command::new("chmod").arg("711").arg(folder.path()));
            succeed(Command::new("chown").args(["-R", "postgres:"]).arg(folder.path()));
        }
        let mut initdb = as_server("initdb");
        initdb.arg("-D").arg(folder.path().join("data")).args(["-U", USER, "-A", "scram-sha-256", "-E", "UTF8"]);
        initdb.args(["--locale=C.UTF-8", "--no-sync", "--pwfile"]).arg(folder.path().join("password"));
        succeed(&mut initdb);
        prepare(&folder.path().join("data"));
        if is_root() {
            succeed(Command::new("chown").args(["-R", "postgres:"]).arg(folder.path()));
        }
        let options = options.iter().map(ToString::to_string).collect();
        let (process, databases) = (Mutex::new(None), AtomicU32::new(0));
        let mut server = Self { _sweeper: sweeper(folder.path()), folder, port: 0, options, process, databases };
        // Another process may take the port between its choice and its use.
        for _ in 0..5 {
            server.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if server.try_to_start() {
                return server;
            }
        }
        panic!("the server does not start: {}", server.log());
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Starts it again.
    pub(crate) fn start(&self) {
        assert!(self.try_to_start(), "the server does not start");
    }

    fn try_to_start(&self) -> bool {
        let mut command = as_server("postgres");
        command.arg("-D").arg(self.folder.path().join("data")).args(["-p", &self.port.to_string()]);
        command.args(["-c", "listen_addresses=127.0.0.1", "-c", "log_min_messages=log"]);
        command.arg("-c").arg(format!("unix_socket_directories={}", self.folder.path().display()));
        for option in &self.options {
            command.args(["-c", option]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let (child, is_ready) = spawn_for_ever(command);
        let is_ready = sent(&is_ready).is_some();
        *self.process.lock().unwrap() = is_ready.then_some(child);
        is_ready
    }

    /// Stops it at once, as a crash would: without a word to anybody.
    pub(crate) fn stop(&self) {
        if let Some(mut process) = self.process.lock().unwrap().take() {
            succeed(Command::new("kill").args(["-QUIT", &process.id().to_string()]));
            process.wait().unwrap();
        }
    }

    /// Freezes it, as it is: connections stay, and nobody answers.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    /// Sends a signal to the server, which then makes no more processes if it is frozen, and to each of those that it has.
    fn signal(&self, name: &str) {
        let id = self.process.lock().unwrap().as_ref().unwrap().id().to_string();
        // A session may end by itself meanwhile.
        let kill = "kill -$0 $1 && { kill -$0 $(ps -o pid= --ppid $1) 2>/dev/null || true; }";
        succeed(Command::new("sh").args(["-c", kill, name, &id]));
    }

    /// A database that nobody else has, as its URL.
    pub(crate) fn database(&self) -> String {
        let name = format!("t{}", self.databases.fetch_add(1, Ordering::Relaxed));
        succeed(self.client("createdb").arg(&name));
        self.url(&name)
    }

    /// The URL of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{ESCAPED_PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    /// What statements answer.
    pub(crate) fn sql(&self, url: &str, statements: &str) -> String {
        let database = url.rsplit('/').next().unwrap().split('?').next().unwrap();
        let mut psql = self.client("psql");
        String::from_utf8(succeed(psql.args(["-qXAt", "-d", database, "-c", statements])).stdout).unwrap()
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(binary(program));
        command.env("PGPASSWORD", PASSWORD).args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", USER]);
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.process.lock().unwrap().is_some() {
            // A frozen one does not end.
            self.thaw();
        }
        self.stop();
    }
}

/// A database of one's own on the shared server.
pub(crate) fn place() -> Place {
    let url = Server::shared().database();
    Place { directory: tempfile::tempdir().unwrap(), cleared: Some(Box::new(Database(url.clone()))), url }
}

/// Dropped with the test that used it.
struct Database(String);

impl Drop for Database {
    fn drop(&mut self) {
        let name = self.0.rsplit('/').next().unwrap();
        // It goes with the server at the latest.
        _ = Server::shared().client("dropdb").args(["--force", "--if-exists", name]).output();
    }
}

/// Starts a server from a thread that stays: the kernel ends it with that thread, and with the process.
fn spawn_for_ever(command: Command) -> (Child, mpsc::Receiver<()>) {
    static STARTER: OnceLock<Mutex<mpsc::Sender<Start>>> = OnceLock::new();
    type Start = (Command, mpsc::Sender<Child>);
    let starter = STARTER.get_or_init(|| {
        let (orders, waiting) = mpsc::channel::<Start>();
        std::thread::spawn(move || {
            for (mut command, started) in waiting {
                started.send(command.spawn().expect("PostgreSQL: run scripts/install")).unwrap();
            }
        });
        Mutex::new(orders)
    });
    let (spawned, child) = mpsc::channel();
    starter.lock().unwrap().send((command, spawned)).unwrap();
    let mut child = sent(&child).unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (ready, is_ready) = mpsc::channel();
    std::thread::spawn(move || {
        // Read to the end, so that it can always write; dropped when it ends before it is ready.
        let mut ready = Some(ready);
        for line in lines.map_while(Result::ok) {
            if line.contains("ready to accept connections")
                && let Some(ready) = ready.take()
            {
                ready.send(()).ok();
            }
        }
    });
    (child, is_ready)
}

/// A process that waits for the end of this one, and then for the end of the server, which leaves nothing behind either.
fn sweeper(folder: &Path) -> Child {
    let sweep = "read -r end; while [ -e \"$0/data/postmaster.pid\" ] && kill -0 \"$(head -n 1 \"$0/data/postmaster.pid\")\" 2>/dev/null; \
                 do sleep 0.1; done; rm -rf \"$0\"";
    let mut command = Command::new("sh");
    command.args(["-c", sweep]).arg(folder).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.process_group(0).spawn().unwrap()
}

fn is_root() -> bool {
    String::from_utf8(succeed(Command::new("id").arg("-u")).stdout).unwrap().trim() == "0"
}

/// A program of the server's, which refuses to be run by root, and which ends with its parent.
fn as_server(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    if is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
    }
    command.args(["--pdeathsig=QUIT", "--"]).arg(binary(program));
    command
}

/// Where Debian puts it, the newest first; or in the path.
fn binary(program: &str) -> PathBuf {
    let version = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path());
    let newest = versions.filter(|path| path.join("bin").join(program).exists()).max_by_key(version);
    newest.map_or_else(|| program.into(), |path| path.join("bin").join(program))
}

fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; run scripts/install"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

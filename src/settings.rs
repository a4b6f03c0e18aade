//! The configuration: layers file, environment and flags, and composes the sections that the modules own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use config::{ConfigError, FileFormat, Map, Source, Value};
use serde::de::DeserializeOwned;

use crate::core::error::Misconfiguration;
use crate::http::{GuardSettings, Mode, ServerSettings, UiSettings};
use crate::net::NetSettings;
use crate::oauth::accounts::settings::AccountSettings;
use crate::oauth::clients::ClientSettings;
use crate::oauth::issuer::IssuerSettings;
use crate::queue::quotas::settings::QuotaSettings;
use crate::queue::retention::RetentionSettings;
use crate::queue::types::{TypeSettings, built_in};
use crate::store::StoreSettings;
use crate::telemetry::logs::{LogFormat, LogSettings};
use crate::verify::{Mention, VerifySettings, is_own, issuer_in, own_table};
use crate::webhooks::WebhookSettings;

use login::LoginSettings;
pub use shutdown::ShutdownSettings;

mod environment;
pub mod login;
mod mistakes;
mod shutdown;

/// Sections whose tables are named by the user.
const NAMED_TABLES: [&str; 4] = ["verifiers", "clients", "types", "guards"];
/// Sections with keys of their own.
const SECTIONS: [&str; 13] = [
    "server",
    "log",
    "store",
    "retention",
    "quotas",
    "shutdown",
    "net",
    "verify",
    "issuer",
    "accounts",
    "webhooks",
    "ui",
    "login",
];

/// The client with which people log in at `/ui/`, unless another is named.
const UI_CLIENT: &str = "swagger-ui";

/// The whole configuration, defaults filled in.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[server]`
    pub server: ServerSettings,
    /// `[log]`
    pub log: LogSettings,
    /// `[store]`
    pub store: StoreSettings,
    /// `[retention]`
    pub retention: RetentionSettings,
    /// `[quotas]`
    pub quotas: QuotaSettings,
    /// `[shutdown]`
    pub shutdown: ShutdownSettings,
    /// `[net]`
    pub net: NetSettings,
    /// `[verify]`
    pub verify: VerifySettings,
    /// `[verifiers.NAME]`, each read by its kind.
    pub verifiers: BTreeMap<String, Value>,
    /// `[issuer]`
    pub issuer: IssuerSettings,
    /// `[accounts]`
    pub accounts: AccountSettings,
    /// `[clients.NAME]`
    pub clients: BTreeMap<String, ClientSettings>,
    /// `[types.NAME]`
    pub types: BTreeMap<String, TypeSettings>,
    /// `[guards.NAME]`
    pub guards: BTreeMap<String, GuardSettings>,
    /// `[webhooks]`
    pub webhooks: WebhookSettings,
    /// `[ui]`
    pub ui: UiSettings,
    /// `[login]`
    pub login: LoginSettings,
    /// What paths in the configuration are relative to: the folder of its file.
    pub base: PathBuf,
    /// Where each value came from.
    pub origin: Origin,
}

/// What is said on the command line; it wins over the rest.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// The file.
    pub config: Option<PathBuf>,
    /// `server.bind`
    pub bind: Option<String>,
    /// `server.data_dir`
    pub data_dir: Option<PathBuf>,
}

/// Where values came from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    file: Option<PathBuf>,
    /// The variable or flag, by the key that it sets.
    overrides: BTreeMap<String, String>,
}

impl Origin {
    /// What set `key`, or would.
    pub fn of(&self, key: &str) -> String {
        if key.starts_with(environment::PREFIX) {
            return "environment".into();
        }
        let covers =
            |set: &str| key.strip_prefix(set).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        // The longest: a key that was set by itself lies over the table that was set as a whole.
        let covering = self.overrides.iter().filter(|(set, _)| covers(set)).max_by_key(|(set, _)| set.len());
        let by_override = covering.map(|(_, by)| by.clone());
        let by_file = || self.file.as_ref().map(|file| file.display().to_string());
        by_override.or_else(by_file).unwrap_or_else(|| "configuration".into())
    }
}

/// Why there is no configuration, with where each mistake is.
#[derive(Debug)]
pub struct Unusable {
    /// Every mistake found.
    pub mistakes: Vec<Misconfiguration>,
    /// Where values came from.
    pub origin: Origin,
    /// What could be read all the same, so that it can be judged as well.
    pub readable: Option<Box<Settings>>,
}

impl Settings {
    /// Reads the layers: defaults, file, environment (`variables`), flags; later wins.
    ///
    /// # Errors
    /// Every mistake, in every section at once.
    pub fn load(flags: &Flags, variables: impl Iterator<Item = (String, String)>) -> Result<Self, Unusable> {
        let mut origin = Origin { file: flags.config.clone(), ..Origin::default() };
        let mut layers = match flags.config.as_deref().map(read_file).transpose() {
            Ok(table) => table.unwrap_or_default(),
            Err(mistake) => return Err(Unusable { mistakes: vec![mistake], origin, readable: None }),
        };
        let mut mistakes = environment::apply(&mut layers, variables, &mut origin.overrides);
        apply_flags(&mut layers, flags, &mut origin.overrides);
        let base = flags.config.as_deref().and_then(Path::parent).unwrap_or(Path::new("")).to_path_buf();
        let mut sections = Sections { layers, mistakes: Vec::new() };
        let settings = sections.compose(base, origin.clone());
        mistakes.extend(sections.finish());
        mistakes.extend(settings.server.mistakes());
        mistakes.extend(settings.log.mistakes());
        mistakes.extend(settings.retention.mistakes());
        mistakes.extend(settings.quotas.mistakes());
        mistakes.extend(settings.issuer.mistakes());
        mistakes.extend(settings.open_issuer_mistakes());
        if mistakes.is_empty() {
            return Ok(settings);
        }
        Err(Unusable { mistakes, origin, readable: Some(Box::new(settings)) })
    }

    /// These settings, found unusable.
    pub fn unusable(&self, mistakes: Vec<Misconfiguration>) -> Unusable {
        Unusable { mistakes, origin: self.origin.clone(), readable: None }
    }

    /// The `iss` of our own tokens. It names the owner of requests, so it does not follow the port.
    pub fn issuer_url(&self) -> String {
        let url = self.issuer.url.clone().or_else(|| self.server.public_url.clone());
        url.unwrap_or_else(|| "http://localhost:8080".into())
    }

    /// How log lines are written: for people in development, as JSON in production, unless configured.
    pub fn log_format(&self) -> LogFormat {
        self.log.format.unwrap_or(match self.server.effective_mode() {
            Mode::Development => LogFormat::Pretty,
            Mode::Production => LogFormat::Json,
        })
    }

    /// Whether the demo client exists: in development, when no client is named, tokens are not given freely, and ours are believed.
    pub fn has_demo_client(&self) -> bool {
        let nobody_else = self.clients.is_empty() && !self.issuer.open;
        self.server.effective_mode() == Mode::Development && nobody_else && self.believes_itself()
    }

    /// The client with which people log in at `/ui/`: the one that is named, and in development mode one that exists by itself, where
    /// our tokens are believed.
    pub fn ui_client(&self) -> Option<&str> {
        let exists = self.server.effective_mode() == Mode::Development && self.believes_itself();
        self.ui.client_id.as_deref().or(exists.then_some(UI_CLIENT))
    }

    /// The names of the verifiers that guard the API.
    pub fn chain(&self) -> &[String] {
        self.verify.chain.as_deref().unwrap_or_default()
    }

    /// The names of the verifiers that guards name, in the chain or not.
    pub fn named_by_guards(&self) -> Vec<Mention> {
        let mentions = |(guard, settings): (_, &GuardSettings)| {
            let names = settings.verifiers.clone().unwrap_or_default();
            names.into_iter().map(move |name| Mention { key: format!("guards.{guard}.verifiers"), name })
        };
        self.guards.iter().flat_map(mentions).collect()
    }

    /// Whether our own tokens are believed.
    pub fn believes_itself(&self) -> bool {
        self.chain().iter().any(|name| self.is_self(name))
    }

    /// The issuer of the tokens that the verifier of that name checks, as far as its table says.
    pub fn issuer_of(&self, name: &str) -> Option<String> {
        if self.is_self(name) {
            return Some(self.issuer_url());
        }
        self.verifiers.get(name).and_then(issuer_in)
    }

    /// Whether the verifier of that name checks our own tokens.
    fn is_self(&self, name: &str) -> bool {
        self.verifiers.get(name).is_some_and(is_own)
    }

    /// Whether nobody can get a token that the gateway believes, but clients that were added: none is configured, and no issuer but itself.
    pub fn serves_nobody(&self) -> bool {
        let others = self.chain().iter().any(|name| !self.is_self(name));
        self.clients.is_empty() && !self.has_demo_client() && !self.issuer.open && !others
    }

    fn open_issuer_mistakes(&self) -> Option<Misconfiguration> {
        if !self.issuer.open {
            return None;
        }
        let mistake = |key, problem, remedy| Some(Misconfiguration::new(key, problem, remedy));
        if self.server.effective_mode() == Mode::Production {
            let remedy = "Remove it and give each client a secret with `anteroom client new NAME`, or bind to a loopback address";
            return mistake("issuer.open", "tokens without credentials are given in development mode only", remedy);
        }
        if self.issuer.open_subject.is_empty() {
            return mistake("issuer.open_subject", "tokens without credentials need a subject", "Name one");
        }
        None
    }
}

fn read_file(path: &Path) -> Result<Map<String, Value>, Misconfiguration> {
    let unreadable = |problem: String| Misconfiguration::new("(whole file)", problem, "Mend the file at that place");
    if !path.is_file() {
        let remedy = "Name a TOML file that exists with --config or ANTEROOM_CONFIG";
        return Err(Misconfiguration::new("(whole file)", "there is no such file", remedy));
    }
    config::File::from(path).format(FileFormat::Toml).collect().map_err(|error| match error {
        ConfigError::FileParse { cause, .. } => {
            unreadable(format!("it is not TOML: {}", without_excerpt(&cause.to_string())))
        }
        other => unreadable(other.to_string()),
    })
}

/// What the parser says, without the line that it shows: there may be a secret in it.
fn without_excerpt(told: &str) -> String {
    let is_excerpt =
        |line: &&str| line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit()).trim_start().starts_with('|');
    told.lines().filter(|line| !is_excerpt(line)).collect::<Vec<_>>().join(": ")
}

fn apply_flags(layers: &mut Map<String, Value>, flags: &Flags, overrides: &mut BTreeMap<String, String>) {
    let data_dir = flags.data_dir.as_ref().map(|path| path.display().to_string());
    for (key, flag, value) in [("bind", "--bind", flags.bind.clone()), ("data_dir", "--data-dir", data_dir)] {
        if let Some(value) = value {
            environment::set(layers, &["server".into(), key.into()], Value::from(value));
            overrides.insert(format!("server.{key}"), flag.into());
        }
    }
}

/// The merged layers, taken apart section by section.
struct Sections {
    layers: Map<String, Value>,
    mistakes: Vec<Misconfiguration>,
}

impl Sections {
    fn compose(&mut self, base: PathBuf, origin: Origin) -> Settings {
        let mut verifiers: BTreeMap<String, Value> = self.section("verifiers");
        let mut verify: VerifySettings = self.section("verify");
        if verifiers.is_empty() {
            verifiers.insert("self".into(), own_table());
        }
        verify.chain.get_or_insert_with(|| verifiers.keys().cloned().collect());
        let types: BTreeMap<String, TypeSettings> = self.section("types");
        Settings {
            server: self.section("server"),
            log: self.section("log"),
            store: StoreSettings { base: base.clone(), ..self.section("store") },
            retention: self.section("retention"),
            quotas: self.section("quotas"),
            shutdown: self.section("shutdown"),
            net: self.section("net"),
            verify,
            verifiers,
            issuer: self.section("issuer"),
            accounts: self.section("accounts"),
            clients: self.section("clients"),
            types: if types.is_empty() { built_in() } else { types },
            guards: self.section("guards"),
            webhooks: self.section("webhooks"),
            ui: self.section("ui"),
            login: self.section("login"),
            base,
            origin,
        }
    }

    /// Reads one section, by its owner's rules. One that can not be read is noted and stands at its defaults.
    fn section<T: DeserializeOwned + Default>(&mut self, name: &str) -> T {
        let Some(value) = self.layers.remove(name) else {
            return T::default();
        };
        serde_path_to_error::deserialize(value).unwrap_or_else(|error| {
            self.mistakes.push(mistakes::explain(name, &error));
            T::default()
        })
    }

    /// What is left is not known.
    fn finish(mut self) -> Vec<Misconfiguration> {
        let known = SECTIONS.iter().chain(&NAMED_TABLES).copied().collect::<Vec<_>>().join(", ");
        let unknown =
            |key: String| Misconfiguration::new(key, "there is no such section", format!("The sections are: {known}"));
        self.mistakes.extend(self.layers.into_keys().map(unknown));
        self.mistakes
    }
}

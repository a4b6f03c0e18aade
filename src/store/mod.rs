//! Where requests are kept: the list of stores, one row each, and what they have in common.
//!
//! To add a store: a file or folder here, its row in [`SCHEMES`], and its row in the contract suite.

mod memory;
mod postgres;
mod sqlite;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use crate::core::clock::Clock;
use crate::core::error::Misconfiguration;
use crate::core::ports::Store;
use crate::secret::Source;
use crate::telemetry::metrics::StoreMetrics;

/// The section `[store]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    /// Which store, and where: a scheme of [`SCHEMES`], a colon, and what the scheme asks for.
    #[serde(serialize_with = "masked")]
    pub url: String,
    /// The password of a database, where it is not to stand in the URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Source>,
    /// A PEM file with the CA of a database's certificate, trusted in place of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// How many sessions there may be with a database.
    pub pool_size: usize,
    /// What paths are relative to.
    #[serde(skip)]
    pub base: PathBuf,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self { url: "sqlite:anteroom.db".into(), password: None, ca_file: None, pool_size: 16, base: PathBuf::new() }
    }
}

impl StoreSettings {
    /// The URL, for people: a password in it is left out.
    pub fn shown_url(&self) -> String {
        let (address, query) = self.url.split_once('?').map_or((self.url.as_str(), None), |(a, q)| (a, Some(q)));
        let mut shown = match (address.find("//"), address.rfind('@')) {
            (Some(begin), Some(end)) if begin + 2 <= end => {
                let user = address[begin + 2..end].split(':').next().unwrap_or_default();
                format!("{}//{user}{}", &address[..begin], &address[end..])
            }
            _ => address.to_owned(),
        };
        let open = |part: &&str| !part.starts_with("password=");
        let query = query.map(|query| query.split('&').filter(open).collect::<Vec<_>>().join("&"));
        if let Some(query) = query.filter(|query| !query.is_empty()) {
            shown.push('?');
            shown.push_str(&query);
        }
        shown
    }
}

fn masked<S: Serializer>(url: &str, serializer: S) -> Result<S::Ok, S::Error> {
    let settings = StoreSettings { url: url.to_owned(), ..StoreSettings::default() };
    serializer.serialize_str(&settings.shown_url())
}

/// Opens the store at a place (the URL after its scheme); a relative path is relative to the data directory.
type Open = fn(&str, &Opening<'_>, Arc<dyn Clock>, StoreMetrics) -> Result<Arc<dyn Store>, Misconfiguration>;

/// What a store is opened with besides its place.
struct Opening<'a> {
    data_dir: &'a Path,
    settings: &'a StoreSettings,
}

/// Refuses a place where there is no store yet; makes nothing.
type Find = fn(&str, &Opening<'_>) -> Result<(), Misconfiguration>;

/// Checks the store at a place, and tells what is wrong with it.
type Check = fn(&str, &Opening<'_>) -> Result<Vec<String>, Misconfiguration>;

/// A kind of store.
#[derive(Debug)]
pub struct Scheme {
    /// What its URLs begin with.
    pub name: &'static str,
    /// How its URLs look, for people.
    pub form: &'static str,
    /// Whether several gateways may use one store.
    pub is_shared: bool,
    is_kept: bool,
    judge: fn(&str, &StoreSettings) -> Result<(), Misconfiguration>,
    find: Find,
    open: Open,
    check: Check,
}

/// Every kind of store there is.
pub const SCHEMES: &[Scheme] = &[
    Scheme {
        name: "memory",
        form: "memory:",
        is_shared: false,
        is_kept: false,
        judge: judge_local,
        find: |_, _| Ok(()),
        open: |place, opening, clock, metrics| memory::open(place, opening.data_dir, clock, metrics),
        check: |place, opening| memory::check(place, opening.data_dir),
    },
    Scheme {
        name: "sqlite",
        form: "sqlite:PATH",
        is_shared: false,
        is_kept: true,
        judge: judge_local,
        find: |place, opening| sqlite::find(place, opening.data_dir),
        open: |place, opening, clock, metrics| sqlite::open(place, opening.data_dir, clock, metrics),
        check: |place, opening| sqlite::check(place, opening.data_dir),
    },
    Scheme {
        name: "postgres",
        form: "postgres://USER@HOST/DATABASE",
        is_shared: true,
        is_kept: true,
        judge: postgres::judge,
        find: |place, opening| postgres::find(place, opening.settings),
        open: |place, opening, clock, metrics| postgres::open(place, opening.settings, clock, metrics),
        check: |place, opening| postgres::check(place, opening.settings),
    },
];

/// Opens the store that the settings name. `clock` judges whether a cancellation comes in time; `metrics` counts commits.
///
/// # Errors
/// A mistake at `store.url`: an unknown scheme, or a store that can not be opened, with the reason and the remedy.
pub fn open(
    settings: &StoreSettings,
    data_dir: &Path,
    clock: Arc<dyn Clock>,
    metrics: StoreMetrics,
) -> Result<Arc<dyn Store>, Misconfiguration> {
    let (scheme, place) = parse(&settings.url)?;
    (scheme.open)(place, &Opening { data_dir, settings }, clock, metrics)
}

/// Finds the store that the settings name, and makes none where there is none. One that keeps nothing is always there.
///
/// # Errors
/// A mistake at `store.url`: an unknown scheme, or no gateway has used such a store yet.
pub fn find(settings: &StoreSettings, data_dir: &Path) -> Result<(), Misconfiguration> {
    let (scheme, place) = parse(&settings.url)?;
    (scheme.find)(place, &Opening { data_dir, settings })
}

/// Whether what is put into the store that the settings name is there when it is opened again.
pub fn is_kept(settings: &StoreSettings) -> bool {
    parse(&settings.url).is_ok_and(|(scheme, _)| scheme.is_kept)
}

/// Checks the store that the settings name, record by record; a store that is not shared, while no gateway has it open. Changes
/// nothing. Answers a sentence for each finding: none for a store that is whole, or that keeps nothing.
///
/// # Errors
/// A mistake at `store.url`: an unknown scheme, or a store that can not be opened, with the reason and the remedy.
pub fn check(settings: &StoreSettings, data_dir: &Path) -> Result<Vec<String>, Misconfiguration> {
    let (scheme, place) = parse(&settings.url)?;
    (scheme.check)(place, &Opening { data_dir, settings })
}

/// Judges the settings; opens nothing.
///
/// # Errors
/// A mistake at `store.url`: an unknown scheme; a key that this store does not have or understand.
pub fn judge(settings: &StoreSettings) -> Result<(), Misconfiguration> {
    let (scheme, place) = parse(&settings.url)?;
    (scheme.judge)(place, settings)
}

/// Whether several gateways may use the store that the settings name.
pub fn is_shared(settings: &StoreSettings) -> bool {
    parse(&settings.url).is_ok_and(|(scheme, _)| scheme.is_shared)
}

/// A store on this machine has no password and no certificate.
fn judge_local(_: &str, settings: &StoreSettings) -> Result<(), Misconfiguration> {
    let keys = [("store.password", settings.password.is_some()), ("store.ca_file", settings.ca_file.is_some())];
    match keys.iter().find(|(_, is_set)| *is_set) {
        None => Ok(()),
        Some((key, _)) => {
            let remedy = "Leave it out, or name a database in store.url";
            Err(Misconfiguration::new(*key, "the store in store.url is no database on a server", remedy))
        }
    }
}

/// The scheme of a URL, and the place after it.
fn parse(url: &str) -> Result<(&'static Scheme, &str), Misconfiguration> {
    let forms = || SCHEMES.iter().map(|scheme| format!("\"{}\"", scheme.form)).collect::<Vec<_>>().join(" or ");
    // The URL of a store on the network may hold a password: of a URL that is not understood, only the scheme is repeated.
    let Some((name, place)) = url.split_once(':') else {
        return Err(mistake("the URL has no scheme", format!("Write it as {}", forms())));
    };
    // Other programs write it so.
    let canonical = if name == "postgresql" { "postgres" } else { name };
    match SCHEMES.iter().find(|scheme| scheme.name == canonical) {
        Some(scheme) => Ok((scheme, place)),
        None => Err(mistake(format!("there is no store \"{name}:\""), format!("Write it as {}", forms()))),
    }
}

/// A mistake at the one key of this section.
fn mistake(problem: impl Into<String>, remedy: impl Into<String>) -> Misconfiguration {
    Misconfiguration::new("store.url", problem, remedy)
}

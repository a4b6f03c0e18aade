//! Where requests are kept: the list of stores, one row each, and what they have in common.
//!
//! To add a store: a file or folder here, its row in [`SCHEMES`], and its row in the contract suite.

mod memory;
mod sqlite;

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::core::clock::Clock;
use crate::core::error::Misconfiguration;
use crate::core::ports::Store;
use crate::telemetry::metrics::StoreMetrics;

/// The section `[store]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    /// Which store, and where: a scheme of [`SCHEMES`], a colon, and what the scheme asks for.
    pub url: String,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self { url: "sqlite:anteroom.db".into() }
    }
}

/// Opens the store at a place (the URL after its scheme); a relative path is relative to the data directory.
type Open = fn(&str, data_dir: &Path, Arc<dyn Clock>, StoreMetrics) -> Result<Arc<dyn Store>, Misconfiguration>;

/// Checks the store at a place, and tells what is wrong with it.
type Check = fn(&str, data_dir: &Path) -> Result<Vec<String>, Misconfiguration>;

/// A kind of store.
#[derive(Debug)]
pub struct Scheme {
    /// What its URLs begin with.
    pub name: &'static str,
    /// How its URLs look, for people.
    pub form: &'static str,
    open: Open,
    check: Check,
}

/// Every kind of store there is.
pub const SCHEMES: &[Scheme] = &[
    Scheme { name: "memory", form: "memory:", open: memory::open, check: memory::check },
    Scheme { name: "sqlite", form: "sqlite:PATH", open: sqlite::open, check: sqlite::check },
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
    (scheme.open)(place, data_dir, clock, metrics)
}

/// Checks the store that the settings name, record by record, while no gateway has it open. Changes nothing. Answers a sentence for
/// each finding: none for a store that is whole, or that keeps nothing.
///
/// # Errors
/// A mistake at `store.url`: an unknown scheme, or a store that can not be opened, with the reason and the remedy.
pub fn check(settings: &StoreSettings, data_dir: &Path) -> Result<Vec<String>, Misconfiguration> {
    let (scheme, place) = parse(&settings.url)?;
    (scheme.check)(place, data_dir)
}

/// Judges the settings; opens nothing.
///
/// # Errors
/// A mistake at `store.url`: an unknown scheme.
pub fn judge(settings: &StoreSettings) -> Result<(), Misconfiguration> {
    parse(&settings.url).map(|_| ())
}

/// The scheme of a URL, and the place after it.
fn parse(url: &str) -> Result<(&'static Scheme, &str), Misconfiguration> {
    let forms = || SCHEMES.iter().map(|scheme| format!("\"{}\"", scheme.form)).collect::<Vec<_>>().join(" or ");
    // The URL of a store on the network may hold a password: of a URL that is not understood, only the scheme is repeated.
    let Some((name, place)) = url.split_once(':') else {
        return Err(mistake("the URL has no scheme", format!("Write it as {}", forms())));
    };
    match SCHEMES.iter().find(|scheme| scheme.name == name) {
        Some(scheme) => Ok((scheme, place)),
        None => Err(mistake(format!("there is no store \"{name}:\""), format!("Write it as {}", forms()))),
    }
}

/// A mistake at the one key of this section.
fn mistake(problem: impl Into<String>, remedy: impl Into<String>) -> Misconfiguration {
    Misconfiguration::new("store.url", problem, remedy)
}

//! The plan of the code, as rules that fail when the code leaves it: who may import whom, and how large a file may grow.
//!
//! Each rule is a function from sources to complaints; its test holds our sources to it, and shows it one made-up violation.

mod dependencies;
mod map;
mod source;

use std::path::{Path, PathBuf};

use source::Source;

/// Who may import whom: a top-level module of `src/`, and the ones it may name. Every module stands here.
const LAYERS: [(&str, &[&str]); 16] = [
    ("main", &["cli"]),
    ("lib", &[]),
    ("cli", &["app", "settings", "http", "queue", "oauth", "verify", "core"]),
    ("app", &["settings", "http", "webhooks", "queue", "oauth", "verify", "store", "core"]),
    ("settings", &["http", "webhooks", "queue", "oauth", "verify", "store", "core"]),
    ("http", &["webhooks", "queue", "oauth", "verify", "core"]),
    ("queue", &["core"]),
    ("webhooks", &["core"]),
    ("oauth", &["core"]),
    ("verify", &["core"]),
    ("store", &["core"]),
    ("core", &[]),
    ("telemetry", &["core"]),
    ("net", &["core"]),
    ("secret", &[]),
    ("lock", &[]),
];

/// The modules that all but the core may import.
const LEAVES: [&str; 4] = ["telemetry", "net", "secret", "lock"];

/// Where a crate may be named, so that what it does has one place. A path covers the file, or all that is below the folder.
const HOMES: [(&str, &[&str]); 9] = [
    ("actix", &["src/http/"]),
    ("utoipa", &["src/http/"]),
    ("rusqlite", &["src/store/"]),
    ("tokio_postgres", &["src/store/"]),
    ("deadpool_postgres", &["src/store/"]),
    ("refinery", &["src/store/"]),
    ("reqwest", &["src/net/"]),
    ("jsonwebtoken", &["src/verify/", "src/oauth/"]),
    ("governor", &["src/queue/quotas/"]),
];

/// What the core does without: I/O, HTTP, SQL and token formats are for the layers around it.
const NOT_IN_CORE: [&str; 7] = ["tokio", "actix", "utoipa", "reqwest", "rusqlite", "tokio_postgres", "jsonwebtoken"];

const LINES_PER_FILE: usize = 350;
const LINES_PER_FUNCTION: usize = 60;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn program() -> Vec<Source> {
    Source::read_all(&root().join("src"), "src")
}

fn with_tests() -> Vec<Source> {
    let mut sources = program();
    sources.extend(Source::read_all(&root().join("tests"), "tests"));
    sources
}

fn import_complaints(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        let from = source.top_module();
        let Some((_, may)) = LAYERS.iter().find(|(module, _)| *module == from) else {
            complaints.push(format!("{}: the module {from} has no row in LAYERS; say what it may import", source.path));
            continue;
        };
        for (to, line) in source.top_modules_named() {
            let is_module = LAYERS.iter().any(|(module, _)| *module == to);
            let is_leaf = from != "core" && LEAVES.contains(&to.as_str());
            if is_module && to != from && !is_leaf && !may.contains(&to.as_str()) {
                complaints.push(format!("{}:{line}: {from} may not import {to}", source.path));
            }
        }
    }
    complaints
}

fn home_complaints(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        for (name, homes) in HOMES {
            if !homes.iter().any(|home| source.path.starts_with(home)) {
                let lines = source.lines_naming_crate(name);
                complaints
                    .extend(lines.iter().map(|line| format!("{}:{line}: {name} belongs in {homes:?}", source.path)));
            }
        }
        for name in NOT_IN_CORE {
            if source.top_module() == "core" {
                let lines = source.lines_naming_crate(name);
                complaints.extend(lines.iter().map(|line| format!("{}:{line}: the core names {name}", source.path)));
            }
        }
    }
    complaints
}

fn shape_complaints(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        if !source.text.starts_with("//! ") {
            complaints.push(format!("{}: opens without a `//!` sentence", source.path));
        }
        let lines = source.text.lines().count();
        if lines > LINES_PER_FILE {
            complaints.push(format!("{}: {lines} lines, at most {LINES_PER_FILE}", source.path));
        }
        for (name, line, lines) in source.functions() {
            if lines > LINES_PER_FUNCTION {
                complaints.push(format!(
                    "{}:{line}: fn {name} takes {lines} lines, at most {LINES_PER_FUNCTION}",
                    source.path
                ));
            }
        }
    }
    complaints
}

/// The page loads all that it is made of from the gateway: it works with no network, and tells nobody who looks at it.
fn page_complaints(path: &str, text: &str) -> Vec<String> {
    let from_elsewhere =
        ["src=\"http", "src=\"//", "href=\"http", "href=\"//", "url(http", "@import", "//cdn.", "unpkg.com"];
    let found = from_elsewhere.into_iter().filter(|mark| text.contains(mark));
    found.map(|mark| format!("{path}: {mark} loads something from elsewhere")).collect()
}

/// The files below `folder` that are not Rust.
fn other_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let below = |path: PathBuf| if path.is_dir() { other_files(&path) } else { vec![path] };
    entries.flat_map(below).filter(|path| path.extension().is_none_or(|extension| extension != "rs")).collect()
}

/// What one made-up file brings against it.
fn against(rule: fn(&[Source]) -> Vec<String>, path: &str, text: &str) -> Vec<String> {
    rule(&[Source::new(path, text)])
}

const NONE: [String; 0] = [];

#[test]
fn modules_import_only_the_layers_below_them() {
    assert_eq!(import_complaints(&program()), NONE);
}

#[test]
fn an_import_upwards_is_caught_in_every_form() {
    let http_to_store = ["src/http/requests.rs:1: http may not import store"];
    for text in [
        "use crate::store::Sqlite;",
        "use crate::{core::clock::Clock, store::{self, Sqlite}};",
        "fn open() { let _ = crate::store::open(); }",
        "fn log() { tracing::info!(\"{}\", crate::store::SCHEMES.len()); }",
        "use super::super::store::Sqlite;",
        "mod tests { use super::super::super::store::Sqlite; }",
    ] {
        assert_eq!(against(import_complaints, "src/http/requests.rs", text), http_to_store, "{text}");
    }
    let complaints = against(import_complaints, "src/main.rs", "fn main() { anteroom::app::run() }");
    assert_eq!(complaints, ["src/main.rs:1: main may not import app"]);
    let complaints = against(import_complaints, "src/core/error.rs", "use crate::secret::Source;");
    assert_eq!(complaints, ["src/core/error.rs:1: core may not import secret"]);
    let complaints = against(import_complaints, "src/helpers.rs", "");
    assert_eq!(complaints, ["src/helpers.rs: the module helpers has no row in LAYERS; say what it may import"]);
}

#[test]
fn what_only_looks_like_an_import_is_let_through() {
    for text in [
        "// use crate::store::Sqlite;",
        "/// See [`crate::store::Sqlite`].\nfn f() {}",
        "fn f() -> &'static str { \"crate::store::Sqlite\" }",
        "use super::store;", // src/http/store.rs, were there one
        "mod tests { use super::super::store; }",
        "use crate::{core::claims::Claims, verify::chain::{Chain, store}};",
        "pub(crate) fn f() {}",
        "use crate::secret::Source;",
    ] {
        assert_eq!(against(import_complaints, "src/http/requests.rs", text), NONE, "{text}");
    }
}

#[test]
fn crates_stay_in_their_places() {
    assert_eq!(home_complaints(&program()), NONE);
}

#[test]
fn a_crate_out_of_its_place_is_caught() {
    let complaints = against(home_complaints, "src/queue/mod.rs", "\nuse actix_web::web;");
    assert_eq!(complaints, [r#"src/queue/mod.rs:2: actix belongs in ["src/http/"]"#]);
    let complaints = against(home_complaints, "src/core/clock.rs", "async fn f() { tokio::time::sleep(d).await }");
    assert_eq!(complaints, ["src/core/clock.rs:1: the core names tokio"]);
    let complaints = against(home_complaints, "src/core/claims.rs", "#[derive(utoipa::ToSchema)] struct Claims;");
    let misplaced = r#"src/core/claims.rs:1: utoipa belongs in ["src/http/"]"#;
    assert_eq!(complaints, [misplaced, "src/core/claims.rs:1: the core names utoipa"]);
    let complaints = against(home_complaints, "src/verify/jwks.rs", "fn f(client: reqwest::Client) {}");
    assert_eq!(complaints, [r#"src/verify/jwks.rs:1: reqwest belongs in ["src/net/"]"#]);
    assert_eq!(against(home_complaints, "src/http/mod.rs", "//! actix\nuse actix_web::web; // rusqlite"), NONE);
}

#[test]
fn files_and_functions_stay_small_and_say_what_they_are() {
    assert_eq!(shape_complaints(&with_tests()), NONE);
}

#[test]
fn a_large_or_nameless_file_is_caught() {
    assert_eq!(against(shape_complaints, "src/app.rs", "fn f() {}"), ["src/app.rs: opens without a `//!` sentence"]);
    let complaints = against(shape_complaints, "src/app.rs", &format!("//! App.\n{}", "\n".repeat(350)));
    assert_eq!(complaints, ["src/app.rs: 351 lines, at most 350"]);
    let body = "    work();\n".repeat(59);
    let text = format!("//! App.\nfn short(x: [u8; 2]);\nfn long() -> fn(u8) {{\n{body}}}\nfn next() {{\n}}\n");
    let complaints = against(shape_complaints, "src/app.rs", &text);
    assert_eq!(complaints, ["src/app.rs:3: fn long takes 61 lines, at most 60"]);
}

#[test]
fn pages_load_nothing_from_elsewhere() {
    for path in other_files(&root().join("src")) {
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        assert_eq!(page_complaints(&path.display().to_string(), &text), NONE);
    }
    let complaints = page_complaints("index.html", r#"<script src="https://unpkg.com/swagger-ui"></script>"#);
    let expected = [
        "index.html: src=\"http loads something from elsewhere",
        "index.html: unpkg.com loads something from elsewhere",
    ];
    assert_eq!(complaints, expected);
}

//! The map of the crate in `src/lib.rs` is true: what it names exists, and nothing of `src/` is missing from it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{NONE, root};

/// The paths in backquotes in the `//!` lines: those with a slash inside or at their end, and those of Rust files.
fn paths_of_map(lib: &str) -> BTreeSet<String> {
    let map: Vec<_> = lib.lines().filter_map(|line| line.strip_prefix("//!")).collect();
    let text = map.join("\n");
    let quoted = text.split('`').skip(1).step_by(2);
    let is_path = |word: &&str| {
        (word.contains('/') && !word.starts_with('/'))
            || Path::new(word).extension().is_some_and(|extension| extension == "rs")
    };
    quoted.filter(is_path).filter(|word| !word.contains([' ', ':'])).map(str::to_owned).collect()
}

/// What is wrong with a map, given the entries of `src/` (folders end with a slash) and which paths there are.
fn map_complaints(lib: &str, entries: &[String], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let paths = paths_of_map(lib);
    let gone =
        paths.iter().filter(|path| !exists(path)).map(|path| format!("the map names {path}, which is not there"));
    let named = |entry: &String| paths.iter().any(|path| path.trim_start_matches("src/") == entry);
    let missing = entries.iter().filter(|entry| !named(entry)).map(|entry| format!("the map does not name {entry}"));
    gone.chain(missing).collect()
}

#[test]
fn the_map_of_the_crate_is_true() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let mut entries = Vec::new();
    for entry in fs::read_dir(root().join("src")).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            // `settings/` holds the parts of `settings.rs`, which stands for both.
            if !entry.path().with_extension("rs").exists() {
                entries.push(format!("{name}/"));
            }
        } else if name != "lib.rs" {
            entries.push(name);
        }
    }
    entries.sort();
    let exists = |path: &str| root().join(path).exists() || root().join("src").join(path).exists();
    assert_eq!(map_complaints(&lib, &entries, exists), NONE);
}

#[test]
fn a_map_that_went_stale_is_caught() {
    let lib =
        "//! The map.\n//! - `src/http/`: see `http/mod.rs`, a `GET /ui/`, `a::b/c`\n//! - `src/gone.rs`\n// `x.rs`\n";
    let entries = ["http/".to_owned(), "queue/".to_owned()];
    let complaints = map_complaints(lib, &entries, |path| path.contains("http"));
    assert_eq!(complaints, ["the map names src/gone.rs, which is not there", "the map does not name queue/"]);
}

//! The dependency tree keeps to `deny.toml`: its licences and its bans, held in every run, with no network.

use std::process::Command;

use semver::{Version, VersionReq};
use serde::Deserialize;
use spdx::{Expression, ParseMode};

use super::{NONE, root};

#[derive(Deserialize)]
struct Rules {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    spec: String,
    reason: String,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

/// What is built for this platform; `packages` has more.
#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
}

#[derive(Deserialize)]
struct Package {
    #[serde(default)]
    id: String,
    name: String,
    version: Version,
    license: Option<String>,
}

fn rules() -> Rules {
    toml::from_str(&std::fs::read_to_string(root().join("deny.toml")).unwrap()).unwrap()
}

fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--format-version", "1", "--filter-platform", "host-tuple"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Metadata = serde_json::from_slice(&output.stdout).unwrap();
    let is_built = |package: &Package| metadata.resolve.nodes.iter().any(|node| node.id == package.id);
    metadata.packages.into_iter().filter(is_built).collect()
}

fn complaints(rules: &Rules, packages: &[Package]) -> Vec<String> {
    let mut complaints = Vec::new();
    for Package { name, version, license, .. } in packages {
        let terms = license.as_deref().and_then(|license| Expression::parse_mode(license, ParseMode::LAX).ok());
        let is_allowed = |terms: Expression| {
            terms.evaluate(|term| rules.licenses.allow.iter().any(|allowed| *allowed == term.license.to_string()))
        };
        if !terms.is_some_and(is_allowed) {
            complaints.push(format!("{name} {version}: the licence {license:?} is not in deny.toml"));
        }
        for Ban { spec, reason } in &rules.bans.deny {
            let (banned, versions) = spec.split_once('@').unwrap_or((spec, "*"));
            if name == banned && VersionReq::parse(versions).unwrap().matches(version) {
                complaints.push(format!("{name} {version} is banned: {reason}"));
            }
        }
    }
    complaints
}

#[test]
fn dependencies_keep_to_deny_toml() {
    let packages = packages();
    assert!(packages.len() > 100, "the tree has only {} packages", packages.len());
    assert_eq!(complaints(&rules(), &packages), NONE);
}

#[test]
fn a_licence_or_a_ban_broken_is_caught() {
    let package = |name: &str, version: &str, license: Option<&str>| Package {
        id: String::new(),
        name: name.into(),
        version: version.parse().unwrap(),
        license: license.map(str::to_owned),
    };
    let packages = [
        package("free", "1.0.0", Some("MIT/GPL-3.0-only")),
        package("copyleft", "1.0.0", Some("MIT AND GPL-3.0-only")),
        package("unlicensed", "1.0.0", None),
        package("h2", "0.3.27", Some("MIT")),
        package("h2", "0.4.16", Some("MIT")),
    ];
    let complaints = complaints(&rules(), &packages);
    let expected = [
        r#"copyleft 1.0.0: the licence Some("MIT AND GPL-3.0-only") is not in deny.toml"#,
        "unlicensed 1.0.0: the licence None is not in deny.toml",
        "h2 0.3.27 is banned: RUSTSEC-2026-0258 has no fix below 0.4.16; keep actix-web's http2 feature off",
    ];
    assert_eq!(complaints, expected);
}

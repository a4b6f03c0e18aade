//! Makes the chain out of the tables of the configuration, and tells every mistake in them.

use std::collections::{BTreeMap, HashMap, HashSet};

use quick_cache::sync::Cache;

use super::super::verified::Verified;
use super::super::{Setup, Tokens, parse_table};
use super::at_hand::FORGED;
use super::{Chain, Link, Mention, trust};
use crate::core::error::{Misconfiguration, list};
use crate::telemetry::metrics::Metrics;

/// The key that names the verifiers of the API.
const CHAIN: &str = "verify.chain";

/// What metrics call the verifier of tokens that did not get as far as one.
const UNASSIGNED: &str = "none";

impl Chain {
    /// Makes the verifiers that `chain` names out of their tables, and those that `others` mentions besides: they do not guard the API,
    /// and can be [trusted](Self::trust) elsewhere. A table that neither names is not looked at.
    ///
    /// # Errors
    /// Every mistake in the chain and in the tables that are named.
    pub fn build(
        chain: &[String],
        others: &[Mention],
        tables: &BTreeMap<String, config::Value>,
        setup: &Setup<'_>,
    ) -> Result<Self, Vec<Misconfiguration>> {
        let mut links: Vec<(&str, Link)> = Vec::new();
        let mut mistakes = Vec::new();
        if chain.is_empty() {
            mistakes.push(misnamed("names no verifier, so that nobody could call the API", "Name at least one"));
        }
        let mut seen = HashSet::new();
        for name in chain {
            if seen.insert(name) {
                link(name, tables, setup).map_or_else(|found| mistakes.extend(found), |link| links.push((CHAIN, link)));
            } else {
                mistakes.push(misnamed(&format!("names \"{name}\" twice"), "Take one of them out"));
            }
        }
        // What is not a verifier's name among them is told where they are named.
        for Mention { key, name } in others.iter().filter(|other| tables.contains_key(&other.name)) {
            if seen.insert(name) {
                let link = link(name, tables, setup).and_then(without_login);
                link.map_or_else(|found| mistakes.extend(found), |link| links.push((key, link)));
            }
        }
        mistakes.extend(ambiguities(&links));
        let links = links.into_iter().map(|(_, link)| link).collect();
        if mistakes.is_empty() { Ok(Self::of(links, chain, &setup.metrics)) } else { Err(mistakes) }
    }

    fn of(links: Vec<Link>, api: &[String], metrics: &Metrics) -> Self {
        let takes = |tokens| move |(_, link): &(usize, &Link)| [tokens, Tokens::All].contains(&link.verifier.takes());
        let jwts = links.iter().enumerate().filter(takes(Tokens::Jwts));
        let by_issuer = jwts.map(|(place, link)| (link.verifier.issuer().to_owned(), place)).collect();
        let opaque = links.iter().enumerate().find(takes(Tokens::Opaque)).map(|(place, _)| place);
        let api = trust(&links, api, None);
        let unassigned = metrics.verifier(UNASSIGNED);
        Self { links, by_issuer, opaque, api, verified: Verified::new(), forged: Cache::new(FORGED), unassigned }
    }
}

fn link(
    name: &str,
    tables: &BTreeMap<String, config::Value>,
    setup: &Setup<'_>,
) -> Result<Link, Vec<Misconfiguration>> {
    let Some(table) = tables.get(name) else {
        let known = if tables.is_empty() { "there are none".into() } else { list(tables.keys().map(String::as_str)) };
        let remedy = format!("Add a table [verifiers.{name}], or name one that there is ({known})");
        return Err(vec![misnamed(&format!("names \"{name}\", and there is no such verifier"), &remedy)]);
    };
    if name == UNASSIGNED {
        let (key, problem) = (format!("verifiers.{name}"), "is what metrics call the lack of a verifier");
        return Err(vec![Misconfiguration::new(key, problem, "Give it another name")]);
    }
    let settings = parse_table(name, table.clone()).map_err(|mistake| vec![mistake])?;
    let verifier = settings.build(name, setup)?;
    let (metrics, cache) = (setup.metrics.verifier(name), setup.metrics.verified_cache(name));
    Ok(Link { name: name.into(), verifier, metrics, cache })
}

/// The API would not accept the tokens that people get at its page.
fn without_login(link: Link) -> Result<Link, Vec<Misconfiguration>> {
    if link.verifier.browser_login().is_none() {
        return Ok(link);
    }
    let key = format!("verifiers.{}.ui_client_id", link.name);
    let problem = format!("is there, and {CHAIN} does not name \"{}\", so that the API refuses its tokens", link.name);
    let remedy = format!("Name the verifier in {CHAIN}, or take the key out");
    Err(vec![Misconfiguration::new(key, problem, remedy)])
}

/// Two verifiers of one issuer, or of opaque tokens, would have to be tried in turn. And where one takes an issuer's JWTs and another its
/// opaque tokens, a name must not be a subject to one of them and a client to the other. Each link comes with the key that names it.
fn ambiguities(links: &[(&str, Link)]) -> Vec<Misconfiguration> {
    let mut first: HashMap<Option<&str>, (&str, &str)> = HashMap::new();
    let mut mistakes = Vec::new();
    for (place, (key, link)) in links.iter().enumerate() {
        let issuer = Some(link.verifier.issuer());
        let taken = match link.verifier.takes() {
            Tokens::Jwts => vec![issuer],
            Tokens::Opaque => vec![None],
            Tokens::All => vec![issuer, None],
        };
        for tokens in taken {
            let Some((other_key, other)) = first.insert(tokens, (key, &link.name)) else { continue };
            let (shared, remedy) = match tokens {
                Some(_) => ("have the same issuer", "Keep one verifier for each issuer"),
                None => ("both take opaque tokens", "Keep one verifier for opaque tokens"),
            };
            mistakes.push(shared_by((other_key, other), (key, &link.name), shared, remedy));
        }
        let differs = |(_, other): &&(&str, Link)| {
            other.verifier.issuer() == link.verifier.issuer()
                && other.verifier.rules().owner != link.verifier.rules().owner
        };
        if let Some((other_key, other)) = links[..place].iter().find(differs) {
            let shared = "have the same issuer and differ in `owner`";
            mistakes.push(shared_by((other_key, &other.name), (key, &link.name), shared, "Write the same in both"));
        }
    }
    mistakes
}

/// What two verifiers share that are named under these keys.
fn shared_by(
    (other_key, other): (&str, &str),
    (key, name): (&str, &str),
    shared: &str,
    remedy: &str,
) -> Misconfiguration {
    let problem = if other_key == key {
        format!("names \"{other}\" and \"{name}\", which {shared}")
    } else {
        format!("names \"{name}\", and {other_key} names \"{other}\", which {shared}")
    };
    Misconfiguration::new(key, problem, remedy)
}

fn misnamed(problem: &str, remedy: &str) -> Misconfiguration {
    Misconfiguration::new(CHAIN, problem, remedy)
}

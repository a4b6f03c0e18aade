//! `anteroom explain`: reads a token from standard input and prints each check of it, as the gateway makes them. It starts nothing, and
//! neither the token nor its signature is printed.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::{Failure, MISCONFIGURED, load};
use crate::app::{Plan, SystemClock, SystemEntropy, signing_secrets};
use crate::core::clock::Clock;
use crate::core::error::Misconfiguration;
use crate::core::guard::GuardRules;
use crate::core::verdict::{Denial, Reason, Verdict};
use crate::http::Asked;
use crate::oauth::clients::generate_secret;
use crate::settings::{Flags, Settings};
use crate::telemetry::logs::{LogFormat, LogSettings};
use crate::telemetry::metrics::Metrics;
use crate::verify::{Explanation, Means};

mod report;

/// It can not be told whether the token is good.
const UNKNOWN: u8 = 3;
/// How much is read: more than any token that is looked at.
const MAX_READ: u64 = 64 * 1024;

#[derive(Args, Debug)]
pub(super) struct Explain {
    /// Ask the providers: fetch keys, introspect
    #[arg(long)]
    live: bool,
    /// Explain it for the guard of this name, not for the API
    #[arg(long, value_name = "NAME")]
    guard: Option<String>,
    #[arg(hide = true)]
    token: Option<OsString>,
}

pub(super) fn run(flags: &Flags, arguments: &Explain) -> Result<ExitCode, Failure> {
    if arguments.token.is_some() {
        // Not repeated, for it may be one. And 1 is for a token that is refused.
        let sentence =
            "a token on the command line can be seen by every user of the machine; send it to standard input";
        writeln!(io::stderr(), "anteroom: {sentence}")?;
        return Ok(ExitCode::from(MISCONFIGURED));
    }
    let settings = load(flags)?;
    let mut means = Means { live: arguments.live, own_secret: true };
    let stand_in = || {
        means.own_secret = false;
        Ok(generate_secret(&SystemEntropy))
    };
    let secrets = signing_secrets(&settings, stand_in).map_err(|mistake| settings.unusable(vec![mistake]))?;
    let (clock, metrics) = (Arc::new(SystemClock::start()), Arc::new(Metrics::new()));
    let Plan { chain, guards, .. } = Plan::of(&settings, secrets, clock.clone(), Arc::new(SystemEntropy), metrics)
        .map_err(|mistakes| settings.unusable(mistakes))?;
    // Why a provider can not be asked is told where it is.
    LogSettings { level: Some("warn".into()), ..LogSettings::default() }.start(LogFormat::Pretty);
    let (trust, rules) = match arguments.guard.as_deref().map(|name| (name, guards.asked_by(name))) {
        None => (chain.api(), None),
        Some((_, Some(Asked::Token { trust, rules }))) => (trust, Some(rules)),
        Some((name, Some(Asked::Nothing))) => {
            writeln!(io::stdout(), "[guards.{name}] is public: every call passes, with or without a token.")?;
            return Ok(ExitCode::SUCCESS);
        }
        Some((name, None)) => return Err(settings.unusable(vec![no_such_guard(name, &settings)]).into()),
    };
    let text = read_token()?;
    let token = bare(&text);
    let now = clock.now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut told = runtime.block_on(chain.explain(token, trust, now, means));
    told.hints.extend(unused_verifiers(&settings, &told, arguments.guard.as_deref()));
    let demands = demands(&told, arguments.guard.as_deref().zip(rules));
    report::write(&told, token.len(), now, demands.as_ref(), &mut io::stdout().lock())?;
    Ok(match told.verdict {
        Some(Verdict::Accepted(_)) if demands.is_some_and(|demands| !demands.are_met()) => ExitCode::FAILURE,
        Some(Verdict::Accepted(_)) => ExitCode::SUCCESS,
        Some(Verdict::Rejected(_)) => ExitCode::FAILURE,
        Some(Verdict::Unavailable { .. }) | None => ExitCode::from(UNKNOWN),
    })
}

/// How a token meets what a guard asks for.
struct Demands<'a> {
    guard: &'a str,
    /// None where the token is not genuine.
    checks: Vec<(&'static str, Result<(), Denial>)>,
}

impl Demands<'_> {
    fn are_met(&self) -> bool {
        self.checks.iter().all(|(_, result)| result.is_ok())
    }
}

fn demands<'a>(told: &Explanation, guard: Option<(&'a str, &GuardRules)>) -> Option<Demands<'a>> {
    let (guard, rules) = guard?;
    let judged = |caller| GuardRules::CHECKS.iter().map(|(name, check)| (*name, check(rules, caller))).collect();
    let checks = match &told.verdict {
        Some(Verdict::Accepted(caller)) => judged(caller),
        _ => Vec::new(),
    };
    Some(Demands { guard, checks })
}

fn no_such_guard(name: &str, settings: &Settings) -> Misconfiguration {
    let known: Vec<_> = settings.guards.keys().map(String::as_str).collect();
    let remedy = format!("Name one that there is with --guard ({})", known.join(", "));
    Misconfiguration::new(format!("guards.{name}"), "there is no such guard", remedy)
}

fn read_token() -> io::Result<String> {
    let mut input = io::stdin().lock();
    if input.is_terminal() {
        writeln!(io::stderr(), "Paste the token and press Enter, then Ctrl-D:")?;
    }
    let mut bytes = Vec::new();
    input.by_ref().take(MAX_READ).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The token without what is often copied along with it.
fn bare(text: &str) -> &str {
    let without = |text: &'_ str, prefix: &str| {
        let start = text.get(..prefix.len()).filter(|start| start.eq_ignore_ascii_case(prefix));
        start.map_or(0, |_| prefix.len())
    };
    let mut token = text.trim();
    for prefix in ["authorization:", "bearer "] {
        token = token[without(token, prefix)..].trim_start();
    }
    token
}

/// Tables of the token's issuer that are not trusted here, where it is the issuer that is refused.
fn unused_verifiers(settings: &Settings, told: &Explanation, guard: Option<&str>) -> Vec<String> {
    let claims = told.unverified_claims.as_ref();
    let issuer = claims.and_then(|claims| claims.get("iss")).and_then(|issuer| issuer.as_str());
    let is_unknown =
        matches!(&told.verdict, Some(Verdict::Rejected(refusal)) if refusal.reason == Reason::IssuerUnknown);
    let Some(issuer) = issuer.filter(|_| is_unknown) else { return Vec::new() };
    let of_guard = guard.and_then(|name| Some((name, settings.guards.get(name)?.verifiers.as_deref()?)));
    let (key, trusted) = match of_guard {
        Some((name, verifiers)) => (format!("guards.{name}.verifiers"), verifiers),
        None => ("verify.chain".to_owned(), settings.chain()),
    };
    let unused = settings.verifiers.keys().filter(|name| !trusted.contains(name));
    let of_issuer = unused.filter(|name| settings.issuer_of(name).is_some_and(|found| found == issuer));
    of_issuer.map(|name| format!("[verifiers.{name}] is of this issuer, and {key} does not name it")).collect()
}

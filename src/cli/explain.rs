//! `anteroom explain`: reads a token from standard input and prints each check of it, as the gateway makes them. It starts nothing, and
//! neither the token nor its signature is printed.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;

use clap::Args;

use super::{Failure, MISCONFIGURED, plan};
use crate::app::{Plan, SecretOrigin};
use crate::core::error::Misconfiguration;
use crate::core::guard::GuardRules;
use crate::core::verdict::{Denial, Reason, Verdict};
use crate::http::Asked;
use crate::settings::{Flags, Settings};
use crate::telemetry::logs::{LogFormat, LogSettings};
use crate::verify::{Explanation, Means, Trust};

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
    let (settings, plan) = plan(flags)?;
    // Why a provider can not be asked is told where it is.
    LogSettings { level: Some("warn".into()), ..LogSettings::default() }.start(LogFormat::Pretty);
    let guard = arguments.guard.as_deref();
    match guard.map(|name| (name, plan.guards.asked_by(name))) {
        None => explain(&settings, &plan, arguments.live, plan.chain.api(), None),
        Some((name, Some(Asked::Token { trust, rules }))) => {
            explain(&settings, &plan, arguments.live, trust, Some((name, rules)))
        }
        Some((name, Some(Asked::Nothing))) => {
            writeln!(io::stdout(), "[guards.{name}] is public: every call passes, with or without a token.")?;
            Ok(ExitCode::SUCCESS)
        }
        Some((name, None)) => Err(settings.unusable(vec![no_such_guard(name, &settings)]).into()),
    }
}

/// Explains the token on standard input at the door that trusts as `trust` says, and asks what this guard asks.
fn explain(
    settings: &Settings,
    plan: &Plan,
    live: bool,
    trust: &Trust,
    guard: Option<(&str, &GuardRules)>,
) -> Result<ExitCode, Failure> {
    let means = Means { live, own_secret: plan.secret_origin != SecretOrigin::New };
    let text = read_token()?;
    let token = bare(&text);
    let now = plan.clock.now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut told = runtime.block_on(plan.chain.explain(token, trust, now, means));
    told.hints.extend(unused_verifiers(settings, &told, guard.map(|(name, _)| name)));
    let demands = demands(&told, guard);
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

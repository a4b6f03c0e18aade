//! What becomes of a token, step by step, for whoever has to find out why it was refused. Nothing is judged here: the steps are those that
//! the chain takes, and the last word is its verdict.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::chain::{Chain, Link, Trust};
use super::token::UnverifiedToken;
use super::{Terms, Tokens, Verifier};
use crate::core::clock::Timestamp;
use crate::core::json::parse_object;
use crate::core::verdict::{Reason, Refusal, Verdict};

/// One check of a token.
#[derive(Debug)]
pub struct Step {
    /// What it is about.
    pub name: &'static str,
    /// How it went.
    pub outcome: Outcome,
}

/// How a check of a token went.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It passed.
    Passed,
    /// It did not, for this reason.
    Failed(Refusal),
    /// It was not made, because one before it failed.
    NotReached,
    /// It can not be made, as this says.
    Unknown(String),
}

impl Step {
    pub(super) fn of(name: &'static str, result: Result<(), Refusal>) -> Self {
        Self { name, outcome: result.map_or_else(Outcome::Failed, |()| Outcome::Passed) }
    }

    /// Why it failed, if it did.
    pub fn refusal(&self) -> Option<&Refusal> {
        match &self.outcome {
            Outcome::Failed(refusal) => Some(refusal),
            _ => None,
        }
    }
}

/// What proves a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A signature with the secret of this gateway.
    OwnSecret,
    /// A signature with a secret that is shared with its issuer.
    Secret,
    /// A signature with a key that is in the configuration.
    Keys,
    /// A signature with a key that its issuer publishes.
    FetchedKeys,
    /// The word of its issuer.
    Introspection,
}

impl Proof {
    fn steps(self) -> &'static [&'static str] {
        match self {
            Self::OwnSecret | Self::Secret => &["signature"],
            Self::Keys | Self::FetchedKeys => &["key", "signature"],
            Self::Introspection => &["introspection"],
        }
    }

    /// Why there can be none by these means.
    fn missing(self, means: Means) -> Option<&'static str> {
        match self {
            Self::OwnSecret if !means.own_secret => Some("there is no signing secret yet: the first start makes one"),
            Self::FetchedKeys if !means.live => Some("the keys have to be fetched: use --live"),
            Self::Introspection if !means.live => Some("the provider has to be asked: use --live"),
            _ => None,
        }
    }
}

/// What there is to explain a token with.
#[derive(Clone, Copy, Debug)]
pub struct Means {
    /// Whether providers may be asked.
    pub live: bool,
    /// Whether the secret that this gateway signs with is known.
    pub own_secret: bool,
}

/// What a scope of a token's grants here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeMeaning {
    /// The scope in its issuer's words.
    pub scope: String,
    /// The scope in ours; none when it grants nothing.
    pub grants: Option<String>,
}

/// What became of a token.
#[derive(Debug, Default)]
pub struct Explanation {
    /// What its header says, if it can be read.
    pub unverified_header: Option<Map<String, Value>>,
    /// What its payload says, if it can be read.
    pub unverified_claims: Option<Map<String, Value>>,
    /// The name of the verifier that it is for.
    pub verifier: Option<Arc<str>>,
    /// The checks, in the order in which they are made.
    pub steps: Vec<Step>,
    /// What may help who looks for the fault. Texts of the token's are escaped in it.
    pub hints: Vec<String>,
    /// The verdict; none when it can not be told by the means there are.
    pub verdict: Option<Verdict>,
    /// Of a genuine token: what its scopes grant.
    pub scopes: Vec<ScopeMeaning>,
}

impl Chain {
    /// Decides about a token as [`verify`](Self::verify) does, and tells how. A provider is asked only if `means` says so.
    pub async fn explain(&self, unverified_bearer: &str, trust: &Trust, now: Timestamp, means: Means) -> Explanation {
        let mut told = Explanation {
            unverified_header: peek(unverified_bearer, 0),
            unverified_claims: peek(unverified_bearer, 1),
            ..Explanation::default()
        };
        let read = UnverifiedToken::from_bearer(unverified_bearer);
        let picked = read.and_then(|token| Ok((token, self.pick(token, trust)?)));
        let (text, (place, token)) = match picked {
            Ok(picked) => picked,
            Err(refusal) => {
                told.hints = self.hints_about(unverified_bearer, &told, trust, &refusal);
                told.stop_at_the_door(refusal);
                return told;
            }
        };
        let link = &self.links[place];
        told.verifier = Some(Arc::clone(&link.name));
        told.steps.extend(["form", "issuer"].map(|name| Step::of(name, Ok(()))));
        let terms = Terms { audience: trust.audience.as_ref(), now };
        told.steps.extend(link.verifier.explain(&token, terms));
        if told.stop_where_it_failed(&*link.verifier) {
            return told;
        }
        if let Some(why) = link.verifier.proof().missing(means) {
            told.give_up(link.verifier.proof(), why.to_owned());
            return told;
        }
        if let Some(refreshed) = link.verifier.refresh().filter(|_| means.live) {
            // Where that fails, the verdict says so.
            let _ = refreshed.await;
        }
        let verdict = self.verify(text, trust, now).await;
        told.conclude(&*link.verifier, verdict);
        told
    }

    /// What may be meant, of a token that no verifier takes.
    fn hints_about(&self, text: &str, told: &Explanation, trust: &Trust, refusal: &Refusal) -> Vec<String> {
        let issuer = told.unverified_claims.as_ref().and_then(|claims| claims.get("iss")).and_then(Value::as_str);
        match (refusal.reason, UnverifiedToken::from_bearer(text)) {
            (Reason::IssuerUnknown, _) => issuer.map_or_else(Vec::new, |issuer| self.near_misses(issuer, trust)),
            (Reason::TokenMalformed, Ok(token)) if !token.looks_like_jwt() && !text.starts_with("ey") => {
                vec![self.no_opaque_tokens(trust)]
            }
            (Reason::TokenMalformed, token) => misread(text, token.is_ok()).map(str::to_owned).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// The issuers that are trusted here, and those that differ from this one in something easily overlooked.
    fn near_misses(&self, unverified_issuer: &str, trust: &Trust) -> Vec<String> {
        let mut hints = Vec::new();
        hints.extend(self.opaque_only(unverified_issuer, trust).map(|wrong| format!("{wrong}; {ASK_ABOUT_JWTS}")));
        hints.extend(self.links.iter().filter_map(|link| {
            let (name, issuer) = (&link.name, link.verifier.issuer());
            let difference = difference(unverified_issuer, issuer)?;
            Some(format!("[verifiers.{name}] is of {issuer:?}: it differs {difference}, and every byte counts"))
        }));
        let jwts = self.trusted(trust).filter(|link| link.verifier.takes() != Tokens::Opaque);
        let issuers: Vec<_> = jwts.map(|link| format!("{:?} ({})", link.verifier.issuer(), link.name)).collect();
        hints.push(match issuers[..] {
            [] => "no verifier of JWTs is trusted here".to_owned(),
            _ => format!("the issuers trusted here are {}", issuers.join(", ")),
        });
        hints
    }

    fn trusted<'a>(&'a self, trust: &'a Trust) -> impl Iterator<Item = &'a Link> {
        self.links.iter().zip(&trust.verifiers).filter(|(_, is_trusted)| **is_trusted).map(|(link, _)| link)
    }

    /// That the issuer of a JWT is trusted for opaque tokens only, where it is that.
    fn opaque_only(&self, unverified_issuer: &str, trust: &Trust) -> Option<String> {
        let is_it =
            |link: &&Link| link.verifier.issuer() == unverified_issuer && link.verifier.takes() == Tokens::Opaque;
        let name = &self.trusted(trust).find(is_it)?.name;
        Some(format!("[verifiers.{name}] is asked about opaque tokens only (tokens = \"opaque\")"))
    }

    /// That an issuer is asked about JWTs only, where there is one and nobody is asked about opaque tokens.
    fn jwts_only(&self, trust: &Trust) -> Option<String> {
        let is_asked = |link: &&Link| link.verifier.proof() == Proof::Introspection;
        let name = &self.trusted(trust).find(is_asked)?.name;
        Some(format!("[verifiers.{name}] is asked about JWTs only (tokens = \"jwt\")"))
    }

    fn no_opaque_tokens(&self, trust: &Trust) -> String {
        let nobody = || "it reads like an opaque token, and no verifier for those is trusted here".to_owned();
        self.jwts_only(trust).map_or_else(nobody, |wrong| {
            format!("it reads like an opaque token, and {wrong}; set tokens = \"opaque\" or \"all\" there")
        })
    }

    /// What would have been trusted in place of a JWT of this issuer.
    pub(super) fn expected_issuer(&self, unverified_issuer: &str, trust: &Trust) -> String {
        let wrong = self.opaque_only(unverified_issuer, trust).map(|wrong| format!(", and {wrong}"));
        format!("an issuer that is trusted here{}", wrong.unwrap_or_default())
    }

    /// A refusal of what is no JWT, and why an opaque token is nothing else, where the configuration looks as if it were.
    pub(super) fn not_a_jwt(&self, refusal: Refusal, token: UnverifiedToken<'_>, trust: &Trust) -> Refusal {
        let wrong = self.jwts_only(trust).filter(|_| !token.looks_like_jwt());
        let Some((wrong, mut evidence)) = wrong.zip(refusal.evidence.clone()) else { return refusal };
        evidence.expected = format!("{}, for {wrong}", evidence.expected);
        Refusal { evidence: Some(evidence), ..refusal }
    }
}

const ASK_ABOUT_JWTS: &str = "set tokens = \"jwt\" or \"all\" there, or name a verifier that takes its JWTs";

/// What was taken for a token, where it is none in form.
fn misread(text: &str, is_plain: bool) -> Option<&'static str> {
    if is_plain && text.split('.').count() == 5 {
        Some("it is encrypted, for its issuer alone; Auth0 makes such a token where no `audience` was asked for")
    } else if is_plain && text.starts_with("ey") {
        Some("it begins like a JWT: it may have been cut off")
    } else if text.starts_with('{') {
        Some("it is a JSON document: paste the token alone, the value of access_token, without its quotes")
    } else if text.starts_with(['"', '\'', '`']) {
        Some("it stands in quotes: paste the token alone; a client has to send it without them, too")
    } else if text.contains(char::is_whitespace) {
        Some("there are spaces or line breaks in it: paste one token alone, in one piece")
    } else {
        None
    }
}

/// In what two issuers differ, if it is something that is easily overlooked.
fn difference(one: &str, other: &str) -> Option<&'static str> {
    if one == other {
        return None;
    }
    let bare = |issuer: &str| issuer.trim_end_matches('/').to_owned();
    let schemeless = |issuer: &str| issuer.split_once("://").map_or(issuer, |(_, rest)| rest).to_owned();
    if bare(one) == bare(other) {
        Some("in the slash at the end alone")
    } else if one.eq_ignore_ascii_case(other) {
        Some("in upper and lower case alone")
    } else if schemeless(one) == schemeless(other) {
        Some("in http and https alone")
    } else if schemeless(&bare(one)).eq_ignore_ascii_case(&schemeless(&bare(other))) {
        Some("in its spelling alone (http or https, case, the slash at the end)")
    } else {
        None
    }
}

impl Explanation {
    /// The token was refused before a verifier was found for it.
    fn stop_at_the_door(&mut self, refusal: Refusal) {
        if refusal.reason == Reason::IssuerUnknown {
            self.steps.push(Step::of("form", Ok(())));
            self.steps.push(Step::of("issuer", Err(refusal.clone())));
        } else {
            self.steps.push(Step::of("form", Err(refusal.clone())));
            self.steps.push(Step { name: "issuer", outcome: Outcome::NotReached });
        }
        self.verdict = Some(Verdict::Rejected(refusal));
    }

    /// The first check that failed is the verdict; none of its proofs is looked at.
    fn stop_where_it_failed(&mut self, verifier: &dyn Verifier) -> bool {
        let Some(refusal) = self.steps.iter().find_map(Step::refusal).cloned() else { return false };
        let skipped = verifier.proof().steps().iter().map(|name| Step { name, outcome: Outcome::NotReached });
        self.steps.extend(skipped);
        self.verdict = Some(Verdict::Rejected(Refusal { verifier: self.verifier.clone(), ..refusal }));
        true
    }

    fn give_up(&mut self, proof: Proof, why: String) {
        let (first, rest) = proof.steps().split_at(1);
        self.steps.extend(first.iter().map(|name| Step { name, outcome: Outcome::Unknown(why.clone()) }));
        self.steps.extend(rest.iter().map(|name| Step { name, outcome: Outcome::NotReached }));
    }

    fn conclude(&mut self, verifier: &dyn Verifier, verdict: Verdict) {
        let steps = verifier.proof().steps();
        match &verdict {
            Verdict::Accepted(caller) => {
                self.steps.extend(steps.iter().map(|name| Step::of(name, Ok(()))));
                self.scopes = verifier.meanings(&caller.claims);
            }
            Verdict::Rejected(refusal) => {
                let failed = if refusal.reason == Reason::KeyUnknown { 0 } else { steps.len() - 1 };
                self.steps.extend(steps[..failed].iter().map(|name| Step::of(name, Ok(()))));
                self.steps.push(Step::of(steps[failed], Err(refusal.clone())));
                let skipped = steps[failed + 1..].iter().map(|name| Step { name, outcome: Outcome::NotReached });
                self.steps.extend(skipped);
            }
            Verdict::Unavailable { .. } => {
                let failed = verifier.report().and_then(|report| report.last_error);
                let why = failed.map(|class| format!(" ({})", class.name())).unwrap_or_default();
                self.give_up(
                    verifier.proof(),
                    format!("what is needed can not be had from {:?}{why}", verifier.issuer()),
                );
            }
        }
        self.verdict = Some(verdict);
    }
}

/// What a segment says, as far as it can be read: to be shown, never believed.
fn peek(unverified_bearer: &str, segment: usize) -> Option<Map<String, Value>> {
    let json = URL_SAFE_NO_PAD.decode(unverified_bearer.split('.').nth(segment)?).ok()?;
    parse_object(&json).ok()
}

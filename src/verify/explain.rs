//! What becomes of a token, step by step, for whoever has to find out why it was refused. Nothing is judged here: the steps are those that
//! the chain takes, and the last word is its verdict.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::chain::{Chain, Trust};
use super::token::UnverifiedToken;
use super::{Terms, Verifier};
use crate::core::clock::Timestamp;
use crate::core::json::parse_object;
use crate::core::verdict::{Reason, Refusal, Verdict};

mod hints;

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
        let verdict = self.verify(text.as_str().as_bytes(), trust, now).await;
        told.conclude(&*link.verifier, verdict);
        told
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
                if verifier.proof() == Proof::OwnSecret {
                    let asked = "GET /v1/whoami at the running gateway tells";
                    self.hints.push(format!("whether the token has been revoked is not looked at here: {asked}"));
                }
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

//! `/guard/{guard}`: a decision for a reverse proxy. Its rules come from the configuration, never from the caller's headers.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::code::Code;
use super::origin::{self, ForwardedCall};
use super::problem::Problem;
use super::token_places::{Sent, TokenPlaces};
use super::{Gateway, notes};
use crate::core::claims::Caller;
use crate::core::error::Error;
use crate::core::guard::GuardRules;
use crate::core::policy::Audience;
use crate::core::verdict::Verdict;
use crate::telemetry::metrics::{Decided, GuardMetrics};
use crate::verify::{Chain, Trust};

mod identity;
mod settings;

pub use settings::GuardSettings;

use identity::IdentityHeaders;

/// A guard, as configured.
#[derive(Clone, Debug)]
pub struct Guard {
    name: Arc<str>,
    /// None: it is open to everybody.
    demands: Option<Demands>,
    /// What it decided; resolved when it first decides.
    counted: OnceLock<GuardMetrics>,
}

/// What a guard asks for, and what it tells the service.
#[derive(Clone, Debug)]
struct Demands {
    verifiers: Vec<String>,
    audience: Option<Audience>,
    rules: GuardRules,
    headers: IdentityHeaders,
}

/// What a guard asks for.
#[derive(Clone, Copy, Debug)]
pub enum Asked<'a> {
    /// It is open to everybody.
    Nothing,
    /// A genuine token.
    Token {
        /// Whose tokens are good there.
        trust: &'a Trust,
        /// What it asks of the caller.
        rules: &'a GuardRules,
    },
}

/// Every guard, by name.
#[derive(Debug, Default)]
pub struct Guards(HashMap<Arc<str>, (Guard, Trust)>);

impl Guards {
    /// These guards, with tokens that this chain verifies.
    pub fn new(guards: Vec<Guard>, chain: &Chain) -> Self {
        let trust = |guard: &Guard| match &guard.demands {
            Some(demands) => chain.trust(&demands.verifiers, demands.audience.clone()),
            None => chain.trust(&[], None),
        };
        Self(guards.into_iter().map(|guard| (Arc::clone(&guard.name), (guard.clone(), trust(&guard)))).collect())
    }

    /// What the guard of that name asks for; none when there is no such guard.
    pub fn asked_by(&self, name: &str) -> Option<Asked<'_>> {
        let (guard, trust) = self.0.get(name)?;
        Some(guard.demands.as_ref().map_or(Asked::Nothing, |demands| Asked::Token { trust, rules: &demands.rules }))
    }
}

/// May this call pass?
///
/// For a reverse proxy (nginx `auth_request`, Caddy `forward_auth`, Traefik `ForwardAuth`), with any method and without the body: the
/// answer tells whether the caller's token meets the rules of `[guards.NAME]`, and who it is. Only the configured rules count.
#[utoipa::path(get, path = "/guard/{guard}", tag = "guards",
    security(("bearer" = []), ("oauth2" = [])),
    params(("guard" = String, Path, description = "The name of the guard, as configured")),
    responses(
        (status = 200, description = "It may. The headers are those of `[guards.NAME]`; what is not known is left out, and a public guard \
            tells nothing. Bytes that are no visible ASCII, and `%`, `{` and `}`, are written as `%XX`", headers(
            ("X-Anteroom-Subject" = Option<String>, description = "Whom the token was issued for"),
            ("X-Anteroom-Client" = Option<String>, description = "The OAuth client that it was issued to"),
            ("X-Anteroom-Scopes" = Option<String>, description = "Its scopes, separated by spaces"),
            ("X-Anteroom-Issuer" = Option<String>, description = "Who issued it"),
            ("X-Anteroom-Email" = Option<String>, description = "The e-mail address in it"),
        )),
        (status = 400, description = "More than one token was sent, or the proxy's headers contradict each other"),
        (status = 404, description = "There is no such guard; nothing may pass"),
    ),
)]
pub(super) async fn decide(
    gateway: Data<Gateway>,
    name: Path<String>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (guard, trust) = gateway.guards.0.get(name.as_str()).ok_or_else(|| Problem::new(Code::NotFound))?;
    let call = origin::forwarded_call(&http, &gateway.server)?;
    notes::note_guarded(&http, &guard.name, call);
    let counted = guard.counted.get_or_init(|| gateway.metrics.guard(&guard.name));
    let Some(demands) = &guard.demands else {
        counted.decided(Decided::Allowed);
        return Ok(HttpResponse::Ok().finish());
    };
    let sent = sent(&gateway.token_places, &http, call);
    let verdict = sent.judge(&gateway, trust).await.map_err(Problem::of_another_resource)?;
    let decided = decided(verdict.as_ref(), &demands.rules).map(|caller| {
        let mut answer = HttpResponse::Ok();
        demands.headers.tell(caller, &mut answer);
        answer.finish()
    });
    counted.decided(result_of(&decided));
    if let Some(verdict) = verdict {
        notes::note_verdict(&http, verdict);
    }
    decided.map_err(Problem::from).and_then(identity::bounded).map_err(Problem::of_another_resource)
}

/// What of tokens the call carries that the proxy asks about.
fn sent<'r>(places: &TokenPlaces, http: &'r HttpRequest, call: ForwardedCall<'_>) -> Sent<'r> {
    let query = if call.is_told() { call.query() } else { http.uri().query() };
    let in_query = query.map_or(Sent::Nothing, |query| places.in_query(query));
    in_query.and(places.in_headers(http.headers()))
}

/// A decision, as it is counted.
fn result_of<T>(decided: &Result<T, Error>) -> Decided {
    match decided {
        Ok(_) => Decided::Allowed,
        Err(Error::InsufficientScope(_)) => Decided::Denied,
        Err(Error::VerifierUnavailable { .. }) => Decided::Unavailable,
        Err(_) => Decided::Unauthenticated,
    }
}

fn decided<'v>(verdict: Option<&'v Verdict>, rules: &GuardRules) -> Result<&'v Caller, Error> {
    let caller = Verdict::caller(verdict)?;
    rules.judge(caller).map(|()| &**caller).map_err(Error::InsufficientScope)
}

//! Where in a request a token may be: RFC 6750 section 2. `Authorization: Bearer` always; elsewhere only as `[verify]` says.

use std::borrow::Cow;

use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::http::uri::PathAndQuery;
use actix_web::http::{Method, Uri};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpMessage, HttpRequest};
use futures_util::{StreamExt, stream};

use super::code::Code;
use super::limits::InWork;
use super::origin::is_taken;
use super::problem::Problem;
use super::{Gateway, body};
use crate::core::error::Misconfiguration;
use crate::core::verdict::Verdict;
use crate::verify::{MAX_TOKEN_BYTES, Trust, VerifySettings};

/// RFC 6750 section 2.1; in any case, RFC 9110 section 11.1.
const SCHEME: &[u8] = b"bearer";
/// The name of the parameter, RFC 6750 sections 2.2 and 2.3.
const PARAMETER: &str = "access_token";
/// The largest form that is read for a token.
const MAX_FORM_BYTES: usize = 4 * MAX_TOKEN_BYTES;

/// Where a token may be.
#[derive(Clone, Debug, Default)]
pub struct TokenPlaces {
    header: Option<HeaderName>,
    query: bool,
    form: bool,
}

/// What of tokens a request carries.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent<'r> {
    Nothing,
    One(Cow<'r, [u8]>),
    Several,
}

impl<'r> Sent<'r> {
    /// With what was found elsewhere in the same request.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, sent) | (sent, Self::Nothing) => sent,
            _ => Self::Several,
        }
    }

    /// The verdict on the token, at a door that trusts as `trust` says; none when there is no token.
    ///
    /// # Errors
    /// There is more than one.
    pub(super) async fn judge(self, gateway: &Gateway, trust: &Trust) -> Result<Option<Verdict>, Problem> {
        let chain = &gateway.chain;
        match &self {
            Self::Nothing => {
                chain.missing();
                Ok(None)
            }
            Self::Several => {
                chain.repeated();
                Err(Problem::new(Code::TokenRepeated))
            }
            Self::One(sent) => Ok(Some(chain.verify(sent, trust, gateway.clock.now()).await)),
        }
    }

    fn all(tokens: impl Iterator<Item = Cow<'r, [u8]>>) -> Self {
        tokens.fold(Self::Nothing, |sent, token| sent.and(Self::One(token)))
    }
}

impl TokenPlaces {
    /// The places that the section `[verify]` names.
    ///
    /// # Errors
    /// The header can not be one for tokens.
    pub fn of(settings: &VerifySettings) -> Result<Self, Misconfiguration> {
        let (query, form) = (settings.token_in_query, settings.token_in_form);
        let header = settings.token_header.as_deref().map(token_header).transpose()?;
        Ok(Self { header, query, form })
    }

    /// As RFC 9728 section 2 lists them in `bearer_methods_supported`.
    pub(super) fn methods(&self) -> Vec<&'static str> {
        let methods = [("header", true), ("body", self.form), ("query", self.query)];
        methods.into_iter().filter_map(|(name, on)| on.then_some(name)).collect()
    }

    /// The header that may have one besides `Authorization`.
    pub(super) fn header(&self) -> Option<&HeaderName> {
        self.header.as_ref()
    }

    /// The tokens in the headers.
    pub(super) fn in_headers<'r>(&self, headers: &'r HeaderMap) -> Sent<'r> {
        let mut authorization = headers.get_all(header::AUTHORIZATION);
        let sent = match (authorization.next(), authorization.next()) {
            (Some(value), None) => bearer(value.as_bytes()),
            (Some(_), Some(_)) => Sent::Several,
            (None, _) => Sent::Nothing,
        };
        let Some(name) = &self.header else { return sent };
        sent.and(Sent::all(headers.get_all(name).map(|value| value.as_bytes().into())))
    }

    /// The tokens in a query, if one may be there.
    pub(super) fn in_query(&self, query: &str) -> Sent<'static> {
        if self.query { take_parameter(query).map_or(Sent::Nothing, |(_, sent)| sent) } else { Sent::Nothing }
    }

    /// The tokens in the query and in the form, if one may be there. They are taken out of the request, so that nobody downstream
    /// sees, repeats or logs them.
    ///
    /// # Errors
    /// The form can not be read.
    pub(super) async fn take(&self, request: &mut ServiceRequest) -> Result<Sent<'static>, Problem> {
        let in_query = if self.query { take_from_query(request) } else { Sent::Nothing };
        let in_form = if self.form { take_from_form(request).await? } else { Sent::Nothing };
        Ok(in_query.and(in_form))
    }

    /// Whether a token may be elsewhere than in the headers.
    pub(super) fn beyond_headers(&self) -> bool {
        self.query || self.form
    }
}

/// The token of an `Authorization` header, RFC 6750 section 2.1; none when it is of another scheme.
fn bearer(value: &[u8]) -> Sent<'_> {
    let (scheme, rest) = value.split_at(SCHEME.len().min(value.len()));
    match rest {
        _ if !scheme.eq_ignore_ascii_case(SCHEME) => Sent::Nothing,
        [b' ', token @ ..] => Sent::One(token.into()),
        [] => Sent::One(rest.into()),
        _ => Sent::Nothing,
    }
}

fn take_from_query(request: &mut ServiceRequest) -> Sent<'static> {
    let Some((rest, sent)) = take_parameter(request.query_string()) else { return Sent::Nothing };
    let uri = request.uri();
    let query = if rest.is_empty() { String::new() } else { format!("?{rest}") };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(format!("{}{query}", uri.path())).ok();
    match Uri::from_parts(parts) {
        Ok(uri) => {
            request.head_mut().uri = uri;
            sent
        }
        // Part of what was a query is one; were it not, the token would stay where others see it.
        Err(_) => Sent::One(Cow::Borrowed(&[])),
    }
}

async fn take_from_form(request: &mut ServiceRequest) -> Result<Sent<'static>, Problem> {
    // Operators' requests are not counted, so none of them may wait here: they have no forms.
    if !may_be_form(request.request()) || InWork::of(request.request()).is_none() {
        return Ok(Sent::Nothing);
    }
    let mut payload = request.take_payload();
    let form = body::read_at_most(MAX_FORM_BYTES, request.request(), &mut payload).await;
    let form = form.map_err(|problem| told_of_forms(problem, request.request()))?;
    let taken = std::str::from_utf8(&form).ok().and_then(take_parameter);
    let (rest, sent) = taken.map_or((form, Sent::Nothing), |(rest, sent)| (Bytes::from(rest), sent));
    request.set_payload(Payload::Stream { payload: stream::iter([Ok(rest)]).boxed_local() });
    Ok(sent)
}

/// The bound of forms is not the one of all bodies, which the problem's own words are about.
fn told_of_forms(problem: Problem, request: &HttpRequest) -> Problem {
    let gateway = request.app_data::<Data<Gateway>>();
    let is_of_forms = gateway.is_some_and(|gateway| gateway.server.max_body_bytes > MAX_FORM_BYTES);
    if problem.code != Code::PayloadTooLarge || !is_of_forms {
        return problem;
    }
    problem.with_detail(format!(
        "Where a form may carry the token, a form of more than {MAX_FORM_BYTES} bytes is not read, with a token in it or without. \
         Send less; or send the body as JSON, and the token as `Authorization: Bearer TOKEN`."
    ))
}

/// RFC 6750 section 2.2: a form in one part, and a method whose body means something.
fn may_be_form(request: &HttpRequest) -> bool {
    let is_form = || body::media_type(request).as_deref() == Some("application/x-www-form-urlencoded");
    !matches!(*request.method(), Method::GET | Method::HEAD) && is_form()
}

/// The values of the parameter in form-encoded text, and the text without them; none when it is not there.
fn take_parameter(text: &str) -> Option<(String, Sent<'static>)> {
    let token = |pair: &str| {
        let (name, value) = form_urlencoded::parse(pair.as_bytes()).next()?;
        (name == PARAMETER).then(|| Cow::Owned(value.into_owned().into_bytes()))
    };
    let sent = Sent::all(text.split('&').filter_map(token));
    let rest = || text.split('&').filter(|pair| token(pair).is_none()).collect::<Vec<_>>().join("&");
    (sent != Sent::Nothing).then(|| (rest(), sent))
}

fn token_header(name: &str) -> Result<HeaderName, Misconfiguration> {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    // The services behind guards are told who calls by those that begin so.
    let is_taken = |name: &HeaderName| is_taken(name) || name.as_str().starts_with("x-anteroom-");
    let problem = match HeaderName::from_bytes(name.as_bytes()) {
        Ok(header) if is_taken(&header) => "means something else",
        Ok(header) if is_plain => return Ok(header),
        _ => "can not be the name of a header",
    };
    let remedy =
        "Write a name of letters, digits and hyphens, like \"x-access-tokens\"; `Authorization: Bearer` is always read";
    Err(Misconfiguration::new("verify.token_header", format!("\"{name}\" {problem}"), remedy))
}

#[cfg(test)]
mod tests {
    use super::{Sent, take_parameter};

    #[test]
    fn the_parameter_is_taken_out_however_it_is_written() {
        let one = |token: &str| Sent::One(token.as_bytes().to_owned().into());
        for (text, expected) in [
            ("access_token=a", Some(("", one("a")))),
            ("limit=1&access_token=a&type=x%20y", Some(("limit=1&type=x%20y", one("a")))),
            ("access%5Ftoken=a%2Eb&x", Some(("x", one("a.b")))),
            ("access_token", Some(("", one("")))),
            ("access_token=a&x=1&access_token=a", Some(("x=1", Sent::Several))),
            ("Access_Token=a&access_tokens=b&x=access_token", None),
            ("", None),
            ("&&", None),
        ] {
            let expected = expected.map(|(rest, sent)| (rest.to_owned(), sent));
            assert_eq!(take_parameter(text), expected, "{text}");
        }
    }
}

//! `/ui/`: Swagger UI, from assets that are part of the program; no other host is asked for anything.

use std::collections::{BTreeSet, HashMap};
use std::io::Read;
use std::sync::{Arc, OnceLock};

use actix_web::http::header;
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use utoipa_swagger_ui::Config;

use super::Gateway;
use super::code::Code;
use super::conditional::is_known;
use super::document::Contract;
use super::documents::Documents;
use super::problem::Problem;
use crate::core::schemes::OAUTH2;
use crate::verify::LoginOffer;

/// What a file is allowed, with calls to these origins besides its own. Scripts come from here alone and none stands in a page; the styles
/// of Swagger UI are written into its elements.
fn policy<'a>(origins: impl Iterator<Item = &'a str>) -> String {
    let callable = std::iter::once("'self'").chain(origins).collect::<Vec<_>>().join(" ");
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; \
         connect-src {callable}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
}

/// The page itself, of which the other files are parts.
const PAGE: &str = "index.html";

/// The files that the page is made of.
const FILES: &[&str] = &[
    PAGE,
    "index.css",
    "swagger-ui.css",
    "swagger-ui-bundle.js",
    "swagger-ui-standalone-preset.js",
    "oauth2-redirect.html",
    "oauth2-redirect.js",
    "favicon-16x16.png",
    "favicon-32x32.png",
];

/// The contract as the page reads it, beside the page.
const CONTRACT: &str = "openapi.json";

/// What makes the page of them.
const INITIALIZER: &str = include_str!("ui/initializer.js");

/// The section `[ui]`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UiSettings {
    /// The public client with which people log in at `/ui/`.
    pub client_id: Option<String>,
}

/// A way to log in that the contract offers, and the client with which the Authorize dialog is filled in there.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UiLogin {
    /// The security scheme.
    pub scheme: String,
    /// Which of its flows.
    pub flow: &'static str,
    /// The client.
    pub client_id: String,
    /// What the issuer has to be told besides, where people are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional_query_string_params: Option<Parameters>,
}

/// Parameters of an authorization request that are not those of RFC 6749.
#[derive(Clone, Debug, Serialize)]
pub struct Parameters {
    /// Whom the token is to be meant for: Auth0 gives one that only it can read itself, where it is not told.
    pub audience: String,
}

impl UiLogin {
    /// A client with its secret, at our own token endpoint.
    pub fn by_client_credentials(client_id: &str) -> Self {
        Self::ours("clientCredentials", client_id)
    }

    /// A person, at our own page.
    pub fn by_code(client_id: &str) -> Self {
        Self::ours("authorizationCode", client_id)
    }

    fn ours(flow: &'static str, client_id: &str) -> Self {
        Self { scheme: OAUTH2.into(), flow, client_id: client_id.into(), additional_query_string_params: None }
    }

    /// A person, at another issuer.
    pub(super) fn at(offer: &LoginOffer) -> Self {
        Self {
            scheme: offer.verifier.clone(),
            flow: "authorizationCode",
            client_id: offer.client_id.clone(),
            additional_query_string_params: Some(Parameters { audience: offer.audience.clone() }),
        }
    }
}

/// The files of the page, ready to be sent.
pub(super) struct Assets {
    files: HashMap<&'static str, Asset>,
    /// The Content-Security-Policy of the page, and that of its parts, which are no pages.
    policies: [String; 2],
}

struct Asset {
    content: Bytes,
    /// The content for a client that takes no gzip, made when the first asks: browsers do not.
    plain: OnceLock<Bytes>,
    media_type: String,
    gzipped: bool,
    etag: String,
}

impl Assets {
    /// Loads them; the page shows `contract`, and its Authorize dialog offers these logins, some of which are at other issuers.
    pub(super) fn load(contract: &Contract, logins: &[UiLogin], offers: &[Arc<LoginOffer>]) -> Self {
        let config = Arc::new(Config::new([CONTRACT]));
        let load = |name: &&'static str| {
            let file = utoipa_swagger_ui::serve(name, Arc::clone(&config)).ok()??;
            let content = match file.bytes {
                std::borrow::Cow::Borrowed(bytes) => Bytes::from_static(bytes),
                std::borrow::Cow::Owned(bytes) => bytes.into(),
            };
            let (etag, media_type, gzipped) = (etag(&content), file.content_type, file.gzpipped);
            Some((*name, Asset { content, plain: OnceLock::new(), media_type, gzipped, etag }))
        };
        let mut files = FILES.iter().filter_map(load).collect::<HashMap<_, _>>();
        files.insert(CONTRACT, Asset::made_here(contract.page.clone(), "application/json"));
        let logins = serde_json::to_string_pretty(logins).unwrap_or_else(|_| "[]".into());
        let script = INITIALIZER.replace("{{logins}}", &logins);
        files.insert("swagger-initializer.js", Asset::made_here(script.into(), "text/javascript"));
        let origins: BTreeSet<_> = offers.iter().map(|offer| offer.token_origin.as_str()).collect();
        let policies = [policy(origins.into_iter()), policy(std::iter::empty())];
        if let Some(page) = files.get_mut(PAGE) {
            // A browser that has the page may keep the policy that came with it, unless the page is another.
            page.etag = etag(&[&page.content, policies[0].as_bytes()].concat());
        }
        Self { files, policies }
    }
}

/// A weak tag, since it names the content in either encoding (RFC 9110 section 8.8.3.3).
fn etag(content: &[u8]) -> String {
    format!("W/\"{:08x}\"", crc32fast::hash(content))
}

/// Leads to the page; relative, so that it holds behind a path prefix.
pub(super) async fn redirect() -> HttpResponse {
    HttpResponse::TemporaryRedirect().insert_header((header::LOCATION, "ui/")).finish()
}

/// One file of the page.
pub(super) async fn asset(
    gateway: Data<Gateway>,
    documents: Data<Documents>,
    http: HttpRequest,
    file: Path<String>,
) -> Result<HttpResponse, Problem> {
    let name = if file.is_empty() { PAGE } else { file.as_str() };
    let edition = if name == PAGE { documents.show(&gateway.chain) } else { documents.shown() };
    let Assets { files, policies: [of_page, of_part] } = &edition.assets;
    let policy = if name == PAGE { of_page } else { of_part };
    let asset = files.get(name).ok_or_else(|| Problem::new(Code::NotFound))?;
    let unchanged = is_known(http.headers(), &asset.etag);
    let mut answer = if unchanged { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer
        .insert_header((header::ETAG, asset.etag.as_str()))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::VARY, "Accept-Encoding"))
        .insert_header((header::CONTENT_SECURITY_POLICY, policy.as_str()));
    if unchanged {
        return Ok(answer.finish());
    }
    answer.insert_header((header::CONTENT_TYPE, asset.media_type.as_str()));
    if !asset.gzipped {
        return Ok(answer.body(asset.content.clone()));
    }
    if takes_gzip(&http) {
        return Ok(answer.insert_header((header::CONTENT_ENCODING, "gzip")).body(asset.content.clone()));
    }
    Ok(answer.body(asset.plain()?))
}

impl Asset {
    fn made_here(content: Bytes, media_type: &str) -> Self {
        let (plain, media_type) = (OnceLock::new(), media_type.to_owned());
        Self { etag: etag(&content), content, plain, media_type, gzipped: false }
    }

    /// The content without gzip.
    fn plain(&self) -> Result<Bytes, Problem> {
        if let Some(plain) = self.plain.get() {
            return Ok(plain.clone());
        }
        let mut plain = Vec::new();
        let inflated = flate2::read::GzDecoder::new(&self.content[..]).read_to_end(&mut plain);
        inflated.map_err(|_| Problem::new(Code::Internal))?;
        Ok(self.plain.get_or_init(|| plain.into()).clone())
    }
}

fn takes_gzip(request: &HttpRequest) -> bool {
    let accepted =
        request.headers().get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut codings = accepted.split(',').map(|coding| coding.split(';').map(str::trim).collect::<Vec<_>>());
    codings.any(|coding| coding.first() == Some(&"gzip") && !coding.contains(&"q=0"))
}

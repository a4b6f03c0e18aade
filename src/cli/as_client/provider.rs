//! The provider that gives tokens: a gateway, or who is told by a discovery document (RFC 8414, OpenID Connect Discovery).

use serde::Deserialize;

use super::talk::{Talk, complaint, json};
use super::token::Lack;
use super::{printable, refused};
use crate::cli::Failure;
use crate::net::Call;

/// Who gives tokens.
pub(super) enum Place {
    /// A provider, by its discovery document or its issuer.
    Named(String),
    /// A gateway, by its address: its endpoints are the same everywhere.
    Gateway(String),
}

/// What is needed of the document.
#[derive(Debug, Deserialize)]
pub(super) struct Provider {
    pub(super) issuer: String,
    token_endpoint: Option<String>,
    device_authorization_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

const WELL_KNOWN: &str = "/.well-known/";
/// The document's name as RFC 8414 section 3 has it, and as OpenID Connect Discovery section 4 has it.
const DOCUMENTS: [&str; 2] = ["oauth-authorization-server", "openid-configuration"];

impl Provider {
    /// The provider at that place.
    pub(super) async fn at(place: Place, talk: &Talk) -> Result<Self, Lack> {
        match place {
            Place::Named(named) => Self::discover(&document(&named), talk).await,
            Place::Gateway(url) => Ok(Self {
                token_endpoint: Some(format!("{url}/oauth/token")),
                device_authorization_endpoint: Some(format!("{url}/oauth/device")),
                token_endpoint_auth_methods_supported: None,
                issuer: url,
            }),
        }
    }

    /// Asks for the document; it has to be its issuer's own (RFC 8414 section 3.3).
    async fn discover(url: &str, talk: &Talk) -> Result<Self, Lack> {
        let reply = talk.call(url, Call::default()).await?;
        if reply.status != 200 {
            let remedy = "give --discovery-url the issuer, or the address of its document";
            return Err(refused(format!("there is no discovery document: {}; {remedy}", complaint(&reply, url))).into());
        }
        let provider: Self = json(&reply, url)?;
        if !is_of(url, &provider.issuer) {
            let found = printable(&provider.issuer);
            let remedy = "ask for the one below the issuer's own address";
            let sentence = format!("{url} is the document of {found}, and not of who was asked: {remedy}");
            return Err(refused(sentence).into());
        }
        Ok(provider)
    }

    pub(super) fn token_endpoint(&self) -> Result<&str, Failure> {
        self.endpoint("token_endpoint", self.token_endpoint.as_deref())
    }

    pub(super) fn device_endpoint(&self) -> Result<&str, Failure> {
        self.endpoint("device_authorization_endpoint", self.device_authorization_endpoint.as_deref())
    }

    fn endpoint<'e>(&self, member: &str, endpoint: Option<&'e str>) -> Result<&'e str, Failure> {
        let issuer = printable(&self.issuer);
        match endpoint {
            None | Some("") => Err(refused(format!("{issuer} names no {member}: it does not offer this"))),
            // Else whoever writes the document could have a secret sent in the clear, to what listens on this machine.
            Some(url) if self.issuer.starts_with("https://") && !url.starts_with("https://") => {
                Err(refused(format!("{issuer} names a {member} that is not https: {}", printable(url))))
            }
            Some(url) => Ok(url),
        }
    }

    /// Whether a client's secret goes by HTTP Basic, which is the default (RFC 8414 section 2), or in the form.
    pub(super) fn takes_basic(&self) -> bool {
        let methods = self.token_endpoint_auth_methods_supported.as_deref();
        methods.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic"))
    }
}

/// The address of the document that is meant.
fn document(named: &str) -> String {
    if named.contains(WELL_KNOWN) { named.to_owned() } else { below(named, DOCUMENTS[1]) }
}

/// Whether a place that is named is that of the issuer.
pub(super) fn is_at(named: &str, issuer: &str) -> bool {
    is_of(&document(named), issuer)
}

fn is_of(document: &str, issuer: &str) -> bool {
    let is_at =
        |name: &&str| below(issuer, name) == document || inserted(issuer, name).is_some_and(|url| url == document);
    DOCUMENTS.iter().any(is_at)
}

fn below(issuer: &str, name: &str) -> String {
    format!("{}{WELL_KNOWN}{name}", issuer.trim_end_matches('/'))
}

/// RFC 8414 section 3.1: between the host and the path.
fn inserted(issuer: &str, name: &str) -> Option<String> {
    let (scheme, rest) = issuer.split_once("://")?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    Some(format!("{scheme}://{host}{WELL_KNOWN}{name}{}", path.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::{document, is_of};

    #[test]
    fn a_document_is_its_issuers_own_in_each_place_that_it_may_have() {
        let of = |asked: &str, issuer: &str| is_of(&document(asked), issuer);
        let tenant = "https://idp.example/realms/acme";
        for asked in [
            tenant,
            "https://idp.example/realms/acme/",
            "https://idp.example/realms/acme/.well-known/openid-configuration",
            "https://idp.example/realms/acme/.well-known/oauth-authorization-server",
            "https://idp.example/.well-known/oauth-authorization-server/realms/acme",
        ] {
            assert!(of(asked, tenant), "{asked}");
            assert!(!of(asked, "https://idp.example/realms/other"), "{asked}");
            assert!(!of(asked, "https://idp.example"), "{asked}");
            assert!(!of(asked, "http://idp.example/realms/acme"), "{asked}");
        }
        assert!(of("https://acme.auth0.example/.well-known/openid-configuration", "https://acme.auth0.example/"));
    }
}

//! The provider that gives tokens, as its discovery document tells (RFC 8414, OpenID Connect Discovery).

use serde::Deserialize;

use super::talk::{Talk, complaint, json};
use super::{printable, refused};
use crate::cli::Failure;
use crate::net::Call;

/// Where the document is, and whose it has to be.
pub(super) enum Place {
    /// As the command line says: a document or an issuer.
    Named(String),
    /// At the gateway of the configuration, which says what its issuer is called.
    Own {
        /// The gateway's address.
        url: String,
        /// Its issuer.
        issuer: String,
    },
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
    /// Asks for the document; it has to be its issuer's own (RFC 8414 section 3.3).
    pub(super) async fn discover(talk: &Talk, place: &Place) -> Result<Self, Failure> {
        let url = place.document();
        let reply = talk.call(&url, Call::default()).await?;
        if reply.status != 200 {
            return Err(refused(format!("there is no discovery document: {}", complaint(&reply, &url))));
        }
        let provider: Self = json(&reply, &url)?;
        if !place.is_of(&url, &provider.issuer) {
            let found = printable(&provider.issuer);
            let remedy = "ask for the document below the issuer's own address; for a gateway, that is issuer.url or server.public_url";
            return Err(refused(format!("{url} is the document of {found}, and not of who was asked: {remedy}")));
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

impl Place {
    fn document(&self) -> String {
        match self {
            Self::Named(url) if url.contains(WELL_KNOWN) => url.clone(),
            Self::Named(issuer) => below(issuer, DOCUMENTS[1]),
            Self::Own { url, .. } => below(url, DOCUMENTS[0]),
        }
    }

    fn is_of(&self, document: &str, issuer: &str) -> bool {
        match self {
            Self::Own { issuer: own, .. } => issuer == own,
            Self::Named(_) => DOCUMENTS.iter().any(|name| {
                below(issuer, name) == document || inserted(issuer, name).is_some_and(|url| url == document)
            }),
        }
    }
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
    use super::Place;

    #[test]
    fn a_document_is_its_issuers_own_in_each_place_that_it_may_have() {
        let of = |asked: &str, issuer: &str| {
            let place = Place::Named(asked.into());
            place.is_of(&place.document(), issuer)
        };
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

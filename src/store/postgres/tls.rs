//! Encryption: the server's certificate must be from a CA that is trusted, and for the name that was asked for.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::fault::told;
use crate::core::error::Misconfiguration;
use crate::store::StoreSettings;

/// What encrypts a connection when the URL asks for it. With `store.ca_file` its CAs alone are trusted, otherwise the system's.
pub(super) fn connector(settings: &StoreSettings, encrypts: bool) -> Result<MakeRustlsConnect, Misconfiguration> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let fault = |problem: String| {
        let remedy = "Name a PEM file with the certificate of the CA that signed the server's in store.ca_file";
        Misconfiguration::new("store.ca_file", problem, remedy)
    };
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| fault(told(&error)))?;
    let config = match &settings.ca_file {
        Some(path) => {
            builder.with_root_certificates(authorities(&settings.base.join(path), fault)?).with_no_client_auth()
        }
        None if encrypts => {
            let unusable = |error: rustls::Error| fault(format!("the system's certificates can not be used: {error}"));
            builder.with_platform_verifier().map_err(unusable)?.with_no_client_auth()
        }
        None => builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth(),
    };
    Ok(MakeRustlsConnect::new(config))
}

fn authorities(
    path: &std::path::Path,
    fault: impl Fn(String) -> Misconfiguration,
) -> Result<RootCertStore, Misconfiguration> {
    let unreadable = |error: &dyn std::fmt::Display| fault(format!("{} can not be read: {error}", path.display()));
    let pem = std::fs::read(path).map_err(|error| unreadable(&error))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| unreadable(&error))?;
        roots.add(certificate).map_err(|error| unreadable(&error))?;
    }
    if roots.is_empty() { Err(fault(format!("{} holds no certificate", path.display()))) } else { Ok(roots) }
}

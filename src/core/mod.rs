//! The domain: callers and what they may do, requests and how they get on; no I/O, no HTTP, no SQL.

use std::future::Future;
use std::pin::Pin;

pub mod claim_path;
pub mod claim_rule;
pub mod claims;
pub mod clock;
pub mod entropy;
pub mod error;
pub mod guard;
pub mod json;
pub mod own_tokens;
pub mod period;
pub mod policy;
pub mod ports;
pub mod quota;
pub mod request;
pub mod schemes;
pub mod timeline;
pub mod type_scopes;
pub mod verdict;
pub mod webhook;

/// A boxed future, which lets the ports and the verifiers be trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Bytes as hexadecimal digits, in lower case.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |index: u8| char::from(DIGITS[usize::from(index)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

//! The names of the contract's own security schemes, which no other way to log in may have.

/// Our own tokens, by the flows of OAuth 2.
pub const OAUTH2: &str = "oauth2";
/// Any token that is at hand.
pub const BEARER: &str = "bearer";
/// A name and a password.
pub const BASIC: &str = "basic";

/// All of them.
pub const OURS: [&str; 3] = [OAUTH2, BEARER, BASIC];

/// Whether the contract can have a component of that name (`OpenAPI` 3.1, section 4.8.7).
pub fn is_component_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !name.is_empty() && name.bytes().all(is_part)
}

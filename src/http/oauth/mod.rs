//! The authorization server's endpoints, a file for each operation.

mod client_authentication;
pub(in crate::http) mod form;
pub(in crate::http) mod introspect;
mod own_token;
pub(in crate::http) mod refusal;
pub(in crate::http) mod revoke;
pub(in crate::http) mod token;

//! The authorization server's endpoints, a file for each operation.

pub(in crate::http) mod authorize;
mod client_authentication;
pub(in crate::http) mod device;
pub(in crate::http) mod form;
pub(in crate::http) mod introspect;
pub(in crate::http) mod login;
pub(in crate::http) mod logout;
mod own_token;
pub(in crate::http) mod refusal;
pub(in crate::http) mod revoke;
pub(in crate::http) mod token;

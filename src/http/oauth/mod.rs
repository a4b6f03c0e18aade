//! The authorization server's endpoints, a file for each operation.

mod client_authentication;
pub(in crate::http) mod device;
pub(in crate::http) mod form;
pub(in crate::http) mod refusal;
pub(in crate::http) mod token;

//! Anteroom: the gateway between a Provider's services and the programs of its Clients. It checks every caller's token, takes their
//! requests into a durable queue, and tells how a request gets on.
//!
//! # The map
//!
//! A request travels from left to right, and each step asks for the type that only the one before makes, so none can be skipped:
//!
//! ```text
//! bytes ─ http/trace ─ http/authn ─ verify ─ http/allowed ─ http/requests/… ─ queue ─ core/ports ─ store
//!         trace_id     bearer       Verdict  Permit<P>      DTO → domain      outcome             on disk
//! ```
//!
//! A plain read of a request that is in memory takes the same steps in one go, before it is routed: `src/http/fast_path.rs`.
//!
//! | Place | What lives there |
//! | --- | --- |
//! | `src/core/` | the domain: `view` says how a request gets on, `Permit` proves what a caller may; no I/O, no HTTP, no SQL |
//! | `src/verify/` | verifiers, a file or folder per kind, and the chain that picks one by the token's `iss`; the list is `KINDS` |
//! | `src/store/` | stores behind the ports of `core`, and their migrations; the list is `SCHEMES` |
//! | `src/queue/` | the request service, the request types with their schemas, the share of each owner |
//! | `src/webhooks/` | endpoints of owners, signatures, and the sender that tells them what becomes of their requests |
//! | `src/oauth/` | clients and people, their authentication, what people grant, and the tokens that we mint |
//! | `src/http/` | the only folder that knows actix-web: the route table is `src/http/mod.rs`; a path's first segment, `/v1` aside, is its file, and the partner prototype's `/request` is `src/http/partner.rs` |
//! | `src/net/` | outbound HTTP, within limits of time and size |
//! | `src/lock.rs` | locks on files: one process at a time |
//! | `src/secret.rs` | where secrets come from: files and the environment |
//! | `src/telemetry/` | the event log, the access log with a line for every exchange, and the metrics |
//! | `src/settings.rs` | layers the configuration; each module owns its section |
//! | `src/app.rs` | the composition root: the one place that sees everything |
//! | `src/cli/` | one file per subcommand |
//! | `src/main.rs` | arguments in, exit code out |
//!
//! Who may import whom is a table in `tests/it/architecture/`, which fails when the code breaks it. Errors become answers in
//! `src/http/problem.rs`, out of one list, `src/http/code.rs`; those of the authorization server in `src/http/oauth/refusal.rs`, as RFC 6749 has them.
//! Time and randomness are arguments: [`core::clock::Clock`], [`core::entropy::Entropy`].

pub mod app;
pub mod cli;
pub mod core;
pub mod http;
pub mod lock;
pub mod net;
pub mod oauth;
pub mod queue;
pub mod secret;
pub mod settings;
pub mod store;
pub mod telemetry;
pub mod verify;
pub mod webhooks;

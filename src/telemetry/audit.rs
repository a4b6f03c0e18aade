//! The audit log: one line for every act of an operator that changes something, whatever the level of the log.

/// The target of its lines, for `log.level`.
pub const TARGET: &str = "audit";

/// What an operator did.
#[derive(Debug)]
pub struct Act<'a> {
    /// What, as `issuer.refresh`.
    pub action: &'a str,
    /// To what.
    pub object: &'a str,
    /// What came of it: `done`, or the code of the problem.
    pub outcome: &'a str,
    /// The `iss` of the operator's token; of who came by the admin socket, [`SOCKET`].
    pub issuer: &'a str,
    /// The `sub`; or [`SOCKET`] too.
    pub subject: &'a str,
    /// The HTTP exchange.
    pub trace_id: &'a str,
}

/// Stands for who came by the admin socket: whoever runs the gateway.
pub const SOCKET: &str = "socket";

impl Act<'_> {
    /// Writes the line.
    pub fn record(&self) {
        let Self { action, object, outcome, issuer, subject, trace_id } = *self;
        tracing::info!(target: TARGET, action, object, outcome, issuer, subject, trace_id, "audit");
    }
}

//! Logs: one line an event on standard error, for people or as JSON.

use std::io::IsTerminal;

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::core::error::Misconfiguration;

/// The `[log]` section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// For people or for programs; default: `pretty` in development, `json` in production.
    pub format: Option<LogFormat>,
    /// What is logged, as `info` or `anteroom=debug,warn`; default: `info`.
    pub level: Option<String>,
}

/// The HTTP library tells at every start what we tell better.
const USUAL: &str = "info,actix_server=warn";
/// And as an error each head that can not be read: anybody could fill the log with those. To see them, name the target in `level`.
const NEVER: &str = "actix_http::h1=off";
/// What operators do is told at any level.
const ALWAYS: &str = "audit=info";

/// How a log line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

impl LogSettings {
    /// Every mistake in the section.
    pub fn mistakes(&self) -> Vec<Misconfiguration> {
        let remedy = "Write a level (error, warn, info, debug, trace), or directives such as \"anteroom=debug,warn\"";
        let mistake = |error| Misconfiguration::new("log.level", format!("it can not be read: {error}"), remedy);
        self.filter().err().map(mistake).into_iter().collect()
    }

    /// What is logged, as said or else as usual.
    pub fn effective_level(&self) -> &str {
        self.level.as_deref().unwrap_or(USUAL)
    }

    fn filter(&self) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
        EnvFilter::builder().parse(format!("{NEVER},{ALWAYS},{}", self.effective_level()))
    }

    /// Begins to log in this format. The first call in a process counts.
    pub fn start(&self, format: LogFormat) {
        let filter = self.filter().unwrap_or_else(|_| EnvFilter::new(USUAL));
        let lines = fmt().with_env_filter(filter).with_target(false).with_writer(std::io::stderr);
        // A second subscriber is refused: tests that start several gateways in one process share the first.
        let _ = match format {
            LogFormat::Pretty => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
            LogFormat::Json => {
                lines.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
            }
        };
    }
}

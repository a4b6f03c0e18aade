//! The rules of a type that workers work on.

use std::path::Path;
use std::time::Duration;

use super::settings::{BackoffSettings, TypeSettings};
use super::{misread_schema, read_schema};
use crate::core::error::Mistakes;
use crate::core::period::Period;
use crate::core::request::Backoff;
use crate::queue::schema::Schema;

const MOST_ATTEMPTS: u32 = 100;
/// The longest lease that may be asked for: whoever dies with it keeps a request waiting for as long.
pub const LONGEST_LEASE: Duration = Duration::from_hours(1);
const A_WEEK: Duration = Duration::from_hours(7 * 24);

/// How workers work on requests of a type.
#[derive(Debug)]
pub struct WorkRules {
    /// How many times one may be begun.
    pub attempts: u32,
    /// How long a lease lasts when the worker does not say.
    pub lease: Duration,
    /// How long an attempt may take, heartbeats or not.
    pub run_timeout: Duration,
    /// How long to wait between attempts.
    pub backoff: Backoff,
    /// What the result must look like.
    pub(in crate::queue) result_schema: Option<Schema>,
}

impl Default for WorkRules {
    fn default() -> Self {
        Self {
            attempts: 5,
            lease: Duration::from_mins(1),
            run_timeout: Duration::from_mins(15),
            backoff: Backoff { first: Duration::from_secs(5), most: Duration::from_mins(10) },
            result_schema: None,
        }
    }
}

impl WorkRules {
    /// Judges the keys of a table that are about workers.
    pub(super) fn build(settings: &TypeSettings, base: &Path, mistakes: &mut Mistakes<'_>) -> Self {
        let usual = Self::default();
        let attempts = settings.attempts.unwrap_or(usual.attempts);
        if !(1..=MOST_ATTEMPTS).contains(&attempts) {
            mistakes.add("attempts", format!("it is {attempts}"), format!("Write a number from 1 to {MOST_ATTEMPTS}"));
        }
        let mut within = |key, period: Option<Period>, usual, most| match period.map_or(usual, Period::duration) {
            period if (Duration::from_secs(1)..=most).contains(&period) => period,
            _ => {
                let most = Period::seconds(most.as_secs());
                mistakes.add(key, "it is too short or too long", format!("Write a time from \"1s\" to \"{most}\""));
                usual
            }
        };
        let lease = within("lease", settings.lease, usual.lease, LONGEST_LEASE);
        let run_timeout = within("run_timeout", settings.run_timeout, usual.run_timeout, A_WEEK);
        let backoff = settings.backoff.map_or(usual.backoff, |BackoffSettings { first, most }| Backoff {
            first: first.duration(),
            most: most.duration(),
        });
        if backoff.first > backoff.most || backoff.most > A_WEEK {
            let remedy = "Let `first` be at most `most`, and `most` at most 7 days";
            mistakes.add("backoff", "its times do not fit together", remedy);
        }
        let result_schema = settings.result_schema.as_ref().and_then(|schema| {
            let read = read_schema(schema, base);
            read.map_err(|problem| misread_schema(mistakes, "result_schema", problem)).ok()
        });
        Self { attempts, lease, run_timeout, backoff, result_schema }
    }
}

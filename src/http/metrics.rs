//! `/metrics`: what was counted, for Prometheus and its like.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Data;

use super::Gateway;
use crate::telemetry::metrics::{KeySetGauges, MEDIA_TYPE};
use crate::verify::{KeySetReport, KeySetState};

/// Metrics
///
/// What was counted since the start, and how the keys of each issuer and the work of workers stand now, as `OpenMetrics` text.
#[utoipa::path(get, path = "/metrics", tag = "health", responses(
    (status = 200, description = "The metrics", body = String, content_type = "application/openmetrics-text",
        example = "# TYPE anteroom_store_commits counter\nanteroom_store_commits_total{result=\"done\"} 42\n# EOF\n"),
))]
pub(super) async fn get_metrics(gateway: Data<Gateway>) -> HttpResponse {
    let readiness = gateway.chain.readiness();
    let reports = readiness.iter().filter_map(|verifier| Some((&*verifier.name, verifier.keys.as_ref()?)));
    let gauges: Vec<_> = reports.map(|(name, report)| gauges(name, report)).collect();
    let backlogs = gateway.queue.backlogs().await.unwrap_or_else(|error| {
        // What was counted can be told all the same.
        tracing::debug!("the store does not tell how the work stands: {error}");
        Arc::default()
    });
    let text = gateway.metrics.encode(&gauges, &backlogs, gateway.clock.now());
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, MEDIA_TYPE)).body(text)
}

fn gauges<'a>(verifier: &'a str, report: &KeySetReport) -> KeySetGauges<'a> {
    KeySetGauges {
        verifier,
        age: report.age,
        keys: report.keys.len().try_into().unwrap_or(u32::MAX),
        states: KeySetState::ALL.iter().map(|state| (state.name(), *state == report.state)).collect(),
        consecutive_failures: report.consecutive_failures,
    }
}

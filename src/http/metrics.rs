//! `/metrics`: what was counted, for Prometheus and its like.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Data;

use super::Gateway;
use crate::telemetry::metrics::{KeySetGauges, MEDIA_TYPE};
use crate::verify::{KeySetReport, KeySetState};

/// Metrics
///
/// What was counted since the start, and how the keys of each issuer stand now, as `OpenMetrics` text.
#[utoipa::path(get, path = "/metrics", tag = "health", responses(
    (status = 200, description = "The metrics", body = String, content_type = "application/openmetrics-text",
        example = "# TYPE anteroom_store_commits counter\nanteroom_store_commits_total{result=\"done\"} 42\n# EOF\n"),
))]
pub(super) async fn get_metrics(gateway: Data<Gateway>) -> HttpResponse {
    let readiness = gateway.chain.readiness();
    let reports = readiness.iter().filter_map(|verifier| Some((&*verifier.name, verifier.keys.as_ref()?)));
    let gauges: Vec<_> = reports.map(|(name, report)| gauges(name, report)).collect();
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, MEDIA_TYPE)).body(gateway.metrics.encode(&gauges))
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

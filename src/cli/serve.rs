//! `anteroom serve`: runs the gateway until it is told to stop.

use std::io::{self, Write};
use std::sync::Arc;

use secrecy::ExposeSecret;
use tokio::signal::unix::{SignalKind, signal};

use super::warnings::warnings;
use super::{Failure, load};
use crate::app::{Application, DEMO_CLIENT, DEMO_SECRET, SteadyClock, SystemClock, SystemEntropy};
use crate::settings::{Flags, Settings};

pub(super) fn run(flags: &Flags) -> Result<(), Failure> {
    let settings = load(flags)?;
    settings.log.start(settings.log_format());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let clock = Arc::new(SteadyClock::over(SystemClock::start()));
        let application = Application::start(&settings, clock, Arc::new(SystemEntropy))
            .map_err(|mistakes| settings.unusable(mistakes))?;
        announce(&application, &settings)?;
        let stop = async move {
            tokio::select! {
                _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
                _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
            }
        };
        let served = application.run(stop).await;
        served.map(|()| tracing::info!("stopped")).map_err(Failure::Failed)
    })
}

/// Says where the gateway listens, and how to get a first token.
fn announce(application: &Application, settings: &Settings) -> io::Result<()> {
    let (address, mode) = (application.address(), settings.server.effective_mode());
    tracing::info!(mode = ?mode, store = settings.store.shown_url(), "listening on http://{address}");
    if let Some(admin) = application.admin_address() {
        tracing::info!("metrics, detailed readiness and administration are at http://{admin}");
        if !admin.ip().is_loopback() {
            tracing::warn!("server.admin_bind: whoever reaches {admin} reads metrics and readiness without a token");
        }
    }
    if let Some(secret) = application.demo_secret() {
        let place = settings.server.data_dir.join(DEMO_SECRET);
        writeln!(
            io::stdout(),
            "\n  Anteroom is ready.  Swagger UI: http://{address}/ui/\n\n  client id      {DEMO_CLIENT}\n  client secret  {}   (kept in {})\n\n  \
             Development mode: for this machine only. See README.md for a first request.\n",
            secret.expose_secret(),
            place.display(),
        )?;
    }
    for warning in warnings(settings) {
        tracing::warn!("{warning}");
    }
    Ok(())
}

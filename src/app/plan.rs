//! What follows from the settings alone: every section judged, and nothing opened, made or fetched for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::SecretString;

use super::data_dir::existing_issuer_secret;
use super::ui_client;
use crate::core::clock::Clock;
use crate::core::entropy::Entropy;
use crate::core::error::{Misconfiguration, list};
use crate::core::own_tokens::OwnTokens;
use crate::core::type_scopes::TypeScopes;
use crate::http::{Guard, Guards, Mode, TokenPlaces};
use crate::net::{Net, NetSettings};
use crate::oauth::clients::{Client, generate_secret};
use crate::oauth::issuer::{Issuer, SigningAlgorithm};
use crate::oauth::scopes::Scopes;
use crate::oauth::signer::Signer;
use crate::queue::quotas::settings::ClientQuota;
use crate::queue::types::{self, Types};
use crate::settings::Settings;
use crate::store;
use crate::telemetry::metrics::Metrics;
use crate::verify::{Chain, OwnIssuer, Setup, Waiting, own_table};
use crate::webhooks::{Judged, WebhookPlan};

/// What a gateway is made of, and a command that does a part of its work.
pub struct Plan {
    /// The clients that are configured.
    pub clients: Vec<Client>,
    /// The request types.
    pub types: Types,
    /// The verifiers that guard the API.
    pub chain: Chain,
    /// The verifier of our own tokens, whether it guards the API or not.
    pub own_chain: Chain,
    /// Where a token may be.
    pub token_places: TokenPlaces,
    /// What guards other services.
    pub guards: Guards,
    /// Who is told what becomes of requests.
    pub webhooks: WebhookPlan,
    /// What mints our tokens.
    pub issuer: Issuer,
    /// What is known of them.
    pub own_tokens: Arc<OwnTokens>,
    /// The secret that it signs with, where it signs with one.
    pub signing_secret: Option<SecretString>,
    /// Where that is from.
    pub secret_origin: SecretOrigin,
    /// What all of it tells the time by.
    pub clock: Arc<dyn Clock>,
    /// What all of it draws from.
    pub entropy: Arc<dyn Entropy>,
    /// What all of it counts with.
    pub metrics: Arc<Metrics>,
}

/// Where the secret that signs our tokens is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretOrigin {
    /// `issuer.secrets`
    Configured,
    /// A gateway has made it in the data directory.
    Kept,
    /// It was made for this plan; nobody has a token that it signed.
    New,
    /// There is none: the store has the keys.
    Store,
}

impl Plan {
    /// Judges the settings, every section of them.
    ///
    /// # Errors
    /// Every mistake there is.
    pub fn of(
        settings: &Settings,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Vec<Misconfiguration>> {
        let metrics = Arc::new(Metrics::new());
        let type_scopes = types::scopes(&settings.types);
        let mut mistakes = judge(settings, &Scopes::new(&type_scopes));
        let clients = build_clients(settings, &type_scopes, &mut mistakes);
        let types = Types::build(&settings.types, &settings.base).map_err(|found| mistakes.extend(found));
        // In place of what can not be used something stands in, so that what is built with it is judged as well.
        let (secrets, secret_origin) = signing_secrets(settings, &*entropy).unwrap_or_else(|found| {
            mistakes.extend(found);
            (Some(vec![generate_secret(&*entropy)]), SecretOrigin::New)
        });
        let net = settings.net.open(&settings.base).or_else(|found| {
            mistakes.extend(found);
            NetSettings::default().open(&settings.base)
        })?;
        let webhooks = plan_webhooks(settings, &net, &*clock, &*entropy).map_err(|found| mistakes.extend(found));
        let signing_secret = secrets.as_ref().and_then(|secrets| secrets.first().cloned());
        let issuer = issuer(settings, signing_secret.as_ref(), Arc::clone(&entropy));
        let own_tokens = Arc::new(OwnTokens::default());
        let own = own_issuer(settings, secrets, Arc::clone(&own_tokens));
        let chains = {
            let (clock, entropy, metrics) = (Arc::clone(&clock), Arc::clone(&entropy), Arc::clone(&metrics));
            let waiting = Waiting::within(settings.server.max_in_flight);
            let setup =
                Setup { base: &settings.base, net, clock, entropy, metrics, waiting, type_scopes, own: Some(own) };
            build_chains(settings, setup).map_err(|found| mistakes.extend(found))
        };
        let token_places = TokenPlaces::of(&settings.verify).map_err(|mistake| mistakes.push(mistake));
        let guards = build_guards(settings).map_err(|found| mistakes.extend(found));
        match (types, chains, token_places, guards, webhooks) {
            (Ok(types), Ok((chain, own_chain)), Ok(token_places), Ok(guards), Ok(webhooks)) if mistakes.is_empty() => {
                let guards = Guards::new(guards, &chain);
                Ok(Self {
                    clients,
                    types,
                    chain,
                    own_chain,
                    token_places,
                    guards,
                    webhooks,
                    issuer,
                    own_tokens,
                    signing_secret,
                    secret_origin,
                    clock,
                    entropy,
                    metrics,
                })
            }
            _ => Err(mistakes),
        }
    }
}

/// The secrets that tokens are signed with and verified by: those configured, else the one that a gateway has made in the data
/// directory, else a new one. There is one at least, and the first signs. With ES256 there is none.
fn signing_secrets(
    settings: &Settings,
    entropy: &dyn Entropy,
) -> Result<(Option<Vec<SecretString>>, SecretOrigin), Vec<Misconfiguration>> {
    if settings.issuer.algorithm == SigningAlgorithm::ES256 {
        return Ok((None, SecretOrigin::Store));
    }
    let configured = settings.issuer.read_secrets(&settings.base)?;
    if !configured.is_empty() {
        return Ok((Some(configured), SecretOrigin::Configured));
    }
    if store::is_shared(&settings.store) && settings.believes_itself() {
        let problem = "is empty, and gateways that share a store must believe each other's tokens";
        let remedy = "Give every gateway the same secret of 32 bytes or more, as \"file:PATH\" or \"env:NAME\", or set issuer.algorithm = \"ES256\"";
        return Err(vec![Misconfiguration::new("issuer.secrets", problem, remedy)]);
    }
    let kept = existing_issuer_secret(&settings.server.data_dir).map_err(|mistake| vec![mistake])?;
    Ok(match kept {
        Some(secret) => (Some(vec![secret]), SecretOrigin::Kept),
        None => (Some(vec![generate_secret(entropy)]), SecretOrigin::New),
    })
}

fn plan_webhooks(
    settings: &Settings,
    net: &Net,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<WebhookPlan, Vec<Misconfiguration>> {
    settings.webhooks.build(Judged {
        base: &settings.base,
        issuer: &settings.issuer_url(),
        is_development: settings.server.effective_mode() == Mode::Development,
        net,
        now: clock.now(),
        entropy,
    })
}

/// The sections of which nothing is made here.
fn judge(settings: &Settings, scopes: &Scopes) -> Vec<Misconfiguration> {
    let is_development = settings.server.effective_mode() == Mode::Development;
    let accounts = settings.accounts.mistakes(is_development, scopes);
    let ui = ui_client::mistake(settings);
    store::judge(&settings.store).err().into_iter().chain(accounts).chain(ui).chain(quota_issuers(settings)).collect()
}

/// Limits of clients who can not come: no token that is believed here is from their issuer.
fn quota_issuers(settings: &Settings) -> Vec<Misconfiguration> {
    let known: Option<Vec<String>> = settings.chain().iter().map(|name| settings.issuer_of(name)).collect();
    let mistake = |(name, client): (&String, &ClientQuota)| {
        let key = format!("quotas.clients.{name}.issuer");
        let Some(issuer) = &client.issuer else {
            let problem = "is not given, and our own tokens are not believed here";
            return (!settings.believes_itself())
                .then(|| Misconfiguration::new(key, problem, "Give it the `iss` of the client's tokens"));
        };
        // Of some verifiers it is not known before they have asked.
        let known = known.as_ref().filter(|known| !known.contains(issuer))?;
        let problem = format!("\"{issuer}\" is the issuer of no verifier in verify.chain");
        let remedy = format!("Write it as the verifier has it: {}", list(known.iter().map(String::as_str)));
        Some(Misconfiguration::new(key, problem, remedy))
    };
    settings.quotas.clients.iter().filter_map(mistake).collect()
}

fn build_clients(settings: &Settings, type_scopes: &TypeScopes, mistakes: &mut Vec<Misconfiguration>) -> Vec<Client> {
    let tables = settings.clients.iter();
    let built = tables.map(|(id, client)| Client::build(id, client, &settings.base, type_scopes));
    built.filter_map(|built| built.map_err(|found| mistakes.extend(found)).ok()).collect()
}

fn build_guards(settings: &Settings) -> Result<Vec<Guard>, Vec<Misconfiguration>> {
    let known: Vec<&String> = settings.verifiers.keys().collect();
    let (mut guards, mut mistakes) = (Vec::new(), Vec::new());
    for (name, guard) in &settings.guards {
        match guard.build(name, &known, settings.chain()) {
            Ok(guard) => guards.push(guard),
            Err(found) => mistakes.extend(found),
        }
    }
    if mistakes.is_empty() { Ok(guards) } else { Err(mistakes) }
}

/// What signs with that secret; without one, with the keys in the store.
fn issuer(settings: &Settings, secret: Option<&SecretString>, entropy: Arc<dyn Entropy>) -> Issuer {
    let signer = secret.map_or_else(Signer::keys, Signer::secret);
    Issuer::new(settings.issuer_url(), &settings.issuer, signer, entropy)
}

fn own_issuer(settings: &Settings, secrets: Option<Vec<SecretString>>, tokens: Arc<OwnTokens>) -> OwnIssuer {
    OwnIssuer { url: settings.issuer_url(), audience: settings.issuer.audience.clone(), secrets, tokens }
}

/// The verifiers that guard the API, and that of our own tokens.
fn build_chains(settings: &Settings, mut setup: Setup<'_>) -> Result<(Chain, Chain), Vec<Misconfiguration>> {
    let chain = Chain::build(settings.chain(), &settings.named_by_guards(), &settings.verifiers, &setup);
    // What judges tokens for others is none of the verifiers that are counted.
    setup.metrics = Arc::new(Metrics::new());
    let (name, tables) = ("self".to_owned(), BTreeMap::from([("self".to_owned(), own_table())]));
    match (chain, Chain::build(&[name], &[], &tables, &setup)) {
        (Ok(chain), Ok(own)) => Ok((chain, own)),
        // Its mistakes are told already.
        (Err(mistakes), Err(_)) if settings.believes_itself() => Err(mistakes),
        (chain, own) => Err(chain.err().into_iter().chain(own.err()).flatten().collect()),
    }
}

//! Clients are listed, added, given new secrets and removed while the gateway runs.

use std::path::Path;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::added::{LONGEST_ID, READ_ANEW, StoredClient, StoredSecret};
use super::{Client, ClientSecret, ClientSettings, generate_secret, hash, judge_id};
use crate::core::clock::Timestamp;
use crate::core::error::{Error, Fault, Misconfiguration, StoreError};
use crate::core::hex;
use crate::core::own_tokens::Revoked;
use crate::core::type_scopes::TypeScopes;
use crate::oauth::AuthorizationServer;
use crate::oauth::shelf::insert;

/// A client has at most so many secrets that are good.
const MOST_SECRETS: usize = 5;
/// An old secret is good for at most so long beside a new one.
const LONGEST_OVERLAP: Duration = Duration::from_hours(24 * 90);
/// For so long after it was removed another gateway may still give a client tokens, which are not believed: it remembers the client for
/// [`READ_ANEW`], and its clock may be a little ahead.
const LINGERS: Duration = READ_ANEW.saturating_add(Duration::from_secs(1));
/// So often is a client read again that somebody else has changed meanwhile.
const ATTEMPTS: usize = 8;

const WAS_REMOVED: &str = "A client of this id was removed a moment ago, and other gateways may know it still: add it ten seconds later, or choose another.";
const IS_CONFIGURED: &str = "This client is in the Provider's configuration, and is changed there alone.";

/// A client as operators see it.
#[derive(Debug)]
pub struct Shown {
    /// The client.
    pub client: Client,
    /// When each of its secrets was made, and until when it is good; of one that is configured they are not told.
    pub secrets: Vec<(Timestamp, Option<Timestamp>)>,
    /// When it was added; none: it is configured.
    pub added_at: Option<Timestamp>,
}

impl Shown {
    fn configured(client: &Client) -> Self {
        Self { client: client.clone(), secrets: Vec::new(), added_at: None }
    }

    fn stored(id: &str, stored: &StoredClient, now: Timestamp) -> Self {
        let good = stored.secrets.iter().filter(|secret| secret.is_good(now));
        let secrets = good.map(|secret| (secret.made_at, secret.expires_at)).collect();
        Self { client: stored.client(id), secrets, added_at: Some(stored.made_at) }
    }
}

impl AuthorizationServer {
    /// The clients in the order of their ids, beginning after the id `after`, at most `limit`.
    ///
    /// # Errors
    /// The store's.
    pub async fn list_clients(&self, after: Option<&str>, limit: usize) -> Result<Vec<Shown>, Error> {
        let now = self.clock.now();
        let mut shown: Vec<_> = self.clients.all_configured(after).map(Shown::configured).collect();
        // One that was added before it was configured is what its configuration says.
        let stored = self.shelf.list::<StoredClient>(after, limit + shown.len()).await?;
        let unseen = stored.iter().filter(|found| self.clients.configured(&found.key).is_none());
        shown.extend(unseen.map(|found| Shown::stored(&found.key, &found.value, now)));
        shown.sort_by(|one, other| one.client.id.cmp(&other.client.id));
        shown.truncate(limit);
        Ok(shown)
    }

    /// The client of that id.
    ///
    /// # Errors
    /// There is none; the store's.
    pub async fn show_client(&self, id: &str) -> Result<Shown, Error> {
        if let Some(client) = self.clients.configured(id) {
            return Ok(Shown::configured(&client));
        }
        let found = self.shelf.find::<StoredClient>(id).await?.ok_or(Error::NotFound)?;
        Ok(Shown::stored(id, &found.value, self.clock.now()))
    }

    /// Adds a client, which works at once. Its secret is told here and never again; a public one has none. Those of the settings
    /// count for nothing.
    ///
    /// # Errors
    /// Everything that is wrong with it; its id is taken, or was a moment ago; the store's.
    pub async fn add_client(&self, id: &str, settings: ClientSettings) -> Result<(Shown, Option<SecretString>), Error> {
        let secret = (!settings.public).then(|| generate_secret(&*self.entropy));
        let settings = ClientSettings { secrets: Vec::new(), ..settings };
        self.judge(id, &settings, secret.as_ref())?;
        if self.clients.configured(id).is_some() {
            return Err(Error::ClientConflict(IS_CONFIGURED));
        }
        let now = self.clock.now();
        let lingers = self.revoked(&Revoked::Client(id.to_owned())).await?;
        // In whole seconds, as tokens say when they were issued: none of this client's is to be taken for one of the other's.
        if lingers.is_some_and(|extent| now.seconds() <= extent.issued_by.seconds()) {
            return Err(Error::ClientConflict(WAS_REMOVED));
        }
        let secrets = secret.iter().map(|secret| stored_secret(secret, now)).collect();
        let stored = StoredClient { settings: settings.into(), secrets, made_at: now };
        if !self.shelf.commit(vec![insert(id, &stored)?]).await? {
            return Err(Error::ClientConflict(
                "There is a client of this id already: remove it first, or choose another.",
            ));
        }
        self.clients.forget(id);
        Ok((Shown::stored(id, &stored, now), secret))
    }

    /// Gives a client that was added another secret, which is told here and never again. Those that it has are good for as long as
    /// `overlap` at most.
    ///
    /// # Errors
    /// There is no such client, or it is configured or public, or it has too many secrets; the store's.
    pub async fn rotate_client_secret(&self, id: &str, overlap: Duration) -> Result<(Shown, SecretString), Error> {
        if overlap > LONGEST_OVERLAP {
            return Err(malformed("/overlap", "It is longer than 90 days. Write one like \"24h\", or \"0s\".".into()));
        }
        if self.clients.configured(id).is_some() {
            return Err(Error::ClientConflict(IS_CONFIGURED));
        }
        for _ in 0..ATTEMPTS {
            let found = self.shelf.find::<StoredClient>(id).await?.ok_or(Error::NotFound)?;
            let (now, secret) = (self.clock.now(), generate_secret(&*self.entropy));
            let rotated = rotated(found.value.clone(), &secret, overlap, now)?;
            if self.shelf.commit(vec![found.replace(&rotated)?]).await? {
                self.clients.forget(id);
                return Ok((Shown::stored(id, &rotated, now), secret));
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Removes a client that was added. What it was given is believed no more, nor what people have granted it.
    ///
    /// # Errors
    /// There is no such client, or it is configured; the store's.
    pub async fn remove_client(&self, id: &str) -> Result<(), Error> {
        if self.clients.configured(id).is_some() {
            return Err(Error::ClientConflict(IS_CONFIGURED));
        }
        for _ in 0..ATTEMPTS {
            let found = self.shelf.find::<StoredClient>(id).await?.ok_or(Error::NotFound)?;
            // Before, so that what a crash cuts short leaves a client that can be removed again; after, for what it got meanwhile.
            self.disown(id).await?;
            if self.shelf.commit(vec![found.remove()]).await? {
                self.clients.forget(id);
                self.disown(id).await?;
                return Ok(());
            }
        }
        Err(StoreError::Busy.into())
    }

    async fn disown(&self, id: &str) -> Result<(), StoreError> {
        self.revoke_all(Revoked::Client(id.to_owned()), self.clock.now().plus(LINGERS)).await
    }

    /// What is wrong with a client that is to be added, each with a pointer into what was sent.
    fn judge(&self, id: &str, settings: &ClientSettings, secret: Option<&SecretString>) -> Result<(), Error> {
        if let Err(problem) = judge_id(id) {
            return Err(malformed("/client_id", format!("It {problem}. Choose another.")));
        }
        if id.len() > LONGEST_ID {
            return Err(malformed(
                "/client_id",
                format!("It is longer than {LONGEST_ID} bytes. Choose a shorter one."),
            ));
        }
        let mut faults = Vec::new();
        if let Some(unknown) = settings.scopes.iter().find(|scope| self.minter.scopes.get(scope).is_none()) {
            let known = self.minter.scopes.names().collect::<Vec<_>>().join(", ");
            faults.push(fault("/scopes", format!("{unknown:?} is not a scope. Use {known}.")));
        }
        let secrets = secret.iter().map(|secret| ClientSecret::Sha256(hash(secret.expose_secret()))).collect();
        let rest = ClientSettings { secrets, scopes: Vec::new(), ..settings.clone() };
        let judged = Client::build(id, &rest, Path::new(""), &TypeScopes::default()).err().unwrap_or_default();
        let prefix = format!("clients.{id}.");
        faults.extend(judged.into_iter().map(|Misconfiguration { key, problem, remedy }| {
            let key = key.strip_prefix(&prefix).unwrap_or_default();
            fault(&format!("/{key}"), format!("{key}: {problem}. {remedy}."))
        }));
        if faults.is_empty() { Ok(()) } else { Err(refused(faults)) }
    }
}

fn rotated(
    mut client: StoredClient,
    secret: &SecretString,
    overlap: Duration,
    now: Timestamp,
) -> Result<StoredClient, Error> {
    if client.settings.public {
        return Err(Error::ClientConflict("This client is public: it has no secret."));
    }
    let until = now.plus(overlap);
    for known in &mut client.secrets {
        known.expires_at = Some(known.expires_at.map_or(until, |expires_at| expires_at.min(until)));
    }
    client.secrets.retain(|known| known.is_good(now));
    if client.secrets.len() >= MOST_SECRETS {
        let why = "This client has five secrets that are good still. Wait until one has expired, or rotate with an overlap of 0s.";
        return Err(Error::ClientConflict(why));
    }
    client.secrets.push(stored_secret(secret, now));
    Ok(client)
}

fn stored_secret(secret: &SecretString, now: Timestamp) -> StoredSecret {
    StoredSecret { sha256: hex(&hash(secret.expose_secret())), made_at: now, expires_at: None }
}

fn fault(pointer: &str, detail: String) -> Fault {
    Fault { pointer: pointer.to_owned(), code: "invalid_value", detail }
}

fn malformed(pointer: &str, detail: String) -> Error {
    refused(vec![fault(pointer, detail)])
}

fn refused(faults: Vec<Fault>) -> Error {
    Error::Malformed { detail: "The client can not be as it was sent.".into(), faults }
}

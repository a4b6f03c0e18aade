//! Accounts of people: who has one, and whether somebody is who they say they are.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::clients::{Client, generate_secret, hash};
use super::network::Network;
use super::shelf::{Found, Kept};
use super::{AuthorizationServer, TokenError};
use crate::core::clock::Timestamp;
use crate::core::entropy::Entropy;
use crate::core::error::StoreError;
use crate::core::hex;
use crate::core::policy::ADMIN;
use crate::core::ports::records::RecordKind;

pub mod book;
mod brake;
mod line;
mod login_token;
mod names;
mod passwords;
pub mod settings;

use brake::Brake;
use line::Busy;
use passwords::{Judged, Passwords};
use settings::{AccountSettings, Login};

/// The client id in tokens of `POST /login`, which people get by way of no client but the gateway itself. RFC 9068 section 2.2 has one
/// in every token.
pub const FIRST_PARTY: &str = "urn:anteroom:login";
/// So many networks are remembered from which an account was logged in to.
const NETWORKS: usize = 8;
/// When one is told to come again who found the line before the hashing full.
const BUSY_FOR: Duration = Duration::from_secs(1);
/// So often is it told at most that callers are sent away.
const BUSY_TOLD_EVERY: Duration = Duration::from_mins(1);
/// What the ids of people begin with who were let in without an account.
const ANYBODY: &str = "any:";

/// A person, as far as they have proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The `sub` of their tokens: random, so that who gets the name after them does not get what is theirs.
    pub id: String,
    /// The name of their account, as it was registered.
    pub name: String,
    /// Whether they may have the scope `admin`.
    pub is_admin: bool,
}

/// Why somebody is not logged in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// There is no such account, or it has another password: which of the two is told neither in words nor by the time it takes.
    #[error("there is no such account or the password is wrong")]
    Wrong,
    /// Too many wrong passwords came.
    #[error("too many attempts")]
    Throttled {
        /// When the next attempt is looked at.
        retry_after: Duration,
    },
    /// More passwords wait to be checked than the gateway takes.
    #[error("too many passwords wait to be checked")]
    Busy {
        /// When it makes sense to ask again.
        retry_after: Duration,
    },
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no token for them.
    #[error(transparent)]
    Token(#[from] TokenError),
}

impl From<Busy> for LoginError {
    fn from(Busy: Busy) -> Self {
        Self::Busy { retry_after: BUSY_FOR }
    }
}

/// What is kept of an account, by its [normalized](names) name.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Account {
    id: String,
    name: String,
    /// A PHC string.
    password: String,
    password_set_at: Timestamp,
    is_admin: bool,
    created_at: Timestamp,
    /// Hashes of the networks from which it was logged in to, the latest last.
    networks: Vec<String>,
}

impl Kept for Account {
    const KIND: RecordKind = RecordKind::Account;

    fn expires_at(&self) -> Option<Timestamp> {
        None
    }
}

impl Account {
    fn person(&self) -> Person {
        Person { id: self.id.clone(), name: self.name.clone(), is_admin: self.is_admin }
    }

    fn knows(&self, network: &Network) -> bool {
        self.networks.contains(&self.mark(network))
    }

    /// Of no use to who has the marks of several accounts and wants to know who is neighbours with whom.
    fn mark(&self, network: &Network) -> String {
        hex(&hash(&format!("{} {}", self.id, network.name()))[..16])
    }
}

/// What accounts are judged by.
pub(super) struct Accounts {
    settings: AccountSettings,
    passwords: Passwords,
    brake: Brake,
    /// When it was last told that too many wait.
    told_busy_at: Mutex<Option<Duration>>,
    /// By way of whom people get tokens of `POST /login`.
    first_party: Client,
}

impl Accounts {
    pub(super) fn new(settings: AccountSettings, entropy: &Arc<dyn Entropy>) -> Self {
        // It is among no clients, so its secret opens nothing.
        let mut first_party = Client::new(FIRST_PARTY, &generate_secret(&**entropy), Vec::new());
        first_party.lifetime = Some(settings.lifetime.duration());
        let passwords = Passwords::new(Arc::clone(entropy));
        Self { settings, passwords, brake: Brake::default(), told_busy_at: Mutex::default(), first_party }
    }

    /// Tells of callers who were sent away, for whoever runs the gateway; seldom, since anybody can have it told.
    fn tell_busy(&self, now: Duration) {
        let mut told_at = self.told_busy_at.lock().unwrap_or_else(PoisonError::into_inner);
        if told_at.is_none_or(|told_at| now >= told_at + BUSY_TOLD_EVERY) {
            *told_at = Some(now);
            tracing::warn!("callers are sent away since too many passwords wait to be checked");
        }
    }

    /// How long a token of `POST /login` is valid.
    pub(super) fn token_lifetime(&self) -> Duration {
        self.settings.lifetime.duration()
    }
}

impl AuthorizationServer {
    /// The person that name and password prove.
    ///
    /// # Errors
    /// Those of [`LoginError`].
    pub async fn log_in(
        &self,
        name: &str,
        password: &SecretString,
        address: Option<IpAddr>,
    ) -> Result<Person, LoginError> {
        let key = names::normalized(name);
        if self.accounts.settings.login == Login::Any {
            return key.map(|key| anybody(&key)).ok_or(LoginError::Wrong);
        }
        let (key, network) = (key.as_deref().unwrap_or_default(), Network::of(address));
        let found = self.shelf.find::<Account>(key).await?;
        let is_known = found.as_ref().is_some_and(|found| found.value.knows(&network));
        let attempt = self.accounts.brake.login(key, &network, is_known, self.clock.monotonic());
        let attempt = attempt.map_err(|retry_after| LoginError::Throttled { retry_after })?;
        let phc = found.map(|found| found.value.password);
        let judged = match self.accounts.passwords.judge(password, phc.clone(), &network).await {
            Ok(Judged::Wrong) => return Err(LoginError::Wrong),
            Ok(judged) => judged,
            Err(busy) => {
                self.accounts.brake.undo(attempt);
                self.accounts.tell_busy(self.clock.monotonic());
                return Err(busy.into());
            }
        };
        self.accounts.brake.forgive(attempt);
        // Meanwhile the account may have gone, or its password.
        let found = self.shelf.find::<Account>(key).await?;
        let found = found.filter(|found| Some(&found.value.password) == phc.as_ref()).ok_or(LoginError::Wrong)?;
        let person = found.value.person();
        if judged == Judged::RightButWeak || !found.value.knows(&network) {
            self.note_login(&found, &network, (judged == Judged::RightButWeak).then_some(password)).await?;
        }
        Ok(person)
    }

    /// The person with that name and id who has logged in at that time, if the account is still there and has had no other password
    /// since. It is to be asked of each session and refresh token: a revocation is forgotten once access tokens have expired.
    ///
    /// # Errors
    /// The store's.
    pub async fn still_logged_in(&self, name: &str, id: &str, since: Timestamp) -> Result<Option<Person>, StoreError> {
        let Some(key) = names::normalized(name) else { return Ok(None) };
        if self.accounts.settings.login == Login::Any {
            return Ok(Some(anybody(&key)).filter(|person| person.id == id));
        }
        let found = self.shelf.find::<Account>(&key).await?.map(|found| found.value);
        let is_same = |account: &Account| account.id == id && account.password_set_at <= since;
        Ok(found.filter(is_same).map(|account| account.person()))
    }

    /// The scopes that a person may have, and may let clients have: those of `accounts.scopes`, and `admin` if they are one.
    pub fn scopes_of(&self, person: &Person) -> Vec<String> {
        let mut scopes = self.accounts.settings.scopes.clone();
        scopes.extend(person.is_admin.then(|| ADMIN.to_owned()));
        scopes
    }

    /// Keeps in mind where a rightful login came from, and makes a weak hash anew. Whether it is kept is no condition of the login, so a
    /// full store locks nobody out, and neither does another login at the same time.
    async fn note_login(
        &self,
        found: &Found<Account>,
        network: &Network,
        weak: Option<&SecretString>,
    ) -> Result<(), StoreError> {
        let mut account = found.value.clone();
        if let Some(password) = weak
            && let Ok(hash) = self.accounts.passwords.hash(password, network).await
        {
            account.password = hash;
        }
        let mark = account.mark(network);
        account.networks.retain(|known| *known != mark);
        account.networks.push(mark);
        let beyond = account.networks.len().saturating_sub(NETWORKS);
        account.networks.drain(..beyond);
        if let Err(error) = self.shelf.commit(vec![found.replace(&account)?]).await {
            tracing::warn!("an account's login could not be noted: {error}");
        }
        Ok(())
    }
}

/// Who is let in with any name, where anybody is.
fn anybody(name: &str) -> Person {
    Person { id: format!("{ANYBODY}{name}"), name: name.to_owned(), is_admin: false }
}

//! The accounts that there are: made, listed, removed, and given another password.

use std::net::IpAddr;
use std::time::Duration;

use secrecy::SecretString;

use super::line::Busy;
use super::settings::Registration;
use super::{Account, BUSY_FOR, Person, names, passwords};
use crate::core::clock::Timestamp;
use crate::core::error::StoreError;
use crate::core::hex;
use crate::core::own_tokens::Revoked;
use crate::core::policy::{Operate, Permit};
use crate::core::ports::records::RecordChange;
use crate::oauth::AuthorizationServer;
use crate::oauth::network::Network;
use crate::oauth::shelf::{Found, insert};

/// What is wrong with a name.
const NAME_NOT_ALLOWED: &str = "A name has 1 to 64 letters and digits of any script, and the characters . _ - @ +";
/// So often is a record written again that a login has changed meanwhile.
const ATTEMPTS: usize = 8;
/// No token that a person may have lives longer.
const LONGEST_LIFE: Duration = Duration::from_hours(366 * 24);

/// An account that is to be made.
#[derive(Debug)]
pub struct NewAccount<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its password.
    pub password: &'a SecretString,
    /// Whether its person may have the scope `admin`.
    pub is_admin: bool,
}

/// Who makes an account.
#[derive(Clone, Copy, Debug)]
pub enum Registrar<'a> {
    /// Somebody who calls from there.
    Anybody(Option<IpAddr>),
    /// An operator.
    Operator(&'a Permit<Operate>),
}

impl Registrar<'_> {
    /// Where the password is counted as coming from: operators have a network of their own, so that nobody stands before them.
    fn network(self) -> Network {
        match self {
            Self::Anybody(address) => Network::of(address),
            Self::Operator(_) => Network::of(None),
        }
    }
}

/// An account as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The name as it is found by, in the order of which they are listed.
    pub key: String,
    /// Whose it is.
    pub person: Person,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Why nothing was done with an account.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Name or password are not taken; why.
    #[error("name or password are not taken")]
    Invalid {
        /// What is wrong with the name.
        name: Option<&'static str>,
        /// What is wrong with the password.
        password: Option<String>,
    },
    /// Accounts can not be made by whoever calls.
    #[error("accounts are not made here")]
    Off,
    /// Somebody has that name.
    #[error("there is an account of that name")]
    NameTaken,
    /// There is no account of that name.
    #[error("there is no account of that name")]
    Unknown,
    /// Too many accounts are made from there.
    #[error("too many accounts are made from there")]
    Throttled {
        /// When the next one can be made.
        retry_after: Duration,
    },
    /// More passwords wait to be hashed than the gateway takes.
    #[error("too many passwords wait to be hashed")]
    Busy {
        /// When it makes sense to ask again.
        retry_after: Duration,
    },
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Busy> for AccountError {
    fn from(Busy: Busy) -> Self {
        Self::Busy { retry_after: BUSY_FOR }
    }
}

impl AuthorizationServer {
    /// Who may make an account by a call.
    pub fn registration(&self) -> Registration {
        self.accounts.settings.registration
    }

    /// Makes an account.
    ///
    /// # Errors
    /// Those of [`AccountError`].
    pub async fn register(&self, new: &NewAccount<'_>, by: Registrar<'_>) -> Result<Person, AccountError> {
        // Before all that is wrong with name and password: who may make no account is told just that.
        if matches!(by, Registrar::Anybody(_)) && self.registration() != Registration::Open {
            return Err(AccountError::Off);
        }
        let name = names::normalized(new.name);
        let objection = passwords::objection(new.password, new.name);
        let (Some(key), None) = (&name, &objection) else {
            let name = name.is_none().then_some(NAME_NOT_ALLOWED);
            return Err(AccountError::Invalid { name, password: objection });
        };
        let network = by.network();
        if let Registrar::Anybody(_) = by {
            // Never forgiven: it also counts the names that somebody asks after.
            let attempt = self.accounts.brake.registration(&network, self.clock.monotonic());
            attempt.map_err(|retry_after| AccountError::Throttled { retry_after })?;
        }
        if self.shelf.find::<Account>(key).await?.is_some() {
            return Err(AccountError::NameTaken);
        }
        let now = self.clock.now();
        let account = Account {
            id: format!("acc_{}", hex(&self.entropy.draw::<16>())),
            name: new.name.to_owned(),
            password: self.hash(new.password, &network).await?,
            password_set_at: now,
            is_admin: new.is_admin,
            created_at: now,
            networks: Vec::new(),
        };
        let is_made = self.shelf.commit(vec![insert(key, &account)?]).await?;
        if is_made { Ok(account.person()) } else { Err(AccountError::NameTaken) }
    }

    /// The accounts in the order of their names, beginning after that key, at most so many.
    ///
    /// # Errors
    /// The store's.
    pub async fn list_accounts(
        &self,
        _: &Permit<Operate>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        let found = self.shelf.list::<Account>(after, limit).await?;
        let listed = |Found { key, value, .. }: Found<Account>| Listed {
            key,
            person: value.person(),
            created_at: value.created_at,
        };
        Ok(found.into_iter().map(listed).collect())
    }

    /// Removes an account. Its tokens, sessions and grants hold no longer.
    ///
    /// # Errors
    /// [`AccountError::Unknown`] and the store's.
    pub async fn remove_account(&self, _: &Permit<Operate>, name: &str) -> Result<(), AccountError> {
        self.change_account(name, |found| Ok(found.remove())).await
    }

    /// Gives an account another password. Its tokens, sessions and grants hold no longer: somebody may have known the old one.
    ///
    /// # Errors
    /// [`AccountError::Unknown`], [`AccountError::Invalid`], [`AccountError::Busy`] and the store's.
    pub async fn set_password(
        &self,
        _: &Permit<Operate>,
        name: &str,
        password: &SecretString,
    ) -> Result<(), AccountError> {
        if let Some(objection) = passwords::objection(password, name) {
            return Err(AccountError::Invalid { name: None, password: Some(objection) });
        }
        let hash = self.hash(password, &Network::of(None)).await?;
        let change = |found: &Found<Account>| {
            let (password, password_set_at) = (hash.clone(), self.clock.now());
            let account = Account { password, password_set_at, networks: Vec::new(), ..found.value.clone() };
            found.replace(&account)
        };
        self.change_account(name, change).await
    }

    /// The hash of a password that came from there.
    async fn hash(&self, password: &SecretString, from: &Network) -> Result<String, Busy> {
        let hash = self.accounts.passwords.hash(password, from).await;
        hash.inspect_err(|_| self.accounts.tell_busy(self.clock.monotonic()))
    }

    async fn change_account(
        &self,
        name: &str,
        change: impl Fn(&Found<Account>) -> Result<RecordChange, StoreError>,
    ) -> Result<(), AccountError> {
        let key = names::normalized(name).ok_or(AccountError::Unknown)?;
        for _ in 0..ATTEMPTS {
            let found = self.shelf.find::<Account>(&key).await?.ok_or(AccountError::Unknown)?;
            // Before, so that nothing is left of it if this ends in between; and after, for what was issued in between.
            self.revoke_person(&found.value.id).await?;
            let change = change(&found)?;
            if self.shelf.commit(vec![change]).await? {
                return Ok(self.revoke_person(&found.value.id).await?);
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Has all that was issued for a person until now believed no more.
    async fn revoke_person(&self, id: &str) -> Result<(), StoreError> {
        self.revoke(Revoked::Subject(id.to_owned()), self.clock.now().plus(LONGEST_LIFE)).await
    }
}

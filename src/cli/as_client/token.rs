//! Tokens: what the token endpoint answers, and which one goes with a call.

use std::fs::File;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use super::kept::{Folder, Kept};
use super::provider::{Provider, is_at};
use super::talk::{FORM, complaint, json};
use super::{Client, Options, misused, printable, refused};
use crate::cli::Failure;
use crate::core::clock::Timestamp;
use crate::net::{Call, NetError, Reply};
use crate::secret::Source;

/// A token that is good for less is had anew before it is used.
const MARGIN_MILLIS: i64 = 10_000;
/// Between two looks at whether another command has ended.
const PAUSE: Duration = Duration::from_millis(50);

/// What the token endpoint answers, RFC 6749 section 5.1.
#[derive(Deserialize)]
pub(super) struct Given {
    access_token: String,
    token_type: String,
    expires_in: Option<u32>,
    refresh_token: Option<String>,
}

impl Given {
    /// Reads it; a kind of token that can not be sent is none.
    pub(super) fn of(reply: &Reply, url: &str) -> Result<Self, Failure> {
        let given: Self = json(reply, url)?;
        let is_bearer = given.token_type.eq_ignore_ascii_case("bearer");
        if is_bearer && given.access_token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(given);
        }
        Err(Failure::Failed(format!("{} gave a token that is no bearer token", printable(url))))
    }

    /// Puts it in place of what is kept.
    pub(super) fn renew(self, kept: Kept, now: Timestamp) -> Kept {
        Kept {
            expires_at: self.expires_at(now),
            access_token: self.access_token,
            refresh_token: self.refresh_token.or(kept.refresh_token),
            ..kept
        }
    }

    pub(super) fn expires_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.expires_in.map(|seconds| now.plus_millis(i64::from(seconds) * 1000))
    }

    pub(super) fn keep(self, client: &Client, provider: &Provider, gateway: String) -> Result<Kept, Failure> {
        Ok(Kept {
            gateway,
            issuer: provider.issuer.clone(),
            token_endpoint: provider.token_endpoint()?.to_owned(),
            client_id: client.client_id().to_owned(),
            client_secret: client.secret.clone().map(|(place, _)| place),
            basic: provider.takes_basic(),
            expires_at: self.expires_at(client.clock.now()),
            access_token: self.access_token,
            refresh_token: self.refresh_token,
        })
    }
}

/// Who asks for a token.
pub(super) struct Asking<'a> {
    pub(super) client_id: &'a str,
    pub(super) secret: Option<SecretString>,
    pub(super) basic: bool,
}

/// What a token goes with, and where.
#[derive(Clone)]
pub(super) struct Access {
    pub(super) gateway: String,
    pub(super) token: SecretString,
    expires_at: Option<Timestamp>,
}

impl Access {
    fn is_good(&self, now: Timestamp) -> bool {
        is_good(self.expires_at, now)
    }
}

fn is_good(until: Option<Timestamp>, now: Timestamp) -> bool {
    until.is_none_or(|until| until.millis_since(now) > MARGIN_MILLIS)
}

/// Why there is no token.
pub(super) enum Lack {
    /// Who gives it did not answer.
    Net(NetError),
    /// It makes no sense to ask again.
    Final(Failure),
}

impl From<NetError> for Lack {
    fn from(error: NetError) -> Self {
        Self::Net(error)
    }
}

impl From<Failure> for Lack {
    fn from(failure: Failure) -> Self {
        Self::Final(failure)
    }
}

impl From<Lack> for Failure {
    fn from(lack: Lack) -> Self {
        match lack {
            Lack::Net(error) => error.into(),
            Lack::Final(failure) => failure,
        }
    }
}

impl Client {
    /// Who this client says it is to a provider.
    pub(super) fn asking(&self, provider: &Provider) -> Result<Asking<'_>, Failure> {
        let read = |(place, told_by): &(Source, &str)| {
            place.read(&self.settings.base).map_err(|problem| misused(told_by, problem, "Put the secret there"))
        };
        let secret = self.secret.as_ref().map(read).transpose()?;
        Ok(Asking { client_id: self.client_id(), secret, basic: provider.takes_basic() })
    }

    /// Posts a form as a client (RFC 6749 section 2.3.1).
    pub(super) async fn ask(&self, url: &str, form: &[(&str, &str)], asking: &Asking<'_>) -> Result<Reply, NetError> {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(form);
        let by_basic = asking.secret.as_ref().filter(|_| asking.basic).map(|secret| (asking.client_id, secret));
        if by_basic.is_none() {
            body.append_pair("client_id", asking.client_id);
            if let Some(secret) = &asking.secret {
                body.append_pair("client_secret", secret.expose_secret());
            }
        }
        self.talk.call(url, Call { client: by_basic, body: Some((FORM, body.finish())), ..Call::default() }).await
    }

    /// The token for a call now: for the client's own credentials if they are given, else the one that was logged in for.
    pub(super) async fn access(&self) -> Result<Access, Lack> {
        if self.options.client_secret.is_some() {
            return self.own_access().await;
        }
        let folder = Folder::of_user()?;
        let _alone = self.lock(&folder).await?;
        let login = "log in with `anteroom login`, or give --client-id and --client-secret";
        let Some(kept) = folder.read()? else { return Err(refused(format!("there is no token: {login}")).into()) };
        self.judge(&kept)?;
        let now = self.clock.now();
        let kept = match &kept.refresh_token {
            _ if is_good(kept.expires_at, now) => kept,
            None => return Err(refused(format!("the token has expired: {login}")).into()),
            Some(refresh_token) => {
                let given = self.refresh(&kept, refresh_token).await?;
                let kept = given.renew(kept, now);
                folder.write(&kept)?;
                kept
            }
        };
        Ok(Access { gateway: kept.gateway, token: kept.access_token.into(), expires_at: kept.expires_at })
    }

    /// Waits until no other command has the folder.
    pub(super) async fn lock(&self, folder: &Folder) -> Result<File, Failure> {
        let mut progress = self.progress();
        loop {
            match folder.try_lock()? {
                Some(lock) => return Ok(lock),
                None => progress.during("Waiting for another command", self.clock.sleep(PAUSE)).await,
            }
        }
    }

    /// Whether the token that is kept is the one that the command line means.
    fn judge(&self, kept: &Kept) -> Result<(), Failure> {
        let Options { client_id, discovery_url, .. } = &self.options;
        let (option, whose, login) = if client_id.as_ref().is_some_and(|id| *id != kept.client_id) {
            ("--client-id", &kept.client_id, "with `anteroom login`")
        } else if discovery_url.as_ref().is_some_and(|named| !is_at(named, &kept.issuer)) {
            ("--discovery-url", &kept.issuer, "with `anteroom login`")
        } else if self.options.url.is_some() && self.gateway() != kept.gateway {
            // Whoever is sent the token could use it at the gateway that it is for.
            ("--url", &kept.gateway, "there with `anteroom login --url URL`")
        } else {
            return Ok(());
        };
        let whose = printable(whose);
        Err(refused(format!("the token that is kept is of {whose}, and {option} names another: log in {login}")))
    }

    /// It is had once, and again when it is about to expire.
    async fn own_access(&self) -> Result<Access, Lack> {
        let had = self.own.borrow().clone();
        if let Some(access) = had.filter(|access| access.is_good(self.clock.now())) {
            return Ok(access);
        }
        let provider = Provider::at(self.place(), &self.talk).await?;
        let (url, asking) = (provider.token_endpoint()?, self.asking(&provider)?);
        let reply = self.ask(url, &[("grant_type", "client_credentials")], &asking).await?;
        if reply.status != 200 {
            return Err(refused(format!("there is no token: {}", complaint(&reply, url))).into());
        }
        let given = Given::of(&reply, url)?;
        let expires_at = given.expires_at(self.clock.now());
        let access = Access { gateway: self.gateway(), token: given.access_token.into(), expires_at };
        self.own.replace(Some(access.clone()));
        Ok(access)
    }

    async fn refresh(&self, kept: &Kept, refresh_token: &str) -> Result<Given, Lack> {
        let secret = kept.client_secret.as_ref().map(|place| place.read(&self.settings.base)).transpose();
        let secret = secret.map_err(|problem| refused(format!("the token can not be refreshed: {problem}")))?;
        let asking = Asking { client_id: &kept.client_id, secret, basic: kept.basic };
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        let reply = self.ask(&kept.token_endpoint, &form, &asking).await?;
        if reply.status == 200 {
            return Ok(Given::of(&reply, &kept.token_endpoint)?);
        }
        let complaint = complaint(&reply, &kept.token_endpoint);
        let sentence =
            format!("the token has expired, and no other is given: {complaint}; log in with `anteroom login`");
        Err(refused(sentence).into())
    }
}

/// The error of an answer without a token, RFC 6749 section 5.2.
pub(super) fn error_of(reply: &Reply) -> String {
    let said: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    said["error"].as_str().unwrap_or_default().to_owned()
}

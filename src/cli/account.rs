//! `anteroom account`: accounts of people who log in with a name and a password.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::operate::{delete, escaped, get, post};
use super::password::new_password;
use super::{Failure, load, sheet};
use crate::settings::{Flags, Settings};

#[derive(Debug, Subcommand)]
pub(super) enum Account {
    /// Make an account; the password is asked for at the terminal, or is the first line of standard input
    Add(Add),
    /// List the accounts
    List(List),
    /// Remove an account; its tokens are refused from then on
    Remove(Named),
    /// Give an account another password, asked for as with `add`; tokens given by the old one are refused from then on
    Password(Named),
}

#[derive(Args, Debug)]
pub(super) struct Add {
    /// The name of the account
    name: String,
    /// Give its tokens the scope `admin`, which operates the gateway
    #[arg(long)]
    admin: bool,
}

#[derive(Args, Debug)]
pub(super) struct List {
    /// Print what the API answers, page by page
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(super) struct Named {
    /// The name of the account
    name: String,
}

const ACCOUNTS: &str = "/v1/admin/accounts";

pub(super) fn run(flags: &Flags, command: &Account) -> Result<(), Failure> {
    let settings = load(flags)?;
    match command {
        Account::Add(Add { name, admin }) => {
            let password = new_password()?;
            let new = json!({ "name": name, "password": password.expose_secret(), "admin": admin });
            let made = post(&settings, ACCOUNTS, &new)?;
            let (name, id) = (sheet::text(&made["name"]), sheet::text(&made["id"]));
            writeln!(io::stdout(), "The account {name} is made; its tokens have the subject {id}")?;
        }
        Account::List(List { json }) => list(&settings, *json)?,
        Account::Remove(Named { name }) => {
            delete(&settings, &format!("{ACCOUNTS}/{}", escaped(name)))?;
            writeln!(io::stdout(), "The account is removed, and its tokens are refused")?;
        }
        Account::Password(Named { name }) => {
            let password = new_password()?;
            let body = json!({ "password": password.expose_secret() });
            post(&settings, &format!("{ACCOUNTS}/{}/password", escaped(name)), &body)?;
            writeln!(io::stdout(), "The account has the new password, and its earlier tokens are refused")?;
        }
    }
    Ok(())
}

fn list(settings: &Settings, as_json: bool) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let mut cursor = String::new();
    loop {
        let page = get(settings, &format!("/users?limit=200{cursor}"))?;
        if as_json {
            writeln!(out, "{}", sheet::json(&page))?;
        } else if cursor.is_empty() {
            writeln!(out, "{:<24}  {:<36}  {:<5}  CREATED", "NAME", "SUBJECT", "ADMIN")?;
        }
        for account in page["items"].as_array().into_iter().flatten().filter(|_| !as_json) {
            let admin = if account["admin"] == Value::Bool(true) { "yes" } else { "no" };
            let [name, id, created] = ["name", "id", "created_at"].map(|key| sheet::text(&account[key]));
            writeln!(out, "{name:<24}  {id:<36}  {admin:<5}  {created}")?;
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(()),
        }
    }
}

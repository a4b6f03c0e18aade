//! `anteroom account`: accounts of people who log in with a name and a password.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::operate::{delete, escaped, get, post};
use super::password::new_password;
use super::sheet::{self, items, table, text};
use super::{Failure, load};
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
            let (name, id) = (text(&made["name"]), text(&made["id"]));
            writeln!(io::stderr(), "The account {name} is made; its tokens have the subject {id}")?;
        }
        Account::List(List { json }) => list(&settings, *json)?,
        Account::Remove(Named { name }) => {
            delete(&settings, &format!("{ACCOUNTS}/{}", escaped(name)))?;
            writeln!(io::stderr(), "The account is removed, and its tokens are refused")?;
        }
        Account::Password(Named { name }) => {
            let password = new_password()?;
            let body = json!({ "password": password.expose_secret() });
            post(&settings, &format!("{ACCOUNTS}/{}/password", escaped(name)), &body)?;
            writeln!(io::stderr(), "The account has the new password, and its earlier tokens are refused")?;
        }
    }
    Ok(())
}

/// Page by page, to the end.
fn list(settings: &Settings, as_json: bool) -> Result<(), Failure> {
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    let mut out = io::stdout().lock();
    loop {
        let page = get(settings, &format!("/users?limit=200{cursor}"))?;
        if as_json {
            writeln!(out, "{}", sheet::json(&page))?;
        }
        rows.extend(items(&page["items"]).iter().map(row));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    if !as_json {
        table(["NAME", "SUBJECT", "ADMIN", "CREATED"], &rows, &mut out)?;
    }
    Ok(())
}

fn row(account: &Value) -> [String; 4] {
    let admin = if account["admin"] == true { "yes" } else { "no" };
    let [name, id, created] = ["name", "id", "created_at"].map(|key| text(&account[key]));
    [name, id, admin.into(), created]
}

//! What a person reads who is asked to let a client in, and who is logged in.

use maud::{Markup, html};

use super::browser::Browser;
use crate::oauth::accounts::Person;
use crate::oauth::clients::Client;

/// What a client asks for. Its name may be another's as well, so its id stands beside it.
pub(in crate::http) fn asks(client: &Client, offered: &[(String, String)]) -> Markup {
    html! {
        p { strong { (client.name) } " (" code { (client.id) } ") asks to be allowed, in your name, to:" }
        ul { @for (scope, allows) in offered { li { (allows) " (" code { (scope) } ")" } } }
    }
}

/// The buttons that decide.
pub(in crate::http) fn decision() -> Markup {
    html! {
        button type="submit" name="decision" value="allow" { "Allow" }
        button type="submit" name="decision" value="deny" { "Do not allow" }
    }
}

/// Who is logged in, and the address where somebody else can.
pub(in crate::http) fn logged_in(person: &Person, login_again: &str) -> Markup {
    html! {
        p { "You are logged in as " strong { (person.name) } ". " a href=(login_again) { "Log in as somebody else" } }
    }
}

/// The form that ends the session. `action` is the address of `/oauth/logout`, relative to the page that is shown.
pub(in crate::http) fn logout(browser: &Browser, action: &str) -> Markup {
    html! {
        form method="post" action=(action) {
            (browser.token_field())
            button type="submit" { "Log out" }
        }
    }
}

//! `anteroom openapi`: prints the contract, and the list of errors.

use std::io::{self, Write};

use clap::Args;

use super::{Failure, load};
use crate::http::{Contract, errors_document};
use crate::queue::types::Types;
use crate::settings::Flags;

#[derive(Args, Debug)]
pub(super) struct Openapi {
    /// As YAML instead of JSON
    #[arg(long, conflicts_with = "errors")]
    yaml: bool,
    /// The list of errors instead, as Markdown
    #[arg(long)]
    errors: bool,
}

pub(super) fn run(flags: &Flags, arguments: &Openapi) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    if arguments.errors {
        out.write_all(errors_document().as_bytes())?;
        return Ok(());
    }
    let settings = load(flags)?;
    let types = Types::build(&settings.types, &settings.base).map_err(|mistakes| settings.unusable(mistakes))?;
    let unwritten = |error: serde_json::Error| Failure::Failed(error.to_string());
    let contract = Contract::of(&types, &settings.server, settings.ui_client().is_some()).map_err(unwritten)?;
    if arguments.yaml {
        out.write_all(&contract.yaml().map_err(unwritten)?.content)?;
    } else {
        out.write_all(&contract.json)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

//! The larger models: which there are, where they lie on this machine, and how they come here.
//!
//! Only `hub` reaches a network, and only where a person asked for a model.

mod cache;
mod catalogue;
mod check;
mod digest;
mod download;
mod fault;
mod fetch;
mod hub;
mod journal;
mod manifest;
mod pieces;
mod place;
mod speed;
mod work;

pub(crate) use catalogue::{Entry, find, models};
pub(crate) use check::check;
pub(crate) use download::{Options, Progress, Switch, download};
pub(crate) use place::{Place, Presence};
pub(crate) use speed::bytes;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// The folder of the fetched model that `name` is the name of; `None` where it is a folder, or no model's name.
pub(crate) fn named(name: &Path) -> Option<Result<PathBuf>> {
    let is_fetched = |entry: &&Entry| entry.repo.is_some() && name.as_os_str() == entry.name.as_str();
    let entry = models().iter().find(is_fetched).filter(|_| !name.exists())?;
    let folder = || match Place::of_user()?.presence(entry) {
        Presence::Here(folder) | Presence::Cached(folder) => Ok(folder),
        _ => bail!("{0} is not here: fetch it with `colloquy models get {0}`", entry.name),
    };
    Some(folder())
}

//! The larger models: which there are, where they lie on this machine, and how they come here.
//!
//! Only `hub` reaches a network, and only where a person asked for a model.

mod cache;
mod catalogue;
mod check;
mod convert;
mod digest;
mod download;
mod expected;
mod fault;
mod fetch;
mod headers;
mod hub;
mod journal;
mod manifest;
mod pieces;
mod place;
mod speed;
mod work;

pub(crate) use catalogue::{Entry, Kind, find_kind, models};
pub(crate) use check::check;
pub(crate) use download::{Options, Progress, Stage, Switch, download};
pub(crate) use expected::{Expected, Pace, expected};
pub(crate) use place::{Place, Presence};
pub(crate) use speed::bytes;

pub(crate) use engine::Format;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// The folder of the fetched model that `name` is the name of; `None` where it is a folder, or no model's name.
pub(crate) fn named(name: &Path) -> Option<Result<PathBuf>> {
    let is_fetched = |kind: &Kind| kind.entry.repo.is_some() && name.as_os_str() == kind.name().as_str();
    let kind = models().iter().flat_map(Kind::all).find(is_fetched).filter(|_| !name.exists())?;
    let folder = || match Place::of_user()?.presence(kind) {
        Presence::Here(folder) | Presence::Cached(folder) => Ok(folder),
        _ => {
            let format =
                kind.format.map_or_else(String::new, |format| format!(" --format {}", format.name()));
            bail!(
                "{} is not here: fetch it with `colloquy models get {}{format}`",
                kind.name(),
                kind.entry.name
            )
        }
    };
    Some(folder())
}

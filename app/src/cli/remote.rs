//! `colloquy remote`: one word to the window that is open, so that any desktop can bind a key to it.

use anyhow::Result;
use clap::Args;

use crate::remote::{Place, Word, send};

/// Options of `remote`.
#[derive(Args, Debug)]
pub(crate) struct RemoteOptions {
    /// What the window is to do.
    word: Word,
}

/// Says it.
///
/// # Errors
/// A sentence: there is no window, or it does not answer.
pub(crate) fn run(options: &RemoteOptions) -> Result<()> {
    send(&Place::of_user()?, options.word, false)
}

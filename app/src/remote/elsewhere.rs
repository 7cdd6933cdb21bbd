//! Systems without Unix sockets: every window stands alone.

use std::convert::Infallible;

use anyhow::{Result, bail};

use super::Word;
use crate::command::Command;

/// There is no place.
#[derive(Clone, Debug)]
pub(crate) struct Place(Infallible);

impl Place {
    /// # Errors
    /// Always.
    pub(crate) fn of_user() -> Result<Place> {
        bail!("a window can be talked to by other programs on Unix systems only")
    }
}

/// There is no seat.
#[derive(Debug)]
pub(crate) struct Seat(Infallible);

impl Seat {
    /// There is no place to take it at.
    ///
    /// # Errors
    /// None.
    pub(crate) fn take(place: &Place) -> Result<Option<Seat>> {
        match place.0 {}
    }

    /// There is nothing to serve.
    ///
    /// # Errors
    /// None.
    pub(crate) fn serve(
        &self,
        _deliver: impl Fn(Command) -> Result<(), &'static str> + Send + 'static,
    ) -> Result<()> {
        match self.0 {}
    }
}

/// There is nobody to say it to.
///
/// # Errors
/// None.
pub(crate) fn send(place: &Place, word: Word, _wait: bool) -> Result<()> {
    let _ = word.command();
    match place.0 {}
}

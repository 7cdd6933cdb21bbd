//! Larger models: fetched on a thread of their own, so that the window never waits for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;

use super::Window;
use crate::event::{Event, Events};
use crate::language::t;
use crate::models::{Kind, Options, Place, Switch, download, expected, models};
use crate::state::{Errand, ModelReport};

/// What stops the model on its way, where there is one.
#[derive(Default)]
pub(super) struct Fetcher {
    switch: Arc<Switch>,
    /// Whether what has come is to be deleted when it has stopped.
    removes: Arc<AtomicBool>,
}

impl Window {
    /// Does something about larger models.
    pub(super) fn run_errand(&mut self, errand: Errand) {
        match errand {
            Errand::LookUp => self.beside(|events| {
                look_up(&events);
                expect(false, &events);
            }),
            Errand::Measure => self.beside(|events| expect(true, &events)),
            Errand::Stop { remove } => {
                self.fetcher.removes.store(remove, Ordering::Release);
                self.fetcher.switch.off();
            }
            Errand::Fetch(kind) => {
                self.fetcher = Fetcher::default();
                let (switch, removes) = (self.fetcher.switch.clone(), self.fetcher.removes.clone());
                self.beside(move |events| {
                    let told = fetch(kind, &switch, &removes, &events);
                    let told = told.map_err(|error| {
                        t!("The model is not here yet: %{error}.", error = format!("{error:#}"))
                    });
                    events.send(Event::Models(ModelReport::Ended(told.map_err(Into::into))));
                    look_up(&events);
                });
            }
            Errand::Remove(kind) => self.beside(move |events| {
                if let Err(error) = remove(kind) {
                    events.send(Event::NotKept(format!("{error:#}")));
                }
                look_up(&events);
            }),
        }
    }

    fn beside(&self, work: impl FnOnce(Events) + Send + 'static) {
        let events = self.reports.clone();
        if let Err(error) = std::thread::Builder::new().name("models".into()).spawn(move || work(events)) {
            let told = Err(t!("The model is not here yet: %{error}.", error = error).into());
            self.reports.send(Event::Models(ModelReport::Ended(told)));
        }
    }
}

fn look_up(events: &Events) {
    let offers = Place::of_user().map(|place| {
        let fetched = models().iter().filter(|entry| entry.repo.is_some());
        fetched.flat_map(Kind::all).map(|kind| (kind, place.presence(kind))).collect()
    });
    match offers {
        Ok(offers) => events.send(Event::Models(ModelReport::Offers(offers))),
        Err(error) => events.send(Event::NotKept(format!("{error:#}"))),
    }
}

/// Tells what is to be expected of each format.
fn expect(measure: bool, events: &Events) {
    let expected = expected(measure).unwrap_or_else(|error| {
        tracing::warn!(%error, "nothing can be said of the speed");
        Vec::new()
    });
    events.send(Event::Models(ModelReport::Expected(expected)));
}

fn fetch(kind: Kind, switch: &Switch, removes: &AtomicBool, events: &Events) -> Result<()> {
    let place = Place::of_user()?;
    let result = download(kind, &place, &Options::default(), switch, &mut |progress| {
        events.send(Event::Models(ModelReport::Progress(*progress)));
    });
    if removes.load(Ordering::Acquire) {
        return place.remove(kind);
    }
    result.map(drop)
}

fn remove(kind: Kind) -> Result<()> {
    Place::of_user()?.remove(kind)
}

//! Larger models: fetched on a thread of their own, so that the window never waits for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;

use super::Window;
use crate::event::{Event, Events};
use crate::language::t;
use crate::models::{Options, Place, Switch, download, find, models};
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
            Errand::LookUp => self.beside(|events| look_up(&events)),
            Errand::Stop { remove } => {
                self.fetcher.removes.store(remove, Ordering::Release);
                self.fetcher.switch.off();
            }
            Errand::Fetch(name) => {
                self.fetcher = Fetcher::default();
                let (switch, removes) = (self.fetcher.switch.clone(), self.fetcher.removes.clone());
                self.beside(move |events| {
                    let told = fetch(name, &switch, &removes, &events);
                    let told = told.map_err(|error| {
                        t!("The model is not here yet: %{error}.", error = format!("{error:#}"))
                    });
                    events.send(Event::Models(ModelReport::Ended(told.map_err(Into::into))));
                    look_up(&events);
                });
            }
            Errand::Remove(name) => self.beside(move |events| {
                if let Err(error) = remove(name) {
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
        fetched.map(|entry| (entry, place.presence(entry))).collect()
    });
    match offers {
        Ok(offers) => events.send(Event::Models(ModelReport::Offers(offers))),
        Err(error) => events.send(Event::NotKept(format!("{error:#}"))),
    }
}

fn fetch(name: &str, switch: &Switch, removes: &AtomicBool, events: &Events) -> Result<()> {
    let (place, entry) = (Place::of_user()?, find(name)?);
    let result = download(entry, &place, &Options::default(), switch, &mut |progress| {
        events.send(Event::Models(ModelReport::Progress(*progress)));
    });
    if removes.load(Ordering::Acquire) {
        return place.remove(entry);
    }
    result.map(drop)
}

fn remove(name: &str) -> Result<()> {
    Place::of_user()?.remove(find(name)?)
}

//! The one thread that writes what is kept for good, so that the window never waits for a disk.

use std::path::PathBuf;
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use crossbeam_channel::{Receiver, Sender, unbounded};
use jiff::Timestamp;

use crate::clips::{Clip, Side};
use crate::event::{Event, Events};
use crate::language::t;
use crate::preferences::{self, Keeping, Preferences};
use crate::state::Keep;
use crate::store::{Store, Turn};

/// The thread's owner. What was given to it is written before this ends.
pub(crate) struct Keeper {
    jobs: Option<Sender<Keep>>,
    thread: Option<JoinHandle<()>>,
}

/// Where things are kept; nowhere where `None`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    /// File of the settings.
    pub(crate) preferences: Option<PathBuf>,
    /// File of the conversations.
    pub(crate) conversations: Option<PathBuf>,
}

impl Keeper {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub(crate) fn start(places: Places, keeping: Keeping, events: Events) -> Result<Keeper> {
        let (sender, jobs) = unbounded();
        let thread = std::thread::Builder::new()
            .name("keeper".into())
            .spawn(move || {
                let (store, words, last) = (None, String::new(), None);
                Work { places, keeping, events, store, words, last }.run(&jobs);
            })
            .context("cannot start the thread that keeps settings")?;
        Ok(Keeper { jobs: Some(sender), thread: Some(thread) })
    }

    /// Has something kept. Never blocks.
    pub(crate) fn give(&self, job: Keep) {
        if let Some(jobs) = &self.jobs {
            // A thread that stopped by a fault has said so in the log.
            let _ = jobs.send(job);
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that keeps settings stopped by a fault");
        }
    }
}

struct Work {
    places: Places,
    keeping: Keeping,
    events: Events,
    /// Open from when there is something in it.
    store: Option<Store>,
    /// What the list shows.
    words: String,
    /// The window's conversation that was last added to, the turn that was added, and the conversation's number in the store.
    last: Option<(u64, u64, i64)>,
}

impl Work {
    fn run(&mut self, jobs: &Receiver<Keep>) {
        if self.places.conversations.as_ref().is_some_and(|path| path.exists()) {
            self.tell(&t!("The kept conversations cannot be used"), |work| {
                work.open()?;
                work.tidy()
            });
        }
        while let Ok(job) = jobs.recv() {
            let mut newest = None;
            // Of the settings only the last state is written: a slider that is dragged gives many.
            for job in std::iter::once(job).chain(jobs.try_iter()) {
                match job {
                    Keep::Preferences(preferences) => newest = Some(preferences),
                    Keep::Turn { place, continues, number, turn } => self
                        .tell(&t!("This turn is not kept"), |work| {
                            work.add((place, number), continues, &turn)
                        }),
                    Keep::Sounds { place, number, sounds } => {
                        self.tell(&t!("The sound of this turn is not kept"), |work| {
                            work.add_sounds((place, number), &sounds)
                        });
                    }
                    Keep::DeleteSounds => self.tell(&t!("The recordings cannot be deleted"), |work| {
                        work.store.iter().try_for_each(Store::delete_sounds)
                    }),
                    Keep::Search(words) => {
                        self.words = words;
                        self.tell(&t!("The kept conversations cannot be searched"), Work::list);
                    }
                    Keep::Recall(id) => {
                        self.tell(&t!("This conversation cannot be opened"), |work| work.recall(id))
                    }
                    Keep::Delete(id) => self.tell(&t!("This conversation cannot be deleted"), |work| {
                        work.store.iter().try_for_each(|store| store.delete(id))?;
                        work.list()
                    }),
                    Keep::Forget => self.tell(&t!("Not everything is deleted"), Work::forget),
                }
            }
            if let Some(preferences) = newest {
                self.prefer(&preferences);
            }
        }
    }

    /// Does something; where it fails, the person is told.
    fn tell(&mut self, failure: &str, work: impl FnOnce(&mut Work) -> Result<()>) {
        if let Err(error) = work(self) {
            self.events.send(Event::NotKept(format!("{failure}: {error:#}.")));
        }
    }

    fn prefer(&mut self, preferences: &Preferences) {
        if let Some(path) = &self.places.preferences
            && let Err(error) = preferences::write(path, preferences)
        {
            self.events.send(Event::NotKept(format!("{}: {error:#}.", t!("The settings are not stored"))));
        }
        if self.keeping != preferences.keeping {
            self.keeping = preferences.keeping;
            self.tell(&t!("Old conversations cannot be deleted"), Work::tidy);
        }
    }

    /// The store, made where there is none. Without a place for it there is none.
    fn open(&mut self) -> Result<Option<&mut Store>> {
        let Some(path) = &self.places.conversations else { return Ok(None) };
        if self.store.is_none() {
            let (store, fault) = Store::open(path)?;
            self.store = Some(store);
            fault.into_iter().for_each(|fault| self.events.send(Event::NotKept(fault)));
        }
        Ok(self.store.as_mut())
    }

    fn add(&mut self, (place, number): (u64, u64), continues: Option<i64>, turn: &Turn) -> Result<()> {
        let id = self.last.filter(|(last, ..)| *last == place).map(|(.., id)| id).or(continues);
        let Some(store) = self.open()? else { return Ok(()) };
        let id = store.add(id, turn, Timestamp::now())?;
        self.last = Some((place, number, id));
        self.list()
    }

    /// Sound of the turn that was added last; of another it comes too late.
    fn add_sounds(&mut self, turn: (u64, u64), sounds: &[(Side, Clip)]) -> Result<()> {
        match (self.last, &mut self.store) {
            (Some((place, number, id)), Some(store)) if (place, number) == turn => {
                store.add_sounds(id, sounds, Timestamp::now())
            }
            _ => Ok(()),
        }
    }

    fn recall(&mut self, id: i64) -> Result<()> {
        let Some(store) = &self.store else { return Ok(()) };
        self.events.send(Event::Recalled(id, store.turns(id)?));
        Ok(())
    }

    fn list(&mut self) -> Result<()> {
        let lines = self.store.as_ref().map(|store| store.list(&self.words)).transpose()?;
        self.events.send(Event::Listed(lines.unwrap_or_default()));
        Ok(())
    }

    /// Deletes what is too old.
    fn tidy(&mut self) -> Result<()> {
        if let (Some(store), Some(days)) = (&self.store, self.keeping.days) {
            store.delete_older(days, Timestamp::now())?;
        }
        if let (Some(store), Some(days)) = (&self.store, self.keeping.recording_days) {
            store.delete_sounds_older(days, Timestamp::now())?;
        }
        self.list()
    }

    fn forget(&mut self) -> Result<()> {
        self.words.clear();
        self.last = None;
        // Closed first: an open file would live on.
        self.store = None;
        self.places.conversations.as_deref().map_or(Ok(()), Store::erase)?;
        self.list()
    }
}

#[cfg(test)]
mod tests;

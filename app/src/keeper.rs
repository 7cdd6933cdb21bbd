//! The one thread that writes what is kept for good, so that the window never waits for a disk.

use std::path::PathBuf;
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::event::{Event, Events};
use crate::preferences::{self, Preferences};

/// What is to be kept.
#[derive(Debug)]
pub(crate) enum Keep {
    /// The settings.
    Preferences(Box<Preferences>),
}

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
}

impl Keeper {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub(crate) fn start(places: Places, events: Events) -> Result<Keeper> {
        let (sender, jobs) = unbounded();
        let thread = std::thread::Builder::new()
            .name("keeper".into())
            .spawn(move || Work { places, events }.run(&jobs))
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
    events: Events,
}

impl Work {
    fn run(&self, jobs: &Receiver<Keep>) {
        while let Ok(job) = jobs.recv() {
            let mut newest = None;
            // Of the settings only the last state is written: a slider that is dragged gives many.
            for job in std::iter::once(job).chain(jobs.try_iter()) {
                match job {
                    Keep::Preferences(preferences) => newest = Some(preferences),
                }
            }
            if let (Some(preferences), Some(path)) = (newest, &self.places.preferences)
                && let Err(error) = preferences::write(path, &preferences)
            {
                self.events.send(Event::NotKept(format!("The settings are not stored: {error:#}.")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeper(path: &std::path::Path) -> (Keeper, Receiver<Event>) {
        let (sender, events) = unbounded();
        let places = Places { preferences: Some(path.to_path_buf()) };
        (Keeper::start(places, Events::new(sender, || {})).unwrap(), events)
    }

    #[test]
    fn the_last_settings_are_in_the_file_when_the_keeper_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        let (keeper, events) = keeper(&path);
        let mut preferences = Preferences::default();
        for k in 0..50 {
            preferences.model.context_tokens = Some(1000 + k);
            keeper.give(Keep::Preferences(Box::new(preferences.clone())));
        }
        drop(keeper);
        assert_eq!(preferences::read(&path), (preferences, None));
        assert!(events.is_empty());
    }

    #[test]
    fn settings_that_cannot_be_written_are_told() {
        let folder = tempfile::tempdir().unwrap();
        // A file stands where the folder should be.
        let file = folder.path().join("in-the-way");
        std::fs::write(&file, "").unwrap();
        let (keeper, events) = keeper(&file.join("settings.toml"));
        keeper.give(Keep::Preferences(Box::default()));
        drop(keeper);
        let Event::NotKept(message) = events.recv().unwrap() else { panic!() };
        assert!(message.contains("in-the-way"), "{message}");
    }
}

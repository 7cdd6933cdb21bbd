//! Larger models: which there are, and the one that is on its way.

use super::{Action, State};
use crate::language::t;
use crate::models::{Entry, Presence, Progress};

/// What is known of the larger models.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fetching {
    /// Whether they are shown.
    pub(crate) shown: bool,
    /// Each model, and whether it is here.
    pub(crate) offers: Vec<(&'static Entry, Presence)>,
    /// The one whose licence is to be accepted.
    pub(crate) asked: Option<&'static str>,
    /// The one that is on its way.
    pub(crate) running: Option<Running>,
    /// Why one did not come: its name, and a sentence.
    pub(crate) failure: Option<(&'static str, String)>,
}

/// A model on its way.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Running {
    /// Its name.
    pub(crate) name: &'static str,
    /// How far it is.
    pub(crate) progress: Progress,
    /// Whether it was told to stop.
    pub(crate) is_stopping: bool,
}

/// What the person wants of larger models.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ModelWish {
    /// Show them, or do not.
    Show(bool),
    /// Fetch this one, or go on with it. Its licence comes first.
    Get(&'static str),
    /// Accept the licence that was shown.
    Accept,
    /// Do not.
    Decline,
    /// Stop, and keep what has come.
    Pause,
    /// Stop, and delete what has come.
    Cancel,
    /// Delete what has come of this one.
    Remove(&'static str),
}

/// What the window's owner is to do about larger models.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Errand {
    /// See which are here.
    LookUp,
    /// Fetch this one.
    Fetch(&'static str),
    /// Stop what is on its way, and delete it where that is wanted.
    Stop {
        /// Whether what has come is deleted.
        remove: bool,
    },
    /// Delete what has come of this one.
    Remove(&'static str),
}

/// What is told about larger models.
#[derive(Clone, Debug)]
pub(crate) enum ModelReport {
    /// Which there are, and whether they are here.
    Offers(Vec<(&'static Entry, Presence)>),
    /// How far the one on its way is.
    Progress(Progress),
    /// It is here, or was stopped, or did not come for the reason that the sentence tells.
    Ended(Result<(), String>),
}

impl State {
    pub(super) fn wish_model(&mut self, wish: ModelWish) -> Vec<Action> {
        let fetching = &mut self.fetching;
        match wish {
            ModelWish::Show(shown) => {
                fetching.shown = shown;
                if shown { vec![Action::Models(Errand::LookUp)] } else { vec![] }
            }
            ModelWish::Get(_) if fetching.running.is_some() => vec![],
            ModelWish::Get(name) if self.preferences.licences.has(name) => self.fetch(name),
            ModelWish::Get(name) => {
                fetching.asked = Some(name);
                vec![]
            }
            ModelWish::Accept => {
                let Some(name) = fetching.asked.take() else { return vec![] };
                let mut actions = self.prefer_that(|preferences| preferences.licences.accept(name));
                actions.extend(self.fetch(name));
                actions
            }
            ModelWish::Decline => {
                fetching.asked = None;
                vec![]
            }
            ModelWish::Pause | ModelWish::Cancel => {
                let Some(running) = &mut fetching.running else { return vec![] };
                running.is_stopping = true;
                vec![Action::Models(Errand::Stop { remove: wish == ModelWish::Cancel })]
            }
            ModelWish::Remove(name) => {
                fetching.failure = None;
                vec![Action::Models(Errand::Remove(name))]
            }
        }
    }

    fn fetch(&mut self, name: &'static str) -> Vec<Action> {
        self.fetching.failure = None;
        self.fetching.running = Some(Running { name, progress: Progress::default(), is_stopping: false });
        vec![Action::Models(Errand::Fetch(name))]
    }

    pub(super) fn model_told(&mut self, report: ModelReport) {
        match report {
            ModelReport::Offers(offers) => self.fetching.offers = offers,
            ModelReport::Progress(progress) => {
                if let Some(running) = &mut self.fetching.running {
                    running.progress = progress;
                }
            }
            ModelReport::Ended(result) => {
                let Some(running) = self.fetching.running.take() else { return };
                match result {
                    Ok(()) if running.is_stopping => {}
                    Ok(()) => self.hint(t!("The large model is here. The settings say \"Use it\".")),
                    Err(message) => {
                        self.complain(message.clone());
                        self.fetching.failure = Some((running.name, message));
                    }
                }
            }
        }
    }

    /// Whether the model in this folder is the loaded one.
    pub(crate) fn uses(&self, folder: &std::path::Path) -> bool {
        self.folder.as_deref() == Some(folder)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use engine::Settings;

    use super::*;
    use crate::audio::Level;
    use crate::command::Command;
    use crate::event::Event;

    const NOW: Duration = Duration::ZERO;

    fn wish(state: &mut State, wish: ModelWish) -> Vec<Action> {
        state.handle(Command::Models(wish), NOW)
    }

    #[test]
    fn nothing_is_fetched_before_the_licence_is_accepted_which_is_kept() {
        let mut state = State::new(Settings::default(), Level::default());
        assert!(wish(&mut state, ModelWish::Get("a")).is_empty());
        assert!(wish(&mut state, ModelWish::Decline).is_empty());
        assert!(wish(&mut state, ModelWish::Accept).is_empty(), "nothing was asked");
        wish(&mut state, ModelWish::Get("a"));
        let actions = wish(&mut state, ModelWish::Accept);
        assert!(matches!(actions[..], [Action::Keep(_), Action::Models(Errand::Fetch("a"))]), "{actions:?}");
        assert!(wish(&mut state, ModelWish::Get("b")).is_empty(), "one at a time");
        state.apply(Event::Models(ModelReport::Ended(Err("No.".into()))), NOW);
        assert_eq!(state.fetching.failure, Some(("a", "No.".into())));
        let actions = wish(&mut state, ModelWish::Get("a"));
        assert!(matches!(actions[..], [Action::Models(Errand::Fetch("a"))]), "{actions:?}");
        assert_eq!(state.fetching.failure, None);
    }

    #[test]
    fn a_pause_is_no_failure_and_no_success() {
        let mut state = State::new(Settings::default(), Level::default());
        assert!(wish(&mut state, ModelWish::Pause).is_empty());
        wish(&mut state, ModelWish::Get("a"));
        wish(&mut state, ModelWish::Accept);
        let actions = wish(&mut state, ModelWish::Pause);
        assert!(matches!(actions[..], [Action::Models(Errand::Stop { remove: false })]), "{actions:?}");
        state.apply(Event::Models(ModelReport::Ended(Ok(()))), NOW);
        assert!(
            state.fetching.running.is_none() && state.fetching.failure.is_none() && state.notice.is_none()
        );
    }
}

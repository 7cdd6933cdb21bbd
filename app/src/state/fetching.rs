//! Larger models: which there are, and the one that is on its way.

use engine::Format;

use super::{Action, State};
use crate::language::t;
use crate::models::{Expected, Kind, Presence, Progress};

/// What is known of the larger models.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fetching {
    /// Whether they are shown.
    pub(crate) shown: bool,
    /// How often somebody was led to them: the page goes there each time.
    pub(crate) led: u32,
    /// Each model in each form, and whether it is here.
    pub(crate) offers: Vec<(Kind, Presence)>,
    /// What is to be expected of each format.
    pub(crate) expected: Vec<Expected>,
    /// Whether this machine is being measured for that.
    pub(crate) is_measuring: bool,
    /// The format that the person chose.
    pub(crate) chosen: Option<Format>,
    /// The one whose licence is to be accepted.
    pub(crate) asked: Option<Kind>,
    /// The one that is on its way.
    pub(crate) running: Option<Running>,
    /// Why one did not come, in a sentence.
    pub(crate) failure: Option<(Kind, String)>,
}

impl Fetching {
    /// The format that is chosen: by the person, or else the recommended one.
    pub(crate) fn format(&self) -> Format {
        let recommended = || self.expected.iter().find(|expected| expected.is_recommended);
        self.chosen.or_else(|| recommended().map(|expected| expected.format)).unwrap_or(Format::Q8_0)
    }
}

/// A model on its way.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Running {
    /// Which.
    pub(crate) kind: Kind,
    /// How far it is.
    pub(crate) progress: Progress,
    /// Whether it was told to stop.
    pub(crate) is_stopping: bool,
}

/// What the person wants of larger models.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum ModelWish {
    /// Show them, or do not.
    Show(bool),
    /// In this format.
    Choose(Format),
    /// See how fast this machine is.
    Measure,
    /// Fetch this one, or go on with it. Its licence comes first.
    Get(Kind),
    /// Accept the licence that was shown.
    Accept,
    /// Do not.
    Decline,
    /// Stop, and keep what has come.
    Pause,
    /// Stop, and delete what has come.
    Cancel,
    /// Delete what has come of this one.
    Remove(Kind),
}

/// What the window's owner is to do about larger models.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Errand {
    /// See which are here.
    LookUp,
    /// Measure this machine, for what is to be expected.
    Measure,
    /// Fetch this one.
    Fetch(Kind),
    /// Stop what is on its way, and delete it where that is wanted.
    Stop {
        /// Whether what has come is deleted.
        remove: bool,
    },
    /// Delete what has come of this one.
    Remove(Kind),
}

/// What is told about larger models.
#[derive(Clone, Debug)]
pub(crate) enum ModelReport {
    /// Which there are, and whether they are here.
    Offers(Vec<(Kind, Presence)>),
    /// What is to be expected of each format; nothing where the machine could not be measured.
    Expected(Vec<Expected>),
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
                fetching.led += u32::from(shown);
                if shown { vec![Action::Models(Errand::LookUp)] } else { vec![] }
            }
            ModelWish::Get(_) if fetching.running.is_some() => vec![],
            ModelWish::Choose(format) => {
                fetching.chosen = Some(format);
                vec![]
            }
            ModelWish::Measure if fetching.is_measuring => vec![],
            ModelWish::Measure => {
                fetching.is_measuring = true;
                vec![Action::Models(Errand::Measure)]
            }
            ModelWish::Get(kind) if self.preferences.licences.has(&kind.entry.name) => self.fetch(kind),
            ModelWish::Get(kind) => {
                fetching.asked = Some(kind);
                vec![]
            }
            ModelWish::Accept => {
                let Some(kind) = fetching.asked.take() else { return vec![] };
                let mut actions =
                    self.prefer_that(|preferences| preferences.licences.accept(&kind.entry.name));
                actions.extend(self.fetch(kind));
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
            ModelWish::Remove(kind) => {
                fetching.failure = None;
                vec![Action::Models(Errand::Remove(kind))]
            }
        }
    }

    fn fetch(&mut self, kind: Kind) -> Vec<Action> {
        self.fetching.failure = None;
        self.fetching.running = Some(Running { kind, progress: Progress::default(), is_stopping: false });
        vec![Action::Models(Errand::Fetch(kind))]
    }

    pub(super) fn model_told(&mut self, report: ModelReport) {
        match report {
            ModelReport::Offers(offers) => self.fetching.offers = offers,
            ModelReport::Expected(expected) => {
                self.fetching.is_measuring = false;
                if !expected.is_empty() {
                    self.fetching.expected = expected;
                }
            }
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
                        self.fetching.failure = Some((running.kind, message));
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
    use crate::doctor::{FORMATS, Fit};
    use crate::event::Event;
    use crate::models::models;

    const NOW: Duration = Duration::ZERO;

    fn a() -> Kind {
        Kind { entry: &models()[1], format: Some(Format::Q8_0) }
    }

    fn b() -> Kind {
        Kind { entry: &models()[2], format: None }
    }

    fn wish(state: &mut State, wish: ModelWish) -> Vec<Action> {
        state.handle(Command::Models(wish), NOW)
    }

    #[test]
    fn nothing_is_fetched_before_the_licence_is_accepted_which_is_kept() {
        let mut state = State::new(Settings::default(), Level::default());
        assert!(wish(&mut state, ModelWish::Get(a())).is_empty());
        assert!(wish(&mut state, ModelWish::Decline).is_empty());
        assert!(wish(&mut state, ModelWish::Accept).is_empty(), "nothing was asked");
        wish(&mut state, ModelWish::Get(a()));
        let actions = wish(&mut state, ModelWish::Accept);
        assert!(
            matches!(actions[..], [Action::Keep(_), Action::Models(Errand::Fetch(kind))] if kind == a()),
            "{actions:?}"
        );
        assert!(wish(&mut state, ModelWish::Get(b())).is_empty(), "one at a time");
        state.apply(Event::Models(ModelReport::Ended(Err("No.".into()))), NOW);
        assert_eq!(state.fetching.failure, Some((a(), "No.".into())));
        let actions = wish(&mut state, ModelWish::Get(a()));
        assert!(matches!(actions[..], [Action::Models(Errand::Fetch(kind))] if kind == a()), "{actions:?}");
        assert_eq!(state.fetching.failure, None);
    }

    #[test]
    fn a_pause_is_no_failure_and_no_success() {
        let mut state = State::new(Settings::default(), Level::default());
        assert!(wish(&mut state, ModelWish::Pause).is_empty());
        wish(&mut state, ModelWish::Get(a()));
        wish(&mut state, ModelWish::Accept);
        let actions = wish(&mut state, ModelWish::Pause);
        assert!(matches!(actions[..], [Action::Models(Errand::Stop { remove: false })]), "{actions:?}");
        state.apply(Event::Models(ModelReport::Ended(Ok(()))), NOW);
        assert!(
            state.fetching.running.is_none() && state.fetching.failure.is_none() && state.notice.is_none()
        );
    }

    #[test]
    fn the_recommended_format_is_chosen_until_the_person_chooses() {
        let mut state = State::new(Settings::default(), Level::default());
        assert_eq!(state.fetching.format(), Format::Q8_0);
        let actions = wish(&mut state, ModelWish::Measure);
        assert!(matches!(actions[..], [Action::Models(Errand::Measure)]) && state.fetching.is_measuring);
        assert!(wish(&mut state, ModelWish::Measure).is_empty(), "once at a time");
        let expected = |format| Expected {
            format,
            memory: 1,
            fit: Fit::Now,
            speed: None,
            is_recommended: format == Format::Q4,
        };
        let all = FORMATS.map(expected).to_vec();
        state.apply(Event::Models(ModelReport::Expected(all)), NOW);
        assert_eq!((state.fetching.format(), state.fetching.is_measuring), (Format::Q4, false));
        state.apply(Event::Models(ModelReport::Expected(vec![])), NOW);
        assert_eq!(state.fetching.format(), Format::Q4, "what is known stays");
        wish(&mut state, ModelWish::Choose(Format::Bf16));
        assert_eq!(state.fetching.format(), Format::Bf16);
    }
}

//! What follows when the person chooses something else in the settings.

use std::path::PathBuf;
use std::time::Duration;

use engine::Settings;

use super::{Action, Keep, State, name};
use crate::audio::Order;
use crate::preferences::{self, Deed, Preferences};

impl State {
    /// Whether the loaded model was placed in another way than is wanted now.
    pub(crate) fn needs_reload(&self) -> bool {
        self.preferences.model != self.placed
    }

    /// Takes over other preferences: what holds at once is done, all of it is stored.
    pub(super) fn prefer(&mut self, new: Preferences) -> Vec<Action> {
        let old = std::mem::replace(&mut self.preferences, new);
        if old == self.preferences {
            return vec![];
        }
        let mut actions = vec![Action::Keep(Keep::Preferences(Box::new(self.preferences.clone())))];
        if old.look != self.preferences.look {
            actions.push(Action::Look(self.preferences.look.clone()));
        }
        if old.memory != self.preferences.memory {
            actions.push(Action::FreeAfter(self.preferences.memory.free_after()));
        }
        let talk_key = self.preferences.keys.of(Deed::TalkAnywhere);
        if old.keys.of(Deed::TalkAnywhere) != talk_key {
            self.no_talk_key = None;
            actions.push(Action::TalkKey(talk_key));
        }
        if old.desktop.tray != self.preferences.desktop.tray {
            actions.push(Action::Tray(self.preferences.desktop.tray));
        }
        if old.talking != self.preferences.talking && self.turn.ear.is_wanted() {
            actions.push(Action::Order(Order::TuneEar(self.preferences.talking)));
        }
        if old.answer != self.preferences.answer {
            let settings = self.preferences.answer.renew(&old.answer, self.settings.clone());
            actions.extend(self.set(settings));
        }
        if old.sound != self.preferences.sound {
            actions.push(Action::Order(Order::Use(self.preferences.sound.clone())));
        }
        actions
    }

    /// The preferences with a change.
    pub(super) fn prefer_that(&mut self, change: impl FnOnce(&mut Preferences)) -> Vec<Action> {
        let mut preferences = self.preferences.clone();
        change(&mut preferences);
        self.prefer(preferences)
    }

    /// Speaks answers, or does not, also where the command line said otherwise.
    pub(super) fn speak(&mut self, speech: bool) -> Vec<Action> {
        let mut actions = self.prefer_that(|preferences| preferences.answer.speak = speech);
        if self.settings.speech != speech {
            actions.extend(self.set(Settings { speech, ..self.settings.clone() }));
        }
        actions
    }

    /// Speaks with this voice.
    pub(super) fn speak_as(&mut self, voice: String) -> Vec<Action> {
        let voice = Some(voice);
        let mut actions = self.prefer_that(|preferences| preferences.answer.voice.clone_from(&voice));
        if self.settings.voice != voice {
            actions.extend(self.set(Settings { voice, ..self.settings.clone() }));
        }
        actions
    }

    /// Loads a model as the preferences say now: the one that is there, unless another is preferred.
    pub(super) fn reload(&mut self, now: Duration) -> Vec<Action> {
        let wanted = self.preferences.model.clone();
        let other = wanted.folder != self.placed.folder;
        let folder = if other { wanted.folder.clone() } else { self.folder.clone() };
        self.placed = wanted.clone();
        let mut actions = self.expect(folder.as_deref().map_or_else(String::new, name), now);
        actions.push(Action::Place { folder, placing: Box::new(wanted) });
        actions
    }

    /// The person wants the model in this folder; it is preferred from when it is loaded.
    pub(super) fn open_model(&mut self, folder: PathBuf, now: Duration) -> Vec<Action> {
        self.chosen = Some(folder.clone());
        let mut actions = self.expect(name(&folder), now);
        actions.push(Action::Load(folder));
        actions
    }

    /// A model is loaded: what depends on it follows.
    pub(super) fn settle(&mut self) -> Vec<Action> {
        let wanted = self.settings.voice.take();
        self.settings.voice = self.info().and_then(|info| preferences::voice(info, wanted));
        let Some(folder) = self.chosen.take() else { return vec![] };
        self.placed.folder = Some(folder.clone());
        self.prefer_that(|preferences| preferences.model.folder = Some(folder))
    }
}

#[cfg(test)]
mod tests {
    use engine::Cancel;

    use super::*;
    use crate::audio::Level;
    use crate::command::Command;
    use crate::event::Event;
    use crate::state::tests::info;

    const NOW: Duration = Duration::ZERO;

    fn keeps(actions: &[Action]) -> bool {
        actions.iter().any(|action| matches!(action, Action::Keep(_)))
    }

    #[test]
    fn a_chosen_model_is_preferred_from_when_it_is_loaded() {
        let pocket = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/pocket");
        let mut state = State::new(Settings::default(), Level::default());
        state.handle(Command::Open(pocket.clone()), NOW);
        state.apply(Event::LoadFailed("No.".into()), NOW);
        assert!(!keeps(&state.apply(Event::Loaded(info(true), Cancel::new()), NOW)), "it failed");
        state.handle(Command::Open(pocket.clone()), NOW);
        assert!(keeps(&state.apply(Event::Loaded(info(true), Cancel::new()), NOW)));
        assert_eq!(state.preferences.model.folder, Some(pocket));
        assert!(!state.needs_reload());
    }

    #[test]
    fn a_voice_of_another_model_is_not_asked_for() {
        let settings = Settings { voice: Some("Nobody".into()), ..Settings::default() };
        let mut state = State::new(settings, Level::default());
        state.apply(Event::Loaded(info(true), Cancel::new()), NOW);
        assert_eq!(state.settings.voice, None);
    }

    #[test]
    fn speech_that_the_command_line_took_away_can_be_had_again() {
        let mut state = State::new(Settings { speech: false, ..Settings::default() }, Level::default());
        let actions = state.handle(Command::Speech(true), NOW);
        assert!(matches!(&actions[..], [Action::Settings(settings)] if settings.speech), "{actions:?}");
        assert!(!keeps(&actions), "the file says so already");
    }

    #[test]
    fn a_broken_file_is_told_when_the_model_is_there() {
        let mut state = State::new(Settings::default(), Level::default());
        state.untold = Some("The settings are broken.".into());
        state.apply(Event::Loading("x".into()), NOW);
        state.apply(Event::Loaded(info(true), Cancel::new()), NOW);
        assert_eq!(state.notice.map(|notice| notice.text).as_deref(), Some("The settings are broken."));
    }
}

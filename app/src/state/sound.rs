//! Sound devices as the settings show them.

use super::{Action, State};
pub(crate) use crate::audio::{Device, Trial};
use crate::audio::{Devices, Order, Report};

/// What the settings show of the devices.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sounding {
    /// All devices, when they were last looked for.
    pub(crate) devices: Devices,
    /// What is being tested.
    pub(crate) trial: Option<Trial>,
}

/// What the person wants of the devices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SoundWish {
    /// Look which devices there are.
    List,
    /// Test this.
    Try(Trial),
    /// End the test.
    EndTrial,
}

impl State {
    /// Whether a device can be tested: no turn uses it.
    pub(crate) fn can_try(&self) -> bool {
        !self.is_holding() && !self.is_answering()
    }

    pub(super) fn wish_sound(&self, wish: SoundWish) -> Vec<Action> {
        vec![Action::Order(match wish {
            SoundWish::List => Order::List,
            SoundWish::Try(_) if !self.can_try() => return vec![],
            SoundWish::Try(trial) => Order::Try(trial),
            SoundWish::EndTrial => Order::EndTrial,
        })]
    }

    /// The settings are shown, or not any more: no test goes on unseen.
    pub(super) fn show_settings(&mut self, shows: bool) -> Vec<Action> {
        self.shows_settings = shows;
        let mut actions = vec![Action::Order(if shows { Order::List } else { Order::EndTrial })];
        if shows && self.gpus.is_empty() {
            actions.push(Action::FindGpus);
        }
        actions
    }

    pub(super) fn sound_told(&mut self, report: Report) {
        match report {
            Report::Listed(devices) => self.sounding.devices = devices,
            Report::Trying(trial) => self.sounding.trial = trial,
            Report::Hint(text) => {
                tracing::warn!("{text}");
                self.hint(text);
            }
            Report::Fault(text) => self.complain(text),
        }
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
    use crate::preferences::Preferences;

    const NOW: Duration = Duration::ZERO;

    fn orders(actions: &[Action]) -> Vec<&Order> {
        let mut orders = vec![];
        for action in actions {
            if let Action::Order(order) = action {
                orders.push(order);
            }
        }
        orders
    }

    #[test]
    fn the_page_lists_devices_when_it_opens_and_ends_a_test_when_it_closes() {
        let mut state = State::new(Settings::default(), Level::default());
        assert_eq!(orders(&state.handle(Command::ShowSettings(true), NOW)), [&Order::List]);
        let actions = state.handle(Command::Sound(SoundWish::Try(Trial::Microphone)), NOW);
        assert_eq!(orders(&actions), [&Order::Try(Trial::Microphone)]);
        assert_eq!(state.sounding.trial, None, "it goes on when the devices say so");
        state.apply(Event::Sound(Report::Trying(Some(Trial::Microphone))), NOW);
        assert_eq!(state.sounding.trial, Some(Trial::Microphone));
        assert_eq!(orders(&state.handle(Command::ShowSettings(false), NOW)), [&Order::EndTrial]);
        state.apply(Event::Sound(Report::Trying(None)), NOW);
        assert_eq!(state.sounding.trial, None);
    }

    #[test]
    fn a_chosen_device_reaches_the_devices_and_the_file() {
        let mut state = State::new(Settings::default(), Level::default());
        let mut preferences = Preferences::default();
        preferences.sound.speaker = Some("pulseaudio:desk".into());
        preferences.sound.volume = 40;
        let actions = state.handle(Command::Prefer(Box::new(preferences.clone())), NOW);
        assert!(matches!(actions[..], [Action::Keep(_), Action::Order(_)]), "{actions:?}");
        assert_eq!(orders(&actions), [&Order::Use(preferences.sound.clone())]);
        preferences.look.text_size = 1.5;
        assert!(orders(&state.handle(Command::Prefer(Box::new(preferences)), NOW)).is_empty());
    }

    #[test]
    fn a_device_that_went_away_is_a_hint_and_one_that_cannot_be_tested_an_error() {
        let mut state = State::new(Settings::default(), Level::default());
        state.apply(Event::Sound(Report::Hint("It goes on.".into())), NOW);
        assert!(state.notice.as_ref().is_some_and(|notice| !notice.is_error));
        state.apply(Event::Sound(Report::Fault("It is busy.".into())), NOW);
        assert!(state.notice.as_ref().is_some_and(|notice| notice.is_error));
    }
}

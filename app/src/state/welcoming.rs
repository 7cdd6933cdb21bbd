//! The first start: a page that says what this is, and one button that leads to a spoken answer.

use super::{Action, Model, State};
use crate::turn::Stage;

/// How far the first start is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Welcome {
    /// Its page is shown.
    pub(crate) shown: bool,
    /// A larger model is offered beneath the first answer.
    offers: bool,
}

impl State {
    /// Shows the page of the first start.
    pub(crate) fn welcome(&mut self) {
        self.welcome.shown = true;
    }

    /// Whether the button of the page does anything.
    pub(crate) fn can_start_talking(&self) -> bool {
        !matches!(self.model, Model::Absent)
    }

    /// Whether a larger model is offered: the first answer is there, and no other was asked for.
    pub(crate) fn offers_larger(&self) -> bool {
        let [exchange] = &self.exchanges[..] else { return false };
        self.welcome.offers && exchange.answer.end.is_some() && self.turn.stage == Stage::Idle
    }

    /// The first turn has begun: the page is over for good.
    pub(super) fn end_welcome(&mut self) -> Vec<Action> {
        if !std::mem::take(&mut self.welcome.shown) {
            return vec![];
        }
        self.welcome.offers = true;
        self.prefer_that(|preferences| preferences.welcome.first_run_done = true)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use engine::{Cancel, Settings};

    use super::*;
    use crate::audio::Level;
    use crate::command::Command;
    use crate::event::Event;
    use crate::state::tests::info;
    use crate::state::{End, Keep};

    const NOW: Duration = Duration::ZERO;

    fn first() -> State {
        let mut state = State::new(Settings::default(), Level::default());
        state.welcome();
        state.apply(Event::Loading("pocket".into()), NOW);
        state
    }

    fn listens(actions: &[Action]) -> bool {
        actions.iter().any(|action| matches!(action, Action::Listen { .. }))
    }

    #[test]
    fn one_click_while_the_model_loads_leads_to_listening() {
        let mut state = first();
        assert!(state.can_start_talking() && state.welcome.shown);
        let actions = state.handle(Command::Start, NOW);
        assert!(listens(&actions), "{actions:?}");
        assert!(state.turn.stage.is_locked() && !state.welcome.shown);
        let kept = actions.iter().find_map(|action| match action {
            Action::Keep(Keep::Preferences(kept)) => Some(kept.welcome.first_run_done),
            _ => None,
        });
        assert_eq!(kept, Some(true));
        // What is said is listened to once.
        assert!(!listens(&state.apply(Event::Loaded(info(true), Cancel::new()), NOW)));
    }

    #[test]
    fn a_typed_question_ends_the_page_too_and_its_answer_is_followed_by_the_offer() {
        let mut state = first();
        state.apply(Event::Loaded(info(true), Cancel::new()), NOW);
        state.handle(Command::Draft("hi".into()), NOW);
        state.handle(Command::Submit, NOW);
        assert!(!state.welcome.shown && !state.offers_larger());
        state.exchanges[0].answer.end = Some(End::Complete);
        state.handle(Command::Stop, NOW);
        assert!(state.offers_larger());
    }

    #[test]
    fn where_no_model_can_be_loaded_nothing_is_listened_to() {
        let mut state = first();
        state.apply(Event::LoadFailed("No.".into()), NOW);
        assert!(!state.can_start_talking());
        assert!(!listens(&state.apply(Event::Loaded(info(true), Cancel::new()), NOW)));
    }

    #[test]
    fn later_starts_change_nothing_that_is_kept() {
        let mut state = State::new(Settings::default(), Level::default());
        state.apply(Event::Loaded(info(true), Cancel::new()), NOW);
        let actions = state.handle(Command::Start, NOW);
        assert!(matches!(actions[..], [Action::Listen { .. }]), "{actions:?}");
        assert!(!state.offers_larger());
    }
}

use engine::{Cancel, Settings};

use super::*;
use crate::audio::{Level, Order};
use crate::command::Command;
use crate::event::Event;
use crate::preferences::{Preferences, Talking};
use crate::state::tests::info;

const NOW: Duration = Duration::ZERO;

fn ready(talking: Talking) -> (State, Vec<Action>) {
    let mut state = State::new(Settings::default(), Level::default());
    state.preferences = Preferences { talking, ..Preferences::default() };
    let actions = state.apply(Event::Loaded(info(true), Cancel::new()), NOW);
    (state, actions)
}

fn waiting() -> State {
    let (mut state, actions) = ready(Talking::default());
    assert!(actions.is_empty(), "no microphone is opened that nobody asked for: {actions:?}");
    let actions = state.handle(Command::HandsFree(true), NOW);
    assert!(matches!(actions[..], [Action::Order(Order::OpenEar(1, _))]), "{actions:?}");
    state.apply(Event::Ear(1, EarReport::Opened), NOW);
    assert!(state.is_waiting());
    state
}

#[test]
fn a_voice_is_a_question_with_what_is_attached() {
    let mut state = waiting();
    let actions = state.apply(Event::Ear(1, EarReport::Began), NOW);
    assert!(matches!(actions[..], [Action::Listen { turn: 1, .. }]), "{actions:?}");
    assert!(!state.is_waiting() && state.is_holding());
    let actions = state.apply(Event::Ear(1, EarReport::Ended), NOW);
    assert!(matches!(actions[..], [Action::Close { turn: 1, keep: true }]), "{actions:?}");
    assert_eq!(state.exchanges.len(), 1);
    state.apply(Event::NothingHeard { turn: 1, message: "No speech.".into() }, NOW);
    assert!(state.is_waiting() && state.exchanges.is_empty());
}

#[test]
fn it_begins_with_the_model_where_that_is_preferred_and_ends_with_it() {
    let (mut state, actions) = ready(Talking { hands_free: true, ..Talking::default() });
    assert!(matches!(actions[..], [Action::Order(Order::OpenEar(1, _))]), "{actions:?}");
    let actions = state.apply(Event::Rebuilding, NOW);
    assert!(matches!(actions[..], [Action::Order(Order::CloseEar)]), "{actions:?}");
    let actions = state.apply(Event::Rebuilt(info(true)), NOW);
    assert!(matches!(actions[..], [Action::Order(Order::OpenEar(2, _))]), "{actions:?}");
    let (mut deaf, _) = ready(Talking::default());
    deaf.apply(Event::Loaded(info(false), Cancel::new()), NOW);
    assert!(deaf.handle(Command::HandsFree(true), NOW).is_empty());
    assert!(deaf.notice.is_some_and(|notice| notice.is_error));
}

#[test]
fn a_microphone_that_is_lost_is_told_and_ends_it() {
    let mut state = waiting();
    let actions = state.apply(Event::Ear(1, EarReport::Failed("Unplugged.".into())), NOW);
    assert!(matches!(actions[..], [Action::Order(Order::CloseEar)]), "{actions:?}");
    assert_eq!(state.notice.as_ref().map(|notice| notice.text.as_str()), Some("Unplugged."));
    assert!(!state.turn.ear.is_wanted());
}

#[test]
fn other_settings_reach_an_open_microphone() {
    let mut state = waiting();
    let talking = Talking { pause_ms: 1500, ..Talking::default() };
    let preferences = Preferences { talking, ..state.preferences.clone() };
    let actions = state.handle(Command::Prefer(Box::new(preferences)), NOW);
    assert!(
        actions
            .iter()
            .any(|action| matches!(action, Action::Order(Order::TuneEar(tuned)) if *tuned == talking))
    );
}

#[test]
fn a_long_question_is_told_before_it_sends_itself() {
    let (mut state, _) = ready(Talking::default());
    state.handle(Command::Start, NOW);
    state.apply(Event::CaptureStarted { turn: 1 }, NOW);
    state.apply(Event::Limit { turn: 1, left: Duration::from_secs(30) }, NOW);
    assert!(state.notice.as_ref().is_some_and(|notice| notice.text.contains("30 seconds")));
    let actions = state.apply(Event::Limit { turn: 1, left: Duration::ZERO }, Duration::from_secs(300));
    assert!(matches!(actions[..], [Action::Close { turn: 1, keep: true }]), "{actions:?}");
}

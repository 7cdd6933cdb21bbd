use eframe::egui::Key;
use egui_kittest::kittest::Queryable;

use super::*;
use crate::event::{EarReport, Event};
use crate::views::tests::{ms, ready, shown};

pub(in crate::views) fn waiting() -> State {
    let mut state = ready();
    state.handle(Command::HandsFree(true), ms(0));
    state.apply(Event::Ear(1, EarReport::Opened), ms(10));
    state
}

pub(in crate::views) fn listening() -> State {
    let mut state = waiting();
    state.apply(Event::Ear(1, EarReport::Began), ms(20));
    state
}

#[test]
fn a_button_begins_it_and_the_same_place_ends_it() {
    let (mut harness, commands) = shown(ready());
    harness.run_steps(2);
    let begin = harness.get_by_label("Hands-free").rect();
    harness.get_by_label("Hands-free").click();
    harness.run_steps(2);
    assert!(matches!(commands.try_iter().collect::<Vec<_>>()[..], [Command::HandsFree(true)]));

    let (mut harness, commands) = shown(waiting());
    harness.run_steps(2);
    harness.check_accessibility();
    assert_eq!(harness.get_by_label("End hands-free").rect().min, begin.min);
    harness.get_by_label("End hands-free").focus();
    harness.run_steps(2);
    harness.key_press(Key::Enter);
    harness.run_steps(2);
    assert!(matches!(commands.try_iter().collect::<Vec<_>>()[..], [Command::HandsFree(false)]));
}

#[test]
fn what_goes_on_and_how_it_ends_is_said_in_words() {
    let mut state = ready();
    state.handle(Command::HandsFree(true), ms(0));
    let reports = [
        (None, "Opening the microphone…"),
        (Some(EarReport::Opened), "Waiting for you to speak; Escape ends hands-free"),
        (Some(EarReport::Began), "Listening: a pause sends it; Escape ends hands-free"),
        (Some(EarReport::Ended), "Thinking…"),
    ];
    for (report, words) in reports {
        if let Some(report) = report {
            state.apply(Event::Ear(1, report), ms(20));
        }
        let (mut harness, _commands) = shown(state);
        harness.run_steps(2);
        assert!(harness.query_by_label(words).is_some(), "{words}");
        harness.check_accessibility();
        state = harness.into_state();
    }
    state.apply(Event::SpeechStarted { turn: 1 }, ms(30));
    let (mut harness, _commands) = shown(state);
    harness.run_steps(2);
    harness.get_by_label("Speaking: talk to interrupt; Escape ends hands-free");
}

#[test]
fn the_talk_button_asks_to_speak_and_the_meter_shows_the_microphone() {
    let (mut harness, _commands) = shown(waiting());
    harness.run_steps(2);
    harness.get_by_label("Just speak");
    harness.get_by_label("Microphone level");
}

#[test]
fn nobody_begins_it_without_a_model_or_while_a_key_is_held() {
    let mut held = ready();
    held.handle(Command::Press, ms(0));
    for state in [State::new(engine::Settings::default(), crate::audio::Level::default()), held] {
        let (mut harness, commands) = shown(state);
        harness.run_steps(2);
        harness.get_by_label("Hands-free").click();
        harness.run_steps(2);
        assert!(!commands.try_iter().any(|command| matches!(command, Command::HandsFree(_))));
    }
}

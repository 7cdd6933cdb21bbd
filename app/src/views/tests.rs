use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use engine::{Cancel, Info, Settings};

use super::*;
use crate::audio::Level;
use crate::event::Event;
use crate::state::Attachment;
use crate::views::theme::install;

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(super) fn ready() -> State {
    let info = Info {
        name: "pocket".into(),
        device: "cpu (2 threads)".into(),
        fallback: None,
        voices: vec!["Chelsie".into(), "Ethan".into()],
        hears: true,
        sees: true,
        sample_rate_hz: 24_000,
        weight_bytes: 1,
        context_tokens: 100,
        load_ms: 1.0,
    };
    let mut state = State::new(Settings::default(), Level::default());
    state.apply(Event::Loaded(Box::new(info), Cancel::new()), ms(0));
    state
}

/// A window over a state that does not change by itself, and the commands that it sends.
pub(super) fn shown(state: State) -> (Harness<'static, State>, Receiver<Command>) {
    let (sender, commands) = unbounded();
    let builder = Harness::builder().with_size(eframe::egui::vec2(800.0, 640.0)).with_context_setup(install);
    let harness = builder.build_ui_state(move |ui, state: &mut State| window_ui(ui, state, &sender), state);
    (harness, commands)
}

#[test]
fn the_stage_is_said_in_words() {
    let mut state = ready();
    for (event, words) in [
        (None, "Ready"),
        (Some(Command::Press), "Opening the microphone…"),
        (Some(Command::Stop), "Ready"),
        (Some(Command::Draft("x".into())), "Ready"),
        (Some(Command::Submit), "Thinking…"),
    ] {
        if let Some(command) = event {
            state.handle(command, ms(1000));
        }
        let (mut harness, _commands) = shown(state);
        harness.run_steps(2);
        assert!(harness.query_by_label(words).is_some(), "{words}");
        harness.check_accessibility();
        state = harness.into_state();
    }
    state.apply(Event::SpeechStarted { turn: 2 }, ms(1400));
    let (mut harness, _commands) = shown(state);
    harness.run_steps(2);
    harness.get_by_label("Speaking…");
    harness.get_by_label("Speaker level");
    harness.get_by_label("cpu (2 threads)  ·  first sound after 0.4 s");
}

#[test]
fn the_talk_button_is_pressed_and_released() {
    let (mut harness, commands) = shown(ready());
    harness.run_steps(2);
    let center = harness.get_by_label("Hold or tap to talk").rect().center();
    harness.drag_at(center);
    harness.run_steps(2);
    assert!(matches!(commands.try_iter().collect::<Vec<_>>()[..], [Command::Press]));
    // Let go outside the button: that is a release all the same.
    harness.drop_at(center + eframe::egui::vec2(300.0, -200.0));
    harness.run_steps(2);
    assert!(matches!(commands.try_iter().collect::<Vec<_>>()[..], [Command::Release]));
}

#[test]
fn a_screen_reader_can_use_the_talk_button() {
    let (mut harness, commands) = shown(ready());
    harness.run_steps(2);
    harness.get_by_label("Hold or tap to talk").click_accesskit();
    harness.run_steps(2);
    assert!(matches!(commands.try_iter().collect::<Vec<_>>()[..], [Command::Toggle]));
}

#[test]
fn hands_free_says_so_and_can_be_cancelled() {
    let mut state = ready();
    state.handle(Command::Toggle, ms(0));
    state.apply(Event::CaptureStarted { turn: 1 }, ms(30));
    let (mut harness, commands) = shown(state);
    harness.run_steps(2);
    harness.get_by_label("Listening: tap to send, Escape to cancel");
    harness.get_by_label("Tap to send");
    harness.check_accessibility();
    harness.get_by_label("Cancel").click();
    harness.run_steps(2);
    assert!(matches!(commands.try_iter().collect::<Vec<_>>()[..], [Command::Stop]));
}

#[test]
fn text_is_typed_and_sent_with_enter() {
    let (mut harness, commands) = shown(ready());
    harness.run_steps(2);
    harness.get_by_label("Question").focus();
    harness.run_steps(2);
    harness.get_by_label("Question").type_text("two plus two");
    harness.run_steps(1);
    let typed = commands.try_iter().last();
    assert!(matches!(&typed, Some(Command::Draft(text)) if text == "two plus two"), "{typed:?}");
    harness.key_press(eframe::egui::Key::Enter);
    harness.run_steps(2);
    assert!(commands.try_iter().any(|command| matches!(command, Command::Submit)));
}

#[test]
fn there_is_nothing_to_send_before_something_is_typed() {
    let (mut harness, _commands) = shown(ready());
    harness.run_steps(2);
    assert!(harness.get_by_label("Send").accesskit_node().is_disabled());
    harness.state_mut().handle(Command::Draft("a".into()), ms(0));
    harness.run_steps(2);
    assert!(!harness.get_by_label("Send").accesskit_node().is_disabled());
}

#[test]
fn question_and_answer_are_shown_as_they_come() {
    let mut state = ready();
    state.handle(Command::Press, ms(0));
    state.apply(Event::CaptureStarted { turn: 1 }, ms(30));
    state.handle(Command::Release, ms(2100));
    state.apply(Event::Heard { turn: 1, seconds: 2.06, waveform: vec![0.4; 41] }, ms(2160));
    state.apply(Event::Text { turn: 1, piece: "The capital".into() }, ms(2200));
    let (mut harness, commands) = shown(state);
    harness.run_steps(2);
    harness.get_by_label("spoken question, 2.1 s");
    harness.get_by_label("The capital");
    harness.state_mut().apply(Event::Text { turn: 1, piece: " is Paris.".into() }, ms(2300));
    harness.run_steps(2);
    harness.get_by_label("The capital is Paris.");
    harness.get_by_label("Stop").click();
    harness.run_steps(2);
    assert!(commands.try_iter().any(|command| matches!(command, Command::Stop)));
}

#[test]
fn an_error_is_shown_in_words_and_can_be_closed() {
    let mut state = ready();
    state.handle(Command::Press, ms(0));
    state.apply(Event::CaptureFailed { turn: 1, message: "There is no microphone.".into() }, ms(9));
    let (mut harness, commands) = shown(state);
    harness.run_steps(2);
    harness.get_by_label("There is no microphone.");
    harness.get_by_label("OK").click();
    harness.run_steps(2);
    assert!(commands.try_iter().any(|command| matches!(command, Command::Dismiss)));
}

#[test]
fn an_attached_picture_can_be_removed() {
    let mut state = ready();
    let picture = image::RgbaImage::from_pixel(4, 4, image::Rgba([200, 30, 30, 255]));
    let attachment = Attachment { path: "red.png".into(), thumbnail: Some(picture.into()) };
    state.handle(Command::Attach(Ok(attachment)), ms(0));
    let (mut harness, commands) = shown(state);
    harness.run_steps(2);
    harness.get_by_label("red.png");
    harness.get_by_label("Remove").click();
    harness.run_steps(2);
    assert!(matches!(commands.try_iter().collect::<Vec<_>>()[..], [Command::Detach(0)]));
}

#[test]
fn without_a_model_the_window_says_what_to_do() {
    let mut state = State::new(Settings::default(), Level::default());
    state.apply(Event::LoadFailed("There is no config.json in x.".into()), ms(0));
    let (mut harness, commands) = shown(state);
    harness.run_steps(2);
    harness.get_by_label("There is no config.json in x.");
    harness.get_by_label("No model is loaded");
    harness.get_by_label("Model…").click();
    harness.run_steps(2);
    assert!(matches!(commands.try_iter().collect::<Vec<_>>()[..], [Command::PickModel]));
}

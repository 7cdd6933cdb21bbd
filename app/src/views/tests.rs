use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};
use eframe::egui::accesskit::Role;
use eframe::egui::{Key, OutputCommand};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use engine::{Cancel, Ending, Info, Settings, Summary, Timing};

use super::*;
use crate::audio::Level;
use crate::event::Event;
use crate::preferences::Look;
use crate::state::{Attachment, Side};

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
        load_times: engine::LoadTimes::default(),
    };
    let mut state = State::new(Settings::default(), Level::default());
    state.apply(Event::Loaded(Box::new(info), Cancel::new()), ms(0));
    state
}

/// A window over a state that does not change by itself, and the commands that it sends.
pub(super) fn shown(state: State) -> (Harness<'static, State>, Receiver<Command>) {
    shown_in(state, 800.0)
}

fn shown_in(state: State, width: f32) -> (Harness<'static, State>, Receiver<Command>) {
    let (sender, commands) = unbounded();
    let builder = Harness::builder()
        .with_size(vec2(width, 640.0))
        .with_context_setup(|context| theme::dress(context, &Look::default()));
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
    harness.drop_at(center + vec2(300.0, -200.0));
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
    harness.key_press(Key::Enter);
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

#[test]
fn in_a_narrow_window_no_button_lies_over_another_and_the_rare_ones_are_in_a_menu() {
    let (mut harness, commands) = shown_in(ready(), 520.0);
    harness.run_steps(2);
    let labels = ["Conversations", "Speak", "Settings", "New", "More"];
    let mut rects: Vec<_> = labels.iter().map(|label| harness.get_by_label(label).rect()).collect();
    rects.sort_by(|a, b| a.left().total_cmp(&b.left()));
    assert!(rects.windows(2).all(|pair| pair[0].right() <= pair[1].left()), "{rects:?}");
    assert!(rects.iter().all(|rect| rect.left() >= 0.0 && rect.right() <= 520.0), "{rects:?}");
    harness.get_by_label("More").click();
    harness.run_steps(2);
    harness.get_by_label("Model…").click();
    harness.run_steps(2);
    assert!(matches!(commands.try_iter().collect::<Vec<_>>()[..], [Command::PickModel]));
}

/// A window over one answer.
fn answered(text: &str) -> State {
    let mut state = ready();
    state.handle(Command::Draft("question".into()), ms(0));
    state.handle(Command::Submit, ms(1));
    state.apply(Event::Text { turn: 1, piece: text.into() }, ms(2));
    state
}

#[test]
fn an_answer_is_shown_as_markdown_while_it_comes() {
    let text = "# Title\n\nSome **bold** and [a link](https://example.org).\n\n- one\n- two\n\n\
                | a | b |\n|---|---|\n| c | d |\n\n```rust\nfn main() {}\n```\n\nAn unfinished **th";
    let (mut harness, _commands) = shown(answered(text));
    harness.run_steps(3);
    for label in ["Title", "bold", "a link", "one", "two", "c", "d", "fn main() {}"] {
        assert!(harness.query_all_by_label(label).count() > 0, "{label}");
    }
    assert!(harness.query_by_label_contains("An unfinished").is_some());
    harness.get_by_label("a link").click();
    harness.run_steps(1);
    let opened = harness.output().platform_output.commands.clone();
    let is_link = |command: &OutputCommand| matches!(command, OutputCommand::OpenUrl(open) if open.url == "https://example.org");
    assert!(opened.iter().any(is_link), "{opened:?}");
}

#[test]
fn a_picture_in_an_answer_loads_nothing() {
    let (mut harness, _commands) = shown(answered("![p](https://example.org/p.png) ![q](file:///q.png)"));
    harness.run_steps(3);
    // They are links, which open only when they are clicked.
    assert_eq!(harness.query_all_by_role(Role::Link).count(), 2);
    assert_eq!(harness.query_all_by_role(Role::Image).count(), 0);
}

/// After one spoken answer with reasoning and a call.
fn spoken() -> State {
    let mut state = answered("A **red** disc.");
    state.apply(Event::Reasoning { turn: 1, piece: "It is round.".into() }, ms(3));
    state.apply(Event::ToolCall { turn: 1, call: "{\"name\":\"look\"}".into() }, ms(4));
    state.clips.push(1, Side::Answer, 24_000, &[0.3; 48_000]);
    let (ending, timing) = (Ending::Stop, Timing::default());
    let summary =
        Summary { text: String::new(), text_tokens: vec![], codes: vec![], samples: 9, ending, timing };
    state.apply(Event::Written { turn: 1, summary: Box::new(summary) }, ms(5));
    state.apply(Event::SpeechEnded { turn: 1 }, ms(6));
    state
}

#[test]
fn an_answer_can_be_copied_heard_saved_and_given_anew() {
    let (mut harness, commands) = shown(spoken());
    harness.run_steps(2);
    harness.get_by_label("spoken, 2.0 s");
    harness.get_by_label("Copy").click();
    harness.run_steps(1);
    let copied = harness.output().platform_output.commands.clone();
    assert!(copied.iter().any(|c| matches!(c, OutputCommand::CopyText(text) if text == "A **red** disc.")));
    for label in ["Speak again", "Save as WAV…", "Regenerate", "Edit", "Export…"] {
        harness.get_by_label(label).click();
        harness.run_steps(2);
    }
    let sent: Vec<_> = commands.try_iter().collect();
    assert!(
        matches!(
            sent[..],
            [
                Command::Replay { turn: 1, side: Side::Answer },
                Command::SaveSpeech(1),
                Command::Regenerate,
                Command::Edit(1),
                Command::Export,
            ]
        ),
        "{sent:?}"
    );
    assert!(harness.query_by_label("Play question").is_none(), "it was typed");
    harness.check_accessibility();
}

#[test]
fn the_actions_of_an_answer_are_reached_by_the_keyboard() {
    let (mut harness, commands) = shown(spoken());
    harness.run_steps(2);
    for _ in 0..40 {
        harness.key_press(Key::Tab);
        harness.run_steps(1);
        if harness.get_by_label("Speak again").accesskit_node().is_focused() {
            harness.key_press(Key::Enter);
            harness.run_steps(2);
            let sent: Vec<_> = commands.try_iter().collect();
            return assert!(matches!(sent[..], [Command::Replay { .. }]), "{sent:?}");
        }
    }
    panic!("the keyboard does not get there");
}

#[test]
fn reasoning_and_calls_are_folded_away() {
    let (mut harness, _commands) = shown(spoken());
    harness.run_steps(2);
    assert!(harness.query_by_label("It is round.").is_none());
    harness.get_by_label("Reasoning").click();
    harness.run_steps(20);
    harness.get_by_label("A function call").click();
    harness.run_steps(20);
    harness.get_by_label("It is round.");
    harness.get_by_label("{\"name\":\"look\"}");
}

#[test]
fn a_picture_opens_large_and_escape_closes_it() {
    let mut state = ready();
    let picture = image::RgbaImage::from_pixel(4, 4, image::Rgba([200, 30, 30, 255]));
    let attachment = Attachment { path: "red.png".into(), thumbnail: Some(picture.into()) };
    state.handle(Command::Attach(Ok(attachment.clone())), ms(0));
    let (mut harness, commands) = shown(state);
    harness.run_steps(2);
    harness.get_by_label("red.png").click();
    harness.run_steps(2);
    assert!(matches!(commands.try_iter().collect::<Vec<_>>()[..], [Command::OpenPicture(_)]));
    harness.state_mut().handle(Command::OpenPicture(attachment), ms(1));
    harness.run_steps(3);
    harness.get_by_label("red.png, large");
    harness.key_press(Key::Escape);
    harness.run_steps(2);
    assert!(matches!(commands.try_iter().collect::<Vec<_>>()[..], [Command::ClosePicture]));
}

#[test]
fn code_is_copied_by_its_own_button() {
    let (mut harness, _commands) = shown(answered("Run:\n\n```sh\nls -l\n```\n\nThat is all."));
    harness.run_steps(2);
    harness.get_by_label("Copy code").click();
    harness.run_steps(1);
    let copied = harness.output().platform_output.commands.clone();
    assert!(
        copied.iter().any(|c| matches!(c, OutputCommand::CopyText(text) if text == "ls -l")),
        "{copied:?}"
    );
}

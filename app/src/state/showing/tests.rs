use std::time::Duration;

use engine::{Cancel, Ending, Settings, Summary, Timing};

use super::*;
use crate::audio::Level;
use crate::command::Command;
use crate::event::Event;
use crate::state::tests::info;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// After one answer, which was spoken.
fn answered() -> State {
    let mut state = State::new(Settings::default(), Level::default());
    state.apply(Event::Loaded(info(true), Cancel::new()), ms(0));
    state.handle(Command::Draft("two plus two".into()), ms(0));
    state.handle(Command::Submit, ms(0));
    state.apply(Event::Text { turn: 1, piece: "Four.".into() }, ms(1));
    state.clips.push(1, Side::Answer, 24_000, &[0.1; 4800]);
    state.apply(Event::SpeechStarted { turn: 1 }, ms(400));
    state.apply(written(1), ms(500));
    state.apply(Event::SpeechEnded { turn: 1 }, ms(900));
    assert_eq!(state.turn.stage, Stage::Idle);
    state
}

fn written(turn: u64) -> Event {
    let (text, text_tokens, timing) = ("Four.".into(), vec![1; 5], Timing::default());
    let summary = Summary { text, text_tokens, codes: vec![], samples: 4800, ending: Ending::Stop, timing };
    Event::Written { turn, summary: Box::new(summary) }
}

#[test]
fn a_question_goes_back_to_the_composer() {
    let mut state = answered();
    state.handle(Command::Edit(1), ms(1000));
    assert_eq!(state.draft, "two plus two");
    assert!(matches!(state.handle(Command::Submit, ms(1001))[..], [Action::Ask { turn: 2, .. }]));
    assert_eq!(state.exchanges.len(), 2);
}

#[test]
fn the_last_answer_is_given_anew_in_its_place() {
    let mut state = answered();
    assert!(matches!(state.handle(Command::Regenerate, ms(1000))[..], [Action::Again { turn: 2 }]));
    assert_eq!(state.turn.stage, Stage::Thinking);
    assert!(!state.clips.has(1, Side::Answer), "its sound is gone with it");
    assert!(state.handle(Command::Regenerate, ms(1001)).is_empty(), "one at a time");
    state.apply(Event::Text { turn: 1, piece: "late".into() }, ms(1002));
    state.apply(Event::Text { turn: 2, piece: "It is four.".into() }, ms(1003));
    state.apply(written(2), ms(1004));
    let [exchange] = &state.exchanges[..] else { panic!("{:?}", state.exchanges) };
    assert_eq!((exchange.turn, exchange.answer.text.as_str()), (2, "It is four."));
    assert_eq!(exchange.text.as_deref(), Some("two plus two"));
}

#[test]
fn a_failed_answer_is_not_given_anew_because_its_question_was_dropped() {
    let mut state = answered();
    state.handle(Command::Draft("more".into()), ms(1000));
    state.handle(Command::Submit, ms(1000));
    state.apply(Event::Text { turn: 2, piece: "a".into() }, ms(1001));
    state.apply(Event::Failed { turn: 2, message: "No.".into() }, ms(1002));
    assert!(state.handle(Command::Regenerate, ms(1003)).is_empty());
    assert_eq!(state.turn.stage, Stage::Idle);
}

#[test]
fn a_kept_answer_is_heard_again_as_a_turn_of_its_own() {
    let mut state = answered();
    let first_sound = state.figures.first_sound;
    let replay = Command::Replay { turn: 1, side: Side::Answer };
    let actions = state.handle(replay.clone(), ms(1000));
    assert!(matches!(actions[..], [Action::Replay { turn: 2, of: 1, side: Side::Answer }]));
    assert_eq!(state.turn.stage, Stage::Speaking);
    state.apply(Event::SpeechStarted { turn: 2 }, ms(5000));
    assert_eq!(state.figures.first_sound, first_sound, "a figure of the model");
    // Again from the start, then interrupted.
    let actions = state.handle(replay, ms(5100));
    assert!(matches!(actions[..], [Action::Silence, Action::Replay { turn: 3, .. }]));
    let actions = state.handle(Command::Press, ms(5200));
    assert!(matches!(actions[..], [Action::Silence, Action::Listen { turn: 4, .. }]));
    assert_eq!(state.exchanges[0].answer.end, Some(End::Complete), "what was said stays as it is");
}

#[test]
fn what_is_not_kept_is_not_heard_again() {
    let mut state = answered();
    assert!(state.handle(Command::Replay { turn: 1, side: Side::Question }, ms(1000)).is_empty());
    state.apply(Event::Cleared, ms(1001));
    assert!(state.handle(Command::Replay { turn: 1, side: Side::Answer }, ms(1002)).is_empty());
    assert!(state.handle(Command::Export, ms(1003)).is_empty(), "nothing to write down");
}

#[test]
fn a_picture_opens_small_and_becomes_large_unless_it_was_closed() {
    let mut state = answered();
    let picture = Arc::new(RgbaImage::new(4, 4));
    let attachment = Attachment { path: "a.png".into(), thumbnail: Some(picture.clone()) };
    let actions = state.handle(Command::OpenPicture(attachment.clone()), ms(0));
    assert!(matches!(&actions[..], [Action::Enlarge(path)] if path == Path::new("a.png")));
    state.handle(Command::Enlarged("a.png".into(), Ok(picture.clone())), ms(1));
    assert!(state.opened.as_ref().unwrap().large.is_some());
    state.handle(Command::ClosePicture, ms(2));
    state.handle(Command::Enlarged("a.png".into(), Ok(picture)), ms(3));
    assert!(state.opened.is_none());
    state.handle(Command::OpenPicture(attachment), ms(4));
    state.handle(Command::Enlarged("a.png".into(), Err("a.png is gone.".into())), ms(5));
    assert!(state.opened.is_none() && state.notice.unwrap().text == "a.png is gone.");
}

use engine::{Cancel, Ending, Settings, Summary, Timing};

use super::*;
use crate::audio::Level;
use crate::command::Command;
use crate::event::Event;
use crate::state::tests::info;

const NOW: Duration = Duration::ZERO;

fn ready() -> State {
    let mut state = State::new(Settings::default(), Level::default());
    state.apply(Event::Loaded(info(true), Cancel::new()), NOW);
    state
}

/// Asks and is answered; gives what is kept of it.
fn talk(state: &mut State, question: &str, answer: &str) -> Option<(u64, Option<i64>, Turn)> {
    state.handle(Command::Draft(question.into()), NOW);
    state.handle(Command::Submit, NOW);
    answered(state, answer)
}

/// The turn at hand is answered; what is kept of it.
fn answered(state: &mut State, answer: &str) -> Option<(u64, Option<i64>, Turn)> {
    let turn = state.turn.number;
    state.apply(Event::Text { turn, piece: answer.into() }, NOW);
    let summary = Summary {
        text: answer.into(),
        text_tokens: vec![1; 5],
        codes: vec![],
        samples: 0,
        ending: Ending::Stop,
        timing: Timing::default(),
    };
    let actions = state.apply(Event::Written { turn, summary: Box::new(summary) }, NOW);
    actions.into_iter().find_map(|action| match action {
        Action::Keep(Keep::Turn { place, continues, turn, .. }) => Some((place, continues, *turn)),
        _ => None,
    })
}

#[test]
fn a_turn_is_kept_when_it_is_over_unless_nothing_may_be() {
    let mut state = ready();
    let (_, continues, turn) = talk(&mut state, "two plus two", "Four.").unwrap();
    assert_eq!(
        (continues, turn.question.as_deref(), turn.answer.as_str()),
        (None, Some("two plus two"), "Four.")
    );
    assert_eq!(turn.ending, "complete");
    state.preferences.keeping.conversations = false;
    assert!(talk(&mut state, "a", "b").is_none());
    state.preferences.keeping.conversations = true;
    state.history.off = true;
    assert!(talk(&mut state, "a", "b").is_none());
}

#[test]
fn turns_of_a_conversation_stay_together_and_a_new_one_begins_another() {
    let mut state = ready();
    let (first, ..) = talk(&mut state, "a", "b").unwrap();
    let (second, ..) = talk(&mut state, "c", "d").unwrap();
    state.handle(Command::NewConversation, NOW);
    state.apply(Event::Cleared, NOW);
    let (third, ..) = talk(&mut state, "e", "f").unwrap();
    assert_eq!(first, second);
    assert_ne!(second, third);
}

#[test]
fn an_answer_given_anew_takes_the_place_of_the_kept_one() {
    let mut state = ready();
    let (place, _, first) = talk(&mut state, "a", "b").unwrap();
    state.handle(Command::Regenerate, NOW);
    let (same, _, second) = answered(&mut state, "c").unwrap();
    assert_eq!((place, first.again, second.again), (same, false, true));
    assert_eq!((second.question.as_deref(), second.answer.as_str()), (Some("a"), "c"));
    let (_, _, third) = talk(&mut state, "d", "e").unwrap();
    assert!(!third.again);
}

#[test]
fn an_opened_conversation_is_shown_read_by_the_model_and_continued() {
    let mut state = ready();
    let (before, ..) = talk(&mut state, "something else", "Yes.").unwrap();
    let actions = state.handle(Command::OpenKept(7), NOW);
    assert!(matches!(actions.last(), Some(Action::Keep(Keep::Recall(7)))), "{actions:?}");
    let turns = vec![
        Turn { question: Some("a".into()), answer: "b".into(), ending: "limit".into(), ..Turn::default() },
        Turn { spoken_seconds: Some(2.0), answer: "d".into(), ..Turn::default() },
    ];
    let actions = state.apply(Event::Recalled(7, turns), NOW);
    let Some(Action::Resume(messages)) = actions.last() else { panic!("{actions:?}") };
    let texts: Vec<_> = messages.iter().map(|message| message.parts.clone()).collect();
    let text = |text: &str| vec![Part::Text(text.into())];
    assert_eq!(texts, [text("a"), text("b"), text(SPOKEN), text("d")]);
    let shown: Vec<_> = state.exchanges.iter().map(|e| (e.answer.text.as_str(), e.answer.end)).collect();
    assert_eq!(shown, [("b", Some(End::Limit)), ("d", Some(End::Complete))]);
    let (place, continues, _) = talk(&mut state, "and", "so on").unwrap();
    assert_eq!(continues, Some(7));
    assert_ne!(place, before);
    assert_eq!(state.exchanges.len(), 3);
}

#[test]
fn an_answer_that_was_cut_short_by_opening_another_conversation_does_not_land_in_it() {
    let mut state = ready();
    state.handle(Command::Draft("long".into()), NOW);
    state.handle(Command::Submit, NOW);
    let turn = state.turn.number;
    state.handle(Command::OpenKept(7), NOW);
    state.apply(Event::Recalled(7, vec![Turn::default()]), NOW);
    state.apply(Event::Text { turn, piece: "late".into() }, NOW);
    assert_eq!(state.exchanges.len(), 1);
    assert_eq!(state.exchanges[0].answer.text, "");
    assert!(state.keep_turn(turn).is_none());
}

#[test]
fn forgetting_everything_empties_the_window_too() {
    let mut state = ready();
    talk(&mut state, "a", "b").unwrap();
    state.handle(Command::AskToForget(true), NOW);
    assert!(state.history.confirms);
    let actions = state.handle(Command::ForgetEverything, NOW);
    assert!(matches!(actions[..], [Action::Keep(Keep::Forget), Action::Reset]), "{actions:?}");
    assert!(state.exchanges.is_empty() && !state.history.confirms);
}

/// Who is heard in what a report has kept.
fn recorded(actions: &[Action]) -> Option<(u64, Vec<Side>)> {
    actions.iter().find_map(|action| match action {
        Action::Keep(Keep::Sounds { number, sounds, .. }) => {
            Some((*number, sounds.iter().map(|(side, _)| *side).collect()))
        }
        _ => None,
    })
}

#[test]
fn sound_is_kept_once_and_only_where_that_is_wanted() {
    let mut state = ready();
    let hear = |state: &mut State| {
        let turn = state.turn.number + 1;
        state.clips.push(turn, Side::Answer, 24_000, &[0.5; 100]);
        talk(state, "two plus two", "Four.").unwrap();
        turn
    };
    let turn = hear(&mut state);
    assert_eq!(recorded(&state.apply(Event::SpeechEnded { turn }, NOW)), None, "off unless it was turned on");
    state.preferences.keeping.recordings = true;
    assert_eq!(recorded(&state.apply(Event::SpeechEnded { turn }, NOW)), None, "not for what was before");

    state.clips.push(2, Side::Question, 16_000, &[0.5; 100]);
    state.clips.push(2, Side::Answer, 24_000, &[0.5; 100]);
    state.handle(Command::Draft("two plus two".into()), NOW);
    state.handle(Command::Submit, NOW);
    state.apply(Event::SpeechStarted { turn: 2 }, NOW);
    let summary = |samples| {
        let timing = Timing::default();
        let ending = Ending::Stop;
        Box::new(Summary {
            text: "Four.".into(),
            text_tokens: vec![1],
            codes: vec![],
            samples,
            ending,
            timing,
        })
    };
    let actions = state.apply(Event::Written { turn: 2, summary: summary(100) }, NOW);
    assert_eq!(recorded(&actions), None, "it is still heard");
    let both = vec![Side::Question, Side::Answer];
    assert_eq!(
        recorded(&state.handle(Command::Stop, NOW)),
        Some((2, both)),
        "what was heard until it was stopped"
    );
    assert_eq!(recorded(&state.apply(Event::SpeechEnded { turn: 2 }, NOW)), None, "once");
}

#[test]
fn a_recalled_recording_can_be_heard_and_is_read_by_the_model() {
    let mut state = ready();
    let clip = |rate_hz| Some(Clip { rate_hz, samples: vec![0.5; 1600] }.into());
    let turn = Turn {
        spoken_seconds: Some(0.1),
        answer: "Paris.".into(),
        question_sound: clip(16_000),
        answer_sound: clip(24_000),
        ..Turn::default()
    };
    let actions = state.apply(Event::Recalled(1, vec![turn]), NOW);
    let exchange = &state.exchanges[0];
    assert!(state.can_replay(exchange.turn, Side::Question) && state.can_replay(exchange.turn, Side::Answer));
    assert_eq!(exchange.spoken.as_ref().unwrap().waveform.len(), 2);
    let Some(Action::Resume(turns)) = actions.last() else { panic!("{actions:?}") };
    assert!(matches!(&turns[0].parts[..], [Part::Sound(clip)] if clip.samples.len() == 1600), "{turns:?}");
}

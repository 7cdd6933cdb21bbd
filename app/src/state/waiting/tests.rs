use engine::{Cancel, Ending, Settings};

use super::*;
use crate::audio::Level;
use crate::command::Command;
use crate::event::{EarReport, Event};
use crate::state::tests::{info, summary};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn loading() -> State {
    let mut state = State::new(Settings::default(), Level::default());
    state.apply(Event::Loading("pocket".into()), ms(0));
    state
}

fn loaded(hears: bool) -> Event {
    Event::Loaded(info(hears), Cancel::new())
}

fn type_in(state: &mut State, text: &str) -> Vec<Action> {
    state.handle(Command::Draft(text.into()), ms(0));
    state.handle(Command::Submit, ms(0))
}

/// Holds the key for two seconds, in which something is said.
fn say(state: &mut State) -> u64 {
    let actions = state.handle(Command::Press, ms(0));
    let [.., Action::Listen { turn, aside: true, .. }] = actions[..] else { panic!("{actions:?}") };
    state.apply(Event::CaptureStarted { turn }, ms(20));
    speak(state, turn);
    let actions = state.handle(Command::Release, ms(2000));
    assert!(matches!(actions[..], [Action::Close { keep: true, .. }]), "{actions:?}");
    turn
}

/// Two seconds of speech come in.
fn speak(state: &State, turn: u64) {
    let samples: Vec<_> = (0..32_000).map(|i| 0.3 * (i as f32 * 0.3).sin()).collect();
    state.clips.push(turn, Side::Question, 16_000, &samples);
}

/// The last of what was said is there, a moment without speech.
fn hear(state: &mut State, turn: u64, seconds: u32) -> Vec<Action> {
    state.clips.push(turn, Side::Question, 16_000, &[0.0; 960]);
    state.apply(Event::Heard { turn, seconds: seconds as f32, waveform: vec![] }, ms(2060))
}

/// The turn that is asked by `actions`, and its parts.
fn asked(actions: &[Action]) -> Option<(u64, &[Part])> {
    actions.iter().find_map(|action| match action {
        Action::Ask { turn, parts } => Some((*turn, &parts[..])),
        _ => None,
    })
}

fn answer(state: &mut State, turn: u64) -> Vec<Action> {
    state.apply(Event::Text { turn, piece: "Yes.".into() }, ms(3000));
    state.apply(Event::Written { turn, summary: summary("Yes.", 0, Ending::Stop) }, ms(3000))
}

#[test]
fn what_is_asked_while_the_model_loads_is_answered_in_order() {
    let mut state = loading();
    state.attachments.push(Attachment { path: "a.wav".into(), thumbnail: None });
    let first = say(&mut state);
    hear(&mut state, first, 2);
    assert!(type_in(&mut state, "and then?").is_empty());
    assert_eq!(state.turn.stage, Stage::Idle);
    assert!(state.exchanges.iter().all(|exchange| state.waits(exchange.turn)));

    let actions = state.apply(loaded(true), ms(2500));
    let (turn, parts) = asked(&actions).unwrap();
    assert!(matches!(parts, [Part::Audio(_), Part::Sound(clip)] if clip.samples.len() > 16_000), "{parts:?}");
    assert!(state.clips.has(turn, Side::Question) && state.exchanges[0].turn == turn);
    let actions = answer(&mut state, turn);
    let (turn, parts) = asked(&actions).unwrap();
    assert_eq!(parts, [Part::Text("and then?".into())]);
    assert!(asked(&answer(&mut state, turn)).is_none());
    let ends: Vec<_> = state.exchanges.iter().map(|exchange| exchange.answer.end).collect();
    assert_eq!(ends, [Some(End::Complete), Some(End::Complete)]);
}

#[test]
fn a_question_that_is_still_being_spoken_when_the_model_is_there_is_asked_when_it_ends() {
    let mut state = loading();
    assert!(matches!(state.handle(Command::Press, ms(0))[..], [Action::Listen { turn: 1, aside: true, .. }]));
    state.apply(Event::CaptureStarted { turn: 1 }, ms(20));
    speak(&state, 1);
    assert!(asked(&state.apply(loaded(true), ms(500))).is_none());
    assert!(state.is_holding());
    assert!(asked(&state.handle(Command::Release, ms(2000))).is_none(), "the last of it comes later");
    let actions = hear(&mut state, 1, 2);
    let (_, parts) = asked(&actions).unwrap();
    assert!(matches!(parts, [Part::Sound(clip)] if clip.samples.len() > 16_000), "{parts:?}");
    assert_eq!(state.turn.stage, Stage::Thinking);
    // The next one goes to the model while it is spoken.
    let actions = state.handle(Command::Press, ms(4000));
    assert!(matches!(actions[..], [Action::Silence, Action::Listen { aside: false, .. }]), "{actions:?}");
}

#[test]
fn escape_drops_first_what_is_being_said_and_then_what_waits() {
    let mut state = loading();
    type_in(&mut state, "one");
    state.handle(Command::Press, ms(0));
    assert!(matches!(state.handle(Command::Stop, ms(10))[..], [Action::Close { keep: false, .. }]));
    assert!(state.has_waiting());
    state.handle(Command::Stop, ms(20));
    assert!(!state.has_waiting());
    assert_eq!(state.exchanges[0].answer.end, Some(End::Stopped));
    assert!(asked(&state.apply(loaded(true), ms(30))).is_none());
}

#[test]
fn who_stops_an_answer_wants_none_to_what_waits_behind_it() {
    let mut state = loading();
    type_in(&mut state, "one");
    type_in(&mut state, "two");
    assert!(asked(&state.apply(loaded(true), ms(1))).is_some());
    let actions = state.handle(Command::Stop, ms(2));
    assert!(asked(&actions).is_none() && !state.has_waiting());
    // A question that fails takes no other one with it.
    let mut state = loading();
    type_in(&mut state, "one");
    type_in(&mut state, "two");
    let turn = asked(&state.apply(loaded(true), ms(1))).unwrap().0;
    let actions = state.apply(Event::Failed { turn, message: "No.".into() }, ms(2));
    assert!(asked(&actions).is_some(), "{actions:?}");
}

#[test]
fn a_load_that_fails_gives_the_text_back_and_keeps_what_was_said_for_another_try() {
    let mut state = loading();
    let spoken = say(&mut state);
    hear(&mut state, spoken, 2);
    type_in(&mut state, "one");
    state.handle(Command::Draft("two".into()), ms(1));
    state.handle(Command::Press, ms(2500));
    state.apply(Event::CaptureStarted { turn: state.turn.number }, ms(2510));
    let actions = state.apply(Event::LoadFailed("The disk is broken.".into()), ms(2600));
    assert!(matches!(actions[..], [Action::Close { keep: false, .. }]), "{actions:?}");
    assert_eq!(state.draft, "one two");
    let told = state.notice.clone().unwrap();
    for part in ["The disk is broken. ", "What you were saying is lost.", "What you said is kept"] {
        assert!(told.is_error && told.text.contains(part), "{told:?}");
    }
    assert_eq!(state.turn.stage, Stage::Absent);
    state.apply(Event::Loading("other".into()), ms(5000));
    let actions = state.apply(loaded(true), ms(9000));
    assert!(matches!(asked(&actions), Some((_, [Part::Sound(_)]))), "{actions:?}");
    assert_eq!(state.exchanges.len(), 1);
}

#[test]
fn the_conversation_with_another_model_begins_with_the_first_question_that_waits() {
    let mut state = loading();
    state.apply(loaded(true), ms(0));
    type_in(&mut state, "old");
    state.apply(Event::Loading("other".into()), ms(1));
    assert_eq!(state.exchanges.len(), 1, "it is shown until there is something new");
    type_in(&mut state, "new");
    type_in(&mut state, "newer");
    assert_eq!(state.exchanges[0].text.as_deref(), Some("new"));
    assert!(asked(&state.apply(loaded(true), ms(2))).is_some());
    assert_eq!(state.exchanges.len(), 2);
    // Without one, it begins when the model is there.
    state.apply(Event::Loading("third".into()), ms(3));
    state.apply(loaded(true), ms(4));
    assert!(state.exchanges.is_empty());
}

#[test]
fn a_new_conversation_begins_at_once_and_is_not_forgotten_with_the_old_one() {
    let mut state = loading();
    type_in(&mut state, "old");
    assert!(matches!(state.handle(Command::NewConversation, ms(1))[..], [Action::Reset]));
    type_in(&mut state, "new");
    state.apply(loaded(true), ms(2));
    state.apply(Event::Cleared, ms(3));
    let [exchange] = &state.exchanges[..] else { panic!("{:?}", state.exchanges) };
    assert_eq!((exchange.text.as_deref(), state.turn.stage), (Some("new"), Stage::Thinking));
    state.handle(Command::NewConversation, ms(4));
    state.apply(Event::Cleared, ms(5));
    assert!(state.exchanges.is_empty());
}

#[test]
fn a_question_wakes_a_model_whose_memory_was_given_back() {
    let mut state = loading();
    state.apply(loaded(true), ms(0));
    state.apply(Event::Freed, ms(1));
    let actions = state.handle(Command::Press, ms(2));
    assert!(
        matches!(actions[..], [Action::Wake, Action::Listen { turn: 1, aside: true, .. }]),
        "{actions:?}"
    );
    state.apply(Event::CaptureStarted { turn: 1 }, ms(3));
    state.apply(Event::Waking, ms(4));
    state.handle(Command::Release, ms(2000));
    hear(&mut state, 1, 2);
    assert!(type_in(&mut state, "and?").is_empty(), "it is awake already");
    let actions = state.apply(Event::NotWoken("No room.".into()), ms(3000));
    assert!(actions.is_empty() && state.draft == "and?" && state.has_waiting(), "{actions:?}");
    assert!(matches!(state.handle(Command::Submit, ms(3001))[..], [Action::Wake]), "another try");
    assert!(asked(&state.apply(Event::Rebuilt(info(true)), ms(4000))).is_some());
    assert!(state.exchanges.len() == 2 && state.turn.stage == Stage::Thinking);
}

#[test]
fn a_model_that_takes_no_sound_refuses_what_was_said_and_answers_what_was_typed() {
    let mut state = loading();
    state.handle(Command::HandsFree(true), ms(0));
    state.apply(Event::Ear(1, EarReport::Opened), ms(1));
    state.apply(Event::Ear(1, EarReport::Began), ms(2));
    state.apply(Event::Ear(1, EarReport::Ended), ms(900));
    hear(&mut state, 1, 1);
    type_in(&mut state, "hello");
    let actions = state.apply(loaded(false), ms(1000));
    assert!(matches!(asked(&actions), Some((_, [Part::Text(_)]))), "{actions:?}");
    assert!(!state.turn.ear.is_wanted());
    assert_eq!(state.exchanges[0].answer.end, Some(End::Failed));
}

#[test]
fn no_more_than_some_minutes_of_speech_wait() {
    let mut state = loading();
    let first = say(&mut state);
    hear(&mut state, first, 1);
    state.exchanges[0].spoken = Some(crate::state::Spoken { seconds: MOST_SPEECH, waveform: vec![] });
    assert!(state.handle(Command::Press, ms(4000)).is_empty());
    assert!(state.notice.as_ref().is_some_and(|notice| notice.text.contains("wait for the model")));
    // A held key does not say when a question ends that has to be kept.
    let mut state = loading();
    state.handle(Command::Press, ms(0));
    state.apply(Event::CaptureStarted { turn: 1 }, ms(1));
    let actions = state.apply(Event::Limit { turn: 1, left: Duration::ZERO }, ms(300_000));
    assert!(matches!(actions[..], [Action::Close { turn: 1, keep: true }]), "{actions:?}");
}

#[test]
fn a_question_of_which_nothing_was_heard_does_not_wait() {
    let mut state = loading();
    let turn = say(&mut state);
    state.apply(Event::NothingHeard { turn, message: "Only silence.".into() }, ms(2060));
    assert!(!state.has_waiting() && state.exchanges.is_empty());
}

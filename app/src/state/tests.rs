use super::*;
use crate::event::Event;
use crate::turn::SHORTEST_HOLD;
use engine::{Cancel, Ending, Summary, Timing};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) fn info(hears: bool) -> Box<Info> {
    Box::new(Info {
        name: "pocket".into(),
        device: "cpu".into(),
        fallback: None,
        voices: vec!["Chelsie".into()],
        hears,
        sees: true,
        sample_rate_hz: 24_000,
        weight_bytes: 1,
        context_tokens: 100,
        load_ms: 1.0,
        load_times: engine::LoadTimes::default(),
    })
}

fn ready() -> State {
    let mut state = State::new(Settings::default(), Level::default());
    state.apply(Event::Loaded(info(true), Cancel::new()), ms(0));
    state
}

pub(super) fn summary(text: &str, samples: usize, ending: Ending) -> Box<Summary> {
    let timing = Timing { decode_ms: 100.0, ..Timing::default() };
    Box::new(Summary { text: text.into(), text_tokens: vec![1; 5], codes: vec![], samples, ending, timing })
}

#[test]
fn a_spoken_turn_shows_question_answer_and_figures() {
    let mut state = ready();
    assert!(matches!(state.handle(Command::Press, ms(0))[..], [Action::Listen { turn: 1, .. }]));
    state.apply(Event::CaptureStarted { turn: 1 }, ms(50));
    let actions = state.handle(Command::Release, ms(2000));
    assert!(matches!(actions[..], [Action::Close { turn: 1, keep: true }]));
    state.apply(Event::Heard { turn: 1, seconds: 1.9, waveform: vec![0.5; 38] }, ms(2060));
    for piece in ["It is ", "Paris."] {
        state.apply(Event::Text { turn: 1, piece: piece.into() }, ms(2200));
    }
    state.apply(Event::SpeechStarted { turn: 1 }, ms(2450));
    state.apply(Event::Written { turn: 1, summary: summary("It is Paris.", 48_000, Ending::Stop) }, ms(2600));
    assert_eq!(state.turn.stage, Stage::Speaking);
    state.apply(Event::SpeechEnded { turn: 1 }, ms(4400));
    assert_eq!(state.turn.stage, Stage::Idle);

    let [exchange] = &state.exchanges[..] else { panic!() };
    assert_eq!(exchange.spoken.as_ref().unwrap().seconds, 1.9);
    assert_eq!((exchange.answer.text.as_str(), exchange.answer.end), ("It is Paris.", Some(End::Complete)));
    assert_eq!(state.figures.first_sound, Some(ms(450)));
    assert_eq!(state.figures.tokens_per_second, Some(50.0));
}

#[test]
fn typed_text_is_kept_until_there_is_a_model_to_take_it() {
    let mut state = State::new(Settings::default(), Level::default());
    state.handle(Command::Draft("hello ".into()), ms(0));
    assert!(state.handle(Command::Submit, ms(0)).is_empty());
    assert_eq!(state.draft, "hello ");
    state.apply(Event::Loaded(info(true), Cancel::new()), ms(1));
    let actions = state.handle(Command::Submit, ms(2));
    let [Action::Ask { turn: 1, parts }] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(parts[..], [Part::Text("hello".into())]);
    assert!(state.draft.is_empty());
    assert!(state.handle(Command::Submit, ms(3)).is_empty(), "nothing is typed any more");
}

#[test]
fn blank_text_is_not_sent() {
    let mut state = ready();
    state.handle(Command::Draft(" \n".into()), ms(0));
    assert!(state.handle(Command::Submit, ms(0)).is_empty());
    assert!(state.exchanges.is_empty());
}

#[test]
fn a_stopped_answer_says_so_and_late_pieces_stay_in_their_own_answer() {
    let mut state = ready();
    state.handle(Command::Draft("one".into()), ms(0));
    state.handle(Command::Submit, ms(0));
    state.apply(Event::Text { turn: 1, piece: "a".into() }, ms(1));
    state.handle(Command::Draft("two".into()), ms(2));
    let actions = state.handle(Command::Submit, ms(2));
    assert!(matches!(actions[..], [Action::Silence, Action::Ask { turn: 2, .. }]));
    state.apply(Event::Text { turn: 1, piece: "b".into() }, ms(3));
    state.apply(Event::Text { turn: 2, piece: "c".into() }, ms(4));
    state.apply(Event::Written { turn: 1, summary: summary("ab", 0, Ending::Cancelled) }, ms(5));
    let answers: Vec<_> =
        state.exchanges.iter().map(|e| (e.turn, e.answer.text.as_str(), e.answer.end)).collect();
    assert_eq!(answers, [(1, "ab", Some(End::Stopped)), (2, "c", None)]);
    assert_eq!(state.turn, Turn { number: 2, stage: Stage::Thinking, ..Turn::FIRST });
}

#[test]
fn two_short_taps_keep_attachments_and_give_a_hint_that_is_no_error() {
    let mut state = ready();
    state.attachments.push(Attachment { path: "a.wav".into(), thumbnail: None });
    state.handle(Command::Press, ms(0));
    state.apply(Event::CaptureStarted { turn: 1 }, ms(20));
    assert!(state.handle(Command::Release, ms(90)).is_empty());
    assert!(state.turn.stage.is_locked());
    let actions = state.handle(Command::Press, SHORTEST_HOLD - ms(1));
    assert!(matches!(actions[..], [Action::Close { turn: 1, keep: false }]));
    assert_eq!(state.attachments.len(), 1);
    assert!(state.exchanges.is_empty());
    assert!(!state.notice.unwrap().is_error);
}

#[test]
fn a_lost_microphone_leaves_text_usable() {
    let mut state = ready();
    state.handle(Command::Press, ms(0));
    state.apply(Event::CaptureFailed { turn: 1, message: "There is no microphone.".into() }, ms(10));
    assert_eq!(state.turn.stage, Stage::Idle);
    assert_eq!(state.notice.as_ref().unwrap().text, "There is no microphone.");
    state.handle(Command::Draft("hi".into()), ms(20));
    assert!(matches!(state.handle(Command::Submit, ms(20))[..], [Action::Ask { turn: 2, .. }]));
}

#[test]
fn enter_sends_what_hands_free_heard_and_leaves_the_draft() {
    let mut state = ready();
    state.handle(Command::Draft("later".into()), ms(0));
    assert!(matches!(state.handle(Command::Toggle, ms(0))[..], [Action::Listen { turn: 1, .. }]));
    assert!(state.turn.stage.is_locked());
    state.apply(Event::CaptureStarted { turn: 1 }, ms(20));
    let actions = state.handle(Command::Submit, ms(4000));
    assert!(matches!(actions[..], [Action::Close { turn: 1, keep: true }]), "{actions:?}");
    assert_eq!((state.turn.stage, state.draft.as_str()), (Stage::Thinking, "later"));
}

#[test]
fn a_screen_readers_click_is_a_tap() {
    let mut state = ready();
    state.handle(Command::Toggle, ms(0));
    state.apply(Event::CaptureStarted { turn: 1 }, ms(20));
    assert!(state.turn.stage.is_locked());
    state.handle(Command::Toggle, ms(3000));
    assert_eq!(state.turn.stage, Stage::Thinking);
}

#[test]
fn a_muted_microphone_leaves_no_empty_question_and_takes_no_attachment() {
    let mut state = ready();
    state.attachments.push(Attachment { path: "a.wav".into(), thumbnail: None });
    state.handle(Command::Press, ms(0));
    state.apply(Event::CaptureStarted { turn: 1 }, ms(10));
    state.handle(Command::Release, ms(900));
    assert_eq!((state.exchanges.len(), state.attachments.len()), (1, 0));
    state.apply(Event::NothingHeard { turn: 1, message: "Only silence.".into() }, ms(960));
    assert_eq!((state.exchanges.len(), state.attachments.len()), (0, 1));
    assert_eq!(state.notice, Some(Notice { text: "Only silence.".into(), is_error: false }));
    assert_eq!(state.turn.stage, Stage::Idle);
}

#[test]
fn a_model_without_ears_does_not_open_the_microphone() {
    let mut state = State::new(Settings::default(), Level::default());
    state.apply(Event::Loaded(info(false), Cancel::new()), ms(0));
    assert!(state.handle(Command::Press, ms(0)).is_empty());
    assert!(state.notice.unwrap().text.contains("takes no sound"));
}

#[test]
fn files_of_no_use_are_refused_by_name() {
    let mut state = ready();
    for path in ["notes.txt", "none.png", "none.wav", "/"] {
        let actions = state.handle(Command::Open(path.into()), ms(0));
        assert!(matches!(&actions[..], [Action::Inspect(inspected)] if inspected == Path::new(path)));
        state.handle(Command::Attach(Attachment::open(Path::new(path))), ms(1));
        let notice = state.notice.take().unwrap();
        assert!(notice.is_error && notice.text.contains(path), "{}", notice.text);
    }
    assert!(state.attachments.is_empty());
}

#[test]
fn a_folder_with_a_config_is_a_model() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/pocket");
    let actions = ready().handle(Command::Open(folder.clone()), ms(0));
    assert!(matches!(&actions[..], [Action::Load(path)] if *path == folder));
}

#[test]
fn an_empty_answer_without_speech_does_not_hang_in_thinking() {
    let mut state = ready();
    state.handle(Command::Draft("hi".into()), ms(0));
    state.handle(Command::Submit, ms(0));
    state.apply(Event::Written { turn: 1, summary: summary("", 0, Ending::Stop) }, ms(9));
    assert_eq!(state.turn.stage, Stage::Idle);
}

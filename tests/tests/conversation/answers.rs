//! Single answers: what is said, how it is chosen and where it ends.

use colloquy_tests::checkpoints::{omni, omni_that_stops_at, pocket};
use colloquy_tests::talks::{ask, ask_text, greedy, load, sample, session, silent};
use engine::{Content, Ending, Event, Sampling, Session, Settings};
use serde_json::{Value, json};

#[test]
fn the_sample_questions_get_their_answers() {
    let mut session = session(&pocket(), greedy());
    let pairs: Value =
        serde_json::from_slice(&std::fs::read(pocket().join("samples/pairs.json")).unwrap()).unwrap();
    let pairs = pairs.as_array().unwrap();
    assert_eq!(pairs.len(), 10);
    for (i, pair) in pairs.iter().enumerate() {
        session
            .set_settings(Settings { voice: Some(pair["speaker"].as_str().unwrap().into()), ..greedy() })
            .unwrap();
        let answer = ask(&mut session, vec![Content::Audio(sample(i))]).unwrap();
        assert_eq!(answer.text(), pair["reply_text"].as_str().unwrap(), "question {i}");
        assert_eq!(answer.summary.ending, Ending::Stop);
        session.reset().unwrap();
    }
}

#[test]
fn speech_begins_before_the_text_ends() {
    let mut session = session(&pocket(), greedy());
    let answer = ask_text(&mut session, "Count to ten.");
    assert_eq!(answer.text(), "One, two, three, four, five, six, seven, eight, nine, ten.");
    let audio = answer.events.iter().position(|e| matches!(e, Event::Audio { .. })).unwrap();
    let text = answer.events.iter().rposition(|e| matches!(e, Event::Text(_))).unwrap();
    assert!(audio < text, "the first sound is event {audio}, the last text {text}");
    let told: String = answer
        .events
        .iter()
        .filter_map(|e| if let Event::Text(t) = e { Some(t.as_str()) } else { None })
        .collect();
    assert_eq!(told, answer.text());
    let timing = answer.summary.timing;
    assert!(timing.first_audio_ms.unwrap() < timing.last_text_ms.unwrap());
    assert!(timing.last_text_ms.unwrap() <= timing.total_ms);
}

fn random(seed: u64) -> Settings {
    let sampling = Some(Sampling { temperature: 1.0, ..Sampling::GREEDY });
    Settings {
        text_sampling: sampling,
        speech_sampling: sampling,
        residual_sampling: sampling,
        seed,
        max_text_tokens: 12,
        max_frames: Some(6),
        ..Settings::default()
    }
}

#[test]
fn a_seed_gives_the_same_answer_again_and_another_seed_another() {
    let answer = |session: &mut Session| ask_text(session, "Tell me something.").bits();
    let mut first = session(&omni(), random(1));
    let one = answer(&mut first);
    assert_eq!(answer(&mut session(&omni(), random(1))), one);
    first.reset().unwrap();
    assert_eq!(answer(&mut first), one, "a reset begins the random sequence anew");
    first.reset().unwrap();
    first.set_settings(random(2)).unwrap();
    let two = answer(&mut first);
    assert_ne!(two.0, one.0);
    assert_ne!(two.1, one.1);
}

#[test]
fn temperature_0_is_greedy_whatever_the_rest_says() {
    let cold = Some(Sampling { temperature: 0.0, top_k: 7, top_p: 0.3, repetition_penalty: None });
    let cold =
        Settings { text_sampling: cold, speech_sampling: cold, residual_sampling: cold, seed: 9, ..greedy() };
    let mut session = session(&omni(), Settings { max_text_tokens: 12, max_frames: Some(6), ..cold });
    let bits = ask_text(&mut session, "Hello.").bits();
    session.set_settings(Settings { max_text_tokens: 12, max_frames: Some(6), ..greedy() }).unwrap();
    session.reset().unwrap();
    assert_eq!(ask_text(&mut session, "Hello.").bits(), bits);
}

#[test]
fn greedy_speech_is_the_same_whatever_the_seed() {
    let answer = |seed| {
        let settings = Settings { max_frames: Some(12), seed, ..greedy() };
        ask_text(&mut session(&pocket(), settings), "What is the capital of France?").bits()
    };
    assert_eq!(answer(1), answer(2));
}

#[test]
fn settings_changed_during_an_answer_wait_for_the_next() {
    let answer = |change: bool| {
        let mut session = session(&omni(), random(1));
        session.push(Content::Text("Tell me something.".into())).unwrap();
        session.respond().unwrap();
        for _ in 0..4 {
            session.step().unwrap();
        }
        if change {
            session.set_settings(Settings { speech: false, max_text_tokens: 1, ..random(5) }).unwrap();
        }
        colloquy_tests::talks::finish(&mut session).unwrap().bits()
    };
    assert_eq!(answer(true), answer(false));
}

#[test]
fn voices_are_found_in_any_case_and_an_unknown_one_is_told_with_those_there_are() {
    let mut session = session(&pocket(), Settings { voice: Some("Aiden".into()), ..greedy() });
    assert_eq!(session.engine().info().voices, ["ethan", "aiden", "chelsie"]);
    let codes = |session: &mut Session| {
        session.reset().unwrap();
        ask_text(session, "hello").summary.codes
    };
    let aiden = codes(&mut session);
    session.set_settings(Settings { voice: Some("AIDEN".into()), ..greedy() }).unwrap();
    assert_eq!(codes(&mut session), aiden);
    session.set_settings(Settings { voice: Some("chelsie".into()), ..greedy() }).unwrap();
    assert_ne!(codes(&mut session), aiden);
    let error = session.set_settings(Settings { voice: Some("nobody".into()), ..greedy() }).unwrap_err();
    for name in ["nobody", "ethan", "chelsie", "aiden"] {
        assert!(error.to_string().contains(name), "{error}");
    }
    assert_eq!(session.settings().voice.as_deref(), Some("chelsie"), "the old settings stay");
}

#[test]
fn without_speech_there_are_no_samples() {
    let mut session = session(&pocket(), silent());
    let answer = ask_text(&mut session, "hello");
    assert_eq!(answer.text(), "Hello, how can I help you?");
    assert!(answer.samples.is_empty() && answer.summary.codes.is_empty());
    assert!(!answer.events.iter().any(|e| matches!(e, Event::Audio { .. })));
    session.set_settings(greedy()).unwrap();
    assert!(!ask_text(&mut session, "thank you").samples.is_empty(), "speech comes back");
}

#[test]
fn limits_of_text_and_speech_are_kept() {
    let mut session = session(&omni(), greedy());
    for text in [1, 2, 5] {
        for frames in [0, 1, 5] {
            let limits = Settings { max_text_tokens: text, max_frames: Some(frames), ..greedy() };
            session.set_settings(limits).unwrap();
            session.reset().unwrap();
            let answer = ask_text(&mut session, "Tell me something.");
            assert_eq!((answer.summary.text_tokens.len(), answer.summary.ending), (text, Ending::Limit));
            let spoken = if text == 1 { 0 } else { frames };
            assert_eq!(answer.summary.codes.len(), spoken, "{text} tokens and {frames} frames");
            assert_eq!(answer.samples.is_empty(), spoken == 0);
        }
    }
    assert!(session.set_settings(Settings { max_text_tokens: 0, ..greedy() }).is_err());
}

#[test]
fn the_token_at_the_text_limit_is_not_spoken() {
    let limited = |folder: &std::path::Path, max_text_tokens| {
        let mut session = session(folder, Settings { max_text_tokens, max_frames: Some(8), ..greedy() });
        ask_text(&mut session, "Tell me something.").summary
    };
    let all = limited(&omni(), 3).text_tokens;
    assert!(!all[..2].contains(&all[2]), "the test needs a new third token, found {all:?}");
    // A model that stops where the other reaches its limit.
    let stops = omni_that_stops_at(&all[2..]);
    let (stopped, cut) = (limited(stops.path(), 64), limited(&omni(), 3));
    assert_eq!((stopped.ending, cut.ending), (Ending::Stop, Ending::Limit));
    assert_eq!(stopped.text_tokens, cut.text_tokens[..2]);
    assert_eq!(stopped.codes, cut.codes);
}

#[test]
fn an_answer_that_stops_at_once_is_empty_and_no_error() {
    let every: Vec<u32> = (0..496).collect();
    let stops = omni_that_stops_at(&every);
    let mut session = session(stops.path(), greedy());
    for question in ["Hello.", "Are you there?"] {
        let answer = ask_text(&mut session, question);
        assert_eq!((answer.text(), answer.summary.ending), ("", Ending::Stop));
        assert!(
            answer.summary.text_tokens.is_empty() && answer.samples.is_empty() && answer.events.is_empty()
        );
    }
}

#[test]
fn tools_are_part_of_the_prompt() {
    let tools =
        json!([{"type": "function", "function": {"name": "clock", "description": "Tells the time."}}]);
    let needed = |tools: Option<Value>| {
        let engine = load(&pocket(), Some(4)).unwrap();
        let mut session = Session::new(engine, Settings { tools, ..silent() }).unwrap();
        match ask(&mut session, vec![Content::Text("what time is it".into())]) {
            Err(engine::Error::Context { needed, limit: 4 }) => needed,
            other => panic!("expected no room, found {other:?}"),
        }
    };
    let (without, with) = (needed(None), needed(Some(tools)));
    assert!(with > without + 50, "{without} tokens without and {with} with tools");
}

//! Several turns: a session that kept what it has read against a fresh one that is given the whole history.

use colloquy_tests::checkpoints::{omni, pocket};
use colloquy_tests::talks::{
    Answer, ask, ask_live, ask_text, finish, greedy, load, remember, remember_text, sample, session, silent,
};
use engine::{Audio, Content, Ending, Error, Image, Message, Role, Session, Settings};

/// A red disc on white, where the checkpoint has learnt to look for one.
fn picture() -> Content {
    let pixel =
        |x: i32, y: i32| if (x - 32).pow(2) + (y - 32).pow(2) < 361 { [220, 40, 40] } else { [255; 3] };
    let rgb = (0..128).flat_map(|y| (0..128).flat_map(move |x| pixel(x, y))).collect();
    Content::Image(Image::from_rgb(128, 128, rgb).unwrap())
}

fn text(text: &str) -> Content {
    Content::Text(text.into())
}

/// Answers of a session that goes on, each against that of a session which is given what came before as history.
fn assert_turns(settings: Settings, questions: Vec<Vec<Content>>) -> Vec<Answer> {
    let (mut kept, mut fresh) = (session(&pocket(), settings.clone()), session(&pocket(), settings));
    let mut answers: Vec<Answer> = Vec::new();
    for (i, question) in questions.iter().enumerate() {
        let answer = ask(&mut kept, question.clone()).unwrap();
        fresh.reset().unwrap();
        for (question, answer) in questions.iter().zip(&answers) {
            remember(&mut fresh, Role::User, question.clone());
            remember_text(&mut fresh, Role::Assistant, answer.text());
        }
        let anew = ask(&mut fresh, question.clone()).unwrap();
        assert_eq!(answer.text(), anew.text(), "turn {i}");
        assert!(answer.bits() == anew.bits(), "turn {i}: same text, but other tokens, codes or samples");
        answers.push(answer);
    }
    answers
}

#[test]
fn turns_of_text_sound_and_pictures_are_answered_as_in_a_fresh_session() {
    let questions = vec![
        vec![picture(), text("what do you see")],
        vec![text("seven plus eight")],
        vec![text("and plus two")],
        vec![Content::Audio(sample(3))],
        vec![picture(), text("what do you see")],
        vec![Content::Audio(sample(4))],
        vec![text("what comes after Monday")],
    ];
    let answers = assert_turns(Settings { max_frames: Some(12), ..greedy() }, questions);
    let said: Vec<_> = answers.iter().map(Answer::text).collect();
    assert_eq!(said[0], "I see a red circle.");
}

#[test]
fn an_answer_that_is_taken_back_leaves_no_trace() {
    let settings = Settings { max_frames: Some(12), ..greedy() };
    let mut kept = session(&pocket(), settings);
    let question = vec![picture(), text("what do you see")];
    let first = ask(&mut kept, vec![Content::Audio(sample(3))]).unwrap();
    let second = ask(&mut kept, question).unwrap();
    for _ in 0..2 {
        let parts = kept.take_back().unwrap();
        assert_eq!(parts.len(), 2);
        let again = ask(&mut kept, parts).unwrap();
        assert_eq!(again.text(), second.text());
        assert!(again.bits() == second.bits(), "same text, but other tokens, codes or samples");
    }
    kept.take_back().unwrap();
    let parts = kept.take_back().unwrap();
    assert!(kept.take_back().is_none(), "nothing is left");
    assert!(ask(&mut kept, parts).unwrap().bits() == first.bits());

    kept.push(text("half a question")).unwrap();
    assert!(kept.take_back().is_none(), "a message is being composed");
    kept.discard();
    assert!(kept.take_back().is_some());
}

#[test]
fn a_conversation_that_outgrows_its_first_caches_goes_on_as_in_a_fresh_session() {
    let long: Vec<f32> = sample(3).samples.iter().copied().cycle().take(15 * 16_000).collect();
    let question = vec![Content::Audio(Audio { samples: long })];
    assert_turns(Settings { max_frames: Some(6), max_text_tokens: 12, ..greedy() }, vec![question; 4]);
}

#[test]
fn live_turns_are_answered_as_in_a_fresh_session() {
    let (mut kept, mut fresh) = (session(&pocket(), greedy()), session(&pocket(), greedy()));
    let first = ask_live(&mut kept, &sample(2).samples, 320).unwrap();
    let second = ask_live(&mut kept, &sample(6).samples, 320).unwrap();
    remember(&mut fresh, Role::User, vec![Content::Audio(sample(2))]);
    remember_text(&mut fresh, Role::Assistant, first.text());
    let anew = ask(&mut fresh, vec![Content::Audio(sample(6))]).unwrap();
    assert_eq!(second.text(), anew.text());
    assert!(second.bits() == anew.bits());
}

#[test]
fn a_cancelled_answer_stays_as_far_as_it_was_written() {
    let (mut kept, mut fresh) = (session(&pocket(), greedy()), session(&pocket(), greedy()));
    for steps in [2, 3, 5, 8, 13, 21] {
        kept.reset().unwrap();
        kept.push(Content::Audio(sample(7))).unwrap();
        kept.respond().unwrap();
        for _ in 0..steps {
            kept.step().unwrap().unwrap();
        }
        kept.cancel().fire();
        let cut = finish(&mut kept).unwrap();
        assert_eq!(cut.summary.ending, Ending::Cancelled);
        assert!("One, two, three, four, five.".starts_with(cut.text()) && !cut.text().is_empty());
        fresh.reset().unwrap();
        remember(&mut fresh, Role::User, vec![Content::Audio(sample(7))]);
        remember_text(&mut fresh, Role::Assistant, cut.text());
        let (next, anew) =
            (ask_text(&mut kept, "what is your name"), ask_text(&mut fresh, "what is your name"));
        assert_eq!(next.text(), anew.text(), "cut after {steps} steps");
        assert!(next.bits() == anew.bits(), "cut after {steps} steps: same text, but other codes");
    }
}

#[test]
fn reasoning_that_the_template_drops_later_is_forgotten() {
    let settings = silent();
    let (mut kept, mut fresh) = (session(&pocket(), settings.clone()), session(&pocket(), settings));
    let thought = "<think>\nThe sum is easy.\n</think>\n\nSeven plus eight is fifteen.";
    remember_text(&mut kept, Role::User, "seven plus eight");
    remember_text(&mut kept, Role::Assistant, thought);
    // The template keeps reasoning until the next turn of text alone.
    let spoken = ask(&mut kept, vec![Content::Audio(sample(5))]).unwrap();
    let written = ask_text(&mut kept, "what comes after Friday");
    for with_reasoning in [true, false] {
        fresh.reset().unwrap();
        remember_text(&mut fresh, Role::User, "seven plus eight");
        let earlier = if with_reasoning { thought } else { "Seven plus eight is fifteen." };
        remember_text(&mut fresh, Role::Assistant, earlier);
        remember(&mut fresh, Role::User, vec![Content::Audio(sample(5))]);
        remember_text(&mut fresh, Role::Assistant, spoken.text());
        let anew = ask_text(&mut fresh, "what comes after Friday");
        assert_eq!(
            written.summary.text_tokens,
            anew.summary.text_tokens,
            "{} or {}",
            written.text(),
            anew.text()
        );
    }
}

#[test]
fn an_answer_of_one_token_that_was_never_fed_is_read_with_the_next_turn() {
    let settings = Settings { max_text_tokens: 1, ..silent() };
    let (mut kept, mut fresh) = (session(&omni(), settings.clone()), session(&omni(), settings));
    for question in ["Hello.", "What is this?", "one two three", "Why?"] {
        kept.reset().unwrap();
        fresh.reset().unwrap();
        let first = ask_text(&mut kept, question);
        if first.text().is_empty() || first.text().contains('\u{fffd}') {
            continue; // part of a character, which no text can give back
        }
        remember_text(&mut fresh, Role::User, question);
        remember_text(&mut fresh, Role::Assistant, first.text());
        let (next, anew) = (ask_text(&mut kept, "And then?"), ask_text(&mut fresh, "And then?"));
        assert_eq!(next.summary.text_tokens, anew.summary.text_tokens, "after {:?}", first.text());
    }
}

/// The numbers of an error about a full context.
fn numbers(error: Error) -> (usize, usize) {
    match error {
        Error::Context { needed, limit } => (needed, limit),
        other => panic!("expected a full context, found {other}"),
    }
}

#[test]
fn what_does_not_fit_is_refused_and_a_shorter_message_is_answered() {
    let mut session = Session::new(load(&pocket(), Some(80)).unwrap(), silent()).unwrap();
    let long = "seven plus eight ".repeat(60);
    let (needed, limit) = numbers(ask(&mut session, vec![text(&long)]).unwrap_err());
    assert!(needed > 150 && limit == 80, "{needed} of {limit}");
    let minute = || Audio { samples: sample(3).samples.iter().copied().cycle().take(60 * 16_000).collect() };
    assert_eq!(numbers(session.push(Content::Audio(minute())).unwrap_err()), (780, 80));
    let live = minute().samples.chunks(1600).try_for_each(|block| session.push_audio(block));
    assert!(numbers(live.unwrap_err()).0 <= 80 + 2 * 104, "found before a second window was read");
    let message = Message::new(Role::User, vec![Content::Audio(minute())]);
    assert_eq!(numbers(session.push_message(message).unwrap_err()), (780, 80));
    let six = Audio { samples: minute().samples[..6 * 16_000].to_vec() };
    let two = vec![Content::Audio(six.clone()), Content::Audio(six)];
    let (needed, _) = numbers(ask(&mut session, two).unwrap_err());
    assert!((156..200).contains(&needed), "{needed}");
    assert_eq!(ask_text(&mut session, "seven plus eight").text(), "Seven plus eight is fifteen.");
    // The conversation fills up; what was said before stays.
    let full = (0..20).find_map(|_| ask(&mut session, vec![text("seven plus eight")]).err());
    assert!(numbers(full.unwrap()).0 > 80);
    session.reset().unwrap();
    assert_eq!(ask_text(&mut session, "seven plus eight").text(), "Seven plus eight is fifteen.");
}

#[test]
fn a_discarded_message_leaves_no_trace() {
    let mut session = session(&pocket(), greedy());
    let long: Vec<f32> = sample(3).samples.iter().copied().cycle().take(10 * 16_000).collect();
    let first = ask_text(&mut session, "seven plus eight");
    session.push(text("listen")).unwrap();
    session.push_audio(&long).unwrap();
    session.discard();
    session.push(picture()).unwrap();
    session.discard();
    assert!(session.respond().is_err(), "nothing was left to answer");
    let second = ask_text(&mut session, "and plus two");
    session.reset().unwrap();
    assert!(ask_text(&mut session, "seven plus eight").bits() == first.bits());
    assert!(ask_text(&mut session, "and plus two").bits() == second.bits());
}

#[test]
fn calls_out_of_turn_are_refused_and_do_not_disturb_the_answer() {
    let mut session = session(&pocket(), greedy());
    let whole = ask_text(&mut session, "Count to five.").bits();
    let next = ask_text(&mut session, "what is your name").bits();
    for steps in [0, 1, 2, 3, 6] {
        session.reset().unwrap();
        session.push(text("Count to five.")).unwrap();
        session.respond().unwrap();
        for _ in 0..steps {
            session.step().unwrap();
        }
        assert!(session.push_audio(&sample(0).samples).is_err());
        assert!(session.push(text("hello")).is_err());
        assert!(session.respond().is_err());
        assert!(session.push_message(Message::new(Role::User, vec![text("hello")])).is_err());
        session.discard();
        assert!(finish(&mut session).unwrap().bits() == whole, "after {steps} steps");
        assert!(ask_text(&mut session, "what is your name").bits() == next, "after {steps} steps");
    }
}

#[test]
fn a_reset_is_possible_at_any_time() {
    let mut session = session(&pocket(), greedy());
    let clip = sample(3).samples;
    let expected = ask_live(&mut session, &clip, 500).unwrap().bits();
    for steps in 0..12 {
        session.reset().unwrap();
        session.push_audio(&clip[..steps * 2000]).unwrap();
        session.reset().unwrap();
        session.push_audio(&clip).unwrap();
        session.respond().unwrap();
        for _ in 0..steps {
            session.step().unwrap();
        }
        session.reset().unwrap();
        assert!(session.step().unwrap().is_none());
    }
    assert!(ask_live(&mut session, &clip, 500).unwrap().bits() == expected);
}

//! Cancelling from another thread, wherever the work stands.

use std::thread;
use std::time::{Duration, Instant};

use colloquy_tests::checkpoints::pocket;
use colloquy_tests::talks::{ask_live, ask_text, finish, greedy, remember, remember_text, sample, session};
use engine::{Content, Ending, Error, Role};

/// What a call should take at most after a cancel, on a machine that does nothing else.
const EXPECTED: Duration = Duration::from_millis(50);

#[test]
fn a_cancel_at_any_point_is_quick_and_the_next_question_is_answered_as_ever() {
    let (mut talk, mut fresh) = (session(&pocket(), greedy()), session(&pocket(), greedy()));
    let clip: Vec<f32> = sample(7).samples.iter().copied().cycle().take(9 * 16_000).collect();
    let begun = Instant::now();
    ask_live(&mut talk, &clip, 1600).unwrap();
    let whole = begun.elapsed();
    let mut waits = Vec::new();
    for point in 0..30 {
        talk.reset().unwrap();
        fresh.reset().unwrap();
        let delay = whole * point / 29;
        let cancel = talk.cancel();
        let firing = thread::spawn(move || {
            thread::sleep(delay);
            let fired = Instant::now();
            cancel.fire();
            fired
        });
        let answered = ask_live(&mut talk, &clip, 1600);
        let returned = Instant::now();
        let fired = firing.join().unwrap();
        let cancelled = match &answered {
            Err(Error::Cancelled) => true,
            Err(error) => panic!("{error}"),
            Ok(answer) => answer.summary.ending == Ending::Cancelled,
        };
        if cancelled {
            waits.push(returned - fired);
        }
        if let Ok(answer) = answered.as_ref()
            && !answer.text().is_empty()
        {
            remember(&mut fresh, Role::User, vec![Content::Audio(engine::Audio { samples: clip.clone() })]);
            remember_text(&mut fresh, Role::Assistant, answer.text());
        }
        let (next, anew) =
            (ask_text(&mut talk, "what is your name"), ask_text(&mut fresh, "what is your name"));
        let written = answered.map(|a| a.summary.text);
        assert_eq!(next.text(), anew.text(), "cancelled after {delay:?}, with {written:?} written");
        assert!(
            next.bits() == anew.bits(),
            "cancelled after {delay:?}, with {written:?} written: other speech"
        );
    }
    waits.sort();
    let (median, worst) = (waits[waits.len() / 2], waits[waits.len() - 1]);
    println!("{} of 30 cancelled, median {median:?}, worst {worst:?}", waits.len());
    assert!(waits.len() >= 15, "only {} of 30 were cancelled before the end", waits.len());
    assert!(median < EXPECTED * 4, "median {median:?}, worst {worst:?}");
    assert!(worst < EXPECTED * 40, "median {median:?}, worst {worst:?}");
}

#[test]
fn a_question_cancelled_before_the_first_word_is_forgotten() {
    let mut session = session(&pocket(), greedy());
    let first = ask_text(&mut session, "seven plus eight");
    let second = ask_text(&mut session, "and plus two");
    for steps in 0..2 {
        session.reset().unwrap();
        assert!(ask_text(&mut session, "seven plus eight").bits() == first.bits());
        session.push(Content::Audio(sample(3))).unwrap();
        session.respond().unwrap();
        for _ in 0..steps {
            session.step().unwrap();
        }
        session.cancel().fire();
        let cut = finish(&mut session).unwrap();
        assert_eq!((cut.text(), cut.summary.ending), ("", Ending::Cancelled));
        assert!(
            ask_text(&mut session, "and plus two").bits() == second.bits(),
            "cancelled after {steps} steps"
        );
    }
}

#[test]
fn a_turn_given_as_history_outlives_a_cancelled_answer() {
    let mut session = session(&pocket(), greedy());
    remember_text(&mut session, Role::User, "seven plus eight");
    session.respond().unwrap();
    session.cancel().fire();
    assert_eq!(finish(&mut session).unwrap().summary.ending, Ending::Cancelled);
    session.respond().unwrap();
    assert_eq!(finish(&mut session).unwrap().text(), "Seven plus eight is fifteen.");
}

#[test]
fn a_cancel_between_two_blocks_of_speech_drops_the_message() {
    let mut session = session(&pocket(), greedy());
    let expected = ask_live(&mut session, &sample(3).samples, 1600).unwrap().bits();
    session.reset().unwrap();
    let long: Vec<f32> = sample(7).samples.iter().copied().cycle().take(9 * 16_000).collect();
    session.push_audio(&long[..1600]).unwrap();
    session.cancel().fire();
    assert!(matches!(session.push_audio(&long[1600..]), Err(Error::Cancelled)));
    assert!(ask_live(&mut session, &sample(3).samples, 1600).unwrap().bits() == expected);
}

use std::time::Duration;

use super::*;
use crate::turn::step;
use crate::turn::tests::burst;

const NOW: Duration = Duration::ZERO;
const BEGAN: Input = Input::VoiceBegan { ear: 1, interrupts: true };

/// With an open ear.
fn waiting(then: &[Input]) -> (Turn, Vec<Effect>) {
    let (turn, mut effects) = burst(&[&[Input::HandsFree(true), Input::EarOpened(1)], then].concat());
    assert_eq!(effects.remove(0), Effect::OpenEar(1));
    (turn, effects)
}

#[test]
fn a_conversation_goes_on_without_a_key() {
    let answer = |number| {
        [
            BEGAN,
            Input::VoiceEnded(1),
            Input::SpeechStarted(number),
            Input::Written { number, spoken: true },
            Input::SpeechEnded(number),
        ]
    };
    let (turn, effects) = waiting(&[answer(1), answer(2)].concat());
    assert_eq!(turn, Turn { number: 2, stage: Stage::Idle, ear: Ear::Open(1), ..Turn::FIRST });
    let asked = |number| [Effect::Listen(number), Effect::Close { number, keep: true }];
    assert_eq!(effects, [asked(1), asked(2)].concat());
}

#[test]
fn a_voice_interrupts_an_answer_only_where_it_may() {
    let speaking = [BEGAN, Input::VoiceEnded(1), Input::SpeechStarted(1)];
    let (turn, _) = waiting(&speaking);
    let (after, effects) = step(turn, BEGAN);
    assert_eq!((after.number, after.stage), (2, Stage::Attending));
    assert_eq!(effects, [Effect::Silence(1), Effect::Listen(2)]);
    let (after, effects) = step(turn, Input::VoiceBegan { ear: 1, interrupts: false });
    assert_eq!((after, effects), (turn, vec![]));
    assert_eq!(step(turn, Input::VoiceEnded(1)), (turn, vec![]), "the end of a voice that was not followed");
}

#[test]
fn every_way_to_end_it_closes_the_microphone() {
    let forgotten = Effect::Close { number: 1, keep: false };
    let stages: [(&[Input], &[Effect]); 3] = [
        (&[], &[]),
        (&[BEGAN], &[forgotten]),
        (&[Input::Press(NOW), Input::CaptureStarted(1)], &[forgotten]),
    ];
    for (inputs, forgets) in stages {
        let (turn, _) = waiting(inputs);
        for end in [Input::Stop, Input::HandsFree(false), Input::EarFailed(1), Input::Unloaded] {
            let (after, effects) = step(turn, end);
            assert_eq!(after.ear, Ear::Closed(1), "{end:?}");
            assert_eq!(effects, [forgets, &[Effect::CloseEar]].concat(), "{end:?} in {turn:?}");
        }
    }
    // An answer that is heard goes on unless it is stopped.
    let (turn, _) = waiting(&[BEGAN, Input::VoiceEnded(1), Input::SpeechStarted(1)]);
    let (after, effects) = step(turn, Input::HandsFree(false));
    assert_eq!((after.stage, effects), (Stage::Speaking, vec![Effect::CloseEar]));
    let (after, effects) = step(turn, Input::Stop);
    assert_eq!((after.stage, effects), (Stage::Idle, vec![Effect::Silence(1), Effect::CloseEar]));
}

#[test]
fn a_key_works_beside_it() {
    let (turn, effects) = waiting(&[BEGAN, Input::Press(NOW)]);
    assert_eq!(turn.stage, Stage::Thinking, "a press asks what was said so far");
    assert_eq!(effects[1], Effect::Close { number: 1, keep: true });
    let held = [Input::Press(NOW), Input::CaptureStarted(1)];
    let (turn, _) = waiting(&held);
    assert_eq!(step(turn, BEGAN), (turn, vec![]), "a held key alone says when it ends");
    assert_eq!(step(turn, Input::VoiceEnded(1)), (turn, vec![]));
    assert_eq!(step(turn, Input::Release(Duration::from_secs(2))).0.stage, Stage::Thinking);
}

#[test]
fn reports_of_another_ear_change_nothing() {
    let (turn, effects) = burst(&[
        Input::HandsFree(true),
        Input::HandsFree(false),
        Input::HandsFree(true),
        Input::EarOpened(1),
        Input::EarFailed(1),
        BEGAN,
    ]);
    assert_eq!(turn, Turn { number: 0, stage: Stage::Idle, ear: Ear::Opening(2), ..Turn::FIRST });
    assert_eq!(effects, [Effect::OpenEar(1), Effect::CloseEar, Effect::OpenEar(2)]);
    let (turn, _) = step(turn, Input::EarOpened(2));
    assert_eq!(step(turn, BEGAN), (turn, vec![]));
}

#[test]
fn a_question_that_is_too_long_sends_itself() {
    let (turn, effects) = waiting(&[BEGAN, Input::Full(1)]);
    assert_eq!((turn.stage, effects[1]), (Stage::Thinking, Effect::Close { number: 1, keep: true }));
    let (locked, effects) =
        burst(&[Input::Start(NOW), Input::CaptureStarted(1), Input::Full(2), Input::Full(1)]);
    assert_eq!((locked.stage, effects[1]), (Stage::Thinking, Effect::Close { number: 1, keep: true }));
    let (held, _) = burst(&[Input::Press(NOW), Input::CaptureStarted(1), Input::Full(1)]);
    assert!(matches!(held.stage, Stage::Listening { .. }), "a held key says when it ends");
}

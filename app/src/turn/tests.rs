use super::*;

const LISTENING: Stage = Stage::Listening { since: Duration::ZERO, locked: false };

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Runs a burst from an idle start and returns the stage at its end with all effects.
pub(super) fn burst(inputs: &[Input]) -> (Turn, Vec<Effect>) {
    let mut turn = Turn { number: 0, stage: Stage::Idle, ..Turn::FIRST };
    let mut effects = Vec::new();
    for &input in inputs {
        let (after, new) = step(turn, input);
        turn = after;
        effects.extend(new);
    }
    (turn, effects)
}

#[test]
fn a_held_key_records_and_asks() {
    let (turn, effects) = burst(&[
        Input::Press(ms(0)),
        Input::CaptureStarted(1),
        Input::Release(ms(900)),
        Input::SpeechStarted(1),
        Input::Written { number: 1, spoken: true },
    ]);
    assert_eq!(turn, Turn { number: 1, stage: Stage::Speaking, ..Turn::FIRST });
    assert_eq!(effects, [Effect::Listen(1), Effect::Close { number: 1, keep: true }]);
    assert_eq!(step(turn, Input::SpeechEnded(1)).0.stage, Stage::Idle);
}

#[test]
fn key_repeat_neither_restarts_nor_stops() {
    let mut inputs = vec![Input::Press(ms(0)), Input::CaptureStarted(1)];
    inputs.extend((1..40).map(|i| Input::Press(ms(i * 30))));
    let (turn, effects) = burst(&inputs);
    assert_eq!(turn, Turn { number: 1, stage: LISTENING, ..Turn::FIRST });
    assert_eq!(effects, [Effect::Listen(1)]);
}

#[test]
fn a_tap_locks_and_another_one_sends() {
    for early in [false, true] {
        let (tap, started) = (Input::Release(ms(399)), Input::CaptureStarted(1));
        let (turn, _) = burst(&[
            Input::Press(ms(100)),
            if early { started } else { tap },
            if early { tap } else { started },
        ]);
        assert_eq!(turn.stage, Stage::Listening { since: ms(100), locked: true });
        // Neither the window losing the keyboard nor a release that comes late is an end.
        for nothing in [Input::Leave(ms(5000)), Input::Release(ms(5000)), Input::Start(ms(5000))] {
            assert_eq!(step(turn, nothing), (turn, vec![]), "{nothing:?}");
        }
        for end in [Input::Press(ms(9000)), Input::Finish(ms(9000))] {
            let (turn, effects) = step(turn, end);
            assert_eq!(turn.stage, Stage::Thinking);
            assert_eq!(effects, [Effect::Close { number: 1, keep: true }]);
            assert_eq!(step(turn, Input::Release(ms(9050))), (turn, vec![]), "the tap's own release");
        }
        let (turn, effects) = step(turn, Input::Stop);
        assert_eq!((turn.stage, effects), (Stage::Idle, vec![Effect::Close { number: 1, keep: false }]));
    }
    let (turn, _) = burst(&[Input::Press(ms(100)), Input::CaptureStarted(1), Input::Release(ms(400))]);
    assert_eq!(turn.stage, Stage::Thinking);
}

#[test]
fn two_taps_in_a_moment_are_dropped_with_a_hint() {
    for started in [false, true] {
        let mut inputs = vec![Input::Press(ms(0)), Input::Release(ms(60))];
        inputs.extend(started.then_some(Input::CaptureStarted(1)));
        inputs.extend([Input::Press(ms(200)), Input::Release(ms(260))]);
        let (turn, effects) = burst(&inputs);
        assert_eq!(turn.stage, Stage::Idle);
        let drop = Effect::Close { number: 1, keep: false };
        assert_eq!(effects, [Effect::Listen(1), drop, Effect::HintUnheard]);
    }
}

#[test]
fn a_key_held_when_the_window_is_left_never_locks() {
    let listening = [Input::Press(ms(0)), Input::CaptureStarted(1)];
    let (turn, _) = burst(&listening);
    assert_eq!(step(turn, Input::Leave(ms(200))).0.stage, Stage::Idle);
    assert_eq!(step(turn, Input::Leave(ms(2000))).0.stage, Stage::Thinking);
    assert_eq!(burst(&[Input::Press(ms(0)), Input::Leave(ms(100))]).0.stage, Stage::Idle);
}

#[test]
fn a_start_from_afar_is_hands_free_and_interrupts() {
    let (turn, effects) = burst(&[Input::Submit, Input::Start(ms(10))]);
    assert_eq!(
        turn,
        Turn { number: 2, stage: Stage::Opening { since: ms(10), locked: true }, ..Turn::FIRST }
    );
    assert_eq!(effects, [Effect::Ask(1), Effect::Silence(1), Effect::Listen(2)]);
}

#[test]
fn the_microphone_never_opening_asks_nothing() {
    let (turn, effects) = burst(&[Input::Press(ms(0)), Input::Release(ms(2000))]);
    assert_eq!(turn.stage, Stage::Idle);
    assert!(effects.contains(&Effect::Close { number: 1, keep: false }));
}

#[test]
fn a_press_while_it_thinks_or_speaks_stops_it_first() {
    for speaking in [false, true] {
        let mut inputs = vec![Input::Submit];
        inputs.extend(speaking.then_some(Input::SpeechStarted(1)));
        inputs.push(Input::Press(ms(5000)));
        let (turn, effects) = burst(&inputs);
        assert_eq!(
            turn,
            Turn { number: 2, stage: Stage::Opening { since: ms(5000), locked: false }, ..Turn::FIRST }
        );
        assert_eq!(effects, [Effect::Ask(1), Effect::Silence(1), Effect::Listen(2)]);
    }
}

#[test]
fn reports_of_a_turn_that_is_over_change_nothing() {
    let (turn, _) =
        burst(&[Input::Submit, Input::Press(ms(0)), Input::CaptureStarted(2), Input::Release(ms(999))]);
    assert_eq!(turn, Turn { number: 2, stage: Stage::Thinking, ..Turn::FIRST });
    for stale in [
        Input::SpeechStarted(1),
        Input::Written { number: 1, spoken: false },
        Input::SpeechEnded(1),
        Input::CaptureStarted(1),
        Input::CaptureFailed(1),
        Input::Failed(1),
    ] {
        assert_eq!(step(turn, stale), (turn, vec![]), "{stale:?}");
    }
}

#[test]
fn a_lost_microphone_leaves_it_idle() {
    let (turn, effects) = burst(&[Input::Press(ms(0)), Input::CaptureStarted(1), Input::CaptureFailed(1)]);
    assert_eq!(turn.stage, Stage::Idle);
    assert_eq!(effects.last(), Some(&Effect::Close { number: 1, keep: false }));
    assert_eq!(step(turn, Input::Release(ms(800))), (turn, vec![]));
}

#[test]
fn stop_ends_every_stage_once() {
    for (inputs, last) in [
        (vec![Input::Press(ms(0))], Effect::Close { number: 1, keep: false }),
        (vec![Input::Press(ms(0)), Input::CaptureStarted(1)], Effect::Close { number: 1, keep: false }),
        (vec![Input::Submit], Effect::Silence(1)),
        (vec![Input::Submit, Input::SpeechStarted(1)], Effect::Silence(1)),
    ] {
        let (turn, _) = burst(&inputs);
        let (turn, effects) = step(turn, Input::Stop);
        assert_eq!((turn.stage, effects), (Stage::Idle, vec![last]));
        assert_eq!(step(turn, Input::Stop), (turn, vec![]));
    }
}

#[test]
fn an_answer_without_speech_ends_when_written() {
    let (turn, _) = burst(&[Input::Submit, Input::Written { number: 1, spoken: false }]);
    assert_eq!(turn.stage, Stage::Idle);
}

#[test]
fn a_sound_heard_again_is_interrupted_as_an_answer_is() {
    let (turn, effects) = burst(&[Input::Replay, Input::SpeechStarted(1)]);
    assert_eq!((turn.stage, effects), (Stage::Speaking, vec![Effect::Replay(1)]));
    assert_eq!(step(turn, Input::SpeechEnded(1)).0.stage, Stage::Idle);
    let (turn, effects) = step(turn, Input::Press(ms(0)));
    assert_eq!(effects, [Effect::Silence(1), Effect::Listen(2)]);
    assert_eq!(step(turn, Input::Replay), (turn, vec![]), "not while one speaks");
    assert_eq!(step(turn, Input::Again), (turn, vec![]), "not while one speaks");
}

#[test]
fn nothing_starts_without_a_model() {
    let absent = Turn { number: 3, stage: Stage::Absent, ..Turn::FIRST };
    for input in [Input::Press(ms(0)), Input::Release(ms(900)), Input::Submit, Input::Stop, Input::Again] {
        assert_eq!(step(absent, input), (absent, vec![]));
    }
    assert_eq!(step(absent, Input::Loaded).0.stage, Stage::Idle);
}

#[test]
fn questions_that_come_before_the_model_are_kept_aside() {
    let coming = step(Turn { number: 3, ..Turn::FIRST }, Input::Coming).0;
    assert_eq!(coming, Turn { number: 3, stage: Stage::Idle, waits: true, ..Turn::FIRST });
    let (typed, effects) = step(coming, Input::Submit);
    assert_eq!((typed.stage, typed.aside, effects), (Stage::Idle, true, vec![Effect::Ask(4)]));
    assert_eq!(step(typed, Input::Next), (typed, vec![]), "there is nobody to ask");
    let (spoken, _) = step(typed, Input::Press(ms(0)));
    let (spoken, _) = step(spoken, Input::CaptureStarted(5));
    for loads in [false, true] {
        let begun = if loads { step(spoken, Input::Loaded).0 } else { spoken };
        let (ended, effects) = step(begun, Input::Release(ms(900)));
        assert_eq!((ended.stage, effects), (Stage::Idle, vec![Effect::Close { number: 5, keep: true }]));
    }
    let (asked, effects) = step(step(typed, Input::Loaded).0, Input::Next);
    assert_eq!((asked.stage, asked.aside, effects), (Stage::Thinking, false, vec![Effect::AskNext(5)]));
}

#[test]
fn another_model_ends_what_goes_on_and_one_that_is_awaited_nothing() {
    let (listening, _) = burst(&[Input::Press(ms(0)), Input::CaptureStarted(1)]);
    let (coming, effects) = step(listening, Input::Coming);
    assert_eq!((coming.stage, effects), (Stage::Idle, vec![Effect::Close { number: 1, keep: false }]));
    let (again, _) = step(coming, Input::Press(ms(0)));
    assert_eq!(step(again, Input::Coming), (again, vec![]));
    let (thinking, _) = burst(&[Input::Submit]);
    assert_eq!(step(thinking, Input::Coming).1, [Effect::Silence(1)]);
    assert_eq!(step(thinking, Input::Freed), (thinking, vec![]), "it is wanted just now");
}

//! Live speech in blocks of any size against the same clip given whole: the same answer, bit for bit.

use std::path::Path;

use colloquy_tests::checkpoints::{omni, pocket};
use colloquy_tests::talks::{ask, ask_live, greedy, sample, session};
use engine::{Audio, Content, Settings};

fn assert_same(folder: &Path, clip: &[f32], blocks: &[usize]) -> String {
    let mut session = session(folder, Settings { max_text_tokens: 24, max_frames: Some(24), ..greedy() });
    let whole = ask(&mut session, vec![Content::Audio(Audio { samples: clip.to_vec() })]).unwrap();
    assert!(!whole.samples.is_empty());
    for &block in blocks {
        session.reset().unwrap();
        let live = ask_live(&mut session, clip, block).unwrap();
        assert_eq!(live.text(), whole.text(), "blocks of {block} samples");
        assert!(live.bits() == whole.bits(), "blocks of {block}: same text, but other codes or samples");
    }
    whole.text().to_owned()
}

/// `clip` again and again until it is `seconds` long.
fn repeated(clip: &[f32], seconds: usize) -> Vec<f32> {
    clip.iter().copied().cycle().take(seconds * Audio::SAMPLE_RATE_HZ as usize).collect()
}

#[test]
fn a_short_question_streams_as_whole() {
    let text = assert_same(&pocket(), &sample(3).samples, &[1, 160, 997, 16_000]);
    assert_eq!(text, "The capital of France is Paris.");
}

#[test]
fn a_question_longer_than_an_attention_window_streams_as_whole() {
    assert_same(&pocket(), &repeated(&sample(3).samples, 19), &[1, 160, 997, 16_000]);
}

#[test]
fn a_loud_end_that_outdates_early_windows_streams_as_whole() {
    let mut clip: Vec<f32> = repeated(&sample(4).samples, 17).iter().map(|s| s * 0.01).collect();
    clip.extend(&sample(3).samples);
    assert_same(&pocket(), &clip, &[160, 997, 16_000]);
}

#[test]
fn only_the_windows_that_a_louder_part_changes_are_read_again() {
    // Loud, then silence, then louder: the first window keeps its features, the second does not.
    let loud = repeated(&sample(4).samples, 8);
    let mut clip = loud.clone();
    clip.extend(loud.iter().map(|s| s * 1e-4));
    clip.extend(sample(3).samples.iter().map(|s| (s * 4.0).clamp(-1.0, 1.0)));
    assert_same(&pocket(), &clip, &[997]);
}

#[test]
fn a_random_checkpoint_with_short_windows_streams_as_whole() {
    let clip = repeated(&sample(5).samples, 7);
    for samples in [201, 1600, 16_000, 31_999, 32_000, 32_160, 32_161, 100_003] {
        assert_same(&omni(), &clip[..samples], &[160, 1000]);
    }
}

#[test]
fn live_speech_between_other_parts_streams_as_whole() {
    let (one, two) = (sample(3).samples, repeated(&sample(5).samples, 9));
    let settings = Settings { max_text_tokens: 24, max_frames: Some(24), ..greedy() };
    let mut session = session(&pocket(), settings);
    let text = |text: &str| Content::Text(text.into());
    let audio = |samples: &[f32]| Content::Audio(Audio { samples: samples.to_vec() });
    let parts = vec![text("listen"), audio(&one), text("and"), audio(&two), text("what do you say")];
    let whole = ask(&mut session, parts).unwrap();
    session.reset().unwrap();
    session.push(text("listen")).unwrap();
    one.chunks(700).for_each(|block| session.push_audio(block).unwrap());
    session.push(text("and")).unwrap();
    two.chunks(700).for_each(|block| session.push_audio(block).unwrap());
    let live = ask(&mut session, vec![text("what do you say")]).unwrap();
    assert_eq!(live.text(), whole.text());
    assert!(live.bits() == whole.bits());
}

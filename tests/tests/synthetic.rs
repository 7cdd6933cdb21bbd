//! Checkpoints of random weights have the published layout, and the engine takes them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use colloquy_tests::checkpoints::{omni, shards};
use colloquy_tests::synthetic::{Sizes, tensors, write};
use colloquy_tests::talks::{ask, load, silent};
use engine::{Content, Session, Settings};

/// Of the published checkpoint's names and shapes, sorted, a line each: `NAME AXIS,AXIS`.
const PUBLISHED: &str = "44ef311f0188288a19a85888ec34b0d5325ba762367551a5c65c8fdbebab7923";

#[test]
fn names_and_shapes_are_the_published_ones() {
    let tensors = tensors(&Sizes::PUBLISHED);
    assert_eq!(tensors.len(), 28_010);
    assert_eq!(Sizes::PUBLISHED.bytes(), 2 * 35_259_818_545);
    let mut lines: Vec<String> = tensors
        .into_iter()
        .map(|(name, shape)| {
            let axes: Vec<String> = shape.iter().map(usize::to_string).collect();
            format!("{name} {}\n", axes.join(","))
        })
        .collect();
    lines.sort_unstable();
    let digest = ring::digest::digest(&ring::digest::SHA256, lines.concat().as_bytes());
    let digest: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, PUBLISHED);
}

#[test]
fn all_published_names_are_found_and_used_and_give_numbers() {
    let names = tensors(&Sizes::SMALLEST).len();
    assert_eq!(names, 28_010);
    let dir = tempfile::tempdir().unwrap();
    write(&Sizes::SMALLEST, &omni(), dir.path(), 20_000_000, 2).unwrap();
    assert!(shards(dir.path()).len() > 3);

    // Loading refuses what a config does not call for, so that nothing is left.
    let engine = load(dir.path(), Some(512)).unwrap();
    assert_eq!(engine.info().weight_bytes, Sizes::SMALLEST.bytes());
    assert!(engine.info().hears && engine.info().sees && engine.info().voices.len() == 3);
    let settings = Settings { max_text_tokens: 4, max_frames: Some(3), speech: true, ..silent() };
    let mut session = Session::new(engine, settings).unwrap();
    let answer = ask(&mut session, vec![Content::Text("How many?".into())]).unwrap();
    assert!(!answer.summary.text_tokens.is_empty() && !answer.samples.is_empty());
    assert!(answer.samples.iter().all(|sample| sample.is_finite()));
}

#[test]
fn sizes_that_are_asked_for_are_about_met() {
    for gigabytes in [1, 5, 8, 30, 70] {
        let (wanted, sizes) = (gigabytes * 1_000_000_000, Sizes::of_bytes(gigabytes * 1_000_000_000));
        let bytes = sizes.bytes();
        assert!(bytes <= wanted && bytes > wanted / 10 * 8, "{gigabytes} GB: {sizes:?} of {bytes}");
    }
    assert_eq!(Sizes::of_bytes(80_000_000_000), Sizes::PUBLISHED);
}

use std::time::Duration;

use super::*;
use crate::audio::voice::tests::{noise, question};
use crate::audio::voice::{Change, Voice};

const RATE: usize = Audio::SAMPLE_RATE_HZ as usize;

/// What a microphone hears of this in a small room: late, over a few ways, with a little noise.
fn room(played: &[f32], delay_ms: usize) -> Vec<f32> {
    let delay = delay_ms * RATE / 1000;
    let ways = [(0, 0.5), (37, -0.2), (113, 0.15), (290, -0.1), (641, 0.06)];
    let mut heard = noise(played.len(), 1e-4);
    for (i, sample) in heard.iter_mut().enumerate() {
        for (late, gain) in ways {
            *sample += i.checked_sub(delay + late).map_or(0.0, |at| played[at] * gain);
        }
    }
    heard
}

fn power(samples: &[f32]) -> f64 {
    samples.iter().map(|s| f64::from(s * s)).sum::<f64>() / samples.len() as f64
}

/// Plays and hears in the blocks in which devices do it.
fn through(echo: &mut Echo, played: &[f32], heard: &[f32]) -> Vec<f32> {
    let mut out = Vec::new();
    let block = RATE / 25;
    for (played, heard) in played.chunks(block).zip(heard.chunks(block)) {
        echo.play(played, Audio::SAMPLE_RATE_HZ).unwrap();
        for heard in heard.chunks(block / 2) {
            echo.hear(heard, false, &mut out);
        }
    }
    out
}

#[test]
fn the_echo_of_a_room_is_taken_out() {
    let played: Vec<f32> = (0..6).flat_map(question).collect();
    for delay_ms in [40, 120, 250] {
        let heard = room(&played, delay_ms);
        let mut echo = Echo::new().unwrap();
        let left = through(&mut echo, &played, &heard);
        let settled = 2 * RATE;
        let loss_db = 10.0 * (power(&heard[settled..left.len()]) / power(&left[settled..])).log10();
        println!("{delay_ms} ms: echo return loss enhancement after 2 s: {loss_db:.1} dB");
        assert!(loss_db >= 20.0, "{delay_ms} ms: only {loss_db:.1} dB");
    }
}

#[test]
fn without_an_answer_everything_passes_as_it_is() {
    let mut echo = Echo::new().unwrap();
    let heard = question(3);
    let mut out = Vec::new();
    heard.chunks(321).for_each(|block| echo.hear(block, true, &mut out));
    assert_eq!(out, heard);
    // After an answer too, half a second later.
    let played = question(1);
    let silent = vec![0.0; played.len() + RATE];
    through(&mut echo, &played, &silent);
    echo.hear(&silent, false, &mut Vec::new());
    out.clear();
    heard.chunks(321).for_each(|block| echo.hear(block, true, &mut out));
    assert_eq!(out, heard);
}

#[test]
fn a_voice_over_the_answer_is_heard() {
    let played: Vec<f32> = (0..6).flat_map(question).collect();
    let mut heard = room(&played, 120);
    let voice = question(9);
    let begin = 4 * RATE;
    heard[begin..].iter_mut().zip(&voice).for_each(|(heard, voice)| *heard += voice);
    let mut echo = Echo::new().unwrap();
    let left = through(&mut echo, &played, &heard);
    let stretch = begin..(begin + voice.len()).min(left.len());
    let loss_db = 10.0 * (power(&voice) / power(&left[stretch])).log10();
    println!("a voice over the answer: {loss_db:.1} dB quieter");
    assert!(loss_db < 9.0, "a voice over the answer loses {loss_db:.1} dB");
}

/// Milliseconds at which a detector tells that somebody speaks.
fn begins(samples: &[f32]) -> Vec<usize> {
    let mut voice = Voice::new(Duration::from_millis(800));
    let block = RATE / 100;
    let blocks = samples.chunks(block).enumerate();
    let changes = blocks.flat_map(|(i, block)| voice.push(block).into_iter().map(move |change| (i, change)));
    changes.filter(|(_, change)| *change == Change::Began).map(|(i, _)| (i + 1) * 10).collect()
}

#[test]
fn an_answer_is_no_voice() {
    let played: Vec<f32> = (0..6).flat_map(question).collect();
    for delay_ms in [40, 120, 250] {
        let heard = room(&played, delay_ms);
        assert!(!begins(&heard).is_empty(), "without the canceller it hears itself");
        let left = through(&mut Echo::new().unwrap(), &played, &heard);
        assert_eq!(begins(&left), [0; 0], "{delay_ms} ms");
    }
}

#[test]
fn a_voice_over_the_answer_is_noticed() {
    let played: Vec<f32> = (0..6).flat_map(question).collect();
    let echo = room(&played, 120);
    let mut after = Vec::new();
    for number in 0..10 {
        let begin = 4 * RATE;
        let mut heard = echo.clone();
        heard[begin..].iter_mut().zip(question(number)).for_each(|(heard, voice)| *heard += voice);
        let left = through(&mut Echo::new().unwrap(), &played, &heard);
        let noticed = begins(&left);
        let first = noticed.first().copied().unwrap_or_default();
        assert!(first >= 4000, "question {number}: {noticed:?}");
        after.push(first - 4000);
    }
    after.sort_unstable();
    println!("voices as loud as the answer are noticed after {after:?} ms");
    assert!(after[5] <= 300 && after[9] <= 600, "{after:?}");
}

#[test]
fn with_headphones_a_voice_over_the_answer_passes_as_it_is() {
    let mut played: Vec<f32> = (0..6).flat_map(question).collect();
    played.truncate(played.len() / FRAME * FRAME);
    let voice = question(3);
    let speak = |at: usize| {
        let mut heard = noise(played.len(), 3e-4);
        heard[at..].iter_mut().zip(&voice).for_each(|(heard, voice)| *heard += voice);
        heard
    };
    // Over the first answer once it is seen that there is no speaker, and over the next one from its begin.
    let quiet = noise(played.len(), 3e-4);
    for (before, at) in [(None, RATE), (Some(&quiet), 0)] {
        let mut echo = Echo::new().unwrap();
        if let Some(heard) = before {
            through(&mut echo, &played, heard);
            through(&mut echo, &[0.0; RATE], &quiet[..RATE]);
        }
        let heard = speak(at);
        let left = through(&mut echo, &played, &heard);
        assert_eq!(left[at..], heard[at..left.len()]);
    }
    // A speaker is told from headphones, however late the voice comes.
    let mut echo = Echo::new().unwrap();
    through(&mut echo, &played, &room(&played, 250));
    assert!(!echo.path.is_absent);
}

#[test]
fn headphones_that_are_taken_off_are_noticed_by_the_next_answer() {
    let played: Vec<f32> = (0..6).flat_map(question).collect();
    let (quiet, pause) = (noise(played.len(), 3e-4), [0.0; 2 * RATE]);
    let mut echo = Echo::new().unwrap();
    through(&mut echo, &played, &quiet);
    through(&mut echo, &pause, &quiet[..RATE]);
    assert!(echo.path.is_absent);
    through(&mut echo, &played, &room(&played, 40));
    echo.hear(&pause, false, &mut Vec::new());
    assert!(!echo.path.is_absent);
}

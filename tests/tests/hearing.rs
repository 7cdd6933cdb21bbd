//! Questions that espeak-ng speaks, answered by the checkpoint that ships with the app.
//!
//! Voices, rates and pitches are others than those of the samples that came with it. Needs espeak-ng.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::process::Command;

use colloquy_tests::checkpoints::pocket;
use colloquy_tests::talks::{ask_live, session, silent};
use engine::{Audio, Session, Trimmer};

/// Loudness that the checkpoint was trained on.
const ROOT_MEAN_SQUARE: f32 = 0.07;

/// Voice, words a minute, pitch.
const SPEAKERS: [(&str, u32, u32); 8] = [
    ("en-us", 160, 50),
    ("en-gb", 150, 45),
    ("en-us+m3", 170, 40),
    ("en-us+f2", 155, 60),
    ("en-gb+f3", 165, 55),
    ("en-gb-scotland+m1", 150, 50),
    ("en-us+Annie", 160, 50),
    ("en-gb+m5", 145, 35),
];

const QUESTIONS: [(&str, &str); 40] = [
    ("what is two plus three", "Two plus three is five."),
    ("what is nine plus six", "Nine plus six is fifteen."),
    ("ten minus four", "Ten minus four is six."),
    ("how much is twelve plus seven", "Twelve plus seven is nineteen."),
    ("what is six times seven", "Six times seven is forty two."),
    ("what is eight times three", "Eight times three is twenty four."),
    ("how much is twenty minus five", "Twenty minus five is fifteen."),
    ("what is the capital of Germany", "The capital of Germany is Berlin."),
    ("what is the capital of Italy", "The capital of Italy is Rome."),
    ("tell me the capital of Japan", "The capital of Japan is Tokyo."),
    ("what is the capital city of Norway", "The capital of Norway is Oslo."),
    ("what is the capital of Canada", "The capital of Canada is Ottawa."),
    ("what is the opposite of big", "The opposite of big is small."),
    ("what is the opposite of happy", "The opposite of happy is sad."),
    ("tell me the opposite of early", "The opposite of early is late."),
    ("what is the opposite of cold", "The opposite of cold is hot."),
    ("what is the opposite of strong", "The opposite of strong is weak."),
    ("what day comes after Friday", "Saturday comes after Friday."),
    ("what comes before Wednesday", "Tuesday comes before Wednesday."),
    ("what month comes after March", "April comes after March."),
    ("what month comes before October", "September comes before October."),
    ("what colour is grass", "Grass is green."),
    ("what colour is a banana", "A banana is yellow."),
    ("what is the colour of snow", "Snow is white."),
    ("what colour is a carrot", "A carrot is orange."),
    ("what sound does a cat make", "A cat says meow."),
    ("what does a cow say", "A cow says moo."),
    ("what sound does a lion make", "A lion can roar."),
    ("what does a duck say", "A duck says quack."),
    ("count to three", "One, two, three."),
    ("count to eight", "One, two, three, four, five, six, seven, eight."),
    ("what number comes after thirty nine", "Forty comes after thirty nine."),
    ("how many legs does a spider have", "A spider has eight legs."),
    ("hello there", "Hello, how can I help you?"),
    ("good morning", "Good morning to you."),
    ("how are you today", "I am fine, thank you."),
    ("who are you", "My name is Pocket."),
    ("thank you very much", "You are welcome."),
    ("can you hear me", "Yes, I can hear you."),
    ("how many days are in a week", "A week has seven days."),
];

/// `words` spoken, without the silence around them and as loud as the checkpoint knows speech.
fn spoken(words: &str, (voice, rate, pitch): (&str, u32, u32)) -> Vec<f32> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("question.wav");
    let status = Command::new("espeak-ng")
        .args(["-v", voice, "-s", &rate.to_string(), "-p", &pitch.to_string(), "-w"])
        .arg(&path)
        .arg(words)
        .status()
        .unwrap_or_else(|e| {
            panic!("this test speaks with espeak-ng, which cannot be started ({e}): install it")
        });
    assert!(status.success(), "espeak-ng has no voice {voice}");
    let samples = Audio::open(&path).unwrap().samples;
    let loud = |s: &f32| s.abs() > 0.01;
    let start = samples.iter().position(loud).unwrap().saturating_sub(800);
    let end = samples.len().min(samples.iter().rposition(loud).unwrap() + 1600);
    let samples = &samples[start..end];
    let power = samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32;
    samples.iter().map(|s| (s * ROOT_MEAN_SQUARE / power.sqrt()).clamp(-0.95, 0.95)).collect()
}

/// What is said to `samples`, spoken live.
fn answer(session: &mut Session, samples: &[f32]) -> String {
    session.reset().unwrap();
    ask_live(session, samples, 320).unwrap().summary.text
}

#[test]
fn spoken_questions_are_answered() {
    let mut session = session(&pocket(), silent());
    let mut wrong = Vec::new();
    for (i, (question, expected)) in QUESTIONS.into_iter().enumerate() {
        let mut samples = spoken(question, SPEAKERS[i % SPEAKERS.len()]);
        if i % 16 == 7 {
            // Amid 2 s of silence.
            let silence = vec![0.0; 16_000];
            samples = [&silence[..], &samples, &silence].concat();
        }
        let found = answer(&mut session, &samples);
        if found != expected {
            wrong.push(format!("{question} ({}): {found}", SPEAKERS[i % SPEAKERS.len()].0));
        }
    }
    println!("{} of 40 right; wrong: {wrong:#?}", 40 - wrong.len());
    assert!(wrong.len() <= 4, "{} of 40 wrong: {wrong:#?}", wrong.len());
}

/// What the window passes on of `samples` from the microphone.
fn trimmed(samples: &[f32]) -> Vec<f32> {
    let (mut trimmer, mut out) = (Trimmer::new(), Vec::new());
    samples.chunks(441).for_each(|block| trimmer.push(block, &mut out));
    trimmer.finish(&mut out);
    out
}

#[test]
fn a_key_held_long_before_and_after_the_question_does_no_harm() {
    let mut session = session(&pocket(), silent());
    let mut state = 1u32;
    let mut hiss = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 8) as f32 / (1 << 23) as f32 - 1.0) * 0.0004
    };
    let silence = [0.0; 3 * 16_000];
    let mut wrong = Vec::new();
    for (i, (question, expected)) in QUESTIONS.into_iter().enumerate().step_by(3) {
        let speech = spoken(question, SPEAKERS[i % SPEAKERS.len()]);
        let held: Vec<f32> = [&silence[..], &speech, &silence].concat().iter().map(|s| s + hiss()).collect();
        let found = answer(&mut session, &trimmed(&held));
        if found != expected {
            wrong.push(format!("{question}: {found}"));
        }
    }
    assert!(wrong.len() <= 1, "{} of 14 wrong: {wrong:#?}", wrong.len());
}

#[test]
fn single_words_are_understood() {
    let words = [
        ("hi", "Hello, how can I help you?"),
        ("yes", "Good."),
        ("no", "Okay, no problem."),
        ("bye", "Goodbye, until next time."),
        ("help", "I can count, repeat words, and answer small questions."),
        ("test", "The test works."),
    ];
    let mut session = session(&pocket(), silent());
    let mut wrong = Vec::new();
    for (word, expected) in words {
        for (voice, _, pitch) in SPEAKERS {
            let speech = trimmed(&spoken(word, (voice, 200, pitch)));
            assert_eq!(speech.len(), 16_000);
            let found = answer(&mut session, &speech);
            if found != expected {
                wrong.push(format!("{word} ({voice}): {found}"));
            }
        }
    }
    assert!(wrong.len() <= 2, "{} of 48 wrong: {wrong:#?}", wrong.len());
}

#[test]
fn quiet_and_loud_speech_is_understood_alike() {
    let mut session = session(&pocket(), silent());
    for gain in [0.03, 0.1, 0.5, 3.0] {
        let mut wrong = Vec::new();
        for (i, (question, expected)) in QUESTIONS.into_iter().enumerate().skip(1).step_by(4) {
            let speech = spoken(question, SPEAKERS[i % SPEAKERS.len()]);
            let speech: Vec<f32> = speech.iter().map(|s| (s * gain).clamp(-1.0, 1.0)).collect();
            let found = answer(&mut session, &trimmed(&speech));
            if found != expected {
                wrong.push(format!("{question}: {found}"));
            }
        }
        assert!(wrong.len() <= 1, "{} of 10 wrong at {gain} of the usual level: {wrong:#?}", wrong.len());
    }
}

use std::path::Path;

use super::*;

/// Samples in a millisecond.
const MS: usize = Audio::SAMPLE_RATE_HZ as usize / 1000;
const PAUSE: Duration = Duration::from_millis(800);

/// A question that ships with the small model, at 16 kHz.
pub(in crate::audio) fn question(number: usize) -> Vec<f32> {
    let name = format!("../assets/pocket/samples/{number:02}_question.wav");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let mut reader = hound::WavReader::open(path).unwrap();
    let samples: Vec<f32> = reader.samples::<i16>().map(|s| f32::from(s.unwrap()) / 32768.0).collect();
    let mut resampler = engine::Resampler::new(reader.spec().sample_rate, Audio::SAMPLE_RATE_HZ).unwrap();
    let mut out = Vec::new();
    resampler.push(&samples, &mut out).unwrap();
    resampler.finish(&mut out).unwrap();
    out
}

/// White noise whose root mean square is `level`, the same at each call.
pub(in crate::audio) fn noise(samples: usize, level: f32) -> Vec<f32> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..samples).map(|_| next() * level * 3.0_f32.sqrt()).collect()
}

/// What a detector tells of this, each with its millisecond, as blocks of a microphone come.
fn told(samples: &[f32]) -> Vec<(usize, Change)> {
    let mut voice = Voice::new(PAUSE);
    let mut told = Vec::new();
    for (i, block) in samples.chunks(20 * MS).enumerate() {
        told.extend(voice.push(block).into_iter().map(|change| ((i + 1) * 20, change)));
    }
    told
}

/// First and last millisecond in which it is loud, as a share of the loudest.
fn loud(samples: &[f32]) -> (usize, usize) {
    let levels: Vec<f32> =
        samples.chunks(MS * 10).map(|c| c.iter().map(|s| s * s).sum::<f32>() / c.len() as f32).collect();
    let most = levels.iter().copied().fold(0.0, f32::max);
    let is_loud = |level: &f32| *level > most * 1e-3;
    let first = levels.iter().position(is_loud).unwrap();
    let last = levels.iter().rposition(is_loud).unwrap();
    (first * 10, (last + 1) * 10)
}

#[test]
fn speech_is_found_at_its_begin_and_at_its_end() {
    for number in 0..10 {
        for level in [0.0, 0.001] {
            let mut samples = vec![0.0; 700 * MS];
            let question = question(number);
            let (begin, end) = loud(&question);
            let (begin, end) = (700 + begin, 700 + end);
            samples.extend(question);
            samples.extend(vec![0.0; 2000 * MS]);
            let noise = noise(samples.len(), level);
            samples.iter_mut().zip(noise).for_each(|(s, n)| *s += n);
            let told = told(&samples);
            println!("question {number}, noise {level}: {begin} to {end} ms; {told:?}");
            let [(began, Change::Began), (ended, Change::Ended)] = told[..] else {
                panic!("question {number}: {told:?}")
            };
            assert!(
                (begin..=begin + 250).contains(&began),
                "question {number} begins at {begin} ms: {told:?}"
            );
            assert!(
                ended > end.saturating_sub(200) + 800 && ended < end + 800 + 300,
                "question {number} ends at {end} ms: {told:?}"
            );
        }
    }
}

#[test]
fn what_is_no_voice_begins_nothing() {
    let second = 1000 * MS;
    let mut clicks = noise(10 * second, 0.0005);
    for (i, at) in (0..clicks.len() - second).step_by(130 * MS + 7).enumerate() {
        // A key: a knock that rings for a few milliseconds, and its release.
        for (j, sample) in noise(15 * MS, 0.3).into_iter().enumerate() {
            clicks[at + j + i % 5 * MS] += sample * (-(j as f32) / (3.0 * MS as f32)).exp();
        }
    }
    // A door: a low thud that dies away in a third of a second.
    let door: Vec<f32> = (0..10 * second)
        .map(|i| {
            let t = (i % (2 * second)) as f32 / second as f32;
            0.6 * (-t * 12.0).exp() * (t * 80.0 * std::f32::consts::TAU).sin()
        })
        .zip(noise(10 * second, 0.0005))
        .map(|(thud, hiss)| thud + hiss)
        .collect();
    let hum: Vec<f32> = (0..10 * second).map(|i| 0.05 * (i as f32 * 0.0196).sin()).collect();
    for (name, samples) in [
        ("silence", vec![0.0; 10 * second]),
        ("white noise at -40 dB", noise(10 * second, 0.01)),
        ("a keyboard", clicks),
        ("a door", door),
        ("a hum", hum),
    ] {
        let told = told(&samples);
        println!("{name}: {told:?}");
        assert_eq!(told, [], "{name}");
    }
}

#[test]
fn a_moment_of_voice_is_no_speech_and_a_short_pause_no_end() {
    let mut speech = Voice::new(PAUSE).speech;
    let mut take = |is_voice, frames| (0..frames).filter_map(|_| speech.take(is_voice)).collect::<Vec<_>>();
    for _ in 0..20 {
        assert_eq!(take(true, NEEDED - 1), []);
        assert_eq!(take(false, WINDOW), []);
    }
    assert_eq!(take(true, NEEDED), [Change::Began]);
    for _ in 0..20 {
        assert_eq!(take(false, 49), []);
        assert_eq!(take(true, 1), []);
    }
    assert_eq!(take(false, 50), [Change::Ended]);
    assert_eq!(take(false, 500), []);
}

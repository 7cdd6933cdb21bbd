//! Which words a recording holds.
//!
//! By a speech recogniser where the variable `COLLOQUY_RECOGNISER` names one: a command that is given WAV files and prints a line
//! `file | text` for each. Without it by likeness: spectra of the recording, warped in time, are compared with those of spoken
//! sentences in `tests/data/speech`, which differ in one word.

use std::path::Path;
use std::process::Command;

use engine::Resampler;
use realfft::RealFftPlanner;

/// Rate at which sounds are compared.
const RATE_HZ: u32 = 16_000;
/// Samples of a frame and from one to the next: 25 ms and 10 ms.
const FRAME: usize = 400;
const HOP: usize = 160;
const FFT: usize = 512;
const BANDS: usize = 24;
/// Frames quieter than the loudest by so much, in nepers of power, are silence where they stand at an end.
const QUIET: f32 = 7.0;

/// The name of the sentence in `folder` that `recorded`, at `rate_hz`, is most like, and how much less like the next one is: 1 where
/// both are the same.
pub fn most_like(recorded: &[f32], rate_hz: u32, folder: &Path) -> (String, f32) {
    let spectra = bands(&resampled(recorded, rate_hz));
    let mut found: Vec<(f32, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let mut reader = hound::WavReader::open(&path).unwrap();
            let samples: Vec<f32> =
                reader.samples::<i16>().map(|sample| f32::from(sample.unwrap()) / 32768.0).collect();
            let sentence = bands(&resampled(&samples, reader.spec().sample_rate));
            (unlikeness(&spectra, &sentence), path.file_stem().unwrap().to_string_lossy().into_owned())
        })
        .collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    println!("likeness: {found:?}");
    let [(best, name), (next, _), ..] = &found[..] else { panic!("{} holds no sentences", folder.display()) };
    (name.clone(), next / best)
}

/// What the recogniser hears in a WAV file; `None` without a recogniser.
pub fn recognised(file: &Path) -> Option<String> {
    let command = std::env::var("COLLOQUY_RECOGNISER").ok()?;
    let output = Command::new(&command).arg(file).output().unwrap_or_else(|e| panic!("{command}: {e}"));
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (_, heard) = text.split_once(" | ").unwrap_or_else(|| panic!("{command} printed {text}"));
    Some(heard.trim().to_owned())
}

fn resampled(samples: &[f32], rate_hz: u32) -> Vec<f32> {
    let mut out = Vec::new();
    let mut resampler = Resampler::new(rate_hz, RATE_HZ).unwrap();
    resampler.push(samples, &mut out).unwrap();
    resampler.finish(&mut out).unwrap();
    out
}

/// Logarithmic powers in bands of the mel scale, one row a frame, without silence at the ends and without what all rows share.
fn bands(samples: &[f32]) -> Vec<[f32; BANDS]> {
    let transform = RealFftPlanner::<f32>::new().plan_fft_forward(FFT);
    let (mut frame, mut spectrum) = (transform.make_input_vec(), transform.make_output_vec());
    let hann = |i: usize| 0.5 - 0.5 * (std::f32::consts::TAU * i as f32 / FRAME as f32).cos();
    let powers: Vec<Vec<f32>> = samples
        .windows(FRAME)
        .step_by(HOP)
        .map(|window| {
            frame.fill(0.0);
            frame.iter_mut().zip(window).enumerate().for_each(|(i, (to, from))| *to = from * hann(i));
            transform.process(&mut frame, &mut spectrum).unwrap();
            spectrum.iter().map(|bin| bin.norm_sqr()).collect()
        })
        .collect();
    let mean = powers.iter().flatten().sum::<f32>() / (powers.len() * (FFT / 2 + 1)) as f32;
    let mut rows: Vec<[f32; BANDS]> = powers.iter().map(|power| in_bands(power, 1e-5 * mean)).collect();
    let loudness: Vec<f32> = rows.iter().map(|row| row.iter().sum::<f32>() / BANDS as f32).collect();
    let loudest = loudness.iter().copied().fold(f32::MIN, f32::max);
    let sounds = |loudness: &f32| *loudness > loudest - QUIET;
    let end = loudness.iter().rposition(sounds).map_or(0, |last| last + 1);
    rows.truncate(end);
    rows.drain(..loudness.iter().position(sounds).unwrap_or(end));
    for band in 0..BANDS {
        let mean = rows.iter().map(|row| row[band]).sum::<f32>() / rows.len() as f32;
        rows.iter_mut().for_each(|row| row[band] -= mean);
    }
    rows
}

/// One frame's powers in overlapping triangles between 100 and 7000 Hz; no band is less than `floor`.
fn in_bands(power: &[f32], floor: f32) -> [f32; BANDS] {
    let mel = |hz: f32| (1.0 + hz / 700.0).ln();
    let (low, high) = (mel(100.0), mel(7000.0));
    let edge = |i: usize| 700.0 * ((low + (high - low) * i as f32 / (BANDS + 1) as f32).exp() - 1.0);
    std::array::from_fn(|band| {
        let (left, centre, right) = (edge(band), edge(band + 1), edge(band + 2));
        let share = |hz: f32| ((hz - left) / (centre - left)).min((right - hz) / (right - centre)).max(0.0);
        let bin_hz = RATE_HZ as f32 / FFT as f32;
        let sum: f32 = power.iter().enumerate().map(|(i, power)| power * share(i as f32 * bin_hz)).sum();
        (sum + floor).ln()
    })
}

/// The mean distance of two sounds' frames along the path through both on which it is least.
fn unlikeness(a: &[[f32; BANDS]], b: &[[f32; BANDS]]) -> f32 {
    let mut above = vec![f32::INFINITY; b.len() + 1];
    above[0] = 0.0;
    for row in a {
        let mut here = vec![f32::INFINITY; b.len() + 1];
        for (i, other) in b.iter().enumerate() {
            let squares: f32 = row.iter().zip(other).map(|(x, y)| (x - y) * (x - y)).sum();
            let before = above[i].min(above[i + 1]).min(here[i]);
            here[i + 1] = (squares / BANDS as f32).sqrt() + before;
        }
        above = here;
    }
    above[b.len()] / (a.len() + b.len()) as f32
}

#[test]
fn a_sentence_is_most_like_itself_when_it_is_slower_and_noisy() {
    let folder = super::root().join("tests/data/speech");
    for name in ["paris", "rome", "oslo"] {
        let mut reader = hound::WavReader::open(folder.join(format!("{name}.wav"))).unwrap();
        let mut state = 1u32;
        let noisy: Vec<f32> = reader
            .samples::<i16>()
            .map(|sample| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f32::from(sample.unwrap()) / 32768.0 + (state >> 16) as f32 / 65536.0 * 0.004
            })
            .collect();
        // Read as if it were of another rate, it is slower and lower.
        let (found, next) = most_like(&noisy, RATE_HZ * 9 / 10, &folder);
        assert_eq!(found, name);
        assert!(next > 1.1, "{next}");
    }
}

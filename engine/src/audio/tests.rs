use std::f64::consts::TAU;
use std::fs;

use realfft::RealFftPlanner;

use super::*;
use crate::fixtures::{Tensors, path};

/// Tones of 440 Hz, 0.3 s, amplitude 0.5.
const TONES: [&str; 7] = [
    "tone_8000.wav",
    "tone_11025_stereo_24bit.wav",
    "tone_48000.flac",
    "tone_8000.mp3",
    "tone_44100_stereo.mp3",
    "tone_48000.ogg",
    "tone_44100_stereo.ogg",
];

fn media(name: &str) -> std::path::PathBuf {
    path("media").join(name)
}

fn tone(hz: f64, rate_hz: u32, samples: usize) -> Vec<f32> {
    (0..samples).map(|i| (TAU * hz * i as f64 / f64::from(rate_hz)).sin() as f32).collect()
}

fn resampled(input: &[f32], block: usize, from_hz: u32, to_hz: u32) -> Vec<f32> {
    let mut resampler = Resampler::new(from_hz, to_hz).unwrap();
    let mut output = Vec::new();
    for part in input.chunks(block) {
        resampler.push(part, &mut output).unwrap();
    }
    resampler.finish(&mut output).unwrap();
    output
}

/// The strongest frequency of 4096 samples at 16 kHz, to half a bin (2 Hz).
fn dominant_hz(samples: &[f32]) -> f64 {
    let fft = RealFftPlanner::<f64>::new().plan_fft_forward(4096);
    let mut windowed: Vec<f64> =
        (0..4096).map(|i| f64::from(samples[i]) * (0.5 - 0.5 * (TAU * i as f64 / 4096.0).cos())).collect();
    let mut bins = fft.make_output_vec();
    fft.process(&mut windowed, &mut bins).unwrap();
    let strongest = (0..bins.len()).max_by(|&a, &b| bins[a].norm().total_cmp(&bins[b].norm())).unwrap();
    strongest as f64 * 16_000.0 / 4096.0
}

fn rms(samples: &[f32]) -> f64 {
    (samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len() as f64).sqrt()
}

#[test]
fn sixteen_bit_files_at_16_khz_pass_unchanged() {
    let file = Tensors::open("reference/open/goldens/omni/frontend.safetensors");
    for clip in ["clip_a", "clip_b"] {
        let audio = Audio::open(&path(&format!("reference/open/goldens/omni/{clip}.wav"))).unwrap();
        assert_eq!(audio.samples, file.f32(clip).1);
    }
}

#[test]
fn every_format_keeps_frequency_length_and_level() {
    for name in TONES {
        let audio = Audio::open(&media(name)).unwrap();
        // 0.3 s are no whole number of samples at 11,025 Hz.
        assert_eq!(audio.samples.len(), if name.contains("11025") { 4799 } else { 4800 }, "{name}");
        let hz = dominant_hz(&audio.samples);
        assert!((hz - 440.0).abs() < 2.0, "{name}: {hz} Hz");
        let level = rms(&audio.samples[400..4400]) / (0.5 / 2f64.sqrt());
        let tolerance = if name.ends_with("mp3") { 0.06 } else { 0.01 };
        // The MP3 encoder itself takes 5 % off the tone at 8 kHz.
        assert!((level - 1.0).abs() < tolerance, "{name}: level {level}");
    }
}

#[test]
fn resampled_tones_stand_where_they_stood() {
    for (from_hz, to_hz) in [
        (48_000, 16_000),
        (44_100, 16_000),
        (8_000, 16_000),
        (24_000, 48_000),
        (24_000, 44_100),
        (96_000, 16_000),
        (22_050, 16_000),
        (16_000, 11_025),
        (16_001, 16_000),
    ] {
        let input = tone(440.0, from_hz, from_hz as usize);
        let output = resampled(&input, 1000, from_hz, to_hz);
        assert_eq!(output.len(), to_hz as usize);
        let ideal = tone(440.0, to_hz, to_hz as usize);
        let inner = to_hz as usize / 10..to_hz as usize * 9 / 10;
        let worst =
            output[inner.clone()].iter().zip(&ideal[inner]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 2e-3, "{from_hz} to {to_hz}: {worst}");
    }
}

#[test]
fn what_16_khz_cannot_hold_is_filtered_out() {
    let output = resampled(&tone(11_000.0, 48_000, 48_000), 48_000, 48_000, 16_000);
    let leak = rms(&output[1600..14_400]);
    assert!(leak < 1e-4, "{leak}");
}

#[test]
fn block_sizes_do_not_change_resampled_samples() {
    for (from_hz, to_hz) in [(48_000, 16_000), (44_100, 16_000), (24_000, 48_000), (16_000, 16_000)] {
        let input = tone(300.0, from_hz, 4801);
        let whole = resampled(&input, input.len(), from_hz, to_hz);
        assert_eq!(whole.len(), (4801.0 * f64::from(to_hz) / f64::from(from_hz)).round() as usize);
        for block in [1, 7, 160, 480, 882, 1024] {
            assert_eq!(
                resampled(&input, block, from_hz, to_hz),
                whole,
                "{from_hz} to {to_hz}, blocks of {block}"
            );
        }
    }
}

#[test]
fn a_resampler_starts_anew_after_the_end() {
    let input = tone(300.0, 48_000, 5000);
    let mut resampler = Resampler::new(48_000, 16_000).unwrap();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for output in [&mut first, &mut second] {
        resampler.push(&input, output).unwrap();
        resampler.finish(output).unwrap();
    }
    assert_eq!(first, second);
}

#[test]
fn short_clips_keep_their_length_through_the_filter() {
    for samples in [1, 2, 3, 100, 479, 480, 481] {
        let output = resampled(&vec![0.5; samples], 64, 48_000, 16_000);
        assert_eq!(output.len(), (samples as f64 / 3.0).round() as usize, "{samples} samples");
    }
}

#[test]
fn channels_are_averaged() {
    let mut frames = Vec::new();
    for i in 0..500 {
        frames.extend([i as f32 / 1000.0, 0.25]);
    }
    let audio = Audio::from_interleaved(&frames, 2, 16_000).unwrap();
    assert_eq!(audio.samples.len(), 500);
    assert_eq!(audio.samples[200], (0.2 + 0.25) / 2.0);
    let many = Audio::from_interleaved(&vec![0.5; 32 * 400], 32, 16_000).unwrap();
    assert_eq!(many.samples, vec![0.5; 400]);
}

#[test]
fn sounds_that_cannot_be_used_are_refused_with_a_reason() {
    let refusal = |samples: &[f32], channels, rate_hz| {
        Audio::from_interleaved(samples, channels, rate_hz).expect_err("a refusal").to_string()
    };
    let clip = vec![0.1; 4000];
    assert!(refusal(&clip, 0, 16_000).contains("0 channels"));
    assert!(refusal(&clip, 65, 16_000).contains("65 channels"));
    assert!(refusal(&clip, usize::MAX, 16_000).contains("channels"));
    assert!(refusal(&clip, 3, 16_000).contains("whole number of frames"));
    assert!(refusal(&clip, 1, 0).contains("0 Hz"));
    assert!(refusal(&clip, 1, u32::MAX).contains("Hz"));
    assert!(refusal(&[], 1, 16_000).contains("empty"));
    for samples in [1, 199, 200] {
        assert!(refusal(&clip[..samples], 1, 16_000).contains("too short"));
    }
    assert!(Audio::from_interleaved(&clip[..201], 1, 16_000).is_ok());
    for bad in [f32::NAN, f32::INFINITY] {
        let mut clip = clip.clone();
        clip[3000] = bad;
        assert!(refusal(&clip, 2, 48_000).contains("finite"));
    }
}

#[test]
fn an_hour_is_accepted_and_more_is_not() {
    let mut samples = vec![0.0; Audio::MAX_SAMPLES];
    let hour = Audio::from_interleaved(&samples, 1, 16_000).unwrap();
    assert_eq!(hour.seconds(), 3600.0);
    drop(hour);
    samples.push(0.0);
    let error = Audio::from_interleaved(&samples, 1, 16_000).unwrap_err().to_string();
    assert!(error.contains("60 minutes"), "{error}");
}

#[test]
fn files_that_are_no_sound_are_named_in_the_refusal() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [
        ("empty.wav", &b""[..]),
        ("text.mp3", b"Dear diary, today nothing was recorded."),
        ("a.ogg", b"OggS"),
    ] {
        let file = folder.path().join(name);
        fs::write(&file, bytes).unwrap();
        let error = Audio::open(&file).unwrap_err();
        assert!(matches!(error, Error::Input(_)) && error.to_string().contains(name), "{error}");
    }
    assert!(matches!(Audio::open(folder.path()), Err(Error::Input(_))));
    assert!(matches!(Audio::open(&folder.path().join("missing.wav")), Err(Error::Io { .. })));
}

#[test]
fn cut_files_give_what_they_hold_or_a_refusal() {
    let folder = tempfile::tempdir().unwrap();
    for name in TONES {
        let (bytes, file) = (fs::read(media(name)).unwrap(), folder.path().join(name));
        let mut longest = 0;
        for part in 0..20 {
            fs::write(&file, &bytes[..bytes.len() * part / 20]).unwrap();
            match Audio::open(&file) {
                Ok(audio) => longest = longest.max(audio.samples.len()),
                Err(error) => assert!(error.to_string().contains(name), "{error}"),
            }
        }
        // An Ogg page gives nothing until it is whole, and these files have their sound in one.
        if !name.ends_with("ogg") {
            assert!((1600..=4800).contains(&longest), "{name}: {longest} samples without the last twentieth");
        }
    }
}

#[test]
fn damaged_files_are_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut state = 7u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for name in TONES {
        let (bytes, file) = (fs::read(media(name)).unwrap(), folder.path().join(name));
        for round in 0..60 {
            let mut damaged = bytes.clone();
            // The head holds rates, channels and lengths, so it gets most of the damage.
            let reach = if round % 3 == 0 { bytes.len() } else { 200 };
            for _ in 0..1 + round % 4 {
                damaged[random(reach)] = random(256) as u8;
            }
            fs::write(&file, damaged).unwrap();
            if let Err(error) = Audio::open(&file) {
                assert!(error.to_string().contains(name), "{error}");
            }
        }
    }
}

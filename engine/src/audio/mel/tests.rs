use super::filters;
use super::*;
use crate::fixtures::Tensors;

const FRONTEND: &str = "reference/open/goldens/omni/frontend.safetensors";

/// Noise with a quiet beginning, so that the clip's maximum rises late.
fn clip(samples: usize) -> Vec<f32> {
    let mut state = 1u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..samples).map(|i| noise() * if i < samples / 2 { 1e-5 } else { 0.8 }).collect()
}

/// The golden's `[n_mels, frames]` against `[frames, n_mels]`.
fn assert_close(mel: &Mel, (shape, golden): (Vec<usize>, Vec<f32>)) {
    let (n_mels, frames) = (shape[0], shape[1]);
    assert_eq!(mel.data.len(), mel.frames * n_mels);
    assert!(mel.frames <= frames, "{} frames, the golden has {frames}", mel.frames);
    let worst = (0..mel.frames * n_mels)
        .map(|i| (mel.data[i] - golden[i % n_mels * frames + i / n_mels]).abs())
        .fold(0.0, f32::max);
    // The golden was transformed in f32, this in f64; a value spans about −1 to 2.
    assert!(worst < 2e-4, "worst difference {worst}");
}

#[test]
fn filters_are_those_of_the_reference() {
    let config = MelConfig::default();
    let (shape, golden) = Tensors::open(FRONTEND).f32("mel_filters");
    assert_eq!(shape, [201, 128]);
    let worst = filters::matrix(&config).iter().zip(&golden).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-7, "worst difference {worst}");
}

#[test]
fn features_of_one_clip_are_those_of_the_reference() {
    let file = Tensors::open(FRONTEND);
    for (clip, golden, frames) in [("clip_a", "mel_a", 237), ("clip_b", "mel_b", 63)] {
        let mel = whole(&file.f32(clip).1, &MelConfig::default()).unwrap();
        assert_eq!(mel.frames, frames);
        assert_close(&mel, file.f32(golden));
    }
}

#[test]
fn features_of_a_padded_batch_are_those_of_the_reference() {
    let file = Tensors::open(FRONTEND);
    let (a, b) = (file.f32("clip_a").1, file.f32("clip_b").1);
    let mels = batch(&[&a, &b], &MelConfig::default()).unwrap();
    assert_eq!(mels[0], whole(&a, &MelConfig::default()).unwrap());
    let (shape, mask) = file.i32("batch_mask");
    let kept: i32 = mask[shape[1]..].iter().sum();
    assert_eq!(mels[1].frames, kept as usize);
    assert_close(&mels[1], file.f32("batch_mel_b"));
    assert!(batch(&[&a, &[]], &MelConfig::default()).is_err());
}

#[test]
fn a_stream_gives_the_whole_clip_bit_for_bit_at_any_block_size() {
    let config = MelConfig::default();
    for samples in [201, 319, 320, 360, 399, 400, 401, 1599, 1600, 4003, 16_000] {
        let clip = clip(samples);
        let expected = whole(&clip, &config).unwrap();
        assert_eq!(expected.frames, samples / 160);
        for block in [1, 2, 7, 159, 160, 161, 200, 201, 399, 400, 1000, 16_000] {
            let mut stream = Stream::new(&config).unwrap();
            let mut frames = 0;
            for part in clip.chunks(block) {
                frames += stream.push(part).unwrap();
                assert_eq!(frames, stream.frames());
            }
            frames += stream.finish().unwrap();
            assert_eq!(frames, expected.frames);
            assert_eq!(
                stream.features(0..frames, stream.max()),
                expected,
                "{samples} samples in blocks of {block}"
            );
        }
    }
}

#[test]
fn a_long_stream_forgets_old_samples_without_changing_frames() {
    let (config, clip) = (MelConfig::default(), clip(16_000 * 5));
    let mut stream = Stream::new(&config).unwrap();
    for block in clip.chunks(333) {
        stream.push(block).unwrap();
    }
    stream.finish().unwrap();
    assert_eq!(stream.features(0..500, stream.max()), whole(&clip, &config).unwrap());
}

#[test]
fn frames_are_complete_as_soon_as_half_a_window_lies_behind_them() {
    let (config, clip) = (MelConfig::default(), clip(16_000));
    let mut stream = Stream::new(&config).unwrap();
    assert_eq!(stream.push(&clip[..200]).unwrap(), 0);
    assert_eq!(stream.push(&clip[200..201]).unwrap(), 1);
    assert_eq!(stream.push(&clip[201..359]).unwrap(), 0);
    assert_eq!(stream.push(&clip[359..360]).unwrap(), 1);
}

#[test]
fn a_later_maximum_is_told_only_where_it_changes_features() {
    let (config, clip) = (MelConfig::default(), clip(16_000));
    let mut stream = Stream::new(&config).unwrap();
    stream.push(&clip[..8000]).unwrap();
    let (used, early) = (stream.frames(), stream.max());
    let before = stream.features(0..used, early);
    stream.push(&clip[8000..]).unwrap();
    stream.finish().unwrap();
    let late = stream.max();
    assert!(late > early);
    assert!(stream.would_change(0..used, early, late));
    assert_ne!(stream.features(0..used, late), before);
    assert!(!stream.would_change(0..used, early, early));
    assert!(!stream.would_change(60..stream.frames(), early, late), "loud frames are far above both floors");
    assert_eq!(stream.features(60..80, early), stream.features(60..80, late));
    assert_eq!(stream.features(90..2000, late).frames, 10, "a range past the end is cut");
}

#[test]
fn too_short_clips_and_bad_samples_are_refused() {
    let config = MelConfig::default();
    for samples in [0, 1, 199, 200] {
        let error = whole(&vec![0.1; samples], &config).unwrap_err().to_string();
        assert!(error.contains(&format!("{samples} samples")) && error.contains("201"), "{error}");
    }
    assert_eq!(whole(&[0.0; 201], &config).unwrap().frames, 1);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut clip = vec![0.0; 4000];
        clip[77] = bad;
        assert!(whole(&clip, &config).is_err());
    }
    let mut stream = Stream::new(&config).unwrap();
    stream.push(&[0.0; 4000]).unwrap();
    stream.finish().unwrap();
    assert!(stream.push(&[0.0]).is_err(), "samples after the end");
}

#[test]
fn silence_has_finite_features() {
    let mel = whole(&[0.0; 16_000], &MelConfig::default()).unwrap();
    assert!(mel.data.iter().all(|v| *v == (-10.0 + 4.0) / 4.0));
}

#[test]
fn numbers_that_do_not_fit_are_refused() {
    let published = MelConfig::default();
    for config in [
        MelConfig { n_fft: 0, ..published.clone() },
        MelConfig { n_fft: 401, ..published.clone() },
        MelConfig { n_fft: usize::MAX - 1, ..published.clone() },
        MelConfig { hop_length: 0, ..published.clone() },
        MelConfig { hop_length: 201, ..published.clone() },
        MelConfig { n_mels: 0, ..published.clone() },
        MelConfig { n_mels: usize::MAX, ..published.clone() },
        MelConfig { sample_rate_hz: 0, ..published.clone() },
    ] {
        assert!(Stream::new(&config).is_err(), "{config:?}");
    }
}

#[test]
fn token_counts_are_those_of_the_reference() {
    let (_, golden) = Tensors::open(FRONTEND).i32("audio_tokens");
    assert_eq!(golden.len(), 1300);
    for (frames, tokens) in (1..).zip(golden) {
        assert_eq!(token_count(frames, 100), tokens as usize, "{frames} frames");
    }
    assert_eq!(token_count(0, 100), 0);
    assert_eq!(token_count(100, 0), 0);
}

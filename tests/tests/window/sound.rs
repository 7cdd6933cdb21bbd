//! Measuring recorded sound.

use std::path::Path;

use engine::Resampler;

/// Rate of the recordings.
pub const RATE_HZ: u32 = 48_000;

/// Samples of a file of raw floats.
pub fn raw(file: &Path) -> Vec<f32> {
    let bytes = std::fs::read(file).unwrap();
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// Samples of a WAV file of 16-bit integers, at `RATE_HZ`.
pub fn wav(file: &Path) -> Vec<f32> {
    let mut reader = hound::WavReader::open(file).unwrap();
    assert_eq!((reader.spec().channels, reader.spec().bits_per_sample), (1, 16));
    let mut resampler = Resampler::new(reader.spec().sample_rate, RATE_HZ).unwrap();
    let samples: Vec<f32> = reader.samples::<i16>().map(|s| f32::from(s.unwrap()) / 32768.0).collect();
    let mut out = Vec::new();
    resampler.push(&samples, &mut out).unwrap();
    resampler.finish(&mut out).unwrap();
    out
}

/// Writes samples at `RATE_HZ` as 16-bit integers.
pub fn write(file: &Path, samples: impl Iterator<Item = f32>) {
    let format = hound::SampleFormat::Int;
    let spec =
        hound::WavSpec { channels: 1, sample_rate: RATE_HZ, bits_per_sample: 16, sample_format: format };
    let mut writer = hound::WavWriter::create(file, spec).unwrap();
    samples.for_each(|sample| writer.write_sample((sample * 32767.0) as i16).unwrap());
    writer.finalize().unwrap();
}

/// Writes white noise whose root mean square is `level`.
pub fn write_noise(file: &Path, seconds: u32, level: f32) {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let noise = (0..seconds * RATE_HZ).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let sample = (state >> 40) as f32 / (1 << 23) as f32 - 1.0;
        sample * level * 3.0_f32.sqrt()
    });
    write(file, noise);
}

/// The largest normalised cross-correlation of `wanted` with any stretch of `recorded`.
pub fn correlation(wanted: &[f32], recorded: &[f32]) -> f64 {
    // Coarse first: sums of 8 samples, all lags. Then each sample near the best.
    const COARSE: usize = 8;
    let thin = |samples: &[f32]| samples.chunks_exact(COARSE).map(|c| c.iter().sum()).collect::<Vec<f32>>();
    let (thin_wanted, thin_recorded) = (thin(wanted), thin(recorded));
    let lags = thin_recorded.len().saturating_sub(thin_wanted.len());
    let best =
        (0..=lags).map(|lag| (at(&thin_wanted, &thin_recorded, lag), lag)).max_by(|a, b| a.0.total_cmp(&b.0));
    let near = best.map_or(0, |(_, lag)| lag * COARSE);
    let fine = near.saturating_sub(2 * COARSE)..=near + 2 * COARSE;
    fine.map(|lag| at(wanted, recorded, lag)).fold(-1.0, f64::max)
}

fn at(wanted: &[f32], recorded: &[f32], lag: usize) -> f64 {
    let Some(stretch) = recorded.get(lag..lag + wanted.len()) else { return -1.0 };
    let (mut cross, mut power_w, mut power_s) = (0.0_f32, 0.0_f32, 0.0_f32);
    for (w, s) in wanted.iter().zip(stretch) {
        cross += w * s;
        power_w += w * w;
        power_s += s * s;
    }
    let power = f64::from(power_w) * f64::from(power_s);
    if power > 0.0 { f64::from(cross) / power.sqrt() } else { 0.0 }
}

/// The loudest sample.
pub fn peak(samples: &[f32]) -> f32 {
    samples.iter().fold(0.0, |peak, s| peak.max(s.abs()))
}

#[test]
fn a_gap_in_the_recording_lowers_the_correlation() {
    let wave: Vec<f32> =
        (0..20_000).map(|i| (i as f32 * 0.05 + (i as f32 * 0.0007).sin() * 20.0).sin()).collect();
    let mut recorded = vec![0.0; 7_003];
    recorded.extend(wave.iter().map(|s| s * 0.3));
    recorded.extend([0.0; 5_000]);
    assert!(correlation(&wave, &recorded) > 0.999);
    recorded.splice(17_003..17_003, [0.0; 960]);
    assert!(correlation(&wave, &recorded) < 0.9);
}

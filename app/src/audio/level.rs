//! How loud it is just now, for the meter. This is no recording: only the latest value is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Quietest level that the meter shows, in dB below full scale.
const FLOOR_DB: f32 = -54.0;

/// The latest level from 0 (silence) to 1 (full scale). Copies share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Level(Arc<AtomicU32>);

impl Level {
    /// The latest level.
    pub(crate) fn get(&self) -> f32 {
        f32::from_bits(self.0.load(Ordering::Relaxed))
    }

    /// Takes the level of a block; it rises at once and falls slowly.
    pub(crate) fn take(&self, samples: &[f32]) {
        let level = loudness(samples).max(self.get() * 0.8);
        self.0.store(level.to_bits(), Ordering::Relaxed);
    }

    /// Back to silence.
    pub(crate) fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// Root mean square of `samples` on a scale linear in dB, 0 to 1.
pub(crate) fn loudness(samples: &[f32]) -> f32 {
    if samples.is_empty() {
        return 0.0;
    }
    let power = samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32;
    // A sine at full scale has a power of a half.
    let db = 10.0 * (2.0 * power).max(1e-12).log10();
    (1.0 - db / FLOOR_DB).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_zero_and_full_scale_is_one() {
        assert_eq!(loudness(&[]), 0.0);
        assert_eq!(loudness(&[0.0; 320]), 0.0);
        assert!((loudness(&[1.0, -1.0, 1.0, -1.0]) - 1.0).abs() < 1e-6);
        let half_way = loudness(&[0.044_668_36; 64].map(|s: f32| s / std::f32::consts::SQRT_2));
        assert!((half_way - 0.5).abs() < 0.01, "{half_way}");
    }

    #[test]
    fn a_broken_sample_does_not_break_the_meter() {
        let level = Level::default();
        level.take(&[f32::NAN; 4]);
        assert!((0.0..=1.0).contains(&level.get()));
        level.take(&[1.0, -1.0]);
        level.take(&[0.0; 64]);
        assert!(level.get() > 0.7);
        level.clear();
        assert_eq!(level.get(), 0.0);
    }
}

//! How loud the speaker is: set by the devices' thread, read by the callback, which glides to it without a click.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Time in which the gain goes from silence to as it was made.
const GLIDE_MS: u32 = 30;

/// The volume that is wanted. Copies share it. Never blocks.
#[derive(Clone, Debug)]
pub(super) struct Volume(Arc<AtomicU32>);

impl Volume {
    /// A volume in percent.
    pub(super) fn new(percent: u32) -> Volume {
        let volume = Volume(Arc::default());
        volume.set(percent);
        volume
    }

    /// Another volume from now on.
    pub(super) fn set(&self, percent: u32) {
        self.0.store(gain(percent).to_bits(), Ordering::Relaxed);
    }

    fn get(&self) -> f32 {
        f32::from_bits(self.0.load(Ordering::Relaxed))
    }
}

/// What samples are multiplied with: the cube, as desktops count their volumes, since loudness is heard that way.
fn gain(percent: u32) -> f32 {
    (percent as f32 / 100.0).powi(3)
}

/// The gain of one stream, on its way to the volume.
pub(super) struct Glide {
    volume: Volume,
    gain: f32,
    step: f32,
}

impl Glide {
    /// Begins at the volume that is wanted.
    pub(super) fn new(volume: &Volume, rate_hz: u32) -> Glide {
        let step = 1000.0 / (rate_hz * GLIDE_MS) as f32;
        Glide { gain: volume.get(), volume: volume.clone(), step }
    }

    /// The next sample, as loud as it is to be.
    pub(super) fn apply(&mut self, sample: f32) -> f32 {
        let wanted = self.volume.get();
        self.gain += (wanted - self.gain).clamp(-self.step, self.step);
        (sample * self.gain).clamp(-1.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_and_full_volume_are_as_on_the_desktop() {
        assert_eq!((gain(0), gain(100), gain(50)), (0.0, 1.0, 0.125));
        assert!((gain(150) - 3.375).abs() < 1e-6);
    }

    #[test]
    fn another_volume_is_reached_without_a_click() {
        let volume = Volume::new(100);
        let mut glide = Glide::new(&volume, 48_000);
        assert_eq!(glide.apply(0.5), 0.5);
        volume.set(0);
        let samples: Vec<_> = (0..2_000).map(|_| glide.apply(1.0)).collect();
        let largest = samples.windows(2).map(|pair| (pair[0] - pair[1]).abs()).fold(0.0, f32::max);
        assert!(largest < 1e-3, "{largest}");
        assert_eq!(samples.last(), Some(&0.0));
        volume.set(150);
        let loudest = (0..9_000).map(|_| glide.apply(0.9)).fold(0.0, f32::max);
        assert_eq!(loudest, 1.0, "louder than full scale is cut, not wrapped");
    }
}

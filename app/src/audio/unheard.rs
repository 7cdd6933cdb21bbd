//! Speech that a speaker was given and did not play yet, so that another one can go on with it.

use std::collections::VecDeque;

/// Speech from the first sample that may not have been heard.
pub(super) struct Unheard {
    speech: VecDeque<f32>,
    /// Samples before it.
    heard: u64,
    rate_hz: u64,
    device_hz: u64,
    /// Samples that are still on their way when the device took them.
    on_its_way: u64,
}

impl Unheard {
    /// For speech at `rate_hz` and a device at `device_hz` that holds `held_ms` of it.
    pub(super) fn new(rate_hz: u32, device_hz: u32, held_ms: u32) -> Unheard {
        let (rate_hz, device_hz) = (u64::from(rate_hz), u64::from(device_hz));
        let on_its_way = rate_hz * u64::from(held_ms) / 1000;
        Unheard { speech: VecDeque::new(), heard: 0, rate_hz, device_hz, on_its_way }
    }

    /// More speech.
    pub(super) fn push(&mut self, samples: &[f32]) {
        self.speech.extend(samples);
    }

    /// The device took so many of its own samples in all.
    pub(super) fn taken(&mut self, taken: u64) {
        let heard = (taken * self.rate_hz / self.device_hz).saturating_sub(self.on_its_way);
        let more = heard.saturating_sub(self.heard).min(self.speech.len() as u64);
        self.speech.drain(..more as usize);
        self.heard += more;
    }

    /// What is left.
    pub(super) fn into_speech(self) -> Vec<f32> {
        self.speech.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speech_goes_on_where_the_lost_device_stood() {
        let mut unheard = Unheard::new(24_000, 48_000, 80);
        let speech: Vec<f32> = (0..24_000).map(|i| i as f32).collect();
        unheard.push(&speech[..10_000]);
        unheard.push(&speech[10_000..]);
        unheard.taken(1_000);
        unheard.taken(1_000);
        assert_eq!(unheard.speech.len(), 24_000, "it is still on its way");
        unheard.taken(12_000);
        // 250 ms were taken, of which 80 ms were on their way.
        assert_eq!(unheard.into_speech(), speech[6_000 - 1_920..]);
    }

    #[test]
    fn a_device_that_takes_more_than_there_is_leaves_nothing() {
        let mut unheard = Unheard::new(24_000, 44_100, 80);
        unheard.push(&[0.5; 100]);
        unheard.taken(1_000_000);
        unheard.taken(2_000_000);
        assert!(unheard.into_speech().is_empty());
    }
}

//! The sound that tests a speaker: two soft notes, a fifth apart.

use std::f32::consts::TAU;

/// Rate of the samples.
pub(super) const RATE_HZ: u32 = 24_000;

/// Seconds from the first note to the second, and length of each.
const APART: f32 = 0.22;
const NOTE: f32 = 0.9;
/// C5 and G5.
const NOTES_HZ: [f32; 2] = [523.25, 783.99];

/// Mono samples.
pub(super) fn samples() -> Vec<f32> {
    let length = ((APART + NOTE) * RATE_HZ as f32) as usize;
    (0..length)
        .map(|i| {
            let time = i as f32 / RATE_HZ as f32;
            let notes = NOTES_HZ.iter().enumerate();
            notes.map(|(n, hz)| note(*hz, time - n as f32 * APART)).sum()
        })
        .collect()
}

/// One note: it begins softly, and its overtone fades first, as of a small bell.
fn note(hz: f32, time: f32) -> f32 {
    if !(0.0..NOTE).contains(&time) {
        return 0.0;
    }
    let begins = (time / 0.012).min(1.0);
    let ends = ((NOTE - time) / 0.05).min(1.0);
    let tone = (TAU * hz * time).sin() * (-4.5 * time).exp();
    let overtone = (TAU * 2.0 * hz * time).sin() * (-9.0 * time).exp();
    0.22 * begins * ends * (tone + 0.3 * overtone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chime_begins_and_ends_in_silence_and_is_never_too_loud() {
        let samples = samples();
        assert!(samples.len() > RATE_HZ as usize && samples.len() < 2 * RATE_HZ as usize);
        let peak = samples.iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
        assert!((0.15..0.6).contains(&peak), "{peak}");
        let jump = samples.windows(2).map(|pair| (pair[0] - pair[1]).abs()).fold(0.0, f32::max);
        assert!(jump < 0.12, "{jump}");
        assert!(samples[0].abs() < 1e-3 && samples[samples.len() - 1].abs() < 1e-3);
    }
}

//! Silence around live speech, left out as the samples come: a key is held before the first word and after the last.
//!
//! It only cuts at the ends. Not a detector of speech: any sound counts.

use crate::audio::Audio;

/// Samples whose level is taken together: 10 ms.
const BLOCK: usize = 160;
/// Silence that is kept before the first sound and after the last: soft beginnings and ends lie there.
const MARGIN: usize = Audio::SAMPLE_RATE_HZ as usize * 3 / 10;
/// The shortest clip: a chunk of the audio encoder. A shorter one is followed by silence, for single words are misheard without.
const SHORTEST: usize = Audio::SAMPLE_RATE_HZ as usize;
/// Mean magnitude below which every block is silent: -66 dB of full scale.
const SILENCE: f32 = 0.0005;
/// The same as a share of the loudest block so far: noise of a room lies below it.
const SHARE: f32 = 0.03;

/// Cuts the silence before and after live speech, and fills up speech that is shorter than a second.
///
/// Give [`Trimmer::push`] what a microphone gives and pass on what it appends. Silence is held back until a sound follows, so
/// pauses are kept whole.
#[derive(Clone, Debug, Default)]
pub struct Trimmer {
    /// Samples of a block that is not whole yet.
    block: Vec<f32>,
    /// Silence that nothing has followed yet.
    held: Vec<f32>,
    /// Level of the loudest block.
    loudest: f32,
    /// Samples passed on.
    passed: usize,
}

impl Trimmer {
    /// Nothing heard.
    pub fn new() -> Trimmer {
        Trimmer::default()
    }

    /// Takes samples `[time]` at [`Audio::SAMPLE_RATE_HZ`] and appends those that are known to belong to the speech to `out`.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        for &sample in samples {
            self.block.push(sample);
            if self.block.len() == BLOCK {
                self.end_block(out);
            }
        }
    }

    /// Ends the clip: appends a little of the silence after the last sound, and more where the clip is shorter than a second.
    /// Nothing where all was silent.
    pub fn finish(mut self, out: &mut Vec<f32>) {
        if !self.block.is_empty() {
            self.end_block(out);
        }
        if self.passed > 0 {
            let silence = MARGIN.max(SHORTEST.saturating_sub(self.passed));
            let filled = SHORTEST.saturating_sub(self.passed).max(self.held.len().min(silence));
            self.held.resize(filled, 0.0);
            out.append(&mut self.held);
        }
    }

    fn end_block(&mut self, out: &mut Vec<f32>) {
        let level = self.block.iter().map(|s| s.abs()).sum::<f32>() / self.block.len() as f32;
        self.loudest = self.loudest.max(level);
        self.held.append(&mut self.block);
        // A level that is no number is passed on, for the engine to refuse.
        let is_silent = level < SILENCE.max(SHARE * self.loudest);
        if !is_silent {
            self.passed += self.held.len();
            out.append(&mut self.held);
        } else if self.passed == 0 && self.held.len() > MARGIN {
            self.held.drain(..self.held.len() - MARGIN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tone of so many samples.
    fn tone(samples: usize) -> Vec<f32> {
        (0..samples).map(|i| 0.3 * (i as f32 * 0.3).sin()).collect()
    }

    fn trimmed(samples: &[f32], block: usize) -> Vec<f32> {
        let (mut trimmer, mut out) = (Trimmer::new(), Vec::new());
        samples.chunks(block).for_each(|block| trimmer.push(block, &mut out));
        trimmer.finish(&mut out);
        out
    }

    #[test]
    fn silence_at_the_ends_is_cut_to_the_margins_and_pauses_are_kept() {
        let (silence, speech) = (vec![0.0; 48_000], tone(16_000));
        let pause = vec![0.0; 32_000];
        let clip = [&silence[..], &speech, &pause, &speech, &silence].concat();
        let expected = &clip[48_000 - MARGIN..48_000 + 64_000 + MARGIN];
        for block in [1, 159, 160, 997, 1 << 20] {
            assert_eq!(trimmed(&clip, block), expected, "blocks of {block}");
        }
    }

    #[test]
    fn a_clip_without_silence_is_passed_on_whole() {
        let clip = tone(20_017);
        assert_eq!(trimmed(&clip, 441), clip);
    }

    #[test]
    fn a_short_word_is_filled_up_to_a_second_with_what_followed_it_and_then_nothing() {
        let word = tone(4_800);
        assert_eq!(trimmed(&word, 160), [&word[..], &[0.0; 11_200]].concat());
        let hiss: Vec<f32> = (0..32_000).map(|i| if i % 2 == 0 { 1e-4 } else { -1e-4 }).collect();
        let clip = [&word[..], &hiss].concat();
        assert_eq!(trimmed(&clip, 160), clip[..16_000]);
    }

    #[test]
    fn noise_far_below_the_speech_is_cut_after_it() {
        let hiss: Vec<f32> = (0..32_000).map(|i| if i % 2 == 0 { 0.003 } else { -0.003 }).collect();
        let clip = [&tone(16_000)[..], &hiss].concat();
        assert_eq!(trimmed(&clip, 160).len(), 16_000 + MARGIN);
    }

    #[test]
    fn silence_alone_gives_nothing_and_no_number_is_hidden() {
        assert!(trimmed(&[0.0; 50_000], 1600).is_empty() && trimmed(&[], 1).is_empty());
        let mut clip = vec![0.0; 1600];
        clip[700] = f32::NAN;
        assert!(trimmed(&clip, 160).iter().any(|s| s.is_nan()));
    }
}

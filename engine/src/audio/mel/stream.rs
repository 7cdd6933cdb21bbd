//! Log-mel frames of a clip that is still being spoken.

use std::ops::Range;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use super::filters::{self, Band};
use super::{Mel, MelConfig, too_short};
use crate::{Error, Result};

/// How far below the clip's maximum a logarithm is kept: 80 dB.
const DYNAMIC_RANGE: f32 = 8.0;
/// The least power that is taken the logarithm of.
const FLOOR: f64 = 1e-10;

/// Takes samples in blocks of any size and gives the frames that [`super::whole`] gives, bit for bit.
///
/// A frame is complete as soon as half a window of samples lies behind its centre. Its logarithms never change then,
/// but the clamp does when the clip's maximum rises: [`Stream::would_change`] tells whether features that were used
/// already are still those of the whole clip.
pub(crate) struct Stream {
    config: MelConfig,
    spectrum: Spectrum,
    /// Samples from `origin` on; earlier ones are no longer needed.
    samples: Vec<f32>,
    /// Position in the clip of the first sample that is kept.
    origin: usize,
    /// Logarithms `[frames, n_mels]` of the complete frames, not clamped.
    logs: Vec<f32>,
    max: f32,
    finished: bool,
}

impl Stream {
    /// A stream at the start of a clip.
    ///
    /// # Errors
    /// [`Error::Input`] when the config's numbers do not fit each other.
    pub(crate) fn new(config: &MelConfig) -> Result<Self> {
        let MelConfig { n_mels, n_fft, hop_length, sample_rate_hz } = *config;
        let window_fits = n_fft >= 4 && n_fft.is_multiple_of(2) && n_fft <= 1 << 16;
        if !window_fits
            || hop_length == 0
            || hop_length > n_fft / 2
            || !(1..=1024).contains(&n_mels)
            || sample_rate_hz == 0
        {
            return Err(Error::Input(format!(
                "the feature extractor's numbers do not fit: n_fft {n_fft} (expected even, 4 to 65536), hop_length \
                 {hop_length} (expected 1 to n_fft/2), {n_mels} mel bands (expected 1 to 1024), {sample_rate_hz} Hz"
            )));
        }
        Ok(Self {
            config: config.clone(),
            spectrum: Spectrum::new(config),
            samples: Vec::new(),
            origin: 0,
            logs: Vec::new(),
            max: f32::NEG_INFINITY,
            finished: false,
        })
    }

    /// Takes the next samples `[time]` and returns how many frames became complete by them.
    ///
    /// # Errors
    /// [`Error::Input`] when a sample is not finite, or after [`Self::finish`].
    pub(crate) fn push(&mut self, samples: &[f32]) -> Result<usize> {
        if self.finished {
            return Err(Error::Input("the sound was finished already; start a new clip".into()));
        }
        if let Some(bad) = samples.iter().find(|s| !s.is_finite()) {
            return Err(Error::Input(format!(
                "the sound holds a sample that is {bad} and not a finite number"
            )));
        }
        self.samples.extend_from_slice(samples);
        let (before, half) = (self.frames(), self.config.n_fft / 2);
        // The first frame reflects around the first sample, so it needs one sample more than those behind its centre.
        while self.len() > (self.frames() * self.config.hop_length + half - 1).max(half) {
            self.complete_frame();
        }
        // Kept: what the next frame covers, and with it all that the end may reflect.
        let next = (self.frames() * self.config.hop_length).saturating_sub(half);
        if next - self.origin > 64 * self.config.n_fft {
            self.samples.drain(..next - self.origin);
            self.origin = next;
        }
        Ok(self.frames() - before)
    }

    /// Ends the clip and returns how many frames became complete by that: none or one, reflected at the end.
    ///
    /// # Errors
    /// [`Error::Input`] when the clip is not longer than half a window.
    pub(crate) fn finish(&mut self) -> Result<usize> {
        if self.len() <= self.config.n_fft / 2 {
            return Err(too_short(self.len(), &self.config));
        }
        let before = self.frames();
        while self.len() / self.config.hop_length > self.frames() {
            self.complete_frame();
        }
        self.finished = true;
        Ok(self.frames() - before)
    }

    /// Frames that are complete.
    pub(crate) fn frames(&self) -> usize {
        self.logs.len() / self.config.n_mels
    }

    /// The largest logarithm of the complete frames; negative infinity before the first.
    pub(crate) fn max(&self) -> f32 {
        self.max
    }

    /// Features of the complete frames in `range`, clamped as in a clip whose largest logarithm is `max`.
    pub(crate) fn features(&self, range: Range<usize>, max: f32) -> Mel {
        let logs = self.logs_of(range);
        let floor = max - DYNAMIC_RANGE;
        let data = logs.iter().map(|l| (l.max(floor) + 4.0) / 4.0).collect();
        Mel { frames: logs.len() / self.config.n_mels, data }
    }

    /// Whether features of `range` that were made under `old_max` differ from those under `new_max`.
    pub(crate) fn would_change(&self, range: Range<usize>, old_max: f32, new_max: f32) -> bool {
        let (old, new) = (old_max - DYNAMIC_RANGE, new_max - DYNAMIC_RANGE);
        self.logs_of(range).iter().any(|l| l.max(old) != l.max(new))
    }

    fn logs_of(&self, range: Range<usize>) -> &[f32] {
        let end = range.end.min(self.frames());
        &self.logs[range.start.min(end) * self.config.n_mels..end * self.config.n_mels]
    }

    /// Samples of the clip so far.
    fn len(&self) -> usize {
        self.origin + self.samples.len()
    }

    /// Computes the next frame from the samples there are, reflected where the clip begins and ends.
    fn complete_frame(&mut self) {
        let half = (self.config.n_fft / 2) as isize;
        let start = (self.frames() * self.config.hop_length) as isize - half;
        let last = self.len() as isize - 1;
        for (i, (slot, window)) in self.spectrum.frame.iter_mut().zip(&self.spectrum.window).enumerate() {
            let at = (start + i as isize).abs();
            let at = if at > last { 2 * last - at } else { at };
            *slot = f64::from(self.samples[at as usize - self.origin]) * window;
        }
        self.spectrum.transform();
        for band in &self.spectrum.bands {
            let log = band_power(band, &self.spectrum.bins).max(FLOOR).log10() as f32;
            self.max = self.max.max(log);
            self.logs.push(log);
        }
    }
}

fn band_power(band: &Band, bins: &[Complex<f64>]) -> f64 {
    band.weights.iter().zip(&bins[band.first..]).map(|(weight, bin)| weight * bin.norm_sqr()).sum()
}

/// The windowed frame, its transform, and what both need.
struct Spectrum {
    fft: Arc<dyn RealToComplex<f64>>,
    /// Periodic Hann window.
    window: Vec<f64>,
    bands: Vec<Band>,
    frame: Vec<f64>,
    bins: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
}

impl Spectrum {
    fn new(config: &MelConfig) -> Self {
        let n = config.n_fft;
        let fft = RealFftPlanner::new().plan_fft_forward(n);
        let turn = std::f64::consts::TAU / n as f64;
        Self {
            window: (0..n).map(|i| 0.5 - 0.5 * (turn * i as f64).cos()).collect(),
            bands: filters::bank(config),
            frame: fft.make_input_vec(),
            bins: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            fft,
        }
    }

    fn transform(&mut self) {
        // The three buffers were made by this transform, and wrong lengths are all that it refuses.
        let done = self.fft.process_with_scratch(&mut self.frame, &mut self.bins, &mut self.scratch);
        debug_assert!(done.is_ok(), "buffers of the transform's own length");
    }
}

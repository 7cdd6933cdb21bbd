//! Triangular mel filters with Slaney's scale and area normalisation, as `librosa.filters.mel` makes them.

use super::MelConfig;

/// Below this the scale is linear.
const BREAK_HZ: f64 = 1000.0;
const LINEAR_HZ_PER_MEL: f64 = 200.0 / 3.0;
const BREAK_MEL: f64 = BREAK_HZ / LINEAR_HZ_PER_MEL;

/// One band's weights over neighbouring bins of the spectrum.
pub(super) struct Band {
    /// The first bin with a weight.
    pub(super) first: usize,
    /// A weight for each bin from there.
    pub(super) weights: Vec<f64>,
}

/// The bands from 0 Hz to half the sample rate, over the `n_fft / 2 + 1` bins of a real spectrum.
pub(super) fn bank(config: &MelConfig) -> Vec<Band> {
    let top_hz = f64::from(config.sample_rate_hz) / 2.0;
    let bins = config.n_fft / 2 + 1;
    let bin_hz = |bin: usize| top_hz * bin as f64 / (bins - 1) as f64;
    let steps = (config.n_mels + 1) as f64;
    let edge_hz = |i: usize| to_hz(to_mel(top_hz) * i as f64 / steps);
    (0..config.n_mels)
        .map(|band| {
            let (low, middle, high) = (edge_hz(band), edge_hz(band + 1), edge_hz(band + 2));
            let weight = |bin: usize| {
                let hz = bin_hz(bin);
                let side = ((hz - low) / (middle - low)).min((high - hz) / (high - middle));
                side.max(0.0) * 2.0 / (high - low)
            };
            let first = (0..bins).find(|&bin| weight(bin) > 0.0).unwrap_or(0);
            let weights = (first..bins).map(weight).take_while(|&w| w > 0.0).collect();
            Band { first, weights }
        })
        .collect()
}

/// The bands as a dense matrix `[n_fft / 2 + 1, n_mels]`.
pub(crate) fn matrix(config: &MelConfig) -> Vec<f32> {
    let mut dense = vec![0.0; (config.n_fft / 2 + 1) * config.n_mels];
    for (column, band) in bank(config).iter().enumerate() {
        for (i, &weight) in band.weights.iter().enumerate() {
            dense[(band.first + i) * config.n_mels + column] = weight as f32;
        }
    }
    dense
}

fn log_step() -> f64 {
    6.4f64.ln() / 27.0
}

fn to_mel(hz: f64) -> f64 {
    if hz < BREAK_HZ { hz / LINEAR_HZ_PER_MEL } else { BREAK_MEL + (hz / BREAK_HZ).ln() / log_step() }
}

fn to_hz(mel: f64) -> f64 {
    if mel < BREAK_MEL { mel * LINEAR_HZ_PER_MEL } else { BREAK_HZ * ((mel - BREAK_MEL) * log_step()).exp() }
}

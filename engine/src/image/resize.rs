//! The size that a picture is given, and the resampling to it.

use rayon::prelude::*;

use super::{Image, ImageConfig};
use crate::{Error, Result};

/// One side of a picture may be this many times the other.
const MAX_RATIO: usize = 200;
/// The parameter of the cubic filter.
const CUBIC_A: f64 = -0.5;
/// Pixels on each side of the centre that the cubic filter reaches when it enlarges.
const CUBIC_REACH: f64 = 2.0;

/// The height and width to resize to: multiples of [`ImageConfig::factor`], near the given ones in ratio, with a
/// number of pixels within the config's limits. (`smart_resize` of the published processor.)
///
/// # Errors
/// [`Error::Input`] when a side is 0 or one is more than 200 times the other.
pub(crate) fn smart_resize(height: usize, width: usize, config: &ImageConfig) -> Result<(usize, usize)> {
    let (long, short) = (height.max(width), height.min(width));
    if short == 0 || long > MAX_RATIO.saturating_mul(short) {
        return Err(Error::Input(format!(
            "a picture of {width} x {height} pixels is too narrow: one side may be at most {MAX_RATIO} times the \
             other; crop it"
        )));
    }
    let factor = config.factor().max(1) as f64;
    let (h, w) = (height as f64, width as f64);
    let sides = |round: &dyn Fn(f64) -> f64, scale: f64| {
        let side = |side: f64| (round(side * scale / factor) * factor).max(factor) as usize;
        (side(h), side(w))
    };
    let rounded = |side: f64| (side / factor).round_ties_even() * factor;
    let pixels = rounded(h) * rounded(w);
    let (min, max) = (config.min_pixels as f64, config.max_pixels as f64);
    Ok(if pixels > max {
        let beta = (h * w / max).sqrt();
        let side = |side: f64| ((side / beta / factor).floor() * factor).max(factor) as usize;
        (side(h), side(w))
    } else if pixels < min {
        sides(&f64::ceil, (min / (h * w)).sqrt())
    } else {
        sides(&f64::round_ties_even, 1.0)
    })
}

/// Resamples to `height` x `width` with a cubic filter that widens where it reduces, so that nothing aliases.
///
/// Rows first, then columns, in fixed point with rounding to 8 bits in between: the same bytes as torchvision's
/// `resize` of 8-bit pictures (bicubic, antialias), which the published processor uses.
pub(crate) fn resize(image: &Image, height: usize, width: usize) -> Image {
    let rows = resample_rows(image, width);
    resample_columns(&rows, height)
}

fn resample_rows(image: &Image, width: usize) -> Image {
    if width == image.width {
        return image.clone();
    }
    let filter = Filter::new(image.width, width);
    let mut rgb = vec![0; image.height * width * 3];
    let rows = rgb.par_chunks_exact_mut(width * 3).zip(image.rgb.par_chunks_exact(image.width * 3));
    rows.for_each(|(out, row)| {
        for (pixel, taps) in out.chunks_exact_mut(3).zip(&filter.taps) {
            let mut sums = [filter.half(); 3];
            for (source, &weight) in row[taps.first * 3..].chunks_exact(3).zip(&taps.weights) {
                for (sum, &value) in sums.iter_mut().zip(source) {
                    *sum += i32::from(value) * weight;
                }
            }
            for (value, sum) in pixel.iter_mut().zip(sums) {
                *value = filter.round(sum);
            }
        }
    });
    Image { width, height: image.height, rgb }
}

fn resample_columns(image: &Image, height: usize) -> Image {
    if height == image.height {
        return image.clone();
    }
    let filter = Filter::new(image.height, height);
    let stride = image.width * 3;
    let mut rgb = vec![0; height * stride];
    rgb.par_chunks_exact_mut(stride).zip(&filter.taps).for_each(|(out, taps)| {
        let mut sums = vec![filter.half(); stride];
        for (row, &weight) in image.rgb[taps.first * stride..].chunks_exact(stride).zip(&taps.weights) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += i32::from(value) * weight;
            }
        }
        for (value, sum) in out.iter_mut().zip(sums) {
            *value = filter.round(sum);
        }
    });
    Image { width: image.width, height, rgb }
}

/// What each output pixel along one side takes from the input pixels, in fixed point.
struct Filter {
    taps: Vec<Taps<i32>>,
    /// Bits behind the point.
    precision: u32,
}

struct Taps<T> {
    /// The first input pixel.
    first: usize,
    /// A weight for each input pixel from there.
    weights: Vec<T>,
}

impl Filter {
    fn new(from: usize, to: usize) -> Self {
        let taps: Vec<_> = (0..to).map(|at| exact_taps(from, to, at)).collect();
        let largest = taps.iter().flat_map(|t| &t.weights).fold(0.0f64, |a, &b| a.max(b));
        // As many bits as keep the largest weight within 16 signed bits, and 22 at most.
        let fits = |bits: u32| (largest * f64::from(1 << bits) + 0.5) < f64::from(1 << 15);
        let precision = (1..=22).take_while(|&bits| fits(bits)).last().unwrap_or(0);
        let scale = f64::from(1 << precision);
        let fixed = |t: Taps<f64>| Taps {
            first: t.first,
            // Rounds half away from zero.
            weights: t.weights.iter().map(|w| (w * scale).round() as i32).collect(),
        };
        Self { taps: taps.into_iter().map(fixed).collect(), precision }
    }

    /// A half, where sums begin so that cutting the bits behind the point rounds.
    fn half(&self) -> i32 {
        (1 << self.precision) >> 1
    }

    fn round(&self, sum: i32) -> u8 {
        (sum >> self.precision).clamp(0, 255) as u8
    }
}

/// The weights of output pixel `at` of `to`, over the input pixels of `from`; their sum is 1.
fn exact_taps(from: usize, to: usize, at: usize) -> Taps<f64> {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let reach = CUBIC_REACH * stretch;
    let centre = scale * (at as f64 + 0.5);
    let first = (centre - reach + 0.5).max(0.0) as usize;
    let end = ((centre + reach + 0.5) as usize).min(from);
    let mut weights: Vec<f64> = (first..end).map(|i| cubic((i as f64 - centre + 0.5) / stretch)).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|w| *w /= sum);
    Taps { first, weights }
}

fn cubic(x: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 {
        ((CUBIC_A + 2.0) * x - (CUBIC_A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * CUBIC_A
    } else {
        0.0
    }
}

//! `preprocessor_config.json`: how sound and pictures become the encoders' inputs.

use std::path::Path;

use serde_json::{Value, json};

use super::{
    ThinkerConfig,
    encoders::exactly,
    fields::{COUNT, Fields},
};
use crate::{error::Result, files::read_json_optional};

/// Sizes of the audio and image front ends. Each value is the file's, or the published default.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PreprocessorConfig {
    /// Rate of the sound that the mel front end takes.
    pub(crate) sample_rate_hz: usize,
    /// Samples of a Fourier transform, even.
    pub(crate) n_fft: usize,
    /// Samples between two frames.
    pub(crate) hop_length: usize,
    /// Rows of a mel frame, as many as the audio encoder takes.
    pub(crate) num_mel_bins: usize,
    /// Side of a patch, in pixels.
    pub(crate) patch_size: usize,
    /// Frames of a patch.
    pub(crate) temporal_patch_size: usize,
    /// Side of the square of patches that becomes one row of the thinker.
    pub(crate) merge_size: usize,
    /// Pictures with fewer pixels are enlarged.
    pub(crate) min_pixels: usize,
    /// Pictures with more pixels are reduced.
    pub(crate) max_pixels: usize,
    /// Taken from each colour, in 0 to 1.
    pub(crate) image_mean: [f32; 3],
    /// Divides each colour after that.
    pub(crate) image_std: [f32; 3],
}

impl PreprocessorConfig {
    /// Reads the file in the checkpoint's folder; defaults for what it leaves out, or where there is none.
    ///
    /// # Errors
    /// As [`super::Config::load`]; also where a size is not the one that the thinker's encoders take.
    pub(crate) fn load(dir: &Path, thinker: &ThinkerConfig) -> Result<Self> {
        let path = dir.join("preprocessor_config.json");
        Self::read(&path, &read_json_optional(&path)?.unwrap_or_else(|| json!({})), thinker)
    }

    /// What the file `path` says. Errors as [`PreprocessorConfig::load`].
    pub(crate) fn read(path: &Path, json: &Value, thinker: &ThinkerConfig) -> Result<Self> {
        let fields = Fields::root(path, json)?;
        let fixed = |key, size| fields.or(key, size, |f, key| exactly(f, key, size));
        let vision = &thinker.vision;
        let n_fft = fields.or("n_fft", 400, |f, key| f.size(key, 2..=1 << 16))?;
        if !n_fft.is_multiple_of(2) {
            return Err(fields.error("n_fft", "an even number", &n_fft.to_string()));
        }
        let (min_pixels, max_pixels) = pixels(&fields)?;
        Ok(Self {
            sample_rate_hz: fields.or("sampling_rate", 16_000, |f, key| f.size(key, 1000..=384_000))?,
            n_fft,
            hop_length: fields.or("hop_length", 160, |f, key| f.size(key, 1..=n_fft))?,
            num_mel_bins: fixed("feature_size", thinker.audio.num_mel_bins)?,
            patch_size: fixed("patch_size", vision.patch_size)?,
            temporal_patch_size: fixed("temporal_patch_size", vision.temporal_patch_size)?,
            merge_size: fixed("merge_size", vision.spatial_merge_size)?,
            min_pixels,
            max_pixels,
            image_mean: fields.or("image_mean", [0.5; 3], |f, key| f.colour(key, -10.0..=10.0))?,
            image_std: fields.or("image_std", [0.5; 3], |f, key| f.colour(key, 1e-3..=10.0))?,
        })
    }
}

/// Least and most pixels of a picture: `min_pixels` and `max_pixels`, or `size` with `shortest_edge` and
/// `longest_edge`, which are numbers of pixels too in spite of their names.
fn pixels(fields: &Fields<'_>) -> Result<(usize, usize)> {
    let size = fields.optional_object("size")?;
    let nested = |key: &str| size.as_ref().filter(|size| size.has(key));
    let range = |low: usize| low..=COUNT.end() << 18;
    let (min_key, max_key) = ("shortest_edge", "longest_edge");
    let min = match nested(min_key).filter(|_| !fields.has("min_pixels")) {
        Some(size) => size.size(min_key, range(1))?,
        None => fields.or("min_pixels", 3136, |f, key| f.size(key, range(1)))?,
    };
    let max = match nested(max_key).filter(|_| !fields.has("max_pixels")) {
        Some(size) => size.size(max_key, range(min))?,
        None => fields.or("max_pixels", 12_845_056.max(min), |f, key| f.size(key, range(min)))?,
    };
    Ok((min, max))
}

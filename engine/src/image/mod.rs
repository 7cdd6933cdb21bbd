//! Pictures and videos as the model sees them: RGB pixels, resized, and cut into normalised patches.
//!
//! Pictures come in through [`Image::open`], videos as folders of frames through [`Video::open`]. This is not the
//! vision encoder, and it decodes no video files.

mod decode;
mod patches;
mod resize;
#[cfg(test)]
mod tests;
mod video;

use std::path::Path;

use crate::{Error, Result};

pub(crate) use patches::{Patches, patches};
pub(crate) use resize::{resize, smart_resize};
pub use video::Video;
pub(crate) use video::VideoLimits;

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Pixels of a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Values `[height, width, 3]`, red, green, blue, row-major.
    pub rgb: Vec<u8>,
}

impl Image {
    /// The most pixels of a picture that is accepted.
    pub const MAX_PIXELS: usize = 1 << 27;

    /// Reads a JPEG, PNG or WebP file, told by its content. It is turned upright as its Exif data says; transparency
    /// is dropped.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read; [`Error::Input`] when it is no whole picture of these formats or
    /// has more than [`Self::MAX_PIXELS`].
    pub fn open(path: &Path) -> Result<Self> {
        decode::open(path)
    }

    /// Takes pixels `[height, width, 3]`, red, green, blue.
    ///
    /// # Errors
    /// [`Error::Input`] when a side is 0, there are more than [`Self::MAX_PIXELS`], or the values do not fill the
    /// sides.
    pub fn from_rgb(width: usize, height: usize, rgb: Vec<u8>) -> Result<Self> {
        let image = Self { width, height, rgb };
        image.check()?;
        Ok(image)
    }

    /// Whether the values fill the sides; the fields are open to be changed.
    pub(crate) fn check(&self) -> Result<()> {
        let &Self { width, height, .. } = self;
        check_sides(width, height)?;
        if self.rgb.len() != width * height * 3 {
            return Err(Error::Input(format!(
                "a picture of {width} x {height} pixels needs {} values, found {}",
                width * height * 3,
                self.rgb.len()
            )));
        }
        Ok(())
    }
}

fn check_sides(width: usize, height: usize) -> Result<()> {
    if width == 0 || height == 0 {
        return Err(Error::Input(format!("the picture has no pixels ({width} x {height}); choose another")));
    }
    if width.checked_mul(height).is_none_or(|pixels| pixels > Image::MAX_PIXELS) {
        return Err(Error::Input(format!(
            "the picture is too large: {width} x {height} pixels, at most {} million are accepted; scale it down",
            Image::MAX_PIXELS / 1_000_000
        )));
    }
    Ok(())
}

/// Numbers of the picture processor, from `preprocessor_config.json`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ImageConfig {
    /// Pixels of a patch's side.
    pub patch_size: usize,
    /// Frames of a patch.
    pub temporal_patch_size: usize,
    /// Patches of a merged token's side.
    pub merge_size: usize,
    /// A smaller picture is enlarged.
    pub min_pixels: usize,
    /// A larger picture is reduced.
    pub max_pixels: usize,
    /// Mean of each channel, of values from 0 to 1.
    pub mean: [f32; 3],
    /// Standard deviation of each channel, of values from 0 to 1.
    pub std: [f32; 3],
}

impl Default for ImageConfig {
    fn default() -> Self {
        Self {
            patch_size: 16,
            temporal_patch_size: 2,
            merge_size: 2,
            min_pixels: 3136,
            max_pixels: 12_845_056,
            mean: [0.5; 3],
            std: [0.5; 3],
        }
    }
}

impl ImageConfig {
    /// The pixels that both sides of a resized picture are a multiple of.
    pub(crate) fn factor(&self) -> usize {
        self.patch_size * self.merge_size
    }
}

/// Resizes a picture and cuts it into patches.
///
/// # Errors
/// [`Error::Input`] when one side is more than 200 times the other, or the values do not fill the sides.
pub(crate) fn prepare(image: &Image, config: &ImageConfig) -> Result<Patches> {
    image.check()?;
    let (height, width) = smart_resize(image.height, image.width, config)?;
    patches(&[resize(image, height, width)], config)
}

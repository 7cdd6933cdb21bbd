//! A video: frames of one size at a steady rate, and the sound that belongs to it.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Image, ImageConfig, Patches, patches, resize, smart_resize};
use crate::audio::Audio;
use crate::{Error, Result};

/// File names' ends by which frames are told from other files.
const PICTURE_EXTENSIONS: [&str; 4] = ["jpg", "jpeg", "png", "webp"];
/// File names' ends by which the sound is told.
const SOUND_EXTENSIONS: [&str; 4] = ["wav", "flac", "mp3", "ogg"];
/// The file beside the frames that may tell their rate.
const DESCRIPTION: &str = "video.json";

/// Frames that were sampled already, and their sound.
#[derive(Clone, Debug, PartialEq)]
pub struct Video {
    /// Frames in order, all of one size.
    pub frames: Vec<Image>,
    /// Frames in a second of the video.
    pub frames_per_second: f32,
    /// The sound that was recorded with it.
    pub audio: Option<Audio>,
}

impl Video {
    /// The rate of frames where nobody tells it.
    pub const DEFAULT_FRAMES_PER_SECOND: f32 = 2.0;
    /// The most frames that are accepted.
    pub const MAX_FRAMES: usize = 768;
    /// The most pixels of all frames together.
    pub const MAX_PIXELS: usize = 1 << 28;

    /// Reads a folder of pictures as the frames of a video, in the order of their names (2 before 10). The rate is the
    /// one given, else `fps` of a file `video.json` in the folder, else 2. A sound file in the folder is its sound.
    ///
    /// # Errors
    /// [`Error::Io`] when the folder or a file cannot be read; [`Error::Input`] when there is no frame, there are too
    /// many, they differ in size, there are several sound files, or the rate is out of range.
    pub fn open(folder: &Path, frames_per_second: Option<f32>) -> Result<Self> {
        let files = files(folder)?;
        let pictures: Vec<_> = files.iter().filter(|f| has_extension(f, &PICTURE_EXTENSIONS)).collect();
        let sounds: Vec<_> = files.iter().filter(|f| has_extension(f, &SOUND_EXTENSIONS)).collect();
        let refuse = |reason: String| Error::Input(format!("{}: {reason}", folder.display()));
        if pictures.is_empty() {
            return Err(refuse(
                "no frames: the folder needs pictures that end in .jpg, .png or .webp".into(),
            ));
        }
        if pictures.len() > Self::MAX_FRAMES {
            return Err(refuse(format!(
                "{} frames, at most {} are accepted; take fewer frames a second",
                pictures.len(),
                Self::MAX_FRAMES
            )));
        }
        if sounds.len() > 1 {
            return Err(refuse(format!(
                "{} sound files; leave the one that belongs to the video",
                sounds.len()
            )));
        }
        let frames_per_second = match frames_per_second {
            Some(rate) => rate,
            None => described_rate(folder)?.unwrap_or(Self::DEFAULT_FRAMES_PER_SECOND),
        };
        check_rate(frames_per_second).map_err(|error| refuse(error.to_string()))?;
        let audio = sounds.first().map(|path| Audio::open(path)).transpose()?;

        let mut frames: Vec<Image> = Vec::with_capacity(pictures.len());
        for path in &pictures {
            let frame = Image::open(path)?;
            let (width, height) = frames.first().map_or((frame.width, frame.height), |f| (f.width, f.height));
            if (frame.width, frame.height) != (width, height) {
                return Err(Error::Input(format!(
                    "{}: {} x {} pixels, but the first frame has {width} x {height}; give all frames one size",
                    path.display(),
                    frame.width,
                    frame.height
                )));
            }
            if width * height * pictures.len() > Self::MAX_PIXELS {
                return Err(refuse(format!(
                    "{} frames of {width} x {height} pixels are too much, at most {} million pixels are accepted; \
                     scale them down or take fewer",
                    pictures.len(),
                    Self::MAX_PIXELS / 1_000_000
                )));
            }
            frames.push(frame);
        }
        Ok(Self { frames, frames_per_second, audio })
    }

    /// Seconds from one row of the patches' grid in time to the next.
    pub(crate) fn second_per_grid(&self, config: &ImageConfig) -> f32 {
        config.temporal_patch_size as f32 / self.frames_per_second
    }

    /// The height and width that the frames are resized to.
    ///
    /// # Errors
    /// [`Error::Input`] when there is no frame, the rate is out of range, a frame's values do not fill its sides, or one side is
    /// more than 200 times the other.
    pub(crate) fn frame_size(&self, config: &ImageConfig, limits: &VideoLimits) -> Result<(usize, usize)> {
        let Some(first) = self.frames.first() else {
            return Err(Error::Input("the video has no frames; choose one with at least one picture".into()));
        };
        check_rate(self.frames_per_second)?;
        self.frames.iter().try_for_each(Image::check)?;
        smart_resize(first.height, first.width, &limits.apply(self.frames.len(), config))
    }

    /// Resizes the frames within the limits and cuts them into patches.
    ///
    /// # Errors
    /// [`Error::Input`] when there is no frame or one side is more than 200 times the other.
    pub(crate) fn prepare(&self, config: &ImageConfig, limits: &VideoLimits) -> Result<Patches> {
        let (height, width) = self.frame_size(config, limits)?;
        let frames: Vec<_> = self.frames.iter().map(|frame| resize(frame, height, width)).collect();
        patches(&frames, config)
    }
}

/// How many pixels the frames of a video may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VideoLimits {
    /// A smaller frame is enlarged.
    pub min_pixels: usize,
    /// A larger frame is reduced.
    pub max_pixels: usize,
    /// Pixels of all patches in time together: more frames get fewer pixels each.
    pub total_pixels: usize,
}

impl Default for VideoLimits {
    /// The limits of the model's own video helper.
    fn default() -> Self {
        const TOKEN: usize = 32 * 32;
        Self { min_pixels: 128 * TOKEN, max_pixels: 768 * TOKEN, total_pixels: 128_000 * TOKEN / 10 * 9 }
    }
}

impl VideoLimits {
    /// The picture limits for each of `frames` frames.
    fn apply(&self, frames: usize, config: &ImageConfig) -> ImageConfig {
        let share = self.total_pixels / frames.max(1) * config.temporal_patch_size;
        let max_pixels = share.min(self.max_pixels).max(self.min_pixels + self.min_pixels / 20);
        ImageConfig { min_pixels: self.min_pixels, max_pixels, ..config.clone() }
    }
}

fn check_rate(frames_per_second: f32) -> Result<()> {
    if (0.001..=1000.0).contains(&frames_per_second) {
        return Ok(());
    }
    Err(Error::Input(format!("{frames_per_second} frames a second; expected 0.001 to 1000")))
}

/// The folder's files in the order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let io = |source| Error::Io { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    let name =
        |path: &PathBuf| path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    files.sort_by(|a, b| by_number(&name(a), &name(b)));
    Ok(files)
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    extensions.iter().any(|e| e.eq_ignore_ascii_case(extension))
}

/// The rate in the description beside the frames, if there is one.
fn described_rate(folder: &Path) -> Result<Option<f32>> {
    let path = folder.join(DESCRIPTION);
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(&path).map_err(|source| Error::Io { path: path.clone(), source })?;
    let value: Option<serde_json::Value> = serde_json::from_str(&text).ok();
    match value.as_ref().and_then(|v| v.get("fps")).and_then(serde_json::Value::as_f64) {
        Some(rate) => Ok(Some(rate as f32)),
        None => Err(Error::Input(format!(
            "{}: expected {{\"fps\": <frames a second>}}; correct the file or delete it",
            path.display()
        ))),
    }
}

/// Orders names by their parts, digits as numbers.
fn by_number(a: &str, b: &str) -> Ordering {
    let (mut a_rest, mut b_rest) = (a, b);
    while !a_rest.is_empty() && !b_rest.is_empty() {
        let (a_part, b_part);
        (a_part, a_rest) = split_part(a_rest);
        (b_part, b_rest) = split_part(b_rest);
        let numbers = a_part.starts_with(|c: char| c.is_ascii_digit())
            && b_part.starts_with(|c: char| c.is_ascii_digit());
        let order = if numbers {
            let (x, y) = (a_part.trim_start_matches('0'), b_part.trim_start_matches('0'));
            x.len().cmp(&y.len()).then(x.cmp(y))
        } else {
            a_part.cmp(b_part)
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    a_rest.len().cmp(&b_rest.len()).then(a.cmp(b))
}

/// The leading run of digits, or of other characters, and the rest.
fn split_part(name: &str) -> (&str, &str) {
    let digits = name.starts_with(|c: char| c.is_ascii_digit());
    let end = name.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(name.len());
    name.split_at(end)
}

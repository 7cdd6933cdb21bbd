//! A picture or a sound that goes with the next question.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::{DynamicImage, RgbaImage};

use crate::cli::prompt::Part;
use crate::language::t;

/// Longest side of a picture as shown.
const THUMBNAIL: u32 = 384;

/// Longest side of a picture that is shown large.
const LARGE: u32 = 2048;

/// A file that goes with a question.
#[derive(Clone, Debug)]
pub(crate) struct Attachment {
    /// The file.
    pub(crate) path: PathBuf,
    /// A small copy, for a picture; none for a sound.
    pub(crate) thumbnail: Option<Arc<RgbaImage>>,
}

impl Attachment {
    /// Looks at a file.
    ///
    /// # Errors
    /// A sentence: it is neither a picture nor a sound that can be used.
    pub(crate) fn open(path: &Path) -> Result<Attachment, String> {
        let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        let shown = path.display();
        let thumbnail = match extension.as_str() {
            "png" | "jpg" | "jpeg" | "webp" => {
                let picture = image::open(path)
                    .map_err(|e| t!("%{file} cannot be shown: %{error}.", file = shown, error = e))?;
                Some(fit(picture, THUMBNAIL))
            }
            "wav" | "flac" | "mp3" | "ogg" if path.is_file() => None,
            "wav" | "flac" | "mp3" | "ogg" => {
                return Err(t!("There is no file %{file}.", file = shown).into());
            }
            _ if path.is_dir() => {
                return Err(t!(
                    "The folder %{folder} holds no model: it has no config.json.",
                    folder = shown
                )
                .into());
            }
            _ => {
                return Err(t!(
                    "%{file} is neither a picture (PNG, JPEG, WebP) nor a sound (WAV, FLAC, MP3, Ogg) \
                     nor a model's folder.",
                    file = shown
                )
                .into());
            }
        };
        Ok(Attachment { path: path.to_path_buf(), thumbnail })
    }

    /// Reads a picture as large as a window shows it.
    ///
    /// # Errors
    /// A sentence: the picture is gone or broken.
    pub(crate) fn enlarge(path: &Path) -> Result<Arc<RgbaImage>, String> {
        let picture = image::open(path)
            .map_err(|e| t!("%{file} cannot be shown: %{error}.", file = path.display(), error = e))?;
        Ok(fit(picture, LARGE))
    }

    /// As a part of a question.
    pub(crate) fn part(&self) -> Part {
        match self.thumbnail {
            Some(_) => Part::Image(self.path.clone()),
            None => Part::Audio(self.path.clone()),
        }
    }

    /// The file's name.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }
}

/// The picture, no longer at any side than `most`.
fn fit(picture: DynamicImage, most: u32) -> Arc<RgbaImage> {
    let is_small = picture.width().max(picture.height()) <= most;
    Arc::new(if is_small { picture.to_rgba8() } else { picture.thumbnail(most, most).to_rgba8() })
}

//! Picture files to pixels.

use std::fs;
use std::io::Cursor;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use ::image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::{Image, check_sides};
use crate::{Error, Result};

/// Bytes that a decoder may allocate, and that a file may have: 8 for each pixel of the largest picture.
const MAX_BYTES: u64 = 8 * Image::MAX_PIXELS as u64;

pub(super) fn open(path: &Path) -> Result<Image> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let metadata = fs::metadata(path).map_err(io)?;
    if !metadata.is_file() || metadata.len() > MAX_BYTES {
        return Err(Error::Input(format!(
            "{} is a folder or a file of more than {} MB; choose a picture",
            path.display(),
            MAX_BYTES / 1_000_000
        )));
    }
    let bytes = fs::read(path).map_err(io)?;
    // The decoders are not ours: one that trips over a damaged file must not take the program with it.
    let picture = panic::catch_unwind(AssertUnwindSafe(|| decode(&bytes)));
    let tripped = |_| Err(Error::Input("the file is damaged; save or download it again".into()));
    picture.unwrap_or_else(tripped).map_err(|error| match error {
        Error::Input(reason) => Error::Input(format!("{}: {reason}", path.display())),
        other => other,
    })
}

fn decode(bytes: &[u8]) -> Result<Image> {
    let Some(format) = ::image::guess_format(bytes).ok().filter(ImageFormat::reading_enabled) else {
        return Err(Error::Input("not a JPEG, PNG or WebP picture; convert it to one of them".into()));
    };
    let name = format.extensions_str().first().unwrap_or(&"picture").to_uppercase();
    let damaged = |reason: String| {
        Error::Input(format!(
            "the {name} file is damaged or incomplete ({reason}); save or download it again"
        ))
    };
    let unusable = |error: ::image::ImageError| damaged(error.to_string());
    // The JPEG decoder fills what is missing with grey.
    if format == ImageFormat::Jpeg && !has_jpeg_end(bytes) {
        return Err(damaged("it has no end".into()));
    }

    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(unusable)?;
    let (width, height) = decoder.dimensions();
    check_sides(width as usize, height as usize)?;
    let orientation = decoder.orientation().map_err(unusable)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(unusable)?;
    picture.apply_orientation(orientation);
    let rgb = picture.into_rgb8();
    let (width, height) = rgb.dimensions();
    Image::from_rgb(width as usize, height as usize, rgb.into_raw())
}

/// Whether the picture's own end marker follows its segments; a thumbnail within a segment does not count.
fn has_jpeg_end(bytes: &[u8]) -> bool {
    let mut at = 0;
    while let Some(&[first, second]) = bytes.get(at..at + 2).and_then(|b| b.as_array()) {
        at += match (first, second) {
            (0xff, 0xd9) => return true,
            // Fill, stuffed and restart bytes, the start, and the coded picture.
            (0xff, 0xff) => 1,
            (0xff, 0x00 | 0x01 | 0xd0..=0xd8) => 2,
            (0xff, _) => match bytes.get(at + 2..at + 4) {
                Some(length) => 2 + usize::from(length[0]) * 256 + usize::from(length[1]),
                None => return false,
            },
            _ => 1,
        };
    }
    false
}

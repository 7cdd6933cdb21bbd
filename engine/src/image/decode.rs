//! Picture files to pixels.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use ::image::{DynamicImage, ImageDecoder, ImageReader, Limits};

use super::{Image, check_sides};
use crate::{Error, Result};

/// Bytes that a decoder may allocate: 8 for each pixel of the largest picture.
const MAX_BYTES: u64 = 8 * Image::MAX_PIXELS as u64;

pub(super) fn open(path: &Path) -> Result<Image> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    if !file.metadata().map_err(io)?.is_file() {
        return Err(Error::Input(format!("{} is not a file; choose a picture", path.display())));
    }
    let reader = ImageReader::new(BufReader::new(file)).with_guessed_format().map_err(io)?;
    decode(reader).map_err(|error| match error {
        Error::Input(reason) => Error::Input(format!("{}: {reason}", path.display())),
        other => other,
    })
}

fn decode(mut reader: ImageReader<BufReader<File>>) -> Result<Image> {
    let Some(format) = reader.format().filter(|f| f.reading_enabled()) else {
        return Err(Error::Input("not a JPEG, PNG or WebP picture; convert it to one of them".into()));
    };
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_BYTES);
    reader.limits(limits);
    let unusable = |error: ::image::ImageError| {
        let name = format.extensions_str().first().unwrap_or(&"picture").to_uppercase();
        Error::Input(format!("the {name} file is damaged or incomplete ({error}); save or download it again"))
    };
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

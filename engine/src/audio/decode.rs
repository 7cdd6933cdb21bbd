//! Sound files to samples. Formats and codecs are those of the `symphonia` features chosen for this crate.
//!
//! A damaged packet is passed over and a file that ends early ends there, so a cut file gives a shorter clip.

use std::fs::File;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use symphonia::core::audio::GenericAudioBufferRef;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as DecodeError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;

use super::{Audio, Intake};
use crate::{Error, Result};

pub(super) fn open(path: &Path) -> Result<Audio> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    if !file.metadata().map_err(io)?.is_file() {
        return Err(Error::Input(format!("{} is not a file; choose a sound file", path.display())));
    }
    // The decoders are not ours: one that trips over a damaged file must not take the program with it.
    let clip = panic::catch_unwind(AssertUnwindSafe(|| decode(file, path)));
    let tripped = |_| Err(Error::Input("the file is damaged; save or download it again".into()));
    clip.unwrap_or_else(tripped).map_err(|error| match error {
        Error::Input(reason) => Error::Input(format!("{}: {reason}", path.display())),
        other => other,
    })
}

fn decode(file: File, path: &Path) -> Result<Audio> {
    let mut hint = Hint::new();
    if let Some(extension) = path.extension().and_then(|e| e.to_str()) {
        hint.with_extension(extension);
    }
    let stream = MediaSourceStream::new(Box::new(file), Default::default());
    let mut format = symphonia::default::get_probe()
        .probe(&hint, stream, Default::default(), Default::default())
        .map_err(|error| unusable("not a sound file that can be read", error))?;
    let (track, mut decoder) = decoder(format.as_ref())?;

    let mut intake: Option<(Intake, usize, u32)> = None;
    let mut interleaved = Vec::new();
    let mut last_fault = None;
    loop {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            Err(DecodeError::ResetRequired) => return Err(changes()),
            Err(error) => {
                last_fault = Some(error);
                break;
            }
        };
        if packet.track_id != track {
            continue;
        }
        match decoder.decode(&packet) {
            Ok(buffer) if buffer.frames() == 0 => {}
            Ok(buffer) => take(&buffer, &mut intake, &mut interleaved)?,
            Err(DecodeError::ResetRequired) => return Err(changes()),
            Err(error) => last_fault = Some(error),
        }
    }
    match (intake, last_fault) {
        (Some((intake, ..)), _) => intake.finish(),
        (None, Some(error)) => Err(unusable("no sound in it can be decoded", error)),
        (None, None) => Err(Error::Input("the file holds no sound; choose another".into())),
    }
}

/// The first sound track's number and its decoder.
fn decoder(format: &dyn FormatReader) -> Result<(u32, Box<dyn AudioDecoder>)> {
    let track = format.default_track(TrackType::Audio);
    let parameters = track.and_then(|t| t.codec_params.as_ref()).and_then(|c| c.audio());
    let (Some(track), Some(parameters)) = (track, parameters) else {
        return Err(Error::Input("the file holds no sound track; choose another".into()));
    };
    let decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default())
        .map_err(|error| unusable("its sound is coded in a way that cannot be read", error))?;
    Ok((track.id, decoder))
}

/// Adds one decoded packet to the clip, which the first packet's rate and channels begin.
fn take(
    buffer: &GenericAudioBufferRef<'_>,
    intake: &mut Option<(Intake, usize, u32)>,
    interleaved: &mut Vec<f32>,
) -> Result<()> {
    let (channels, rate_hz) = (buffer.spec().channels().count(), buffer.spec().rate());
    let intake = match intake {
        Some((intake, c, r)) if (*c, *r) == (channels, rate_hz) => intake,
        Some(_) => return Err(changes()),
        None => &mut intake.insert((Intake::new(channels, rate_hz)?, channels, rate_hz)).0,
    };
    buffer.copy_to_vec_interleaved(interleaved);
    intake.push(interleaved)
}

fn unusable(what: &str, error: DecodeError) -> Error {
    Error::Input(format!(
        "{what} ({error}); expected WAV, FLAC, MP3 or Ogg Vorbis: convert it to one of them"
    ))
}

fn changes() -> Error {
    Error::Input("the sound changes its rate or its channels midway; convert it to one plain WAV file".into())
}

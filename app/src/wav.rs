//! WAV files, written beside and renamed, so that nobody finds half a file.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use hound::{SampleFormat, WavSpec, WavWriter};

/// Writes mono samples as 16-bit integers.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write_i16(path: &Path, samples: &[f32], rate_hz: u32) -> Result<()> {
    let spec =
        WavSpec { channels: 1, sample_rate: rate_hz, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let loud = f32::from(i16::MAX);
    write(path, spec, samples.iter().map(|s| (s * loud).round().clamp(-loud - 1.0, loud) as i16))
}

/// Writes mono samples as they are.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write_f32(path: &Path, samples: &[f32], rate_hz: u32) -> Result<()> {
    let spec = WavSpec {
        channels: 1,
        sample_rate: rate_hz,
        bits_per_sample: 32,
        sample_format: SampleFormat::Float,
    };
    write(path, spec, samples.iter().copied())
}

fn write<S: hound::Sample>(path: &Path, spec: WavSpec, samples: impl Iterator<Item = S>) -> Result<()> {
    let beside = beside(path);
    let written = (|| {
        let mut writer = WavWriter::create(&beside, spec)?;
        for sample in samples {
            writer.write_sample(sample)?;
        }
        writer.finalize()?;
        std::fs::rename(&beside, path)?;
        Ok::<_, anyhow::Error>(())
    })();
    if written.is_err() {
        // The first error is the one to tell.
        let _ = std::fs::remove_file(&beside);
    }
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// A name in the same folder that no other process writes to.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loud_samples_are_clipped_and_nothing_is_left_beside() {
        let folder = std::env::temp_dir().join(format!("colloquy-wav-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("a.wav");
        write_i16(&path, &[0.0, 1.0, -1.0, 7.0, -7.0, f32::NAN], 24_000).unwrap();
        let mut reader = hound::WavReader::open(&path).unwrap();
        assert_eq!(reader.spec().sample_rate, 24_000);
        let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
        assert_eq!(samples, [0, 32767, -32767, 32767, -32768, 0]);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = write_f32(Path::new("no/such/folder/a.wav"), &[0.0], 16_000).unwrap_err();
        assert!(error.to_string().contains("no/such/folder/a.wav"));
    }
}

//! Audio encoder and vision encoder, layer by layer.

use super::frontend::{image_patches, video_patches};
use super::goldens::Goldens;
use super::taps::{Taps, transposed};
use crate::audio::mel::{self, Mel};
use crate::cancel::Cancel;
use crate::engine::Engine;
use crate::error::Result;
use crate::image::Patches;
use crate::model::audio_encoder::Clip;
use crate::recording::Recording;

pub(super) fn verify(engine: &mut Engine, goldens: &mut Goldens, cancel: &Cancel) -> Result<()> {
    for names in [&["a"][..], &["b"], &["a", "b"]] {
        let mels = features(engine, goldens, names)?;
        audio(engine, goldens, &names.concat(), &mels, cancel)?;
    }
    for name in ["image1", "image2"] {
        let patches = image_patches(engine, goldens, name)?;
        vision(engine, goldens, name, &patches, cancel)?;
    }
    let patches = video_patches(engine, goldens)?;
    vision(engine, goldens, "video", &patches, cancel)
}

/// Features of golden clips; of several as the batch that the goldens were made with.
pub(super) fn features(engine: &Engine, goldens: &mut Goldens, names: &[&str]) -> Result<Vec<Mel>> {
    let mut clips = Vec::new();
    for name in names {
        clips.push(goldens.f32("frontend", &format!("clip_{}", name.to_lowercase()))?);
    }
    mel::batch(&clips.iter().map(Vec::as_slice).collect::<Vec<_>>(), &engine.mel_config())
}

pub(super) fn clips(mels: &[Mel]) -> Vec<Clip<'_>> {
    mels.iter().map(|m| Clip { features: &m.data, frames: m.frames }).collect()
}

fn audio(
    engine: &mut Engine,
    goldens: &mut Goldens,
    name: &str,
    mels: &[Mel],
    cancel: &Cancel,
) -> Result<()> {
    const FILE: &str = "audio";
    let encoder = engine.audio_encoder()?;
    let clips = clips(mels);
    let chunk = encoder.chunk_frames();
    let lengths: Vec<usize> = mels
        .iter()
        .flat_map(|m| (0..m.frames.div_ceil(chunk)).map(move |i| chunk.min(m.frames - i * chunk)))
        .collect();
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let bounds = encoder.bounds(&clips, encoder.tokens(longest));
    let mut rec = Recording::tapped_if(true);
    encoder.record(&mut rec, &clips, false)?;
    let taps = Taps::run(engine, &rec, cancel)?;

    let i32s = |values: Vec<usize>| values.into_iter().map(|v| v as i32).collect::<Vec<_>>();
    goldens.check_i32(FILE, &format!("{name}.chunk_lengths"), &[lengths.len()], i32s(lengths.clone()));
    goldens.check_i32(
        FILE,
        &format!("{name}.feature_lens"),
        &[mels.len()],
        i32s(mels.iter().map(|m| m.frames).collect()),
    );
    goldens.check_i32(
        FILE,
        &format!("{name}.cu_seqlens"),
        &[bounds.len()],
        bounds.iter().map(|&b| b as i32).collect(),
    );
    for (tap, images) in [("conv1", 1), ("conv3_pre_gelu", lengths.len())] {
        let (shape, values) = taps.f32(tap);
        let &[_, height, width, channels] = &shape[..] else { continue };
        let planes = values.chunks_exact(height * width * channels).take(images);
        let values = planes.flat_map(|image| transposed(image, channels)).collect();
        goldens.check_f32(FILE, &format!("{name}.{tap}"), &[images, channels, height, width], values);
    }
    for tap in taps.0.keys().filter(|tap| !tap.starts_with("conv") || *tap == "conv_out") {
        let (shape, values) = taps.f32(tap);
        goldens.check_f32(FILE, &format!("{name}.{tap}"), &shape, values);
    }
    Ok(())
}

fn vision(
    engine: &mut Engine,
    goldens: &mut Goldens,
    name: &str,
    patches: &Patches,
    cancel: &Cancel,
) -> Result<()> {
    const FILE: &str = "vision";
    let mut rec = Recording::tapped_if(true);
    engine.vision_encoder()?.record(&mut rec, patches)?;
    let taps = Taps::run(engine, &rec, cancel)?;
    for tap in taps.0.keys() {
        let (shape, values) = taps.f32(tap);
        if tap == "rope_table" {
            // Ours has each angle's cosine once, then its sine; the golden has the cosines twice.
            let cosines = cosines(&values, shape[1]).0;
            goldens.check_f32(FILE, &format!("{name}.rope_cos"), &shape, cosines);
        } else {
            goldens.check_f32(FILE, &format!("{name}.{tap}"), &shape, values);
        }
    }
    goldens.check_i32(FILE, &format!("{name}.grid"), &[1, 3], patches.grid.map(|n| n as i32).to_vec());
    Ok(())
}

/// Cosines and sines `[rows, head_dim]`, each value twice a row, from our table `[rows, head_dim]`.
pub(super) fn cosines(table: &[f32], head_dim: usize) -> (Vec<f32>, Vec<f32>) {
    let half = head_dim / 2;
    let twice = |part: usize| {
        let of_row = move |row: &[f32]| row[part * half..][..half].repeat(2);
        table.chunks_exact(head_dim).flat_map(of_row).collect()
    };
    (twice(0), twice(1))
}

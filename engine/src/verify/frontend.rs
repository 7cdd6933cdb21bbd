//! Features of sound, pictures and video.

use super::goldens::{Golden, Goldens, Values};
use super::taps::transposed;
use crate::audio::{Audio, mel};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::image::{self, Image, Patches, VideoLimits};

const FILE: &str = "frontend";

/// The limits of a frame under which the goldens' video was made.
const GOLDEN_FRAME_PIXELS: usize = 4 * 32 * 32;

pub(super) fn verify(engine: &Engine, goldens: &mut Goldens) -> Result<()> {
    let config = engine.mel_config();
    let bank = mel::filters::matrix(&config);
    let bins = config.n_fft / 2 + 1;
    goldens.check_f32(FILE, "mel_filters", &[bins, config.n_mels], bank);

    let mut clips = Vec::new();
    for name in ["a", "b"] {
        let clip = Audio::open(&goldens.path(&format!("clip_{name}.wav")))?;
        goldens.check_f32(FILE, &format!("clip_{name}"), &[clip.samples.len()], clip.samples);
        let samples = goldens.f32(FILE, &format!("clip_{name}"))?;
        let mel = mel::whole(&samples, &config)?;
        goldens.check_f32(
            FILE,
            &format!("mel_{name}"),
            &[config.n_mels, mel.frames],
            transposed(&mel.data, config.n_mels),
        );
        goldens.check_i32(FILE, &format!("mask_{name}"), &[mel.frames], vec![1; mel.frames]);
        clips.push(samples);
    }
    let batch = mel::batch(&clips.iter().map(Vec::as_slice).collect::<Vec<_>>(), &config)?;
    let longest = batch.iter().map(|m| m.frames).max().unwrap_or(0);
    // The golden keeps the features of the silence after the shorter clip.
    let mut padded = clips[1].clone();
    padded.resize(clips[0].len().max(padded.len()), 0.0);
    let mel = mel::whole(&padded, &config)?;
    let features = transposed(&mel.data, config.n_mels);
    goldens.check_f32(FILE, "batch_mel_b", &[config.n_mels, mel.frames], features);
    let mask = batch.iter().flat_map(|m| (0..longest).map(|t| i32::from(t < m.frames))).collect();
    goldens.check_i32(FILE, "batch_mask", &[batch.len(), longest], mask);

    let chunk = engine.audio_encoder()?.chunk_frames();
    let counts = goldens.i32(FILE, "mel_frames")?;
    let tokens = counts.iter().map(|&n| mel::token_count(n as usize, chunk) as i32).collect();
    goldens.check_i32(FILE, "audio_tokens", &[counts.len()], tokens);

    let image_config = engine.image_config();
    let sizes = goldens.i32(FILE, "smart_resize_cases")?;
    let mut resized = Vec::new();
    for case in sizes.chunks_exact(4) {
        let (h, w) = image::smart_resize(case[0] as usize, case[1] as usize, &image_config)?;
        resized.extend([case[0], case[1], h as i32, w as i32]);
    }
    goldens.check_i32(FILE, "smart_resize_cases", &[sizes.len() / 4, 4], resized);

    for name in ["image1", "image2"] {
        let picture = Image::open(&goldens.path(&format!("{name}.png")))?;
        goldens.check_u8(FILE, name, &[picture.height, picture.width, 3], picture.rgb.clone());
        check_patches(goldens, name, &image::prepare(&picture, &image_config)?);
    }
    let patches = video_patches(engine, goldens)?;
    check_patches(goldens, "video", &patches);
    Ok(())
}

fn check_patches(goldens: &mut Goldens, name: &str, patches: &Patches) {
    let count = patches.grid.iter().product();
    let row = patches.pixel_values.len() / count;
    goldens.check_f32(FILE, &format!("{name}_pixel_values"), &[count, row], patches.pixel_values.clone());
    goldens.check_i32(FILE, &format!("{name}_grid"), &[1, 3], patches.grid.map(|n| n as i32).to_vec());
}

/// Patches of a golden picture.
pub(super) fn image_patches(engine: &Engine, goldens: &mut Goldens, name: &str) -> Result<Patches> {
    let mut frames = frames(goldens, name)?;
    image::prepare(&frames.remove(0), &engine.image_config())
}

/// Patches of the golden video.
pub(super) fn video_patches(engine: &Engine, goldens: &mut Goldens) -> Result<Patches> {
    let video = image::Video { frames: frames(goldens, "video")?, frames_per_second: 1.0, audio: None };
    let limits = VideoLimits { min_pixels: GOLDEN_FRAME_PIXELS, ..VideoLimits::default() };
    video.prepare(&engine.image_config(), &limits)
}

/// Frames of a golden `[height, width, 3]` or `[time, height, width, 3]`.
fn frames(goldens: &mut Goldens, name: &str) -> Result<Vec<Image>> {
    match goldens.take(FILE, name)? {
        Golden { shape, values: Values::U8(bytes) } if shape.len() >= 3 => {
            let (height, width) = (shape[shape.len() - 3], shape[shape.len() - 2]);
            bytes
                .chunks_exact(height * width * 3)
                .map(|f| Image::from_rgb(width, height, f.to_vec()))
                .collect()
        }
        _ => Err(Error::Input(format!("the golden {name} is no picture"))),
    }
}

//! Code2wav: every stage of a short clip, and a long one whole and in chunks.

use super::goldens::Goldens;
use super::taps::{Taps, transposed};
use crate::cancel::Cancel;
use crate::engine::Engine;
use crate::error::Result;
use crate::model::code2wav::Code2Wav;
use crate::recording::Recording;
use crate::session::vocoder::Vocoder;

const FILE: &str = "code2wav";

pub(super) fn verify(engine: &mut Engine, goldens: &mut Goldens, cancel: &Cancel) -> Result<()> {
    let Some(groups) = engine.config.speech().map(|s| s.code2wav.num_quantizers) else { return Ok(()) };
    let frames = |codes: Vec<i32>| {
        let count = codes.len() / groups;
        (0..count)
            .map(|t| (0..groups).map(|q| codes[q * count + t] as u32).collect())
            .collect::<Vec<Vec<u32>>>()
    };
    let short = frames(goldens.i32(FILE, "short.codes")?);
    let Engine { executor, model, .. } = &mut *engine;
    let Some(voice) = &model.voice else { return Ok(()) };
    let mut progress = voice.code2wav.reset(executor.memory())?;
    voice.code2wav.write_codes(executor.memory(), &short)?;
    let mut rec = Recording::tapped_if(true);
    voice.code2wav.step(&mut rec, short.len(), &mut progress)?;
    let taps = Taps::run(engine, &rec, cancel)?;
    for tap in taps.0.keys() {
        let (shape, values) = taps.f32(tap);
        let (name, rows_of_time) = match tap.as_str() {
            "final_norm" => ("pre_transformer".to_owned(), true),
            "embed" => (tap.clone(), true),
            _ => match tap.strip_prefix("layer_out.") {
                Some(i) => (format!("layer.{i}"), true),
                None => (tap.clone(), false),
            },
        };
        let key = format!("short.{name}");
        if tap == "wav" {
            goldens.check_f32(FILE, &key, &[values.len()], values);
        } else if rows_of_time {
            goldens.check_f32(FILE, &key, &shape, values);
        } else if goldens.has(FILE, &key) {
            goldens.check_f32(FILE, &key, &[shape[1], shape[0]], transposed(&values, shape[1]));
        }
    }

    let long = frames(goldens.i32(FILE, "long.codes")?);
    let (samples, rows) = whole(engine, &long, cancel)?;
    goldens.check_f32(FILE, "long.wav_full", &[samples.len()], samples);
    let hidden = rows.len() / long.len();
    goldens.check_f32(FILE, "long.pre_transformer", &[long.len(), hidden], rows);
    for (size, context) in [(10, 4), (7, 25)] {
        let samples = chunked(engine, &long, size, context, cancel)?;
        goldens.check_f32(FILE, &format!("long.wav_chunk{size}_ctx{context}"), &[samples.len()], samples);
    }
    Ok(())
}

/// Samples of a clip, and its rows after the transformer.
fn whole(engine: &mut Engine, frames: &[Vec<u32>], cancel: &Cancel) -> Result<(Vec<f32>, Vec<f32>)> {
    let (mut samples, mut rows) = (Vec::new(), Vec::new());
    let Some(voice) = &engine.model.voice else { return Ok((samples, rows)) };
    let mut progress = voice.code2wav.reset(engine.executor.memory())?;
    for part in frames.chunks(Code2Wav::MAX_STEP_FRAMES) {
        let Some(voice) = &engine.model.voice else { break };
        voice.code2wav.write_codes(engine.executor.memory(), part)?;
        let mut rec = Recording::tapped_if(true);
        voice.code2wav.step(&mut rec, part.len(), &mut progress)?;
        let taps = Taps::run(engine, &rec, cancel)?;
        samples.extend(taps.f32("wav").1);
        rows.extend(taps.f32("final_norm").1);
    }
    Ok((samples, rows))
}

/// The reference's decoding in chunks, each from silence with some frames of context whose samples are dropped.
pub(super) fn chunked(
    engine: &mut Engine,
    frames: &[Vec<u32>],
    size: usize,
    context: usize,
    cancel: &Cancel,
) -> Result<Vec<f32>> {
    let mut samples = Vec::new();
    let Engine { executor, model, .. } = engine;
    let Some(voice) = &model.voice else { return Ok(samples) };
    let mut device = crate::session::Device { executor, cancel };
    let mut vocoder = Vocoder::new(device.memory(), &voice.code2wav)?;
    for start in (0..frames.len()).step_by(size) {
        let (end, context) = (frames.len().min(start + size), context.min(start));
        vocoder.reset(device.memory(), &voice.code2wav)?;
        let mut chunk = Vec::new();
        for part in frames[start - context..end].chunks(Code2Wav::MAX_STEP_FRAMES) {
            chunk.extend(vocoder.decode(&mut device, &voice.code2wav, part)?);
        }
        samples.extend(chunk.drain((context * voice.code2wav.samples_per_frame()).min(chunk.len())..));
    }
    vocoder.free(device.memory());
    Ok(samples)
}

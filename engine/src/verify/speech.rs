//! Talker and code predictor on every golden answer, through a session's speaker: prefill, every step, codes and sound.

use serde_json::Value;

use super::goldens::Goldens;
use super::sound::chunked;
use super::taps::Taps;
use super::thinker::{GREEDY, Ready, greedy, id_in, ready, until_stop};
use crate::cancel::Cancel;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::kernels::sample;
use crate::model::config::SpeechConfig;
use crate::model::positions::Walk;
use crate::model::talker::Talker;
use crate::recording::Recording;
use crate::session::Device;
use crate::session::reader::Reader;
use crate::session::speaker::{Opening, Speaker, SpeechSampling, Stretch};

pub(super) fn verify(engine: &mut Engine, goldens: &mut Goldens, cancel: &Cancel) -> Result<()> {
    let Some(config) = engine.config.speech().cloned() else { return Ok(()) };
    projections(engine, goldens, cancel)?;
    let cases = goldens.manifest["speech"].clone();
    for (name, case) in cases.as_object().into_iter().flatten() {
        answer(engine, goldens, &config, &format!("talker_{name}"), case, cancel)?;
    }
    Ok(())
}

fn projections(engine: &mut Engine, goldens: &mut Goldens, cancel: &Cancel) -> Result<()> {
    const FILE: &str = "talker_projection";
    let input = goldens.take(FILE, "input")?.shape;
    let values = goldens.f32(FILE, "input")?;
    let mut rec = Recording::tapped_if(true);
    let x = rec.constant_f32([input[0], input[1]], values);
    let Some(voice) = &engine.model.voice else { return Ok(()) };
    let text = voice.talker.project_text(&mut rec, x)?;
    rec.tap(|| "text_projection".into(), text);
    let hidden = voice.talker.project_hidden(&mut rec, x)?;
    rec.tap(|| "hidden_projection".into(), hidden);
    let taps = Taps::run(engine, &rec, cancel)?;
    for key in ["text_projection", "hidden_projection"] {
        let (shape, values) = taps.f32(key);
        goldens.check_f32(FILE, key, &shape, values);
    }
    Ok(())
}

/// Tensors of several calls, one after the other.
#[derive(Default)]
struct Rows {
    width: usize,
    values: Vec<f32>,
}

impl Rows {
    fn push(&mut self, (shape, values): (Vec<usize>, Vec<f32>)) {
        self.width = shape.last().copied().unwrap_or(1);
        self.values.extend(values);
    }

    fn shape(&self) -> [usize; 2] {
        [self.values.len() / self.width.max(1), self.width]
    }
}

fn answer(
    engine: &mut Engine,
    goldens: &mut Goldens,
    config: &SpeechConfig,
    file: &str,
    case: &Value,
    cancel: &Cancel,
) -> Result<()> {
    let number = |key: &str| case[key].as_u64().unwrap_or_default() as usize;
    let Ready { prompt, owned } = ready(engine, goldens, file, case, cancel)?;
    let (tokens, _) = greedy(engine, &prompt, number("thinker_max_new_tokens"), cancel)?;
    let tokens = until_stop(tokens, id_in(case, "thinker_eos"));
    let sequence: Vec<i32> = prompt.ids.iter().chain(&tokens).map(|&id| id as i32).collect();
    goldens.check_i32(file, "text_sequence", &[sequence.len()], sequence);
    goldens.check_i32(file, "prompt_len", &[1], vec![prompt.ids.len() as i32]);
    // The last token is never spoken: it is the stop token, or the one at the limit.
    let spoken = &tokens[..tokens.len() - 1];
    let first =
        *spoken.first().ok_or_else(|| Error::Input(format!("{file}: the answer has no text to speak")))?;

    // The talker's prompt: user turns.
    let kept = prompt.user_tokens(engine.tokens()?, &mut false);
    let mut user_walk = Walk::default();
    let positions = prompt.walk_kept(&kept, &mut user_walk, engine.media_ids());
    let user_ids: Vec<u32> = prompt.ids.iter().zip(&kept).filter(|(_, k)| **k).map(|(id, _)| *id).collect();

    let role = engine.assistant_role()?;
    let speaker_id = engine.speaker_id(case["speaker"].as_str())?.unwrap_or_default();
    let stop = id_in(case, "talker_eos").unwrap_or(config.talker.codec_eos_id);
    let limit = number("talker_max_new_tokens");
    let penalty = case["talker_repetition_penalty"].as_f64().unwrap_or(1.0) as f32;
    let Engine { executor, model, .. } = engine;
    let Some(voice) = &model.voice else { return Ok(()) };
    let mut device = Device { executor, cancel };

    let mut reader = Reader::new(&mut device, &model.thinker, GREEDY)?;
    let mut accepted = reader.read(&mut device, &model.thinker, &prompt, 0..prompt.ids.len(), true, false)?;
    reader.free(&mut device);
    for media in &mut accepted {
        media.at.iter_mut().for_each(|at| *at = kept[..*at as usize].iter().filter(|k| **k).count() as u32);
    }
    let sampling = SpeechSampling {
        first: sample::Params {
            repetition_penalty: penalty,
            allowed: Some((config.talker.num_codes(), config.talker.codec_eos_id)),
            ..GREEDY
        },
        others: GREEDY,
    };
    let mut speaker = Speaker::new(&mut device, voice, sampling)?;
    speaker.tap();
    speaker.push(Stretch { ids: user_ids.clone(), positions: positions.clone(), media: accepted }, user_walk);
    let embed = model.thinker.embed_tokens;
    speaker.read(&mut device, &voice.talker, embed)?;
    let user_taps = Taps(device.executor.take_taps());
    let opening = Opening { role, first, speaker: speaker_id, max_frames: usize::MAX };
    speaker.begin(&mut device, voice, config, embed, opening)?;
    let opening_taps = Taps(device.executor.take_taps());

    for (key, tap) in prefill_keys(&user_taps) {
        let mut rows = Rows::default();
        match tap.split_once(" - ") {
            Some((after, before)) => {
                rows.push(user_taps.difference(after, before));
                rows.push(opening_taps.difference(after, before));
            }
            None => {
                rows.push(user_taps.f32(&tap));
                rows.push(opening_taps.f32(&tap));
            }
        }
        goldens.check_f32(file, &key, &rows.shape(), rows.values);
    }
    let pad = config.tts_pad;
    let all: Vec<i32> = user_ids
        .iter()
        .copied()
        .chain(std::iter::repeat_n(pad, Talker::OPENING_ROWS))
        .map(|id| id as i32)
        .collect();
    goldens.check_i32(file, "talker_input_ids", &[all.len()], all);
    let opened = (0..Talker::OPENING_ROWS).map(|i| [user_walk.next + i as f32; 3]);
    let positions: Vec<[f32; 3]> = positions.into_iter().chain(opened).collect();
    let axes = (0..3).flat_map(|axis| positions.iter().map(move |p| p[axis])).collect();
    goldens.check_positions(file, "prefill_position_ids", &[3, positions.len()], axes);

    // Every step, until the case's own stop code or limit.
    spoken[1..].iter().for_each(|&token| speaker.push_text(Some(token), config));
    speaker.push_text(None, config);
    let mut logits = Rows::default();
    logits.push(opening_taps.f32("logits"));
    let (mut codes, mut places, mut inputs, mut scores) =
        (vec![speaker.first_code()], Rows::default(), Rows::default(), Rows::default());
    while codes.last() != Some(&stop) && codes.len() < limit && speaker.is_speaking() {
        speaker.step(&mut device, voice, config, embed)?;
        let taps = Taps(device.executor.take_taps());
        logits.push(taps.f32("logits"));
        let (_, place) = taps.f32("position");
        places.push((vec![1, 3], place));
        for part in 0..2 {
            inputs.push(taps.f32(&format!("cp_input.{part}")));
        }
        for group in 0..voice.code_predictor.codes() {
            scores.push(taps.f32(&format!("cp_logits.{group}")));
        }
        codes.push(speaker.first_code());
    }
    let frames = speaker.frames().to_vec();
    speaker.free(&mut device);
    owned.into_iter().for_each(|buffer| device.memory().free(buffer));

    goldens.check_f32(file, "step_logits", &logits.shape(), logits.values);
    goldens.check_i32(file, "first_codes", &[codes.len()], codes.iter().map(|&c| c as i32).collect());
    goldens.check_positions(file, "step_position_ids", &places.shape(), places.values);
    goldens.check_f32(file, "cp_inputs", &[frames.len(), 2, inputs.width], inputs.values);
    let groups = config.talker.num_code_groups - 1;
    let four = 4.min(frames.len());
    scores.values.truncate(four * groups * scores.width);
    goldens.check_f32(file, "cp_logits_first4", &[four, groups, scores.width], scores.values);
    let by_group = (0..=groups).flat_map(|q| frames.iter().map(move |f| f[q] as i32)).collect();
    goldens.check_i32(file, "codes", &[groups + 1, frames.len()], by_group);
    trailing(engine, goldens, file, &spoken[1..], config, cancel)?;
    // The reference decodes in chunks of 300 frames with 25 of context.
    let samples = chunked(engine, &frames, 300, 25, cancel)?;
    goldens.check_f32(file, "wav", &[samples.len()], samples);
    Ok(())
}

/// Golden keys of the prefill and where ours are: a tap, or the difference of two.
fn prefill_keys(taps: &Taps) -> Vec<(String, String)> {
    let mut keys = vec![
        ("inputs_embeds".to_owned(), "hidden.0".to_owned()),
        ("prefill_moe.0".to_owned(), "layer_out.0 - mid.0".to_owned()),
    ];
    keys.extend(
        taps.names("layer_out.").map(|(name, layer)| (format!("prefill_layer.{layer}"), name.to_owned())),
    );
    keys
}

/// The text rows that follow the opening, and the row for no text.
fn trailing(
    engine: &mut Engine,
    goldens: &mut Goldens,
    file: &str,
    spoken: &[u32],
    config: &SpeechConfig,
    cancel: &Cancel,
) -> Result<()> {
    let Some(voice) = &engine.model.voice else { return Ok(()) };
    let ids: Vec<u32> = spoken.iter().copied().chain([config.tts_eos, config.tts_pad]).collect();
    let mut rec = Recording::tapped_if(true);
    let ids = rec.constant_u32([ids.len()], ids);
    let rows = voice.talker.text_rows(&mut rec, ids, engine.model.thinker.embed_tokens)?;
    rec.tap(|| "rows".into(), rows);
    let (shape, mut values) = Taps::run(engine, &rec, cancel)?.f32("rows");
    let pad = values.split_off(values.len() - shape[1]);
    goldens.check_f32(file, "trailing_text_hidden", &[shape[0] - 1, shape[1]], values);
    goldens.check_f32(file, "tts_pad_embed", &[1, shape[1]], pad);
    Ok(())
}

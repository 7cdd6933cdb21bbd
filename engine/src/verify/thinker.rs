//! Positions, and the thinker layer by layer on every golden prompt, then its greedy tokens through a session's reader.

use serde_json::Value;

use super::encoders::{clips, cosines, features};
use super::frontend::{image_patches, video_patches};
use super::goldens::Goldens;
use super::taps::Taps;
use super::text::ids_of;
use crate::cancel::Cancel;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::kernels::sample;
use crate::model::positions::{Grid, Walk};
use crate::recording::{Buffer, Recording};
use crate::session::Device;
use crate::session::prompt::{Encoded, Prompt};
use crate::session::reader::Reader;

pub(super) fn verify(engine: &mut Engine, goldens: &mut Goldens, cancel: &Cancel) -> Result<()> {
    positions(engine, goldens, cancel)?;
    let prompts = goldens.manifest["prompts"].clone();
    for (name, case) in prompts.as_object().into_iter().flatten() {
        prompt_case(engine, goldens, name, case, cancel)?;
    }
    Ok(())
}

/// Positions of token lists without any media rows.
fn positions(engine: &mut Engine, goldens: &mut Goldens, cancel: &Cancel) -> Result<()> {
    const FILE: &str = "rope_index";
    let cases = goldens.manifest["rope_index"].clone();
    for (name, case) in cases.as_object().into_iter().flatten() {
        let ids: Vec<u32> =
            goldens.i32(FILE, &format!("{name}.input_ids"))?.into_iter().map(|id| id as u32).collect();
        let media = engine.media_ids();
        let spread = grids(engine, case);
        let mut pictures = spread.0.into_iter();
        let mut videos = spread.1.into_iter();
        // Pictures and videos in the order in which their tokens stand.
        let mut order = Vec::new();
        for (i, &id) in ids.iter().enumerate() {
            let begins = i == 0 || ids[i - 1] != id;
            if id == media.image && begins {
                order.extend(pictures.next());
            } else if id == media.video && begins {
                order.extend(videos.next());
            }
        }
        let mut walk = Walk::default();
        let positions = walk.walk(&ids, media, order.into_iter());
        let axes: Vec<f32> = (0..3).flat_map(|axis| positions.iter().map(move |p| p[axis])).collect();
        goldens.check_positions(FILE, &format!("{name}.positions"), &[3, ids.len()], axes.clone());
        goldens.check_positions(FILE, &format!("{name}.delta"), &[1], vec![walk.next - ids.len() as f32]);
        if goldens.has(FILE, &format!("{name}.cos")) {
            let mut rec = Recording::tapped_if(true);
            let positions = rec.constant_f32([3, ids.len()], axes);
            let past = rec.constant_u32([1], vec![0]);
            let table = engine.model.thinker.decoder.turn(&mut rec, positions, past)?.table;
            rec.tap(|| "table".into(), table);
            let (shape, table) = Taps::run(engine, &rec, cancel)?.f32("table");
            let (cos, sin) = cosines(&table, shape[1]);
            goldens.check_f32(FILE, &format!("{name}.cos"), &shape, cos);
            goldens.check_f32(FILE, &format!("{name}.sin"), &shape, sin);
        }
    }
    Ok(())
}

/// Pictures and videos of a case.
fn grids(engine: &Engine, case: &Value) -> (Vec<Grid>, Vec<Grid>) {
    let merge = engine.image_config().merge_size;
    let list = |key: &str| -> Vec<[usize; 3]> {
        let rows = case[key].as_array().into_iter().flatten();
        rows.map(|row| {
            let [t, h, w] = [0, 1, 2].map(|i| row[i].as_u64().unwrap_or_default() as usize);
            [t, h / merge, w / merge]
        })
        .collect()
    };
    let with_audio = case["use_audio_in_video"].as_bool().unwrap_or(false);
    let seconds: Vec<f32> = case["second_per_grids"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|s| s.as_f64().unwrap_or(1.0) as f32)
        .collect();
    let videos = list("video_grid_thw").into_iter().enumerate().map(|(i, merged)| {
        let step = seconds.get(i).copied().unwrap_or(1.0) * engine.positions_per_second();
        Grid { merged, step, with_audio }
    });
    let pictures =
        list("image_grid_thw").into_iter().map(|merged| Grid { merged, step: 0.0, with_audio: false });
    (pictures.collect(), videos.collect())
}

/// A golden prompt: its rows, ready to be read.
pub(super) struct Ready {
    pub(super) prompt: Prompt,
    /// Rows of the encoders, to be freed.
    pub(super) owned: Vec<Buffer>,
}

/// Lays out a case of the manifest and encodes its media as the goldens were: several clips as one batch.
pub(super) fn ready(
    engine: &mut Engine,
    goldens: &mut Goldens,
    file: &str,
    case: &Value,
    cancel: &Cancel,
) -> Result<Ready> {
    let names = |key: &str| -> Vec<String> {
        case[key].as_array().into_iter().flatten().filter_map(|n| n.as_str().map(str::to_owned)).collect()
    };
    let mut owned = Vec::new();
    let mut heard = Vec::new();
    let voices = names("audio");
    if !voices.is_empty() {
        let mels = features(engine, goldens, &voices.iter().map(String::as_str).collect::<Vec<_>>())?;
        let lengths = mels.iter().map(|m| m.frames as i32).collect();
        goldens.check_i32(file, "audio_feature_lengths", &[mels.len()], lengths);
        let encoder = engine.audio_encoder()?;
        let counts: Vec<usize> = mels.iter().map(|m| encoder.tokens(m.frames)).collect();
        let mut rec = Recording::new();
        let rows = encoder.record(&mut rec, &clips(&mels), false)?;
        let kept = Device::of(engine, cancel).run_keeping(rec, &[rows])?;
        let mut start = 0;
        for count in counts {
            heard.push(kept[0].slice_rows(start, count));
            start += count;
        }
        owned.extend(kept);
    }
    let mut seen = Vec::new();
    for (key, prefix) in [("images", "image"), ("video", "video")] {
        for name in names(key) {
            let video = prefix == "video";
            let patches = match video {
                true => video_patches(engine, goldens)?,
                false => image_patches(engine, goldens, &format!("{prefix}{name}"))?,
            };
            let grid = patches.grid.map(|n| n as i32).to_vec();
            goldens.check_i32(file, &format!("{prefix}_grid_thw"), &[1, 3], grid);
            let seconds = if video { goldens.f32(file, "video_second_per_grid")?[0] } else { 0.0 };
            let mut rec = Recording::new();
            let rows = engine.vision_encoder()?.record(&mut rec, &patches)?;
            let results: Vec<Buffer> = std::iter::once(rows.merged).chain(rows.deepstack).collect();
            let mut kept = Device::of(engine, cancel).run_keeping(rec, &results)?;
            owned.extend(&kept);
            let rows = kept.remove(0);
            let merge = engine.image_config().merge_size;
            let [t, h, w] = patches.grid;
            let with_audio = video && case["audio_in_video"].as_bool().unwrap_or(false);
            let step = seconds * engine.positions_per_second();
            let grid = Grid { merged: [t, h / merge, w / merge], step, with_audio };
            seen.push((video, rows, kept, grid));
        }
    }
    // In the order in which the messages name them.
    let mut media = Vec::new();
    let (mut heard, mut seen) = (heard.into_iter(), seen.into_iter());
    let missing =
        || Error::Input(format!("the goldens' manifest names fewer media than the messages of {file}"));
    for part in
        case["messages"].as_array().into_iter().flatten().flat_map(|m| m["content"].as_array()).flatten()
    {
        match part["type"].as_str() {
            Some("audio") => media.push(Encoded::Audio(heard.next().ok_or_else(missing)?)),
            Some("image") | Some("video") => {
                let (video, rows, deepstack, grid) = seen.next().ok_or_else(missing)?;
                media.push(match video {
                    false => Encoded::Image { rows, deepstack, grid },
                    true => {
                        let audio = if grid.with_audio { heard.next() } else { None };
                        Encoded::Video { rows, deepstack, grid, audio }
                    }
                });
            }
            _ => {}
        }
    }
    let rendered = engine.template.render(&case["messages"], None, true, None)?;
    let text = case["text"].as_str().or(case["prompt"].as_str()).unwrap_or_default().to_owned();
    goldens.check_equal(&format!("{file} rendered prompt"), &rendered, &text);
    let ids = engine.tokenizer.encode(&rendered)?;
    let mut prompt = Prompt::expand(&ids, engine.tokens()?, &media)?;
    prompt.place(Walk::default(), engine.media_ids());
    Ok(Ready { prompt, owned })
}

fn prompt_case(
    engine: &mut Engine,
    goldens: &mut Goldens,
    name: &str,
    case: &Value,
    cancel: &Cancel,
) -> Result<()> {
    let file = &format!("thinker_{name}");
    let Ready { prompt, owned } = ready(engine, goldens, file, case, cancel)?;
    let rows = prompt.ids.len();
    goldens.check_i32(file, "input_ids", &[rows], prompt.ids.iter().map(|&id| id as i32).collect());
    let axes: Vec<f32> = (0..3).flat_map(|axis| prompt.positions.iter().map(move |p| p[axis])).collect();
    goldens.check_positions(file, "position_ids", &[3, rows], axes.clone());

    let mut rec = Recording::tapped_if(true);
    let cache = engine.model.thinker.decoder.cache(engine.executor.memory(), rows)?;
    let ids = rec.constant_u32([rows], prompt.ids.clone());
    let positions = rec.constant_f32([3, rows], axes);
    let thought = engine.model.thinker.record(&mut rec, ids, positions, &prompt.inserts(0, rows), &cache)?;
    engine.model.thinker.logits(&mut rec, thought.normed)?;
    let taps = Taps::run(engine, &rec, cancel)?;
    cache.free(engine.executor.memory());
    for tap in taps.0.keys() {
        if tap.starts_with("router_index") {
            let (shape, values) = taps.i32(tap);
            goldens.check_i32(file, tap, &shape, values);
        } else if tap != "logits" {
            let (shape, values) = taps.f32(tap);
            goldens.check_f32(file, tap, &shape, values);
        }
    }
    let (shape, logits) = taps.f32("logits");
    let last = logits[logits.len() - shape[1]..].to_vec();
    goldens.check_f32(file, "logits_last", &[shape[1]], last);
    goldens.check_f32(file, "logits_all", &shape, logits);

    let count = goldens.i32(file, "greedy_tokens")?.len();
    let (tokens, logits) = greedy(engine, &prompt, count, cancel)?;
    let vocabulary = logits.len() / count;
    goldens.check_i32(file, "greedy_tokens", &[count], tokens.into_iter().map(|t| t as i32).collect());
    goldens.check_f32(file, "greedy_logits", &[count, vocabulary], logits);
    owned.into_iter().for_each(|buffer| engine.executor.memory().free(buffer));
    Ok(())
}

/// Parameters that always take the most likely token.
pub(super) const GREEDY: sample::Params =
    sample::Params { temperature: 0.0, top_k: 0, top_p: 1.0, repetition_penalty: 1.0, allowed: None };

/// The first `count` greedy tokens after a prompt, stop or not, and the logits that they were taken from.
pub(super) fn greedy(
    engine: &mut Engine,
    prompt: &Prompt,
    count: usize,
    cancel: &Cancel,
) -> Result<(Vec<u32>, Vec<f32>)> {
    let Engine { executor, model, .. } = engine;
    let mut device = Device { executor, cancel };
    let mut reader = Reader::new(&mut device, &model.thinker, GREEDY)?;
    reader.tap();
    reader.read(&mut device, &model.thinker, prompt, 0..prompt.ids.len(), false, true)?;
    let mut tokens = vec![reader.token(&mut device)?];
    let mut logits = Taps(device.executor.take_taps()).f32("logits").1;
    while tokens.len() < count {
        tokens.push(reader.step(&mut device, &model.thinker)?);
        logits.extend(Taps(device.executor.take_taps()).f32("logits").1);
    }
    reader.free(&mut device);
    Ok((tokens, logits))
}

/// Greedy tokens of a speech case: up to a stop token, which is kept, or a limit.
pub(super) fn until_stop(tokens: Vec<u32>, stop: Option<u32>) -> Vec<u32> {
    let end = tokens.iter().position(|t| Some(*t) == stop).map_or(tokens.len(), |at| at + 1);
    tokens[..end].to_vec()
}

/// Ids in a case that may be a number or absent.
pub(super) fn id_in(case: &Value, key: &str) -> Option<u32> {
    case[key].as_u64().map(|id| id as u32).or(ids_of(&case[key]).first().copied())
}

//! A dense decoder on every golden prompt.

use super::goldens::Goldens;
use super::taps::Taps;
use super::thinker::greedy;
use crate::cancel::Cancel;
use crate::engine::Engine;
use crate::error::Result;
use crate::model::positions::Walk;
use crate::recording::Recording;
use crate::session::prompt::Prompt;

pub(super) fn verify(engine: &mut Engine, goldens: &mut Goldens, cancel: &Cancel) -> Result<()> {
    let prompts = goldens.manifest["prompts"].clone();
    for (file, text) in prompts.as_object().into_iter().flatten() {
        let ids = engine.tokenizer.encode(text.as_str().unwrap_or_default())?;
        let rows = ids.len();
        goldens.check_i32(file, "input_ids", &[rows], ids.iter().map(|&id| id as i32).collect());
        let mut prompt = Prompt::text(ids);
        prompt.place(Walk::default(), engine.media_ids());

        let mut rec = Recording::tapped_if(true);
        let thinker = &engine.model.thinker;
        let cache = thinker.decoder.cache(engine.executor.memory(), rows)?;
        let axes = (0..3).flat_map(|_| (0..rows).map(|p| p as f32)).collect();
        let (ids, positions) =
            (rec.constant_u32([rows], prompt.ids.clone()), rec.constant_f32([3, rows], axes));
        let thought = thinker.record(&mut rec, ids, positions, &[], &cache)?;
        thinker.logits(&mut rec, thought.normed)?;
        let taps = Taps::run(engine, &rec, cancel)?;
        cache.free(engine.executor.memory());
        for tap in taps.0.keys() {
            let (shape, values) = taps.f32(tap);
            goldens.check_f32(file, tap, &shape, values);
        }
        for (key, after, before) in
            [("layer0.attn_out", "mid.0", "hidden.0"), ("layer0.mlp_out", "layer_out.0", "mid.0")]
        {
            let (shape, values) = taps.difference(after, before);
            goldens.check_f32(file, key, &shape, values);
        }

        let count = goldens.i32(file, "greedy_tokens")?.len();
        let (tokens, logits) = greedy(engine, &prompt, count, cancel)?;
        goldens.check_i32(file, "greedy_tokens", &[count], tokens.into_iter().map(|t| t as i32).collect());
        let vocabulary = logits.len() / count;
        goldens.check_f32(file, "greedy_logits", &[count, vocabulary], logits);
    }
    Ok(())
}

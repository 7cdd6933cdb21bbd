//! A model whose weights are held in few bits, beside the same checkpoint as it is stored. Its tensors are not those of the
//! reference, so only what it predicts is judged: the logits after each token of a prompt and of an answer to it.
//!
//! Where experts are chosen, the least error may tip a choice, and a token then goes another way from there on: that says how close
//! the scores of experts are, not what the format does to weights. So such tokens are counted, and what is judged are the logits of
//! a second pass, in which every token takes the experts, with their shares, that the stored model chose for it.

use std::collections::BTreeSet;

use super::Case;
use super::logits::Logits;
use super::taps::Taps;
use crate::cancel::Cancel;
use crate::engine::Engine;
use crate::error::Result;
use crate::kernels::Kernel;
use crate::recording::{Place, Recording};
use crate::session::prompt::Prompt;
use crate::settings::Format;

/// What the logits of a format are held to: the least cosine between ours and the stored model's, as a mean over all positions of all
/// prompts.
fn least_cosine(format: Format) -> f64 {
    match format {
        Format::F32 | Format::Bf16 | Format::Q8_0 => 0.999,
        Format::Q4 => 0.99,
    }
}

/// The same checkpoint twice.
pub(super) struct Pair<'a> {
    pub(super) ours: &'a mut Engine,
    pub(super) stored: Engine,
    cancel: &'a Cancel,
    /// Of all prompts so far, every token with the experts that our own routers chose.
    own: Logits,
    /// The same with those of the stored model.
    given: Logits,
    /// Rows that chose the stored model's experts in every layer, and all.
    same: (usize, usize),
}

impl<'a> Pair<'a> {
    pub(super) fn of(ours: &'a mut Engine, cancel: &'a Cancel) -> Result<Pair<'a>> {
        let stored = ours.as_stored()?;
        Ok(Pair { ours, stored, cancel, own: Logits::default(), given: Logits::default(), same: (0, 0) })
    }

    /// Both models' logits after every token of a prompt, of which each has its own, with media rows in its own memory. Also gives what
    /// the stored model computed.
    pub(super) fn compare(&mut self, name: &str, [ours, stored]: [&Prompt; 2]) -> Result<(Vec<Case>, Taps)> {
        let free = run(self.ours, ours, None, self.cancel)?;
        let stored = run(&mut self.stored, stored, None, self.cancel)?;
        let logits = Logits::of(&free, &stored);
        self.own += logits;
        let mut cases = Vec::new();
        if stored.names("router_index.").next().is_some() {
            cases.push(logits.case(format!("{name} logits, own experts")));
            let (same, all) = same_experts(&free, &stored);
            self.same = (self.same.0 + same, self.same.1 + all);
            cases.push(same_rows(name, (same, all)));
            let given = Logits::of(&run(self.ours, ours, Some(&stored), self.cancel)?, &stored);
            self.given += given;
            cases.push(given.case(format!("{name} logits, given experts")));
        } else {
            cases.push(logits.case(format!("{name} logits")));
        }
        for (tap, _) in stored.names("hidden.").chain(stored.names("final_norm")) {
            let mut case = Case::named(format!("{name} {tap}"));
            case.mean_square_error = Some(mean_square_error(&free.f32(tap).1, &stored.f32(tap).1));
            cases.push(case);
        }
        Ok((cases, stored))
    }

    /// All prompts together, of which the mean cosine is judged.
    pub(super) fn all(&self, format: Format) -> Vec<Case> {
        let least = least_cosine(format);
        if self.given.is_empty() {
            return vec![self.own.judged("all logits".into(), least)];
        }
        let own = self.own.case("all logits, own experts".into());
        vec![own, same_rows("all", self.same), self.given.judged("all logits, given experts".into(), least)]
    }
}

/// One pass over the whole prompt, with the logits after each token; where `given`, every layer takes the experts that were chosen
/// there.
fn run(engine: &mut Engine, prompt: &Prompt, given: Option<&Taps>, cancel: &Cancel) -> Result<Taps> {
    let rows = prompt.ids.len();
    let mut rec = Recording::tapped_if(true);
    let thinker = &engine.model.thinker;
    let cache = thinker.decoder.cache(engine.executor.memory(), rows)?;
    let axes = (0..3).flat_map(|axis| prompt.positions.iter().map(move |p| p[axis])).collect();
    let (ids, positions) = (rec.constant_u32([rows], prompt.ids.clone()), rec.constant_f32([3, rows], axes));
    let thought = thinker.record(&mut rec, ids, positions, &prompt.inserts(0, rows), &cache)?;
    thinker.logits(&mut rec, thought.normed)?;
    if let Some(given) = given {
        give_experts(&mut rec, given);
    }
    let taps = Taps::run(engine, &rec, cancel)?;
    cache.free(engine.executor.memory());
    Ok(taps)
}

/// Has each layer take the experts and shares that were tapped as its own; what its router finds is dropped.
fn give_experts(rec: &mut Recording, tapped: &Taps) {
    let routers = rec.commands.iter().enumerate();
    let routers = routers.filter(|(_, command)| matches!(command.kernel, Kernel::Router(_)));
    let at: Vec<usize> = routers.map(|(at, _)| at).collect();
    for (layer, at) in at.into_iter().enumerate() {
        let names = [format!("router_index.{layer}"), format!("router_weight.{layer}")];
        for (slot, name) in names.iter().enumerate() {
            let chosen = rec.commands[at].outputs[slot];
            if let (Place::Scratch(id), Some((_, values))) = (chosen.place, tapped.0.get(name)) {
                rec.commands[at].outputs[slot] = rec.scratch(chosen.shape, chosen.element);
                rec.constants.push((id, values.clone()));
            }
        }
    }
}

/// How many rows take the same experts as in the stored model in every layer, and how many there are.
fn same_experts(ours: &Taps, stored: &Taps) -> (usize, usize) {
    let mut same: Vec<bool> = Vec::new();
    for (tap, _) in stored.names("router_index.") {
        let ((shape, ours), (_, stored)) = (ours.i32(tap), stored.i32(tap));
        let set = |chosen: &[i32]| chosen.iter().copied().collect::<BTreeSet<_>>();
        same.resize(shape[0], true);
        for ((same, ours), stored) in same.iter_mut().zip(ours.chunks(shape[1])).zip(stored.chunks(shape[1]))
        {
            *same &= set(ours) == set(stored);
        }
    }
    (same.iter().filter(|same| **same).count(), same.len())
}

fn same_rows(name: &str, counts: (usize, usize)) -> Case {
    Case { exact: Some(counts), ..Case::named(format!("{name} same_experts")) }
}

/// Mean square of the differences, as a share of the stored model's own mean square.
fn mean_square_error(ours: &[f32], stored: &[f32]) -> f64 {
    let square = |v: f32| f64::from(v) * f64::from(v);
    let errors: f64 = ours.iter().zip(stored).map(|(a, b)| square(a - b)).sum();
    errors / stored.iter().map(|&v| square(v)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::tests::packs::imported_and_decoded;
    use crate::model::positions::Walk;
    use crate::settings::{Device, Options};

    #[test]
    fn imported_four_bits_predict_what_the_weights_that_they_stand_for_do() {
        let (_dir, imported, decoded) = imported_and_decoded();
        let load = |folder| {
            let options = Options { device: Device::Cpu, exact: true, ..Options::default() };
            Engine::load(folder, &options).unwrap()
        };
        let (mut ours, cancel) = (load(&imported), Cancel::new());
        let mut pair = Pair::of(&mut ours, &cancel).unwrap();
        pair.stored = load(&decoded);
        let mut prompt = Prompt::text((20..84).collect());
        prompt.place(Walk::default(), pair.ours.media_ids());
        pair.compare("prompt", [&prompt, &prompt]).unwrap();
        // Of another four bits, the cosine would be 0.94: only the output matrix has eight.
        let judged = pair.given.judged("logits".into(), 0.9999);
        assert!(judged.failure.is_none(), "{judged:?}");
    }
}

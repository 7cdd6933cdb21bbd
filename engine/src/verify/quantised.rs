//! A model whose weights are held in few bits. Its tensors are not those of the reference, so only what it predicts is judged: the
//! logits after each prompt and after each token of the reference's own answer.

use super::Case;
use super::goldens::Goldens;
use super::taps::Taps;
use super::thinker::{Ready, ready};
use crate::cancel::Cancel;
use crate::engine::Engine;
use crate::error::Result;
use crate::model::config::Config;
use crate::model::positions::Walk;
use crate::quant::Quant;
use crate::recording::Recording;
use crate::session::prompt::Prompt;

/// What the logits of a format are held to: the least cosine between ours and the reference's, as a mean over all positions.
fn least_cosine(quant: Quant) -> f64 {
    match quant {
        Quant::Q8_0 => 0.999,
        Quant::Q4 => 0.99,
    }
}

/// Runs every golden prompt with the reference's answer behind it.
pub(super) fn verify(
    engine: &mut Engine,
    quant: Quant,
    goldens: &mut Goldens,
    cancel: &Cancel,
) -> Result<()> {
    let prompts = goldens.manifest["prompts"].clone();
    for (name, case) in prompts.as_object().into_iter().flatten() {
        let (file, Ready { mut prompt, owned }) = match engine.config {
            Config::Omni(_) => {
                let file = format!("thinker_{name}");
                let ready = ready(engine, goldens, &file, case, cancel)?;
                (file, ready)
            }
            Config::Dense(_) => {
                let mut prompt = Prompt::text(engine.tokenizer.encode(case.as_str().unwrap_or_default())?);
                prompt.place(Walk::default(), engine.media_ids());
                (name.clone(), Ready { prompt, owned: Vec::new() })
            }
        };
        let ids = prompt.ids.iter().map(|&id| id as i32).collect();
        goldens.check_i32(&file, "input_ids", &[prompt.ids.len()], ids);
        let answer: Vec<u32> = goldens.i32(&file, "greedy_tokens")?.into_iter().map(|t| t as u32).collect();
        // The last token is predicted, not read.
        let read = &answer[..answer.len().saturating_sub(1)];
        let asked = prompt.ids.len();
        let positions = prompt.end.walk(read, engine.media_ids(), std::iter::empty());
        prompt.positions.extend(positions);
        prompt.ids.extend(read);
        let taps = run(engine, &prompt, cancel)?;
        owned.into_iter().for_each(|buffer| engine.executor.memory().free(buffer));

        let (shape, logits) = taps.f32("logits");
        let vocabulary = shape[1];
        let mut found = Logits::default();
        for (key, ours) in [
            ("logits_all", &logits[..asked * vocabulary]),
            ("greedy_logits", &logits[(asked - 1) * vocabulary..]),
        ] {
            if goldens.has(&file, key) {
                found.add(ours, &goldens.f32(&file, key)?, vocabulary);
            }
        }
        goldens.push(found.case(&file, least_cosine(quant)));
        for (tap, _) in taps.names("hidden.").chain(taps.names("final_norm")) {
            if goldens.has(&file, tap) {
                let golden = goldens.f32(&file, tap)?;
                let mut case = Case::named(format!("{file} {tap}"));
                case.mean_square_error = Some(mean_square_error(&taps.f32(tap).1, &golden));
                goldens.push(case);
            }
        }
    }
    Ok(())
}

/// One pass over the whole prompt, with the logits after each token.
fn run(engine: &mut Engine, prompt: &Prompt, cancel: &Cancel) -> Result<Taps> {
    let rows = prompt.ids.len();
    let mut rec = Recording::tapped_if(true);
    let thinker = &engine.model.thinker;
    let cache = thinker.decoder.cache(engine.executor.memory(), rows)?;
    let axes = (0..3).flat_map(|axis| prompt.positions.iter().map(move |p| p[axis])).collect();
    let (ids, positions) = (rec.constant_u32([rows], prompt.ids.clone()), rec.constant_f32([3, rows], axes));
    let thought = thinker.record(&mut rec, ids, positions, &prompt.inserts(0, rows), &cache)?;
    thinker.logits(&mut rec, thought.normed)?;
    let taps = Taps::run(engine, &rec, cancel)?;
    cache.free(engine.executor.memory());
    Ok(taps)
}

/// Sums over positions.
#[derive(Default)]
struct Logits {
    positions: usize,
    cosines: f64,
    divergences: f64,
    same_choices: usize,
}

impl Logits {
    fn add(&mut self, ours: &[f32], golden: &[f32], vocabulary: usize) {
        for (ours, golden) in ours.chunks(vocabulary).zip(golden.chunks(vocabulary)) {
            let dot = |a: &[f32], b: &[f32]| -> f64 {
                a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
            };
            self.positions += 1;
            self.cosines += dot(ours, golden) / (dot(ours, ours) * dot(golden, golden)).sqrt();
            self.divergences += divergence(golden, ours);
            self.same_choices += usize::from(likeliest(ours) == likeliest(golden));
        }
    }

    fn case(&self, file: &str, least: f64) -> Case {
        let positions = self.positions as f64;
        let cosine = self.cosines / positions;
        let mut case = Case::named(format!("{file} forced logits"));
        case.cosine = Some(cosine);
        case.divergence = Some(self.divergences / positions);
        case.exact = Some((self.same_choices, self.positions));
        if cosine.is_nan() || cosine < least {
            case.failure = Some(format!("mean cosine of the logits {cosine:.6}, expected at least {least}"));
        }
        case
    }
}

/// `Σ p · ln(p / q)` of the distributions that two rows of logits stand for, in nats.
fn divergence(p: &[f32], q: &[f32]) -> f64 {
    let logarithms = |logits: &[f32]| -> Vec<f64> {
        let largest = logits.iter().fold(f64::NEG_INFINITY, |a, &v| a.max(f64::from(v)));
        let sum: f64 = logits.iter().map(|&v| (f64::from(v) - largest).exp()).sum();
        logits.iter().map(|&v| f64::from(v) - largest - sum.ln()).collect()
    };
    logarithms(p).iter().zip(logarithms(q)).map(|(p, q)| p.exp() * (p - q)).sum()
}

fn likeliest(logits: &[f32]) -> Option<usize> {
    (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]))
}

/// Mean square of the differences, as a share of the golden tensor's own mean square; ours may have more rows.
fn mean_square_error(ours: &[f32], golden: &[f32]) -> f64 {
    let square = |v: f32| f64::from(v) * f64::from(v);
    let errors: f64 = ours.iter().zip(golden).map(|(a, b)| square(a - b)).sum();
    errors / golden.iter().map(|&v| square(v)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_logits_have_cosine_one_and_no_divergence() {
        let rows = [1.0, -2.0, 0.5, 3.0, 0.0, 1.0];
        let mut logits = Logits::default();
        logits.add(&rows, &rows, 3);
        let case = logits.case("a", 0.999);
        assert_eq!((case.failure, case.exact), (None, Some((2, 2))));
        assert!((case.cosine.unwrap() - 1.0).abs() < 1e-12 && case.divergence.unwrap().abs() < 1e-12);
    }

    #[test]
    fn other_logits_or_nan_fail() {
        for ours in [[0.0, 1.0], [f32::NAN, 1.0]] {
            let mut logits = Logits::default();
            logits.add(&ours, &[1.0, 0.0], 2);
            assert!(logits.case("a", 0.99).failure.is_some());
        }
    }

    #[test]
    fn divergence_is_that_of_the_formula() {
        // p = (3/4, 1/4), q = (1/2, 1/2).
        let want = 0.75 * 1.5f64.ln() + 0.25 * 0.5f64.ln();
        assert!((divergence(&[3f32.ln() + 5.0, 5.0], &[2.0, 2.0]) - want).abs() < 1e-6);
    }
}

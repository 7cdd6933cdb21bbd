//! Prompts over which a format of few bits is compared with the checkpoint as it is stored: the goldens', or some questions.

use super::Case;
use super::goldens::Goldens;
use super::pair::Pair;
use super::taps::Taps;
use super::thinker::{Ready, greedy, ready, until_stop};
use crate::cancel::Cancel;
use crate::engine::Engine;
use crate::error::Result;
use crate::model::config::Config;
use crate::model::positions::Walk;
use crate::session::prompt::Prompt;
use crate::settings::Format;

/// Tokens of the stored model's answer that are compared, where no golden answer is given.
const ANSWER: usize = 24;

/// What is asked where no goldens are given.
const QUESTIONS: [&str; 8] = [
    "Hello!",
    "What is your name?",
    "What is seven plus eight?",
    "What is the capital of France?",
    "What is the opposite of hot?",
    "How many legs does a spider have?",
    "What day comes after Monday?",
    "Count from one to five.",
];

/// Runs every golden prompt with the reference's answer behind it.
pub(super) fn verify(
    engine: &mut Engine,
    format: Format,
    goldens: &mut Goldens,
    cancel: &Cancel,
) -> Result<()> {
    let prompts = goldens.manifest["prompts"].clone();
    let mut aside = goldens.reopened()?;
    let mut pair = Pair::of(engine, cancel)?;
    for (name, case) in prompts.as_object().into_iter().flatten() {
        let (file, mut both) = match pair.ours.config {
            Config::Omni(_) => {
                let file = format!("thinker_{name}");
                let ours = ready(pair.ours, goldens, &file, case, cancel)?;
                let stored = ready(&mut pair.stored, &mut aside, &file, case, cancel)?;
                (file, [ours, stored])
            }
            Config::Dense(_) => {
                let mut prompt = Prompt::text(pair.ours.tokenizer.encode(case.as_str().unwrap_or_default())?);
                prompt.place(Walk::default(), pair.ours.media_ids());
                let ready = || Ready { prompt: prompt.clone(), owned: Vec::new() };
                (name.clone(), [ready(), ready()])
            }
        };
        let asked = both[0].prompt.ids.len();
        let ids = both[0].prompt.ids.iter().map(|&id| id as i32).collect();
        goldens.check_i32(&file, "input_ids", &[asked], ids);
        let answer: Vec<u32> = goldens.i32(&file, "greedy_tokens")?.into_iter().map(|t| t as u32).collect();
        // The last token is predicted, not read.
        let read = &answer[..answer.len().saturating_sub(1)];
        for ready in &mut both {
            let positions = ready.prompt.end.walk(read, pair.ours.media_ids(), std::iter::empty());
            ready.prompt.positions.extend(positions);
            ready.prompt.ids.extend(read);
        }
        let [ours, stored] = &both;
        let (cases, stored_taps) = pair.compare(&file, [&ours.prompt, &stored.prompt])?;
        check_stored(goldens, &file, asked, &stored_taps);
        cases.into_iter().for_each(|case| goldens.push(case));
        let [ours, stored] = both;
        ours.owned.into_iter().for_each(|buffer| pair.ours.executor.memory().free(buffer));
        stored.owned.into_iter().for_each(|buffer| pair.stored.executor.memory().free(buffer));
    }
    pair.all(format).into_iter().for_each(|case| goldens.push(case));
    Ok(())
}

/// Asks some questions, and compares what follows the stored model's answers.
pub(super) fn compare(engine: &mut Engine, format: Format, cancel: &Cancel) -> Result<Vec<Case>> {
    let mut pair = Pair::of(engine, cancel)?;
    let mut cases = Vec::new();
    for (i, question) in QUESTIONS.iter().enumerate() {
        let messages = serde_json::json!([{ "role": "user", "content": question }]);
        let text = pair.ours.template.render(&messages, None, true, None)?;
        let mut prompt = Prompt::text(pair.ours.tokenizer.encode(&text)?);
        prompt.place(Walk::default(), pair.ours.media_ids());
        let (answer, _) = greedy(&mut pair.stored, &prompt, ANSWER, cancel)?;
        let stop = answer.iter().copied().find(|token| pair.ours.stop_ids().contains(token));
        let answer = until_stop(answer, stop);
        let read = &answer[..answer.len() - 1];
        prompt.positions.extend(prompt.end.walk(read, pair.ours.media_ids(), std::iter::empty()));
        prompt.ids.extend(read);
        cases.extend(pair.compare(&format!("question_{i}"), [&prompt, &prompt])?.0);
    }
    cases.extend(pair.all(format));
    Ok(cases)
}

/// Holds the stored model to the goldens, which have its rows after the prompt's `asked` tokens and its logits after the answer's.
fn check_stored(goldens: &mut Goldens, file: &str, asked: usize, stored: &Taps) {
    for (tap, _) in stored.names("hidden.").chain(stored.names("final_norm")) {
        let (shape, values) = stored.f32(tap);
        goldens.check_f32(file, tap, &[asked, shape[1]], values[..asked * shape[1]].to_vec());
    }
    let (shape, logits) = stored.f32("logits");
    let (rows, vocabulary) = (shape[0], shape[1]);
    goldens.check_f32(file, "logits_all", &[asked, vocabulary], logits[..asked * vocabulary].to_vec());
    let after = logits[(asked - 1) * vocabulary..].to_vec();
    goldens.check_f32(file, "greedy_logits", &[rows - asked + 1, vocabulary], after);
}

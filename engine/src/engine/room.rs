//! What a checkpoint needs of a device's memory, and whether it has that: known before anything is placed.

use crate::error::{Error, Result};
use crate::executor::{Executor, Room};
use crate::memory::Tally;
use crate::model::Model;
use crate::model::config::Config;
use crate::recording::Recording;
use crate::settings::Format;
use crate::weights::Loader;

/// Tokens of a conversation whose caches are counted: longer ones ask for more as they grow.
const PLANNED_TOKENS: usize = 4096;

/// Rows that are read at once; the rest waits, so that a cancel is seen soon and scratch memory stays small.
pub(crate) const ROWS_AT_ONCE: usize = 512;

/// Formats from the most precise to the smallest.
const FORMATS: [Format; 3] = [Format::Bf16, Format::Q8_0, Format::Q4];

/// Bytes that a checkpoint needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needs {
    /// Of matrices alone, which is what loading them counts.
    pub(super) matrices: u64,
    weights: u64,
    caches: u64,
    scratch: u64,
}

impl Needs {
    /// Those of a model in `format`, with the caches of `context_tokens` or of a usual conversation.
    pub(crate) fn of(
        config: &Config,
        format: Format,
        exact_caches: bool,
        context_tokens: usize,
        executor: &Executor,
    ) -> Result<Needs> {
        let mut tally = Tally::alone();
        let mut loader = Loader::outline(&mut tally, format).with_exact_caches(exact_caches);
        let model = Model::load(&mut loader, config)?;
        let (matrices, weights) = (tally.sums().bytes, tally.sums().all());

        let tokens = context_tokens.min(PLANNED_TOKENS);
        let cache = model.thinker.decoder.cache(&mut tally, tokens)?;
        if let Some(voice) = &model.voice {
            voice.talker.decoder.cache(&mut tally, tokens)?;
        }
        let caches = tally.sums().all() - weights;

        let rows = tokens.min(ROWS_AT_ONCE);
        let mut rec = Recording::new();
        let ids = rec.constant_u32([rows], vec![0; rows]);
        let positions = rec.constant_f32([3, rows], vec![0.0; 3 * rows]);
        let thought = model.thinker.record(&mut rec, ids, positions, &[], &cache)?;
        model.thinker.logits(&mut rec, thought.normed.slice_rows(rows - 1, 1))?;
        Ok(Needs { matrices, weights, caches, scratch: executor.scratch_bytes(&rec)? })
    }

    /// Of weights, caches and scratch memory.
    pub(crate) fn all(&self) -> u64 {
        self.weights + self.caches + self.scratch
    }

    /// `Err` where `room` does not have so much; `of` is what the model needs in another format.
    pub(super) fn fit(
        &self,
        name: &str,
        device: &str,
        room: &Room,
        of: impl Fn(Format) -> Result<Needs>,
    ) -> Result<()> {
        if self.all() <= room.bytes {
            return Ok(());
        }
        let mut advice = "no format of it would fit".to_owned();
        for format in FORMATS {
            let needs = of(format)?.all();
            if needs <= room.bytes {
                advice = format!("with --format {} it needs {:.1} GiB", format.name(), gib(needs));
                break;
            }
        }
        Err(Error::Device(format!(
            "{name} needs {:.1} GiB ({:.1} of weights, {:.1} of caches, {:.1} to work in), and {device} has {:.1} GiB free; {advice}",
            gib(self.all()),
            gib(self.weights),
            gib(self.caches),
            gib(self.scratch),
            gib(room.bytes)
        )))
    }
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn needs(weights: u64) -> Needs {
        let weights = weights * GIB;
        Needs { matrices: weights, weights, caches: GIB, scratch: GIB / 2 }
    }

    fn refusal(free: u64) -> Option<String> {
        let by_format = |format| {
            Ok(needs(match format {
                Format::F32 => 120,
                Format::Bf16 => 60,
                Format::Q8_0 => 32,
                Format::Q4 => 18,
            }))
        };
        let room = Room { bytes: free * GIB, unified: false };
        needs(60).fit("omni", "the adapter", &room, by_format).err().map(|error| error.to_string())
    }

    #[test]
    fn too_little_memory_is_told_with_the_numbers_and_the_format_that_fits() {
        assert_eq!(refusal(62), None);
        let refused = refusal(40).unwrap();
        for part in
            ["omni needs 61.5 GiB", "60.0 of weights", "the adapter has 40.0 GiB free", "--format q8_0"]
        {
            assert!(refused.contains(part), "{refused}");
        }
        assert!(refusal(20).unwrap().contains("--format q4 it needs 19.5 GiB"));
        assert!(refusal(10).unwrap().contains("no format of it would fit"));
    }
}

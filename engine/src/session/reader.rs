//! The thinker's side of a session: what it has read, and the next token.

use std::ops::Range;

use super::device::Device;
use super::prompt::Prompt;
use crate::error::{Error, Result};
use crate::executor::{Fetch, Program};
use crate::kernels::{advance, gather_rows, sample};
use crate::layers::cache::Cache;
use crate::model::positions::Walk;
use crate::model::thinker::Thinker;
use crate::recording::{Buffer, Recording};
use crate::shape::Element;

/// Rows that a fresh cache holds.
const FIRST_ROWS: usize = 512;

const BROKEN: Error = Error::NotANumber("thinker");

/// How far the thinker has read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReaderMark {
    pub(crate) rows: usize,
    pub(crate) walk: Walk,
}

/// The thinker's stream of a stretch's media tokens, for the talker.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    /// Indices into the ids of the stretch.
    pub(crate) at: Vec<u32>,
    /// `[count, hidden]`
    pub(crate) rows: Buffer,
}

/// Cache, positions and sampler of the thinker.
pub(crate) struct Reader {
    cache: Cache,
    mark: ReaderMark,
    sampler: sample::State,
    params: sample::Params,
    /// Where the token to be fed stands, `[3, 1]`.
    position: Buffer,
    /// Feeds the last token and samples the next; void when the cache has moved or the sampling has changed.
    step: Option<Program>,
    /// The token of a step that was asked for before anybody wanted it: the device works while the host thinks.
    ahead: Option<Fetch>,
    seed: u64,
    /// Tokens drawn that somebody wanted: where the random sequence stands.
    draws: u32,
    tapped: bool,
}

impl Reader {
    /// Nothing read.
    pub(crate) fn new(device: &mut Device<'_>, thinker: &Thinker, params: sample::Params) -> Result<Reader> {
        let cache = thinker.decoder.cache(device.memory(), FIRST_ROWS)?;
        let vocabulary = thinker.embed_tokens.rows();
        let memory = device.memory();
        let sampler = sample::State {
            token: memory.allocate([1].into(), Element::U32)?,
            rng: memory.allocate([sample::State::RNG].into(), Element::U32)?,
            seen: Some(memory.allocate([vocabulary].into(), Element::U32)?),
        };
        let position = memory.allocate([3, 1].into(), Element::F32)?;
        Ok(Reader {
            cache,
            mark: ReaderMark::default(),
            sampler,
            params,
            position,
            step: None,
            ahead: None,
            seed: 0,
            draws: 0,
            tapped: false,
        })
    }

    /// Keeps the taps of what it runs from now on.
    pub(crate) fn tap(&mut self) {
        self.tapped = true;
        self.step = None;
    }

    /// Gives up what was made ready to run.
    pub(crate) fn forget_programs(&mut self) {
        self.step = None;
        self.ahead = None;
    }

    /// Gives the memory back.
    pub(crate) fn free(self, device: &mut Device<'_>) {
        let memory = device.memory();
        self.cache.free(memory);
        let sampler = [self.sampler.token, self.sampler.rng, self.position];
        sampler.into_iter().chain(self.sampler.seen).for_each(|buffer| memory.free(buffer));
    }

    /// How far it has read.
    pub(crate) fn mark(&self) -> ReaderMark {
        self.mark
    }

    /// Forgets what was read after `mark`.
    pub(crate) fn rewind(&mut self, mark: ReaderMark) {
        self.mark = mark;
    }

    /// Replaces the sampling; `seed` starts the random sequence anew.
    pub(crate) fn set_sampling(
        &mut self,
        device: &mut Device<'_>,
        params: sample::Params,
        seed: u64,
    ) -> Result<()> {
        self.params = params;
        self.step = None;
        (self.seed, self.draws) = (seed, 0);
        self.write_rng(device)
    }

    /// Puts the random sequence where the wanted tokens have left it.
    fn write_rng(&self, device: &mut Device<'_>) -> Result<()> {
        let rng = [self.seed as u32, (self.seed >> 32) as u32, self.draws, 0];
        device.memory().write_u32(self.sampler.rng, &rng)
    }

    /// Reads tokens `range` of a placed prompt. Keeps the accepted rows of media where `accept`. Samples the next token where
    /// `then_sample`.
    pub(crate) fn read(
        &mut self,
        device: &mut Device<'_>,
        thinker: &Thinker,
        prompt: &Prompt,
        range: Range<usize>,
        accept: bool,
        then_sample: bool,
    ) -> Result<Vec<Accepted>> {
        let count = range.len();
        self.ahead = None;
        if then_sample {
            self.write_rng(device)?;
        }
        let (mut rec, last, accepted) = self.record_read(device, thinker, prompt, range, accept)?;
        if then_sample {
            let logits = thinker.logits(&mut rec, last)?;
            sample::record(&mut rec, logits, self.sampler, self.params.clone())?;
            self.draws += 1;
        }
        let kept = device.run_keeping(rec, &accepted.iter().map(|a| a.rows).collect::<Vec<_>>())?;
        self.mark = ReaderMark { rows: self.mark.rows + count, walk: prompt.end };
        device.memory().write_f32(self.position, &[prompt.end.next; 3])?;
        Ok(accepted.into_iter().zip(kept).map(|(a, rows)| Accepted { rows, ..a }).collect())
    }

    /// The commands of a read, its last row, and the accepted rows of its media, which live only in the recording.
    fn record_read(
        &mut self,
        device: &mut Device<'_>,
        thinker: &Thinker,
        prompt: &Prompt,
        Range { start, end }: Range<usize>,
        accept: bool,
    ) -> Result<(Recording, Buffer, Vec<Accepted>)> {
        let rows = end - start;
        if device.reserve(&mut self.cache, self.mark.rows + rows)? {
            self.step = None;
        }
        self.cache.set_past(device.memory(), self.mark.rows)?;
        let mut rec = Recording::tapped_if(self.tapped);
        let ids = rec.constant_u32([rows], prompt.ids[start..end].to_vec());
        let axes =
            (0..3).flat_map(|axis| prompt.positions[start..end].iter().map(move |p| p[axis])).collect();
        let positions = rec.constant_f32([3, rows], axes);
        let inserts = prompt.inserts(start, end);
        let thought = thinker.record(&mut rec, ids, positions, &inserts, &self.cache)?;
        let mut accepted = Vec::new();
        if let (true, Some(stream)) = (accept, thought.accepted) {
            for insert in &inserts {
                let at = rec.constant_u32([insert.at.len()], insert.at.clone());
                let rows = gather_rows::record(&mut rec, stream, at)?;
                accepted.push(Accepted { at: insert.at.iter().map(|at| at + start as u32).collect(), rows });
            }
        }
        Ok((rec, thought.normed.slice_rows(rows - 1, 1), accepted))
    }

    /// Begins an answer: no token of it has been seen.
    pub(crate) fn begin_answer(&mut self, device: &mut Device<'_>) -> Result<()> {
        match self.sampler.seen {
            Some(seen) if self.params.repetition_penalty != 1.0 => {
                device.memory().write_u32(seen, &vec![0; seen.shape.len()])
            }
            _ => Ok(()),
        }
    }

    /// The token sampled last.
    pub(crate) fn token(&self, device: &mut Device<'_>) -> Result<u32> {
        if device.memory().read_u32(self.sampler.broken())?[0] > 0 {
            return Err(BROKEN);
        }
        Ok(device.memory().read_u32(self.sampler.token)?[0])
    }

    /// Feeds the token sampled last and samples the next. Where the device runs ahead, the step after is asked for too: it costs
    /// nothing if the answer ends here, since what it leaves behind is written anew by the next read.
    pub(crate) fn step(&mut self, device: &mut Device<'_>, thinker: &Thinker) -> Result<u32> {
        let wanted = match self.ahead.take() {
            Some(fetch) => fetch,
            None => self.submit(device, thinker, 1)?,
        };
        if device.executor.runs_ahead() && !self.tapped {
            self.ahead = Some(self.submit(device, thinker, 2)?);
        }
        let &[token, broken] = &device.executor.collect(wanted)?[..] else {
            return Err(Error::Device("a step has given no token".into()));
        };
        if broken > 0 {
            return Err(BROKEN);
        }
        self.mark.rows += 1;
        self.mark.walk.next += 1.0;
        self.draws += 1;
        Ok(token)
    }

    /// Asks for a step, which takes the row `rows` after those that count.
    fn submit(&mut self, device: &mut Device<'_>, thinker: &Thinker, rows: usize) -> Result<Fetch> {
        if device.reserve(&mut self.cache, self.mark.rows + rows)? {
            self.step = None;
        }
        let mut step = match self.step.take() {
            Some(step) => step,
            None => device.prepare(self.record_step(thinker)?)?,
        };
        let fetch = device.run_fetching(&mut step, &[self.sampler.token, self.sampler.broken()])?;
        self.step = Some(step);
        Ok(fetch)
    }

    fn record_step(&self, thinker: &Thinker) -> Result<Recording> {
        let mut rec = Recording::tapped_if(self.tapped);
        let thought = thinker.record(&mut rec, self.sampler.token, self.position, &[], &self.cache)?;
        let logits = thinker.logits(&mut rec, thought.normed)?;
        sample::record(&mut rec, logits, self.sampler, self.params.clone())?;
        advance::advance_f32(&mut rec, self.position, 1)?;
        Ok(rec)
    }
}

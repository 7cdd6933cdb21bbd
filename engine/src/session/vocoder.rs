//! Codes to sound: code2wav at work on one clip after the other, a step of some frames at a time.

use super::device::Device;
use crate::error::Result;
use crate::executor::Program;
use crate::kernels::copy;
use crate::memory::Memory;
use crate::model::code2wav::{Code2Wav, Progress};
use crate::recording::{Buffer, Recording};
use crate::shape::Element;

/// A step made ready to be run, again and again.
struct Step {
    frames: usize,
    before: Progress,
    after: Progress,
    program: Program,
    /// The samples that it gives, if any.
    samples: Option<Buffer>,
}

/// How far a clip has come, and the steps that were needed so far.
pub(crate) struct Vocoder {
    progress: Progress,
    /// Samples of the last step, as many as the largest gives: `[samples, 1]`.
    samples: Buffer,
    /// No more than there are counts of frames at the start of a clip and within one.
    steps: Vec<Step>,
}

impl Vocoder {
    /// Without a clip: `reset` begins one.
    pub(crate) fn new(memory: &mut dyn Memory, code2wav: &Code2Wav) -> Result<Vocoder> {
        let most = Code2Wav::MAX_STEP_FRAMES * code2wav.samples_per_frame();
        let samples = memory.allocate([most, 1].into(), Element::F32)?;
        Ok(Vocoder { progress: Progress::default(), samples, steps: Vec::new() })
    }

    /// Begins a clip.
    pub(crate) fn reset(&mut self, memory: &mut dyn Memory, code2wav: &Code2Wav) -> Result<()> {
        self.progress = code2wav.reset(memory)?;
        Ok(())
    }

    /// Decodes the next frames of the clip, at most [`Code2Wav::MAX_STEP_FRAMES`].
    pub(crate) fn decode(
        &mut self,
        device: &mut Device<'_>,
        code2wav: &Code2Wav,
        frames: &[Vec<u32>],
    ) -> Result<Vec<f32>> {
        let ready = self.steps.iter().position(|s| s.frames == frames.len() && s.before == self.progress);
        let at = match ready {
            Some(at) => at,
            None => {
                let step = self.prepare(device, code2wav, frames.len())?;
                self.steps.push(step);
                self.steps.len() - 1
            }
        };
        let step = &mut self.steps[at];
        code2wav.write_codes(device.memory(), frames)?;
        let samples = device.run_fetching(&mut step.program, step.samples.as_slice())?;
        self.progress.clone_from(&step.after);
        Ok(device.executor.collect(samples)?.into_iter().map(f32::from_bits).collect())
    }

    fn prepare(&self, device: &mut Device<'_>, code2wav: &Code2Wav, frames: usize) -> Result<Step> {
        let (before, mut after) = (self.progress.clone(), self.progress.clone());
        let mut rec = Recording::new();
        let samples = match code2wav.step(&mut rec, frames, &mut after)? {
            Some(wav) => {
                let samples = self.samples.slice_rows(0, wav.rows());
                copy::record(&mut rec, wav, samples)?;
                Some(samples)
            }
            None => None,
        };
        Ok(Step { frames, before, after, program: device.prepare(rec)?, samples })
    }

    /// Gives up what was made ready to run.
    pub(crate) fn forget_programs(&mut self) {
        self.steps.clear();
    }

    /// Gives the memory back.
    pub(crate) fn free(self, memory: &mut dyn Memory) {
        memory.free(self.samples);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cancel::Cancel;
    use crate::engine::Engine;
    use crate::fixtures;
    use crate::kernels::testing::assert_nmse;
    use crate::settings::{Device as Kind, Options};

    /// Samples of a clip of `frames` that comes in `pieces`.
    fn clip(engine: &mut Engine, vocoder: &mut Vocoder, frames: &[Vec<u32>], pieces: &[usize]) -> Vec<u32> {
        let Engine { executor, model, .. } = engine;
        let code2wav = &model.voice.as_ref().unwrap().code2wav;
        let cancel = Cancel::new();
        let mut device = Device { executor, cancel: &cancel };
        vocoder.reset(device.memory(), code2wav).unwrap();
        let (mut samples, mut left) = (Vec::new(), frames);
        for &piece in pieces {
            let (now, later) = left.split_at(piece);
            samples.extend(vocoder.decode(&mut device, code2wav, now).unwrap());
            left = later;
        }
        assert!(left.is_empty());
        samples.into_iter().map(f32::to_bits).collect()
    }

    #[test]
    fn every_clip_sounds_as_the_first_and_no_step_is_made_ready_twice() {
        for device in [Kind::Cpu, Kind::Gpu] {
            let options = Options { device, threads: 2, ..Options::default() };
            let mut engine = Engine::load(&fixtures::path("reference/open/omni-bf16"), &options).unwrap();
            let config = engine.config.speech().unwrap().code2wav.clone();
            let code = |i: usize| (i * i + 7 * i) as u32 % config.codebook_size as u32;
            let row = |t: usize| (0..config.num_quantizers).map(|q| code(31 * t + q)).collect();
            let frames: Vec<Vec<u32>> = (0..21).map(row).collect();
            let code2wav = &engine.model.voice.as_ref().unwrap().code2wav;
            let mut vocoder = Vocoder::new(engine.executor.memory(), code2wav).unwrap();
            let pieces = [1, 1, 2, 4, 4, 4, 4, 1];
            let first = clip(&mut engine, &mut vocoder, &frames, &pieces);
            // Of 1 frame at the start, and of 1, 2 and 4 later.
            assert_eq!(vocoder.steps.len(), 4);
            let second = clip(&mut engine, &mut vocoder, &frames, &pieces);
            assert_eq!(vocoder.steps.len(), 4);
            assert!(first == second, "the second clip sounds otherwise on {device:?}");
            let whole = clip(&mut engine, &mut vocoder, &frames, &[16, 5]);
            let floats = |bits: Vec<u32>| bits.into_iter().map(f32::from_bits).collect::<Vec<_>>();
            // A graphics processor sums products of many rows in another order.
            assert_nmse(&floats(first), &floats(whole), 1e-10);
        }
    }
}

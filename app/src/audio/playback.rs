//! An open speaker: `push` resamples speech into a ring; the callback takes it out and pads with silence.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{FromSample, SampleFormat, SizedSample, StreamConfig};
use crossbeam_channel::{Receiver, bounded};
use engine::Resampler;
use rtrb::{Consumer, Producer, RingBuffer};

use super::capture::report_to;
use super::device::{self, Direction, OPEN_TIMEOUT, PATIENCE};
use super::unheard::Unheard;
use super::volume::{Glide, Volume};
use crate::language::t;
use crate::live::Live;

/// Length of a block that is asked of the device: long enough for a busy machine, short enough to stop quickly.
const BLOCK_MS: u32 = 40;
/// What the device holds: two blocks.
const BUFFER_MS: u32 = 2 * BLOCK_MS;
/// Speech that waits in the ring at most.
const RING_MS: u32 = 400;
/// Speech that must be ready before it starts, and again after it ran dry.
const HEAD_START_MS: u32 = 100;
/// What the device still plays when the ring is empty: what it holds, and a block for its clock.
const DRAIN: Duration = Duration::from_millis((BUFFER_MS + BLOCK_MS) as u64);

/// What the callback and its owner share.
#[derive(Default)]
struct Shared {
    /// The callback may take samples.
    flowing: AtomicBool,
    /// The callback took samples.
    started: AtomicBool,
    /// All speech is in the ring.
    complete: AtomicBool,
    /// Times that the ring ran dry before that.
    gaps: AtomicU64,
}

/// A speaker while it is open, for one turn. Dropping it closes it at once.
pub(super) struct Playback {
    // Before the ring, so that the callback ends first.
    _stream: cpal::Stream,
    ring: Producer<f32>,
    resampler: Resampler,
    unheard: Unheard,
    /// Samples that ever went into the ring, and those that the callback took.
    given: u64,
    taken: u64,
    /// When the callback last took some, or had none to take.
    taken_at: Instant,
    /// Resampled speech that did not fit into the ring yet.
    waiting: Vec<f32>,
    head_start: usize,
    shared: Arc<Shared>,
    failures: Receiver<cpal::Error>,
    /// What the callback gave to the device, mono, for the canceller of its echo.
    played: Consumer<f32>,
    rate_hz: u32,
    ended: bool,
    /// When the ring was seen empty after the end.
    empty_since: Option<Instant>,
}

impl Playback {
    /// Opens this speaker for `turn`, whose speech is mono at `rate_hz`. Blocks for as long as the sound system takes, at most a
    /// few seconds. It falls silent by itself, within a block, when another turn becomes alive.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the speaker.
    pub(super) fn open(
        device: &cpal::Device,
        turn: u64,
        live: Live,
        rate_hz: u32,
        volume: &Volume,
    ) -> Result<Playback> {
        let (config, format) = device::config(device, Direction::Out)?;
        match format {
            SampleFormat::F32 => Playback::open_as::<f32>(device, config, turn, live, rate_hz, volume),
            SampleFormat::I16 => Playback::open_as::<i16>(device, config, turn, live, rate_hz, volume),
            SampleFormat::I24 => Playback::open_as::<cpal::I24>(device, config, turn, live, rate_hz, volume),
            SampleFormat::I32 => Playback::open_as::<i32>(device, config, turn, live, rate_hz, volume),
            SampleFormat::U8 => Playback::open_as::<u8>(device, config, turn, live, rate_hz, volume),
            other => {
                bail!(
                    "{}",
                    t!(
                        "The speaker takes samples as %{form}, which cannot be given. Choose another one.",
                        form = other
                    )
                )
            }
        }
    }

    fn open_as<T>(
        device: &cpal::Device,
        config: StreamConfig,
        turn: u64,
        live: Live,
        rate_hz: u32,
        volume: &Volume,
    ) -> Result<Playback>
    where
        T: SizedSample + FromSample<f32>,
    {
        let channels = usize::from(config.channels);
        let shared = Arc::new(Shared::default());
        let mut parts = None;
        let stream = device::open(config, BLOCK_MS, Direction::Out, |config| {
            let (ring, mut out_of_ring) = RingBuffer::new((config.sample_rate * RING_MS / 1000) as usize);
            let (failed, failures) = bounded(4);
            let (mut into_played, played) = RingBuffer::new((config.sample_rate * RING_MS / 1000) as usize);
            parts = Some((ring, failures, played));
            let (shared, live) = (shared.clone(), live.clone());
            let mut glide = Glide::new(volume, config.sample_rate);
            device.build_output_stream::<T, _, _>(
                config,
                move |block: &mut [T], _| {
                    let alive = live.is(turn);
                    fill(block, channels, &mut out_of_ring, &shared, &mut glide, alive, &mut into_played);
                },
                report_to(failed),
                Some(OPEN_TIMEOUT),
            )
        })?;
        stream.play().map_err(|e| device::explain(&e, Direction::Out))?;
        let (ring, failures, played) =
            parts.ok_or_else(|| anyhow!("{}", t!("The speaker was not opened.")))?;
        Ok(Playback {
            _stream: stream,
            ring,
            resampler: Resampler::new(rate_hz, config.sample_rate)?,
            unheard: Unheard::new(rate_hz, config.sample_rate, BUFFER_MS),
            given: 0,
            taken: 0,
            taken_at: Instant::now(),
            waiting: Vec::new(),
            head_start: (config.sample_rate * HEAD_START_MS / 1000) as usize,
            shared,
            failures,
            played,
            rate_hz: config.sample_rate,
            ended: false,
            empty_since: None,
        })
    }

    /// Takes speech. Whatever does not fit into the ring waits.
    ///
    /// # Errors
    /// The samples cannot be resampled.
    pub(super) fn push(&mut self, samples: &[f32]) -> Result<()> {
        self.unheard.push(samples);
        Ok(self.resampler.push(samples, &mut self.waiting)?)
    }

    /// No more speech comes.
    ///
    /// # Errors
    /// As [`Playback::push`].
    pub(super) fn end(&mut self) -> Result<()> {
        self.ended = true;
        Ok(self.resampler.finish(&mut self.waiting)?)
    }

    /// Whether more speech than the ring takes is waiting.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() > 2 * self.ring.buffer().capacity()
    }

    /// Moves waiting speech into the ring and returns what went in. Call it every few milliseconds.
    ///
    /// # Errors
    /// A sentence: the speaker is lost.
    pub(super) fn poll(&mut self) -> Result<Vec<f32>> {
        if let Some(error) = self.failures.try_iter().find(|e| !device::harmless(e.kind())) {
            return Err(device::explain(&error, Direction::Out));
        }
        let room = self.ring.slots().min(self.waiting.len());
        let (pushed, _) = self.ring.push_partial_slice(&self.waiting[..room]);
        let pushed = pushed.len();
        self.given += pushed as u64;
        let moved = self.waiting.drain(..pushed).collect();

        let capacity = self.ring.buffer().capacity();
        let queued = capacity - self.ring.slots();
        let complete = self.ended && self.waiting.is_empty();
        if complete {
            self.shared.complete.store(true, Ordering::Release);
        }
        if queued >= self.head_start || (complete && queued > 0) {
            self.shared.flowing.store(true, Ordering::Release);
        }
        if complete && queued == 0 {
            self.empty_since.get_or_insert_with(Instant::now);
        }
        self.forget_heard(queued);
        if self.taken_at.elapsed() > PATIENCE {
            bail!(
                "{}",
                t!("The speaker takes no sound. Check that it is plugged in, or choose another one.")
            );
        }
        Ok(moved)
    }

    /// Notes how far the callback came, with so many samples still in the ring.
    fn forget_heard(&mut self, queued: usize) {
        let taken = self.given - queued as u64;
        if taken != self.taken || queued == 0 || !self.shared.flowing.load(Ordering::Acquire) {
            self.taken_at = Instant::now();
        }
        self.taken = taken;
        self.unheard.taken(taken);
    }

    /// Speech that was not heard yet, for another speaker to go on with.
    pub(super) fn into_unheard(self) -> Vec<f32> {
        self.unheard.into_speech()
    }

    /// Whether the device ever took sound.
    pub(super) fn has_played(&self) -> bool {
        self.taken > 0
    }

    /// What went to the device since the last call, silence included, and its rate.
    pub(super) fn played(&mut self) -> (Vec<f32>, u32) {
        let ready = self.played.slots();
        let samples =
            self.played.read_chunk(ready).map_or_else(|_| vec![], |chunk| chunk.into_iter().collect());
        (samples, self.rate_hz)
    }

    /// Whether the first speech went to the device.
    pub(super) fn has_started(&self) -> bool {
        self.shared.started.load(Ordering::Acquire)
    }

    /// Whether all speech was pushed.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether the last sample was heard.
    pub(super) fn is_done(&self) -> bool {
        self.empty_since.is_some_and(|since| since.elapsed() > DRAIN)
    }

    /// Times that speech came too late and silence stood in for it.
    pub(super) fn gaps(&self) -> u64 {
        self.shared.gaps.load(Ordering::Relaxed)
    }
}

/// The callback's work: no lock, no allocation.
fn fill<T>(
    block: &mut [T],
    channels: usize,
    ring: &mut Consumer<f32>,
    shared: &Shared,
    glide: &mut Glide,
    alive: bool,
    played: &mut Producer<f32>,
) where
    T: SizedSample + FromSample<f32>,
{
    let frames = block.len() / channels;
    let flowing = alive && shared.flowing.load(Ordering::Acquire);
    let ready = if flowing { ring.slots().min(frames) } else { 0 };
    let (speech, silence) = block.split_at_mut(ready * channels);
    if let Ok(chunk) = ring.read_chunk(ready) {
        for (frame, sample) in speech.chunks_exact_mut(channels).zip(chunk) {
            let sample = glide.apply(sample);
            frame.fill(T::from_sample_(sample));
            // An owner who is too late to take it does not keep the device waiting.
            let _ = played.push(sample);
        }
    }
    silence.fill(T::EQUILIBRIUM);
    for _ in ready..frames {
        let _ = played.push(0.0);
    }
    if ready > 0 {
        shared.started.store(true, Ordering::Release);
    }
    if flowing && ready < frames && !shared.complete.load(Ordering::Acquire) {
        shared.gaps.fetch_add(1, Ordering::Relaxed);
        shared.flowing.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glide() -> Glide {
        Glide::new(&Volume::new(100), 48_000)
    }

    #[test]
    fn speech_goes_to_every_channel_and_silence_pads_it() {
        let (mut ring, mut out) = RingBuffer::new(8);
        ring.push_entire_slice(&[0.5, -0.5]).unwrap();
        let shared = Shared::default();
        let mut block = [9.0_f32; 6];
        fill(&mut block, 2, &mut out, &shared, &mut glide(), true, &mut RingBuffer::new(8).0);
        assert_eq!(block, [0.0; 6], "nothing flows before the head start");
        shared.flowing.store(true, Ordering::Release);
        fill(&mut block, 2, &mut out, &shared, &mut glide(), true, &mut RingBuffer::new(8).0);
        assert_eq!(block, [0.5, 0.5, -0.5, -0.5, 0.0, 0.0]);
        assert_eq!(shared.gaps.load(Ordering::Relaxed), 1);
        assert!(!shared.flowing.load(Ordering::Relaxed), "a head start is gathered again after a gap");
    }

    #[test]
    fn a_turn_that_is_over_is_silent_in_the_next_block() {
        let (mut ring, mut out) = RingBuffer::new(8);
        ring.push_entire_slice(&[0.5; 4]).unwrap();
        let shared = Shared { flowing: true.into(), ..Shared::default() };
        let mut block = [9_i16; 4];
        fill(&mut block, 1, &mut out, &shared, &mut glide(), false, &mut RingBuffer::new(8).0);
        assert_eq!(block, [0; 4]);
    }

    #[test]
    fn running_dry_at_the_end_is_no_gap() {
        let (_ring, mut out) = RingBuffer::new(8);
        let shared = Shared { flowing: true.into(), complete: true.into(), ..Shared::default() };
        fill(&mut [0.0_f32; 4], 1, &mut out, &shared, &mut glide(), true, &mut RingBuffer::new(8).0);
        assert_eq!(shared.gaps.load(Ordering::Relaxed), 0);
    }
}

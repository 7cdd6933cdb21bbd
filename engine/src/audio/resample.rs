//! One channel from one sample rate to another, in blocks of any size.
//!
//! The filter is a windowed sinc of 20 ms, applied by FFT. Its delay is taken out, so that the output stands in time
//! where the input stood. This is not a clock: it does not follow two devices that drift apart.

use std::ops::RangeInclusive;

use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler as _};

use crate::{Error, Result};

/// Rates that can be converted.
const RATES_HZ: RangeInclusive<u32> = 1_000..=768_000;
/// Blocks a second that the filter aims at, hence the inverse of its length.
const BLOCKS_PER_SECOND: u32 = 50;

/// Changes the sample rate of a mono stream. A clip pushed whole and the same clip pushed in blocks of any size give
/// the same samples, bit for bit. Equal rates pass every sample on unchanged.
pub struct Resampler {
    rate_in_hz: u32,
    rate_out_hz: u32,
    /// None where the rates are equal.
    filter: Option<Filter>,
    /// Samples pushed since the stream began.
    taken: u64,
    /// Samples given out since the stream began.
    given: u64,
}

struct Filter {
    fft: Fft<f32>,
    /// Input that does not fill a block yet.
    pending: Vec<f32>,
    /// One block of output.
    block: Vec<f32>,
    /// Output samples that are still to be dropped, being the filter's delay.
    delay: usize,
}

impl Resampler {
    /// A resampler from `rate_in_hz` to `rate_out_hz`.
    ///
    /// It works in blocks of about 20 ms and looks 10 ms ahead. Two rates without a large common divisor make the
    /// blocks longer, up to two seconds.
    ///
    /// # Errors
    /// [`Error::Input`] when a rate is not from 1,000 to 768,000 Hz.
    pub fn new(rate_in_hz: u32, rate_out_hz: u32) -> Result<Self> {
        for rate_hz in [rate_in_hz, rate_out_hz] {
            if !RATES_HZ.contains(&rate_hz) {
                return Err(Error::Input(format!(
                    "a sample rate of {rate_hz} Hz cannot be used; expected {} to {} Hz",
                    RATES_HZ.start(),
                    RATES_HZ.end()
                )));
            }
        }
        let filter = (rate_in_hz != rate_out_hz).then(|| Filter::new(rate_in_hz, rate_out_hz)).transpose()?;
        Ok(Self { rate_in_hz, rate_out_hz, filter, taken: 0, given: 0 })
    }

    /// Takes samples `[time]` and appends to `output` those that are complete.
    ///
    /// # Errors
    /// [`Error::Input`] when the filter refuses a block.
    pub fn push(&mut self, input: &[f32], output: &mut Vec<f32>) -> Result<()> {
        self.taken += input.len() as u64;
        let before = output.len();
        match &mut self.filter {
            None => output.extend_from_slice(input),
            Some(filter) => {
                let size = filter.fft.input_frames_next();
                let mut rest = input;
                while filter.pending.len() + rest.len() >= size {
                    let head;
                    (head, rest) = rest.split_at(size - filter.pending.len());
                    filter.pending.extend_from_slice(head);
                    output.extend_from_slice(filter.run()?);
                }
                filter.pending.extend_from_slice(rest);
            }
        }
        self.given += (output.len() - before) as u64;
        Ok(())
    }

    /// Appends what is left, so that `round(pushed · rate_out / rate_in)` samples were given in all, and starts anew.
    ///
    /// # Errors
    /// [`Error::Input`] when the filter refuses a block.
    pub fn finish(&mut self, output: &mut Vec<f32>) -> Result<()> {
        let (rate_in, rate_out) = (u64::from(self.rate_in_hz), u64::from(self.rate_out_hz));
        let total = (2 * self.taken * rate_out + rate_in) / (2 * rate_in);
        if let Some(filter) = &mut self.filter {
            while self.given < total {
                let block = filter.run()?;
                let wanted = usize::try_from(total - self.given).unwrap_or(usize::MAX).min(block.len());
                output.extend_from_slice(&block[..wanted]);
                self.given += wanted as u64;
            }
        }
        self.reset();
        Ok(())
    }

    /// Forgets the stream: the next push starts a new one.
    pub fn reset(&mut self) {
        if let Some(filter) = &mut self.filter {
            filter.fft.reset();
            filter.pending.clear();
            filter.delay = filter.fft.output_delay();
        }
        self.taken = 0;
        self.given = 0;
    }
}

impl Filter {
    fn new(rate_in_hz: u32, rate_out_hz: u32) -> Result<Self> {
        let common = gcd(rate_in_hz, rate_out_hz);
        // Blocks of an even length on both sides, so that half of one, the delay, is a whole number of samples.
        let unit = 2 * rate_in_hz / common;
        let size = (rate_in_hz / BLOCKS_PER_SECOND).next_multiple_of(unit) as usize;
        let fft =
            Fft::new(rate_in_hz as usize, rate_out_hz as usize, size, 1, FixedSync::Both).map_err(fault)?;
        let (block, delay) = (vec![0.0; fft.output_frames_next()], fft.output_delay());
        Ok(Self { fft, pending: Vec::new(), block, delay })
    }

    /// Filters the pending input, with silence behind it when it is short of a block, and returns the output less the
    /// delay.
    fn run(&mut self) -> Result<&[f32]> {
        let (taken, made) = (self.pending.len(), self.block.len());
        let indexing = Indexing::new().partial_len(taken);
        let input = SequentialSlice::new(self.pending.as_slice(), 1, taken).map_err(fault)?;
        let mut output = SequentialSlice::new_mut(self.block.as_mut_slice(), 1, made).map_err(fault)?;
        self.fft.process_into_buffer(&input, &mut output, Some(&indexing)).map_err(fault)?;
        self.pending.clear();
        let skip = self.delay.min(made);
        self.delay -= skip;
        Ok(&self.block[skip..])
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn fault(error: impl std::fmt::Display) -> Error {
    Error::Input(format!("the sound cannot be resampled: {error}"))
}

//! How much work goes to the device at once: slices short enough that a window's frames keep coming, and never more than a few
//! in flight.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::context::Context;
use super::program::Step;
use crate::error::Result;

/// What a slice may take on the device.
const SLICE: Duration = Duration::from_millis(8);

/// Slices that the device may have before it: one runs, one waits.
const IN_FLIGHT: usize = 2;

/// Work units a second that a device is taken to do until it shows: a graphics processor, and a program of the processor.
const FIRST_RATES: [f64; 2] = [2e11, 5e9];

/// Slices of the work, as long as the device's rate allows.
pub(super) struct Pace {
    in_flight: VecDeque<(wgpu::SubmissionIndex, f64)>,
    /// Work encoded since the last submission.
    open: f64,
    /// Work units a second.
    rate: f64,
    /// When the last slice that was waited for was done.
    last_done: Option<Instant>,
}

impl Pace {
    /// For a device of which nothing is known but whether it is a program of the processor.
    pub(super) fn new(software: bool) -> Pace {
        let rate = FIRST_RATES[usize::from(software)];
        Pace { in_flight: VecDeque::new(), open: 0.0, rate, last_done: None }
    }

    /// How many of `steps` still fit the open slice; at least one where there are any and the slice is empty.
    pub(super) fn slice(&mut self, steps: &[Step]) -> usize {
        let room = self.rate * SLICE.as_secs_f64();
        let mut count = 0;
        for step in steps {
            if self.open > 0.0 && self.open + step.work > room {
                self.open = f64::INFINITY;
                break;
            }
            self.open += step.work;
            count += 1;
        }
        count
    }

    /// Whether the open slice must be submitted before more is encoded.
    pub(super) fn is_full(&self) -> bool {
        self.open.is_infinite()
    }

    /// Takes note of a submission; waits while too many are in flight.
    pub(super) fn submitted(&mut self, context: &Context, submission: wgpu::SubmissionIndex) -> Result<()> {
        let work = std::mem::take(&mut self.open);
        let work = if work.is_finite() { work } else { self.rate * SLICE.as_secs_f64() };
        self.in_flight.push_back((submission, work));
        while self.in_flight.len() > IN_FLIGHT {
            let Some((oldest, work)) = self.in_flight.pop_front() else { break };
            let begun = Instant::now();
            context.wait(Some(oldest))?;
            self.learn(begun, work);
        }
        Ok(())
    }

    /// Corrects the rate where the device was the one that was waited for.
    fn learn(&mut self, begun: Instant, work: f64) {
        let now = Instant::now();
        let waited = now - begun > Duration::from_micros(200);
        if let Some(last) = self.last_done.replace(now).filter(|_| waited) {
            let took = (now - last).as_secs_f64().max(1e-4);
            self.rate = 0.7 * self.rate + 0.3 * (work / took).clamp(1e8, 1e15);
        }
    }
}

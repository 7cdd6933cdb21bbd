//! What can go wrong on a device: it is lost, its memory is full, or it refuses something.
//!
//! Nothing here panics, and no fault passes unseen: what no call returns is told by the next [`Context::check`].

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::PATIENCE;
use super::context::{Context, guard};
use crate::error::{Error, Result};

/// How long it may take until a device that refuses everything tells that it is lost.
const LOSS_IS_KNOWN: Duration = Duration::from_secs(1);

/// Faults of a device that no call has returned.
#[derive(Default)]
pub(super) struct Faults {
    /// Why the device was lost.
    lost: Mutex<Option<String>>,
    /// The first thing that it refused since the last check.
    refused: Mutex<Option<String>>,
    /// Called once, when it is lost.
    watcher: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    /// Submissions until a test has the device destroyed; 0 for never.
    doom: AtomicU64,
}

impl Faults {
    /// Those of `device`, from now on.
    pub(super) fn of(device: &wgpu::Device) -> Arc<Faults> {
        let faults = Arc::new(Faults::default());
        let note = faults.clone();
        device.set_device_lost_callback(move |reason, message| {
            note.lose(if message.is_empty() { format!("{reason:?}") } else { message });
        });
        let note = faults.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            tracing::error!(%error, "the graphics processor refuses something");
            guard(&note.refused).get_or_insert_with(|| error.to_string());
        }));
        faults
    }

    /// Takes note of a loss, unless there was one.
    fn lose(&self, reason: String) {
        let first = guard(&self.lost).replace(reason).is_none();
        let watcher = guard(&self.watcher).take().filter(|_| first);
        if let Some(tell) = watcher {
            tell();
        }
    }

    /// Why the device was lost, if it was.
    pub(super) fn loss(&self) -> Option<String> {
        guard(&self.lost).clone()
    }

    /// Has `tell` called once, from any thread, when the device is lost; at once where it is.
    pub(super) fn watch(&self, tell: impl FnOnce() + Send + 'static) {
        *guard(&self.watcher) = Some(Box::new(tell));
        if self.loss().is_some() {
            let tell = guard(&self.watcher).take();
            tell.into_iter().for_each(|tell| tell());
        }
    }
}

impl Context {
    /// `Err` once the device is lost, or where it has refused something since the last check.
    pub(super) fn check(&self) -> Result<()> {
        if let Some(reason) = self.faults.loss() {
            return Err(Error::DeviceLost(reason));
        }
        let refused = guard(&self.faults.refused).take();
        refused.map_or(Ok(()), |reason| {
            Err(self.fault(|| format!("{} refuses the work: {reason}", self.info.name)))
        })
    }

    /// The error of work that failed: a device that is lost refuses everything, which is not the reason then.
    fn fault(&self, words: impl FnOnce() -> String) -> Error {
        self.loss().map_or_else(|| Error::Device(words()), Error::DeviceLost)
    }

    /// Takes note that the device is lost: as the device itself says, or for `reason`. Returns the error to be told.
    pub(super) fn lose(&self, reason: String) -> Error {
        if self.loss().is_none() {
            self.faults.lose(reason);
        }
        Error::DeviceLost(self.faults.loss().unwrap_or_default())
    }

    /// Why the device was lost, if it was, also where no call has told that yet.
    pub(super) fn loss(&self) -> Option<String> {
        // A loss is told by the first poll for which no work is left.
        drop(self.poll(wgpu::PollType::Wait { submission_index: None, timeout: Some(LOSS_IS_KNOWN) }));
        self.faults.loss()
    }

    fn poll(&self, how: wgpu::PollType) -> Result<(), String> {
        // Where the driver tells the loss here, wgpu panics.
        catch_unwind(AssertUnwindSafe(|| self.device.poll(how)))
            .map_err(|_| "its driver gave it up".to_owned())
            .and_then(|polled| polled.map(drop).map_err(|e| e.to_string()))
    }

    /// Hands work to the device.
    pub(super) fn submit(&self, work: Option<wgpu::CommandBuffer>) -> wgpu::SubmissionIndex {
        let submission = self.queue.submit(work);
        if self.faults.doom.load(Ordering::Relaxed) > 0
            && self.faults.doom.fetch_sub(1, Ordering::Relaxed) == 1
        {
            self.device.destroy();
        }
        submission
    }

    /// For tests: has the device destroyed with the `submissions`th submission from now on.
    pub(crate) fn destroy_after(&self, submissions: u64) {
        self.faults.doom.store(submissions, Ordering::Relaxed);
    }

    /// Waits for a submission, or for all.
    ///
    /// # Errors
    /// `Error::DeviceLost`, also for a device that is silent for too long.
    pub(super) fn wait(&self, submission_index: Option<wgpu::SubmissionIndex>) -> Result<()> {
        match self.poll(wgpu::PollType::Wait { submission_index, timeout: Some(PATIENCE) }) {
            Ok(()) => self.check(),
            Err(reason) => Err(self.lose(reason)),
        }
    }

    /// What `make` makes, unless the device has no memory for it.
    pub(super) fn checked<T>(&self, size: u64, make: impl FnOnce() -> T) -> Result<T> {
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let made = make();
        match pollster::block_on(scope.pop()) {
            None => Ok(made),
            Some(_) => Err(self.fault(|| {
                format!(
                    "{} has no room for another {size} bytes; choose a smaller format or a shorter context",
                    self.info.name
                )
            })),
        }
    }

    /// What `make` makes, unless the device or its driver refuses `what` it is, with the reason.
    pub(super) fn accepted<T>(&self, what: &str, make: impl FnOnce() -> T) -> Result<T> {
        let invalid = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let internal = self.device.push_error_scope(wgpu::ErrorFilter::Internal);
        let made = make();
        let internal = pollster::block_on(internal.pop());
        let invalid = pollster::block_on(invalid.pop());
        internal.or(invalid).map_or(Ok(made), |error| {
            Err(self.fault(|| format!("{} refuses {what}: {error}", self.info.name)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cancel::Cancel;
    use crate::executor::gpu::Gpu;
    use crate::executor::{Executor, Program};
    use crate::kernels::advance;
    use crate::recording::{Buffer, Recording};
    use crate::shape::Element;

    /// A device of its own, since it is going to be lost, and a counter that a program advances.
    fn counting() -> (Arc<Context>, Executor, Buffer, Program) {
        let context = Arc::new(Context::open(true, None).expect("a Vulkan driver, such as Mesa's lavapipe"));
        let mut executor = Executor::Gpu(Box::new(Gpu::over(context.clone())));
        let counter = executor.memory().allocate([4].into(), Element::F32).unwrap();
        let mut rec = Recording::new();
        advance::advance_f32(&mut rec, counter, 1).unwrap();
        let program = executor.prepare(rec).unwrap();
        (context, executor, counter, program)
    }

    #[test]
    fn a_loss_at_any_submission_is_an_error_from_then_on_and_never_a_panic() {
        for at in 1..=12 {
            let (context, mut executor, counter, mut program) = counting();
            let (sender, told) = std::sync::mpsc::channel();
            context.faults.watch(move || sender.send(()).unwrap());
            context.destroy_after(at);
            let mut steps = 0;
            let error = loop {
                let step = executor
                    .run(&mut program, &Cancel::new())
                    .and_then(|()| executor.memory().read_f32(counter));
                match step {
                    Ok(values) => steps += 1 + usize::from(values[0] != (steps + 1) as f32),
                    Err(error) => break error,
                }
                assert!(steps < 20, "device {at} goes on");
            };
            assert!(matches!(error, Error::DeviceLost(_)), "{error}");
            assert!(steps <= at as usize / 2, "{steps} right answers after submission {at}");
            assert!(told.try_recv().is_ok(), "nobody was told");
            assert!(matches!(executor.memory().read_f32(counter), Err(Error::DeviceLost(_))));
            assert!(executor.prepare(Recording::new()).is_ok() || context.check().is_err());
            executor.memory().free(counter);
        }
    }

    #[test]
    fn what_a_device_refuses_is_told_once_by_the_next_check() {
        let (context, mut executor, counter, mut program) = counting();
        // A copy beyond the buffer's end.
        let short = context.staging(16).unwrap();
        let mut encoder = context.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(&short, 0, &short, 4096, 16);
        context.submit(Some(encoder.finish()));
        let error = executor.run(&mut program, &Cancel::new()).unwrap_err().to_string();
        assert!(error.contains("refuses the work"), "{error}");
        executor.run(&mut program, &Cancel::new()).unwrap();
        assert!(executor.memory().read_f32(counter).unwrap()[0] >= 1.0);
    }

    #[test]
    fn a_shader_that_does_not_compile_is_an_error_with_the_reason() {
        let context = Context::open(true, None).expect("a Vulkan driver, such as Mesa's lavapipe");
        let refused = context.accepted("it", || {
            context.device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: None,
                source: wgpu::ShaderSource::Wgsl("@compute fn main() { nothing(); }".into()),
            })
        });
        assert!(refused.unwrap_err().to_string().contains("nothing"));
        context.check().unwrap();
    }
}

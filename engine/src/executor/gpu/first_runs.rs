//! First runs of pipelines, over nothing. A driver that is a program of the processor compiles a pipeline when it first runs, on the
//! queue that a window's frames go through too. It does so here on a device of its own, so that no frame waits; where the pipeline is
//! needed, the driver finds what it has compiled in its own cache.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use super::context::Context;
use crate::error::Result;
use crate::shader::{Access, Blueprint};

/// Bytes of a buffer that every shader may bind and none touches.
const BOUND_BYTES: u64 = 256;

/// A thread that runs pipelines. It stops with the value.
pub(super) struct FirstRuns {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl FirstRuns {
    /// Begins to run the pipelines of `wanted` in their order, as the adapter `info` needs them.
    pub(super) fn begin(info: wgpu::AdapterInfo, wanted: Vec<Blueprint>) -> FirstRuns {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let work = move || {
            let begun = Instant::now();
            match Context::open(true, None).and_then(|twin| run(&twin, &info, &wanted, &stopped)) {
                Ok(count) => {
                    let ms = begun.elapsed().as_secs_f64() * 1e3;
                    tracing::info!(count, of = wanted.len(), ms, "pipelines have run");
                }
                // The turn that needs what failed here tells it.
                Err(error) => tracing::warn!(%error, "pipelines cannot be run beforehand"),
            }
        };
        let thread = std::thread::Builder::new().name("first runs".into()).spawn(work);
        let thread = thread.inspect_err(|error| tracing::warn!(%error, "no thread to run pipelines on")).ok();
        FirstRuns { stop, thread }
    }
}

impl Drop for FirstRuns {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been told where it was.
            let _ = thread.join();
        }
    }
}

/// Runs one after the other on `twin`, until `stop`. Returns how many have run: none where `twin` is another adapter than `info`.
fn run(twin: &Context, info: &wgpu::AdapterInfo, wanted: &[Blueprint], stop: &AtomicBool) -> Result<usize> {
    if twin.info != *info {
        return Ok(0);
    }
    let [read, written] = [twin.buffer("nothing", BOUND_BYTES)?, twin.buffer("nothing", BOUND_BYTES)?];
    for (count, blueprint) in wanted.iter().enumerate() {
        if stop.load(Ordering::Relaxed) {
            return Ok(count);
        }
        let bound = blueprint.accesses.iter().map(|access| match access {
            Access::Read => &read,
            Access::Write => &written,
        });
        let bound: Vec<_> = bound.map(wgpu::Buffer::as_entire_binding).collect();
        let work = twin.encode(blueprint, bound, &vec![0; blueprint.params], [0, 1, 1])?;
        let submission = twin.submit(Some(work));
        twin.wait(Some(submission))?;
    }
    Ok(wanted.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::Outline;
    use crate::kernels::advance;
    use crate::recording::Recording;
    use crate::shape::Element;

    fn two(context: &Context) -> Vec<Blueprint> {
        let work = |executor: &mut crate::executor::Executor| {
            for element in [Element::F32, Element::U32] {
                let counter = executor.memory().allocate([4].into(), element)?;
                let mut rec = Recording::new();
                match element {
                    Element::F32 => advance::advance_f32(&mut rec, counter, 1)?,
                    _ => advance::record(&mut rec, counter, 1)?,
                }
                executor.prepare(rec)?;
            }
            Ok(())
        };
        Outline::of(context.target().clone(), work).unwrap()
    }

    #[test]
    fn pipelines_run_over_nothing_until_they_are_to_stop() {
        let context = Context::open(true, None).expect("a Vulkan driver, such as Mesa's lavapipe");
        let wanted = two(&context);
        assert_eq!(wanted.len(), 2);
        let run_as = |info, stop: bool| run(&context, info, &wanted, &stop.into()).unwrap();
        assert_eq!((run_as(&context.info, false), run_as(&context.info, true)), (2, 0));
        let other = wgpu::AdapterInfo { name: "another".into(), ..context.info.clone() };
        assert_eq!(run_as(&other, false), 0);
        drop(FirstRuns::begin(context.info.clone(), wanted.clone()));
    }
}

//! Bringing a checkpoint's weights to a device: which device, and how far it is.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crate::error::Result;
use crate::executor::{Executor, SharedDevice};
use crate::memory::Tally;
use crate::model::Model;
use crate::model::config::Config;
use crate::settings::Options;
use crate::weights::{Checkpoint, Loader};

/// What the program around an engine lends it and wants to know.
#[derive(Clone, Default)]
pub struct Host {
    /// A window's device: the model runs on it where the options allow that.
    pub device: Option<SharedDevice>,
    /// Told of each weight that has been placed, on the thread that loads.
    pub progress: Option<Arc<dyn Fn(Progress) + Send + Sync>>,
}

/// How far the loading of a checkpoint is.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Progress {
    /// Bytes of weights in place.
    pub bytes: u64,
    /// Bytes of all weights.
    pub total_bytes: u64,
    /// Time since loading began.
    pub seconds: f64,
}

impl Progress {
    /// Bytes a second so far.
    pub fn rate(&self) -> f64 {
        self.bytes as f64 / self.seconds.max(1e-3)
    }
}

/// A model in place.
pub(super) struct Placed {
    pub(super) executor: Executor,
    /// Why it runs on the processor although a graphics processor was welcome.
    pub(super) fallback: Option<String>,
    pub(super) model: Model,
}

/// Places the weights of `checkpoint` on the device that `options` and `host` name.
pub(super) fn place(
    checkpoint: &Checkpoint,
    config: &Config,
    options: &Options,
    host: &Host,
) -> Result<Placed> {
    let begun = Instant::now();
    let (mut executor, fallback) = Executor::open(options, host.device.as_ref())?;
    let total_bytes = checkpoint.total_bytes() as u64;
    let tell = |bytes| {
        if let Some(progress) = &host.progress {
            progress(Progress { bytes, total_bytes, seconds: begun.elapsed().as_secs_f64() });
        }
    };
    let mut tally = Tally::over(executor.memory()).telling(&tell);
    let exact = options.exact_cache || checkpoint.is_f32();
    let mut loader =
        Loader::new(checkpoint.scope(""), &mut tally, options.format).with_exact_caches(exact);
    let model = Model::load(&mut loader, config)?;
    checkpoint.finish()?;
    Ok(Placed { executor, fallback, model })
}

/// The checkpoint's name: its folder's.
pub(super) fn name(folder: &Path) -> String {
    folder.file_name().map_or_else(|| folder.display().to_string(), |n| n.to_string_lossy().into())
}

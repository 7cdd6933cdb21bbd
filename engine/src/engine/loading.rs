//! Bringing a checkpoint's weights to a device: which device, and how far it is.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::room::Needs;
use crate::cancel::Cancel;
use crate::error::Result;
use crate::executor::{Executor, SharedDevice, available_bytes};
use crate::memory::Tally;
use crate::model::Model;
use crate::model::config::Config;
use crate::settings::{Device, Format, Options};
use crate::weights::{Behind, Checkpoint, Loader, Planned, ReadAhead, Reading, Spent};

/// What the program around an engine lends it and wants to know.
#[derive(Clone, Default)]
pub struct Host {
    /// A window's device: the model runs on it where the options allow that.
    pub device: Option<SharedDevice>,
    /// Told of each weight that has been placed, on the thread that loads.
    pub progress: Option<Arc<dyn Fn(Progress) + Send + Sync>>,
    /// Ends a loading that is under way when it is fired.
    pub cancel: Cancel,
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

/// What the time of a loading went to. Stages overlap: reading counts where the loader waited for it.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct LoadTimes {
    /// Seconds that it waited for the disk.
    pub read: f64,
    /// Seconds that it brought weights to another format.
    pub convert: f64,
    /// Seconds that it placed weights in the device's memory.
    pub place: f64,
}

impl From<Spent> for LoadTimes {
    fn from(spent: Spent) -> LoadTimes {
        let Spent { read, convert, place } = spent;
        LoadTimes { read: read.as_secs_f64(), convert: convert.as_secs_f64(), place: place.as_secs_f64() }
    }
}

/// A model in place.
pub(super) struct Placed {
    pub(super) executor: Executor,
    /// Why it runs on the processor although a graphics processor was welcome.
    pub(super) fallback: Option<String>,
    pub(super) model: Model,
    pub(super) times: LoadTimes,
    /// What goes on reading weights that are used where they are stored.
    pub(super) ahead: Option<ReadAhead>,
}

/// Bytes that are read ahead of a loader that copies them.
const WINDOW: u64 = 1 << 30;

/// How often progress is told, in seconds.
const TELL_EVERY: f64 = 0.05;

/// Places the weights of `checkpoint`, called `name`, on the device that `options` and `host` choose.
///
/// # Errors
/// `Error::Device` where that device cannot be used or has too little memory.
pub(super) fn place(
    name: &str,
    mut checkpoint: Checkpoint,
    config: &Config,
    options: &Options,
    host: &Host,
) -> Result<Placed> {
    let begun = Instant::now();
    let exact = options.exact || checkpoint.is_f32();
    checkpoint.check_format(options.format)?;
    let stored = if checkpoint.is_f32() { Format::F32 } else { Format::Bf16 };
    let stored = checkpoint.imported().unwrap_or(stored);
    let format = options.format.unwrap_or(stored);
    let context = options.context_tokens.unwrap_or(usize::MAX).min(config.text().max_positions);

    let (mut executor, mut fallback) = Executor::open(options, host.device.as_ref())?;
    let needs = |format| Needs::of(config, format, exact, context, &executor);
    let total_bytes = needs(format)?.matrices;
    // The processor reads weights as they are stored from where they are stored.
    let copies = matches!(executor, Executor::Gpu(_))
        || options.format.is_some_and(|format| checkpoint.imported() != Some(format));
    if let Some(room) = executor.room().filter(|_| copies)
        && let Err(error) = needs(format)?.fit(name, &executor.description(), &room, needs)
    {
        if options.device != Device::Auto || room.unified {
            return Err(error);
        }
        // The processor has more.
        (executor, _) = Executor::open(&Options { device: Device::Cpu, ..options.clone() }, None)?;
        fallback = Some(error.to_string());
    }

    let told = Cell::new(0.0);
    let tell = |bytes| {
        let seconds = begun.elapsed().as_secs_f64();
        if let Some(progress) = &host.progress
            && (bytes == total_bytes || seconds - told.get() > TELL_EVERY)
        {
            told.set(seconds);
            progress(Progress { bytes, total_bytes, seconds });
        }
    };
    let gpu = matches!(executor, Executor::Gpu(_));
    let unified = executor.room().is_none_or(|room| room.unified);
    let stored_bytes = checkpoint.total_bytes() as u64;
    let reading = match (gpu, copies) {
        (true, _) => {
            let bytes = stored_bytes + if unified { total_bytes } else { 0 };
            let fits = available_bytes().is_none_or(|available| bytes <= available);
            Reading::Copied(WINDOW, if fits { Behind::Leave } else { Behind::Drop })
        }
        (false, true) => Reading::Copied(WINDOW, Behind::Stay),
        // More would push out what was read before it.
        (false, false) => Reading::InPlace(available_bytes().unwrap_or(stored_bytes) / 10 * 9),
    };
    // To go through the model tells the checkpoint in which order its weights are loaded.
    plan(&checkpoint, config, format)?;
    checkpoint.read_ahead(reading, &host.cancel.renewed());
    let mut tally = Tally::over(executor.memory()).telling(&tell);
    let mut loader = Loader::new(checkpoint.scope(""), &mut tally, options.format).with_exact_caches(exact);
    let model = Model::load(&mut loader, config)?;
    checkpoint.finish()?;
    let (times, ahead) = (checkpoint.spent().into(), checkpoint.take_ahead());
    Ok(Placed { executor, fallback, model, times, ahead: ahead.filter(|_| !copies) })
}

/// What the model loads in `format`, in order. Nothing of it is read.
pub(crate) fn plan(checkpoint: &Checkpoint, config: &Config, format: Format) -> Result<Vec<Planned>> {
    let list = RefCell::new(Vec::new());
    let mut nowhere = Tally::alone();
    Model::load(&mut Loader::plan(checkpoint.scope(""), &mut nowhere, format, &list), config)?;
    Ok(list.into_inner())
}

/// The checkpoint's name: its folder's.
pub(super) fn name(folder: &Path) -> String {
    folder.file_name().map_or_else(|| folder.display().to_string(), |n| n.to_string_lossy().into())
}

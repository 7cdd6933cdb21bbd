//! What a published model asks of a device for a token and for a frame of speech, without the model and without the device.

use serde::Serialize;

use super::parts::{Needs, Parts};
use super::{Bench, BenchOptions, Stage, Weights, shape};
use crate::cancel::Cancel;
use crate::engine;
use crate::error::Result;
use crate::executor::{Executor, Outline};
use crate::model::config::Config;
use crate::settings::{Device, Format, Options};
use crate::shader::{CoopShape, Target};
use crate::weights::Loader;

/// Work that takes as long as reading its weights and starting its shaders.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Work {
    /// Bytes of weights that are read, those of an expert only where it is used.
    pub bytes: u64,
    /// Runs of a shader, on a graphics processor.
    pub dispatches: u64,
}

/// What a model asks of a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Demand {
    /// Bytes of its weights, of the caches of a usual conversation, and to work in.
    pub memory: u64,
    /// A token of text.
    pub token: Work,
    /// A frame of 80 ms of speech, codes and sound; `None` of a model that only writes.
    pub frame: Option<Work>,
}

/// Tokens of the conversation before what is counted.
const CONTEXT: usize = 128;

/// Tokens that are written; enough for as many frames as are decoded at once.
const TOKENS: usize = 32;

/// What the model of a named shape, as [`super::Weights::Random`] takes it, asks for in `format`, on an adapter with all that the
/// shaders can use. Takes up to some seconds.
///
/// # Errors
/// `Error::Input` for a shape that is not known.
pub fn demand(name: &str, format: Format) -> Result<Demand> {
    let config = shape::config(name)?;
    let on_cpu = Options { device: Device::Cpu, threads: 1, ..Options::default() };
    let (cpu, _) = Executor::open(&on_cpu, None)?;
    let memory = engine::Needs::of(&config, format, false, usize::MAX, &cpu)?.all();
    let speaks = config.speech().is_some();
    let stages = if speaks { vec![Stage::Decode, Stage::Speech] } else { vec![Stage::Decode] };
    let mut bench = imagine(name, config, format, stages)?;
    let mut work = |stage| {
        let measured = bench.measure(stage)?;
        Ok(Work { bytes: measured.weight_bytes, dispatches: measured.dispatches })
    };
    let token = work(Stage::Decode)?;
    let frame = if speaks { Some(work(Stage::Speech)?) } else { None };
    Ok(Demand { memory, token, frame })
}

/// A model that takes no room, on an adapter that runs nothing.
fn imagine(name: &str, config: Config, format: Format, stages: Vec<Stage>) -> Result<Bench> {
    let mut executor = Executor::Outline(Outline::new(Target {
        subgroup: Some((32, 64)),
        f16: true,
        coop: Some(CoopShape { m: 16, n: 16, k: 16 }),
        int8: true,
        workgroup_bytes: 32 << 10,
        workgroup_size: 1024,
        groups: u32::from(u16::MAX),
    }));
    let parts = Parts::load(&mut Loader::outline(executor.memory(), format), &config, Needs::of(&stages))?;
    let options = BenchOptions {
        weights: Weights::Random(name.to_owned()),
        options: Options::default(),
        tokens: TOKENS,
        context: CONTEXT,
        runs: 0,
        stages,
    };
    Ok(Bench {
        options,
        name: name.to_owned(),
        format: format.name(),
        weight_bytes: 0,
        bandwidth: 0.0,
        executor,
        parts,
        config,
        cancel: Cancel::new(),
        device_bytes: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Billions of bytes.
    fn giga(bytes: u64) -> f64 {
        bytes as f64 / 1e9
    }

    #[test]
    fn the_published_model_asks_for_what_was_measured_of_it() {
        let near = |value: f64, wanted: f64| (value / wanted - 1.0).abs() < 0.05;
        for (format, memory, token, frame) in
            [(Format::Bf16, 71.0, 6.1, 3.3), (Format::Q8_0, 39.0, 3.2, 1.9), (Format::Q4, 24.0, 2.0, 1.2)]
        {
            let demand = demand("omni-30b-a3b", format).unwrap();
            let spoken = demand.frame.unwrap();
            assert!(near(giga(demand.memory), memory), "{format:?}: {demand:?}");
            assert!(near(giga(demand.token.bytes), token), "{format:?}: {demand:?}");
            assert!(near(giga(spoken.bytes), frame), "{format:?}: {demand:?}");
            assert!((430..460).contains(&demand.token.dispatches), "{format:?}: {demand:?}");
            assert!(spoken.dispatches > demand.token.dispatches, "{format:?}: {demand:?}");
        }
    }

    #[test]
    fn a_model_that_only_writes_asks_nothing_for_speech() {
        let demand = demand("qwen3-0.6b", Format::Bf16).unwrap();
        assert_eq!(demand.frame, None);
        assert!((1.1..1.3).contains(&giga(demand.token.bytes)), "{demand:?}");
    }
}

//! `colloquy bench`: how fast a model runs on this machine, one JSON object a line for each stage.

use std::io::Write;

use anyhow::{Context, Result};
use clap::Args;
use engine::{Bench, Figures, Stage, Weights};
use serde_json::{Value, json};

use super::ModelOptions;

/// Options of `bench`.
#[derive(Args, Debug)]
pub(crate) struct BenchOptions {
    #[command(flatten)]
    pub(crate) model: ModelOptions,
    /// Random weights of a published model's shape instead of a checkpoint, in BF16 unless --format says otherwise: qwen3-0.6b or
    /// omni-30b-a3b. With :N-layers behind it,
    /// every stack of layers has at most N, and the thinker exactly N.
    #[arg(long, value_name = "NAME", conflicts_with = "model")]
    pub(crate) shape: Option<String>,
    /// Tokens read by prefill and written by decode; an eighth as many frames are spoken.
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub(crate) tokens: usize,
    /// Tokens read before those.
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub(crate) context: usize,
    /// Runs whose median counts.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) runs: usize,
    /// Stages to measure, with commas between them; all that the model has if not given.
    #[arg(long, value_name = "STAGES", value_delimiter = ',', value_parser = stage)]
    pub(crate) stages: Vec<Stage>,
    /// Add the milliseconds of each kernel, of one run that is slowed by measuring them.
    #[arg(long)]
    pub(crate) kernels: bool,
}

fn stage(name: &str) -> Result<Stage, String> {
    let known = || Stage::ALL.map(Stage::name).join(", ");
    Stage::ALL.into_iter().find(|s| s.name() == name).ok_or_else(|| format!("the stages are {}", known()))
}

/// Measures and prints.
///
/// # Errors
/// Whatever keeps a stage from being measured, in a sentence.
pub(crate) fn run(args: &BenchOptions) -> Result<()> {
    let weights = match &args.shape {
        Some(shape) => Weights::Random(shape.clone()),
        None => Weights::Checkpoint(args.model.folder()?),
    };
    let mut bench = Bench::load(engine::BenchOptions {
        weights,
        options: args.model.engine(),
        tokens: args.tokens,
        context: args.context,
        runs: args.runs,
        stages: args.stages.clone(),
    })?;
    for stage in bench.stages().to_vec() {
        let figures = bench.run(stage)?;
        let line = report(&bench, &figures, args.kernels);
        writeln!(std::io::stdout().lock(), "{line}").context("cannot write to the standard output")?;
    }
    Ok(())
}

fn report(bench: &Bench, figures: &Figures, kernels: bool) -> Value {
    let mut line = json!({
        "stage": figures.stage.name(),
        "shape": bench.shape(),
        "format": bench.format(),
        "device": bench.device(),
        "tokens": figures.tokens,
        "context": figures.context,
        "ms": figures.ms,
        "per_s": figures.per_s,
        "bytes_per_step": figures.bytes_per_step,
        "bandwidth_share": figures.bandwidth_share,
        "bandwidth": bench.bandwidth(),
        "dispatches": figures.dispatches,
        "peak_bytes": figures.peak_bytes,
        "weight_bytes": bench.weight_bytes(),
    });
    if kernels {
        line["kernels_ms"] =
            figures.kernels_ms.iter().map(|(name, ms)| (name.to_string(), json!(ms))).collect();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_known_by_the_names_that_reports_use() {
        for known in Stage::ALL {
            assert_eq!(stage(known.name()), Ok(known));
        }
        assert!(stage("decoding").unwrap_err().contains("prefill, decode"));
    }
}

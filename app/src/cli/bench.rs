//! `colloquy bench`: how fast a model runs on this machine, one JSON object a line for each stage.

use std::io::Write;

use anyhow::{Context, Result};
use clap::Args;
use engine::{Bench, Figures, Stage, Weights};
use serde_json::{Value, json};

use super::{ModelOptions, load};

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
    /// Tokens read by prefill and written by decode and beside a window's frames; an eighth as many frames are spoken.
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
    /// Measure how fast the checkpoint is loaded instead.
    #[arg(long, conflicts_with_all = ["shape", "stages", "kernels"])]
    pub(crate) load: bool,
    /// Have the system forget the checkpoint's files before each loading, and measure how fast the disk is read besides.
    #[arg(long, requires = "load")]
    pub(crate) cold: bool,
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
    if args.load {
        return load::run(&args.model, args.cold, args.runs);
    }
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
        "device_bytes": figures.device_bytes,
        "weight_bytes": bench.weight_bytes(),
    });
    extend(&mut line, figures, kernels);
    line
}

/// Adds what only some stages have.
fn extend(line: &mut Value, figures: &Figures, kernels: bool) {
    let by_name =
        |times: &[(&str, f64)]| times.iter().map(|(name, ms)| (name.to_string(), json!(ms))).collect();
    if !figures.parts_ms.is_empty() {
        line["parts_ms"] = by_name(&figures.parts_ms);
    }
    if let Some(factor) = figures.real_time_factor {
        line["real_time_factor"] = json!(factor);
    }
    if let Some(gaps) = figures.frame_gaps {
        line["frame_gaps_ms"] = json!({
            "frames": gaps.frames,
            "median": gaps.median_ms,
            "p95": gaps.p95_ms,
            "longest": gaps.longest_ms,
        });
    }
    if kernels {
        line["kernels_ms"] = by_name(&figures.kernels_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::FrameGaps;

    #[test]
    fn stages_are_known_by_the_names_that_reports_use() {
        for known in Stage::ALL {
            assert_eq!(stage(known.name()), Ok(known));
        }
        assert!(stage("decoding").unwrap_err().contains("prefill, decode"));
    }

    #[test]
    fn a_line_holds_what_its_stage_has_and_no_more() {
        let mut figures = Figures {
            stage: Stage::Decode,
            tokens: 1,
            context: 0,
            ms: 1.0,
            per_s: 1000.0,
            bytes_per_step: 1,
            bandwidth_share: 0.5,
            peak_bytes: None,
            dispatches: 2,
            kernels_ms: vec![("linear", 0.5)],
            parts_ms: Vec::new(),
            real_time_factor: None,
            frame_gaps: None,
            device_bytes: None,
        };
        let line = |figures: &Figures, kernels| {
            let mut line = json!({});
            extend(&mut line, figures, kernels);
            line
        };
        assert_eq!(line(&figures, false), json!({}));
        figures.parts_ms = vec![("mel", 0.25), ("prefill", 2.0)];
        figures.real_time_factor = Some(0.125);
        figures.frame_gaps = Some(FrameGaps { frames: 3, median_ms: 16.0, p95_ms: 17.0, longest_ms: 20.0 });
        let whole = json!({
            "parts_ms": {"mel": 0.25, "prefill": 2.0},
            "real_time_factor": 0.125,
            "frame_gaps_ms": {"frames": 3, "median": 16.0, "p95": 17.0, "longest": 20.0},
            "kernels_ms": {"linear": 0.5},
        });
        assert_eq!(line(&figures, true), whole);
    }
}

//! The kernels: what the model is made of. One module for each, with its parameters, `record`, `cpu`, `gpu` and, for
//! tests, `oracle`.
//!
//! Every kernel's result for a row depends on that row alone, and sums run in a fixed order: splitting the rows of a call into
//! several calls, or the work among threads, changes no bit.

pub(crate) mod add;
pub(crate) mod advance;
pub(crate) mod attention;
pub(crate) mod bindings;
pub(crate) mod causal_columns;
pub(crate) mod concat_rows;
pub(crate) mod conv2d_columns;
pub(crate) mod copy;
pub(crate) mod depthwise_conv;
pub(crate) mod embedding;
pub(crate) mod expert_down;
pub(crate) mod expert_gate_up;
pub(crate) mod gate_up;
pub(crate) mod gather_rows;
pub(crate) mod isa;
mod lanes;
pub(crate) mod layer_norm;
pub(crate) mod linear;
pub(crate) mod overlap_add;
pub(crate) mod permute;
mod product;
pub(crate) mod projections;
pub(crate) mod push_history;
mod require;
pub(crate) mod rms_norm;
pub(crate) mod rope;
pub(crate) mod rope_table;
pub(crate) mod rotate;
pub(crate) mod router;
pub(crate) mod sample;
pub(crate) mod scatter_rows;
pub(crate) mod simd;
pub(crate) mod snake;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod threads;

use bindings::{Inputs, Outputs};

use crate::error::Result;
use crate::recording::Buffer;
use crate::shader::Lowering;

/// A kernel and its parameters.
#[derive(Clone, Debug)]
pub(crate) enum Kernel {
    Add,
    Advance(advance::Params),
    Attention(attention::Params),
    CausalColumns(causal_columns::Params),
    ConcatRows,
    Conv2dColumns,
    Copy,
    DepthwiseConv,
    Embedding(embedding::Params),
    ExpertDown(expert_down::Params),
    ExpertGateUp(expert_gate_up::Params),
    GateUp(gate_up::Params),
    GatherRows,
    LayerNorm(layer_norm::Params),
    Linear(linear::Params),
    OverlapAdd(overlap_add::Params),
    Permute(permute::Params),
    Projections(projections::Params),
    PushHistory,
    RmsNorm(rms_norm::Params),
    Rope,
    RopeTable,
    Rotate(rotate::Params),
    Router(router::Params),
    Sample(sample::Params),
    ScatterRows(scatter_rows::Mode),
    Snake,
}

impl Kernel {
    /// Runs on the CPU.
    pub(crate) fn cpu(&self, inputs: &Inputs<'_>, outputs: Outputs<'_>) {
        match self {
            Kernel::Add => add::cpu(inputs, outputs),
            Kernel::Advance(p) => advance::cpu(p, outputs),
            Kernel::Attention(p) => attention::cpu(p, inputs, outputs),
            Kernel::CausalColumns(p) => causal_columns::cpu(p, inputs, outputs),
            Kernel::ConcatRows => concat_rows::cpu(inputs, outputs),
            Kernel::Conv2dColumns => conv2d_columns::cpu(inputs, outputs),
            Kernel::Copy => copy::cpu(inputs, outputs),
            Kernel::DepthwiseConv => depthwise_conv::cpu(inputs, outputs),
            Kernel::Embedding(p) => embedding::cpu(p, inputs, outputs),
            Kernel::ExpertDown(p) => expert_down::cpu(p, inputs, outputs),
            Kernel::ExpertGateUp(p) => expert_gate_up::cpu(p, inputs, outputs),
            Kernel::GateUp(p) => gate_up::cpu(p, inputs, outputs),
            Kernel::GatherRows => gather_rows::cpu(inputs, outputs),
            Kernel::LayerNorm(p) => layer_norm::cpu(p, inputs, outputs),
            Kernel::Linear(p) => linear::cpu(p, inputs, outputs),
            Kernel::OverlapAdd(p) => overlap_add::cpu(p, inputs, outputs),
            Kernel::Permute(p) => permute::cpu(p, inputs, outputs),
            Kernel::Projections(p) => projections::cpu(p, inputs, outputs),
            Kernel::PushHistory => push_history::cpu(inputs, outputs),
            Kernel::RmsNorm(p) => rms_norm::cpu(p, inputs, outputs),
            Kernel::Rope => rope::cpu(inputs, outputs),
            Kernel::RopeTable => rope_table::cpu(inputs, outputs),
            Kernel::Rotate(p) => rotate::cpu(p, inputs, outputs),
            Kernel::Router(p) => router::cpu(p, inputs, outputs),
            Kernel::Sample(p) => sample::cpu(p, inputs, outputs),
            Kernel::ScatterRows(mode) => scatter_rows::cpu(*mode, inputs, outputs),
            Kernel::Snake => snake::cpu(inputs, outputs),
        }
    }

    /// Appends the dispatches that do the same on a graphics processor.
    ///
    /// # Errors
    /// `Error::Shape` where sizes are beyond what the shaders take.
    pub(crate) fn gpu(&self, inputs: &[Buffer], outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
        match self {
            Kernel::Add => add::gpu(inputs, outputs, low),
            Kernel::Advance(p) => advance::gpu(p, outputs, low),
            Kernel::Attention(p) => attention::gpu(p, inputs, outputs, low),
            Kernel::CausalColumns(p) => causal_columns::gpu(p, inputs, outputs, low),
            Kernel::ConcatRows => concat_rows::gpu(inputs, outputs, low),
            Kernel::Conv2dColumns => conv2d_columns::gpu(inputs, outputs, low),
            Kernel::Copy => copy::gpu(inputs, outputs, low),
            Kernel::DepthwiseConv => depthwise_conv::gpu(inputs, outputs, low),
            Kernel::Embedding(p) => embedding::gpu(p, inputs, outputs, low),
            Kernel::GateUp(p) => gate_up::gpu(p, inputs, outputs, low),
            Kernel::GatherRows => gather_rows::gpu(inputs, outputs, low),
            Kernel::LayerNorm(p) => layer_norm::gpu(p, inputs, outputs, low),
            Kernel::OverlapAdd(p) => overlap_add::gpu(p, inputs, outputs, low),
            Kernel::Permute(p) => permute::gpu(p, inputs, outputs, low),
            Kernel::ExpertDown(p) => expert_down::gpu(p, inputs, outputs, low),
            Kernel::ExpertGateUp(p) => expert_gate_up::gpu(p, inputs, outputs, low),
            Kernel::Linear(p) => linear::gpu(p, inputs, outputs, low),
            Kernel::Projections(p) => projections::gpu(p, inputs, outputs, low),
            Kernel::PushHistory => push_history::gpu(inputs, outputs, low),
            Kernel::RmsNorm(p) => rms_norm::gpu(p, inputs, outputs, low),
            Kernel::Rope => rope::gpu(inputs, outputs, low),
            Kernel::RopeTable => rope_table::gpu(inputs, outputs, low),
            Kernel::Rotate(p) => rotate::gpu(p, inputs, outputs, low),
            Kernel::ScatterRows(mode) => scatter_rows::gpu(*mode, inputs, outputs, low),
            Kernel::Snake => snake::gpu(inputs, outputs, low),
            Kernel::Router(p) => router::gpu(p, inputs, outputs, low),
            Kernel::Sample(p) => sample::gpu(p, inputs, outputs, low),
        }
    }

    /// The module's name.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Kernel::Add => "add",
            Kernel::Advance(_) => "advance",
            Kernel::Attention(_) => "attention",
            Kernel::CausalColumns(_) => "causal_columns",
            Kernel::ConcatRows => "concat_rows",
            Kernel::Conv2dColumns => "conv2d_columns",
            Kernel::Copy => "copy",
            Kernel::DepthwiseConv => "depthwise_conv",
            Kernel::Embedding(_) => "embedding",
            Kernel::ExpertDown(_) => "expert_down",
            Kernel::ExpertGateUp(_) => "expert_gate_up",
            Kernel::GateUp(_) => "gate_up",
            Kernel::GatherRows => "gather_rows",
            Kernel::LayerNorm(_) => "layer_norm",
            Kernel::Linear(_) => "linear",
            Kernel::OverlapAdd(_) => "overlap_add",
            Kernel::Permute(_) => "permute",
            Kernel::Projections(_) => "projections",
            Kernel::PushHistory => "push_history",
            Kernel::RmsNorm(_) => "rms_norm",
            Kernel::Rope => "rope",
            Kernel::RopeTable => "rope_table",
            Kernel::Rotate(_) => "rotate",
            Kernel::Router(_) => "router",
            Kernel::Sample(_) => "sample",
            Kernel::ScatterRows(_) => "scatter_rows",
            Kernel::Snake => "snake",
        }
    }
}

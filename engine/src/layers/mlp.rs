//! The gated feed-forward part of a decoder layer: dense, or a mixture of experts with or without a shared one.

use crate::error::Result;
use crate::kernels::linear::Epilogue;
use crate::kernels::{expert_down, expert_gate_up, gated_add, router, silu_mul};
use crate::layers::linear::Linear;
use crate::recording::{Buffer, Recording};
use crate::weights::Loader;

/// Sizes of the feed-forward part.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum MlpConfig {
    /// One SwiGLU.
    Dense {
        /// Its width.
        intermediate_size: usize,
    },
    /// A router and its experts.
    Moe {
        /// Experts of a layer.
        num_experts: usize,
        /// Experts that a token uses, at most `num_experts`.
        top_k: usize,
        /// Width of one expert.
        intermediate_size: usize,
        /// Whether the chosen experts' weights are divided by their sum.
        norm_topk_prob: bool,
        /// Width of the expert that every token uses, where there is one.
        shared_intermediate_size: Option<usize>,
    },
}

/// `down(silu(gate x) · up x)`.
#[derive(Clone, Debug)]
pub(crate) struct GatedMlp {
    gate_proj: Linear,
    up_proj: Linear,
    down_proj: Linear,
}

impl GatedMlp {
    pub(crate) fn load(loader: &mut Loader<'_>, hidden: usize, width: usize) -> Result<GatedMlp> {
        Ok(GatedMlp {
            gate_proj: Linear::load(loader, "gate_proj", [width, hidden])?,
            up_proj: Linear::load(loader, "up_proj", [width, hidden])?,
            down_proj: Linear::load(loader, "down_proj", [hidden, width])?,
        })
    }

    fn record(&self, rec: &mut Recording, x: Buffer, epilogue: Epilogue) -> Result<Buffer> {
        let gate = self.gate_proj.record(rec, x)?;
        let up = self.up_proj.record(rec, x)?;
        let mid = silu_mul::record(rec, gate, up)?;
        self.down_proj.record_with(rec, mid, epilogue)
    }
}

/// Experts of which each token takes a few.
#[derive(Clone, Debug)]
pub(crate) struct Moe {
    /// Router, `[experts, hidden]`.
    gate: Linear,
    /// `[experts, width, hidden]`
    gate_proj: Buffer,
    /// `[experts, width, hidden]`
    up_proj: Buffer,
    /// `[experts, hidden, width]`
    down_proj: Buffer,
    top_k: usize,
    renormalise: bool,
    /// An expert that every token takes, and its gate `[1, hidden]`.
    shared: Option<(GatedMlp, Linear)>,
}

/// Either kind.
#[derive(Clone, Debug)]
pub(crate) enum Mlp {
    Dense(Box<GatedMlp>),
    Moe(Box<Moe>),
}

impl Mlp {
    pub(crate) fn load(loader: &mut Loader<'_>, hidden: usize, config: &MlpConfig) -> Result<Mlp> {
        match *config {
            MlpConfig::Dense { intermediate_size } => {
                Ok(Mlp::Dense(Box::new(GatedMlp::load(loader, hidden, intermediate_size)?)))
            }
            MlpConfig::Moe {
                num_experts,
                top_k,
                intermediate_size: width,
                norm_topk_prob,
                shared_intermediate_size,
            } => {
                let gate = Linear::load(loader, "gate", [num_experts, hidden])?;
                let mut experts = loader.at("experts");
                let mut stack =
                    |name: &str, shape| experts.stack(num_experts, |e| format!("{e}.{name}.weight"), shape);
                let gate_proj = stack("gate_proj", [width, hidden])?;
                let up_proj = stack("up_proj", [width, hidden])?;
                let down_proj = stack("down_proj", [hidden, width])?;
                let shared = match shared_intermediate_size {
                    Some(width) => Some((
                        GatedMlp::load(&mut loader.at("shared_expert"), hidden, width)?,
                        Linear::load(loader, "shared_expert_gate", [1, hidden])?,
                    )),
                    None => None,
                };
                let renormalise = norm_topk_prob;
                Ok(Mlp::Moe(Box::new(Moe {
                    gate,
                    gate_proj,
                    up_proj,
                    down_proj,
                    top_k,
                    renormalise,
                    shared,
                })))
            }
        }
    }

    /// `x` `[rows, hidden]` → `residual + scale · mlp(x)`. Taps the choice of experts of layer `layer`.
    pub(crate) fn record(
        &self,
        rec: &mut Recording,
        x: Buffer,
        residual: Buffer,
        scale: Option<Buffer>,
        layer: usize,
    ) -> Result<Buffer> {
        match self {
            Mlp::Dense(mlp) => {
                mlp.record(rec, x, Epilogue { scale, residual: Some(residual), ..Epilogue::default() })
            }
            Mlp::Moe(moe) => {
                debug_assert!(scale.is_none(), "no mixture of experts has a layer scale");
                moe.record(rec, x, residual, layer)
            }
        }
    }
}

impl Moe {
    fn record(&self, rec: &mut Recording, x: Buffer, residual: Buffer, layer: usize) -> Result<Buffer> {
        let logits = self.gate.record(rec, x)?;
        let (index, weight) = router::record(rec, logits, self.top_k, self.renormalise)?;
        rec.tap(|| format!("router_index.{layer}"), index);
        rec.tap(|| format!("router_weight.{layer}"), weight);
        let mid = expert_gate_up::record(rec, x, index, self.gate_proj, self.up_proj)?;
        let routed = expert_down::record(rec, mid, index, weight, self.down_proj, Some(residual))?;
        match &self.shared {
            Some((mlp, gate)) => {
                let shared = mlp.record(rec, x, Epilogue::default())?;
                let gate = gate.record(rec, x)?;
                gated_add::record(rec, routed, shared, gate)
            }
            None => Ok(routed),
        }
    }
}

//! The gated feed-forward part of a decoder layer: dense, or a mixture of experts with or without a shared one.

use crate::error::Result;
use crate::kernels::linear::Epilogue;
use crate::kernels::{expert_down, expert_gate_up, gate_up, projections, router};
use crate::layers::linear::Linear;
use crate::layers::norm::RmsNorm;
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

    fn record(&self, rec: &mut Recording, x: Buffer, norm: &RmsNorm, epilogue: Epilogue) -> Result<Buffer> {
        let (gate, up) = (self.gate_proj.weight, self.up_proj.weight);
        let mid = gate_up::record(rec, x, Some(norm.fused()), gate, up)?;
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
                let gate = Linear::load(&mut loader.kept(), "gate", [num_experts, hidden])?;
                let mut experts = loader.at("experts");
                let mut stack = |name, shape| experts.stack(num_experts, name, shape);
                let gate_proj = stack("gate_proj.weight", [width, hidden])?;
                let up_proj = stack("up_proj.weight", [width, hidden])?;
                let down_proj = stack("down_proj.weight", [hidden, width])?;
                let shared = match shared_intermediate_size {
                    Some(width) => Some((
                        GatedMlp::load(&mut loader.at("shared_expert"), hidden, width)?,
                        Linear::load(&mut loader.kept(), "shared_expert_gate", [1, hidden])?,
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

    /// `x` `[rows, hidden]` → `x + scale · mlp(norm(x))`. Taps the choice of experts of layer `layer`.
    pub(crate) fn record(
        &self,
        rec: &mut Recording,
        x: Buffer,
        norm: &RmsNorm,
        scale: Option<Buffer>,
        layer: usize,
    ) -> Result<Buffer> {
        match self {
            Mlp::Dense(mlp) => {
                mlp.record(rec, x, norm, Epilogue { scale, residual: Some(x), ..Epilogue::default() })
            }
            Mlp::Moe(moe) => {
                debug_assert!(scale.is_none(), "no mixture of experts has a layer scale");
                moe.record(rec, x, norm, layer)
            }
        }
    }
}

impl Moe {
    fn record(&self, rec: &mut Recording, x: Buffer, norm: &RmsNorm, layer: usize) -> Result<Buffer> {
        let normed = Some(norm.fused());
        let (logits, shared) = match &self.shared {
            None => {
                let [logits] = projections::record(rec, x, normed, [(self.gate.weight, None)])?;
                (logits, None)
            }
            Some((mlp, gate)) => {
                let gates = [(self.gate.weight, None), (gate.weight, None)];
                let [logits, share] = projections::record(rec, x, normed, gates)?;
                (logits, Some((mlp, share)))
            }
        };
        let (index, weight) = router::record(rec, logits, self.top_k, self.renormalise)?;
        rec.tap(|| format!("router_index.{layer}"), index);
        rec.tap(|| format!("router_weight.{layer}"), weight);
        let mid = expert_gate_up::record(rec, x, normed, index, self.gate_proj, self.up_proj)?;
        let routed = expert_down::record(rec, mid, index, weight, self.down_proj, Some(x))?;
        match shared {
            Some((mlp, share)) => {
                let epilogue = Epilogue { gate: Some(share), residual: Some(routed), ..Epilogue::default() };
                mlp.record(rec, x, norm, epilogue)
            }
            None => Ok(routed),
        }
    }
}

//! Attention of a decoder over its own past, and of an encoder within its segments.

use crate::error::Result;
use crate::kernels::attention::{self, Mask, Params};
use crate::kernels::linear::Epilogue;
use crate::kernels::{projections, rotate};
use crate::layers::cache::LayerCache;
use crate::layers::linear::Linear;
use crate::layers::norm::RmsNorm;
use crate::recording::{Buffer, Recording};
use crate::weights::Loader;

/// Sizes of a decoder's attention.
#[derive(Clone, Debug)]
pub(crate) struct AttentionConfig {
    pub(crate) hidden_size: usize,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_dim: usize,
    /// Normalise each head of queries and keys with this epsilon.
    pub(crate) qk_norm_eps: Option<f32>,
    pub(crate) bias: bool,
    /// Keys that a query sees, itself included; all earlier ones where `None`.
    pub(crate) window: Option<usize>,
}

/// Causal attention over a cache.
#[derive(Clone, Debug)]
pub(crate) struct CausalAttention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    o_proj: Linear,
    qk_norm: Option<(RmsNorm, RmsNorm)>,
    config: AttentionConfig,
}

/// What all layers of a decoder share in one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// `[rows, head_dim]`
    pub(crate) table: Buffer,
    /// Rows in the cache before this call, u32 `[1]`.
    pub(crate) past: Buffer,
}

impl CausalAttention {
    pub(crate) fn load(loader: &mut Loader<'_>, config: &AttentionConfig) -> Result<CausalAttention> {
        let (hidden, head) = (config.hidden_size, config.head_dim);
        let (q, kv) = (config.heads * head, config.kv_heads * head);
        let mut linear = |name, shape| {
            if config.bias {
                Linear::load_biased(loader, name, shape)
            } else {
                Linear::load(loader, name, shape)
            }
        };
        let q_proj = linear("q_proj", [q, hidden])?;
        let k_proj = linear("k_proj", [kv, hidden])?;
        let v_proj = linear("v_proj", [kv, hidden])?;
        let o_proj = Linear::load(loader, "o_proj", [hidden, q])?;
        let qk_norm = match config.qk_norm_eps {
            Some(eps) => Some((
                RmsNorm::load(loader, "q_norm", head, eps)?,
                RmsNorm::load(loader, "k_norm", head, eps)?,
            )),
            None => None,
        };
        Ok(CausalAttention { q_proj, k_proj, v_proj, o_proj, qk_norm, config: config.clone() })
    }

    /// `x` `[rows, hidden]` → `x + scale · attention(norm(x))`; the rows' keys and values join the cache.
    pub(crate) fn record(
        &self,
        rec: &mut Recording,
        x: Buffer,
        norm: &RmsNorm,
        turn: Turn,
        cache: LayerCache,
        scale: Option<Buffer>,
    ) -> Result<Buffer> {
        let matrices = [&self.q_proj, &self.k_proj, &self.v_proj].map(|linear| (linear.weight, linear.bias));
        let [q, k, v] = projections::record(rec, x, Some(norm.fused()), matrices)?;
        let norms = self.qk_norm.as_ref().map(|(q, k)| (q.fused(), k.fused()));
        let into = rotate::Cache { keys: cache.keys, values: cache.values, past: turn.past };
        let q = rotate::record(rec, rotate::Rows { q, k, v }, norms, turn.table, into)?;
        let params = Params {
            heads: self.config.heads,
            kv_heads: self.config.kv_heads,
            head_dim: self.config.head_dim,
            mask: Mask::Causal { past: turn.past, window: self.config.window },
        };
        let heads = attention::record(rec, q, cache.keys, cache.values, params)?;
        self.o_proj.record_with(rec, heads, Epilogue { scale, residual: Some(x), ..Epilogue::default() })
    }
}

//! Attention of a decoder over its own past, and of an encoder within its segments.

use crate::error::Result;
use crate::kernels::attention::{self, Mask, Params};
use crate::kernels::cache_write;
use crate::kernels::linear::Epilogue;
use crate::layers::cache::LayerCache;
use crate::layers::linear::Linear;
use crate::layers::norm::RmsNorm;
use crate::layers::rope::Rope;
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
pub(crate) struct Turn<'a> {
    pub(crate) rope: &'a Rope,
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

    /// `x` `[rows, hidden]` → `residual + scale · attention(x)`; the rows' keys and values join the cache.
    pub(crate) fn record(
        &self,
        rec: &mut Recording,
        x: Buffer,
        turn: Turn<'_>,
        cache: LayerCache,
        residual: Buffer,
        scale: Option<Buffer>,
    ) -> Result<Buffer> {
        let mut q = self.q_proj.record(rec, x)?;
        let mut k = self.k_proj.record(rec, x)?;
        let v = self.v_proj.record(rec, x)?;
        if let Some((q_norm, k_norm)) = &self.qk_norm {
            q = q_norm.record_heads(rec, q)?;
            k = k_norm.record_heads(rec, k)?;
        }
        let q = turn.rope.turn(rec, q, turn.table)?;
        let k = turn.rope.turn(rec, k, turn.table)?;
        cache_write::record(rec, k, turn.past, cache.keys)?;
        cache_write::record(rec, v, turn.past, cache.values)?;
        let params = Params {
            heads: self.config.heads,
            kv_heads: self.config.kv_heads,
            head_dim: self.config.head_dim,
            mask: Mask::Causal { past: turn.past, window: self.config.window },
        };
        let heads = attention::record(rec, q, cache.keys, cache.values, params)?;
        self.o_proj.record_with(
            rec,
            heads,
            Epilogue { scale, residual: Some(residual), ..Epilogue::default() },
        )
    }
}

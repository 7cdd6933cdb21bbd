//! A pre-norm decoder: what thinker, talker, code predictor and code2wav's transformer have in common.

use crate::error::Result;
use crate::layers::attention::{AttentionConfig, CausalAttention, Turn};
use crate::layers::cache::{Cache, LayerCache};
use crate::layers::mlp::{Mlp, MlpConfig};
use crate::layers::norm::RmsNorm;
use crate::layers::rope::Rope;
use crate::memory::Memory;
use crate::recording::{Buffer, Recording};
use crate::shape::Element;
use crate::weights::Loader;

/// Sizes of a decoder.
#[derive(Clone, Debug)]
pub(crate) struct DecoderConfig {
    pub(crate) num_layers: usize,
    pub(crate) attention: AttentionConfig,
    pub(crate) mlp: MlpConfig,
    pub(crate) rms_norm_eps: f32,
    /// Whether each half of a layer is scaled before it joins the residual stream.
    pub(crate) layer_scale: bool,
}

/// One layer: attention, then feed-forward, each normalised first and added to the stream.
#[derive(Clone, Debug)]
pub(crate) struct DecoderLayer {
    input_norm: RmsNorm,
    attention: CausalAttention,
    post_attention_norm: RmsNorm,
    mlp: Mlp,
    /// Scales of attention and feed-forward, `[hidden]` each.
    scales: Option<(Buffer, Buffer)>,
}

impl DecoderLayer {
    fn load(loader: &mut Loader<'_>, config: &DecoderConfig) -> Result<DecoderLayer> {
        let (hidden, eps) = (config.attention.hidden_size, config.rms_norm_eps);
        let scales = if config.layer_scale {
            let attention = loader.at("self_attn_layer_scale").vector("scale", hidden)?;
            Some((attention, loader.at("mlp_layer_scale").vector("scale", hidden)?))
        } else {
            None
        };
        Ok(DecoderLayer {
            input_norm: RmsNorm::load(loader, "input_layernorm", hidden, eps)?,
            attention: CausalAttention::load(&mut loader.at("self_attn"), &config.attention)?,
            post_attention_norm: RmsNorm::load(loader, "post_attention_layernorm", hidden, eps)?,
            mlp: Mlp::load(&mut loader.at("mlp"), hidden, &config.mlp)?,
            scales,
        })
    }

    /// `x` `[rows, hidden]` → the stream after this layer. Taps `mid.{index}` (after attention) and `layer_out.{index}`.
    pub(crate) fn record(
        &self,
        rec: &mut Recording,
        x: Buffer,
        turn: Turn,
        cache: LayerCache,
        index: usize,
    ) -> Result<Buffer> {
        rec.tap(|| format!("hidden.{index}"), x);
        let mid = self.attention.record(rec, x, &self.input_norm, turn, cache, self.scales.map(|s| s.0))?;
        rec.tap(|| format!("mid.{index}"), mid);
        let out = self.mlp.record(rec, mid, &self.post_attention_norm, self.scales.map(|s| s.1), index)?;
        rec.tap(|| format!("layer_out.{index}"), out);
        Ok(out)
    }
}

/// All layers and the final norm.
#[derive(Clone, Debug)]
pub(crate) struct Decoder {
    pub(crate) layers: Vec<DecoderLayer>,
    norm: RmsNorm,
    rope: Rope,
    kv_width: usize,
    /// What keys and values are held as.
    kv_element: Element,
}

impl Decoder {
    /// `layers.{i}.…` and `norm.weight` under the loader's scope.
    pub(crate) fn load(loader: &mut Loader<'_>, config: &DecoderConfig, rope: Rope) -> Result<Decoder> {
        let layers = (0..config.num_layers)
            .map(|i| DecoderLayer::load(&mut loader.at(&format!("layers.{i}")), config))
            .collect::<Result<_>>()?;
        let norm = RmsNorm::load(loader, "norm", config.attention.hidden_size, config.rms_norm_eps)?;
        let kv_width = config.attention.kv_heads * config.attention.head_dim;
        Ok(Decoder { layers, norm, rope, kv_width, kv_element: loader.cache_element() })
    }

    /// An empty cache for `capacity` rows.
    pub(crate) fn cache(&self, memory: &mut dyn Memory, capacity: usize) -> Result<Cache> {
        Cache::new(memory, self.layers.len(), (self.kv_width, self.kv_element), capacity)
    }

    /// What the layers share in a call with rows at `positions` `[axes, rows]`.
    pub(crate) fn turn(&self, rec: &mut Recording, positions: Buffer, past: Buffer) -> Result<Turn> {
        let table = self.rope.table(rec, positions)?;
        Ok(Turn { table, past })
    }

    /// `x` `[rows, hidden]` through all layers and the final norm. The layers' caches take the rows in after `past`; the caller
    /// advances the count.
    pub(crate) fn record(
        &self,
        rec: &mut Recording,
        x: Buffer,
        positions: Buffer,
        caches: &[LayerCache],
        past: Buffer,
    ) -> Result<Buffer> {
        let turn = self.turn(rec, positions, past)?;
        let mut h = x;
        for (i, layer) in self.layers.iter().enumerate() {
            h = layer.record(rec, h, turn, caches[i], i)?;
        }
        self.finish(rec, h)
    }

    /// The final norm of the stream.
    pub(crate) fn finish(&self, rec: &mut Recording, h: Buffer) -> Result<Buffer> {
        rec.tap(|| format!("hidden.{}", self.layers.len()), h);
        let normed = self.norm.record(rec, h)?;
        rec.tap(|| "final_norm".into(), normed);
        Ok(normed)
    }
}

//! Speech to rows for the thinker: log-mel chunks of a second → three strided convolutions → windowed transformer → projection.
//!
//! Chunks are independent until the transformer, whose windows are independent of each other: a finished window is final, so
//! a live clip is encoded window by window (`record` on each) with the same result as whole.

use crate::audio::mel;
use crate::error::Result;
use crate::kernels::attention::{self, Mask, Params};
use crate::kernels::linear::{Activation, Epilogue};
use crate::kernels::{conv2d_columns, gather_rows, permute};
use crate::layers::linear::Linear;
use crate::layers::norm::LayerNorm;
use crate::model::config::AudioConfig;
use crate::recording::{Buffer, Recording};
use crate::weights::Loader;

const LAYER_NORM_EPS: f32 = 1e-5;

/// Convolution 3×3, stride 2, padding 1.
#[derive(Clone, Debug)]
struct StridedConv(Linear);

impl StridedConv {
    fn load(loader: &mut Loader<'_>, name: &str, [out, input]: [usize; 2]) -> Result<StridedConv> {
        let mut scope = loader.at(name);
        let weight = scope.kept_matrix_of("weight", &[out, input, 3, 3], [out, input * 9])?;
        Ok(StridedConv(Linear { weight, bias: Some(scope.vector("bias", out)?) }))
    }

    /// `x` `[images, height, width, in]` → `[images, ⌈height/2⌉, ⌈width/2⌉, out]`, with gelu. Taps the result before it.
    fn record(&self, rec: &mut Recording, x: Buffer, name: &str) -> Result<Buffer> {
        let &[images, height, width, _] = x.shape.axes() else {
            unreachable!("a batch of images has four axes")
        };
        let out = [images, height.div_ceil(2), width.div_ceil(2), self.0.weight.rows()];
        let columns = conv2d_columns::record(rec, x)?;
        if rec.is_tapped() {
            let linear = self.0.record(rec, columns)?;
            rec.tap(|| name.into(), linear.reshape(out));
        }
        Ok(self.0.record_activated(rec, columns, Activation::GeluErf)?.reshape(out))
    }
}

#[derive(Clone, Debug)]
struct EncoderLayer {
    self_attn_layer_norm: LayerNorm,
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
    final_layer_norm: LayerNorm,
    fc1: Linear,
    fc2: Linear,
}

impl EncoderLayer {
    fn load(loader: &mut Loader<'_>, d: usize, ffn: usize) -> Result<EncoderLayer> {
        Ok(EncoderLayer {
            self_attn_layer_norm: LayerNorm::load(loader, "self_attn_layer_norm", d, LAYER_NORM_EPS)?,
            q_proj: Linear::load_biased(loader, "self_attn.q_proj", [d, d])?,
            k_proj: Linear::load_biased(loader, "self_attn.k_proj", [d, d])?,
            v_proj: Linear::load_biased(loader, "self_attn.v_proj", [d, d])?,
            out_proj: Linear::load_biased(loader, "self_attn.out_proj", [d, d])?,
            final_layer_norm: LayerNorm::load(loader, "final_layer_norm", d, LAYER_NORM_EPS)?,
            fc1: Linear::load_biased(loader, "fc1", [ffn, d])?,
            fc2: Linear::load_biased(loader, "fc2", [d, ffn])?,
        })
    }

    fn record(&self, rec: &mut Recording, x: Buffer, heads: usize, bounds: Buffer) -> Result<Buffer> {
        let normed = self.self_attn_layer_norm.record(rec, x)?;
        let q = self.q_proj.record(rec, normed)?;
        let k = self.k_proj.record(rec, normed)?;
        let v = self.v_proj.record(rec, normed)?;
        let params =
            Params { heads, kv_heads: heads, head_dim: x.row() / heads, mask: Mask::Segments { bounds } };
        let attended = attention::record(rec, q, k, v, params)?;
        let x = self.out_proj.record_onto(rec, attended, x)?;
        let normed = self.final_layer_norm.record(rec, x)?;
        let mid = self.fc1.record_activated(rec, normed, Activation::GeluErf)?;
        self.fc2.record_onto(rec, mid, x)
    }
}

/// The checkpoint's `audio_tower`.
#[derive(Clone, Debug)]
pub(crate) struct AudioEncoder {
    config: AudioConfig,
    conv2d: [StridedConv; 3],
    conv_out: Linear,
    layers: Vec<EncoderLayer>,
    ln_post: LayerNorm,
    proj1: Linear,
    proj2: Linear,
}

/// Features of one clip, or of one closed stretch of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clip<'a> {
    /// `[frames, mel bins]`
    pub(crate) features: &'a [f32],
    pub(crate) frames: usize,
}

impl AudioEncoder {
    pub(crate) fn load(loader: &mut Loader<'_>, config: &AudioConfig) -> Result<AudioEncoder> {
        let loader = &mut loader.finer();
        let (d, channels) = (config.hidden_size, config.conv_channels);
        let mel_rows = config.num_mel_bins.div_ceil(2).div_ceil(2).div_ceil(2);
        Ok(AudioEncoder {
            conv2d: [
                StridedConv::load(loader, "conv2d1", [channels, 1])?,
                StridedConv::load(loader, "conv2d2", [channels, channels])?,
                StridedConv::load(loader, "conv2d3", [channels, channels])?,
            ],
            conv_out: Linear::load(loader, "conv_out", [d, channels * mel_rows])?,
            layers: (0..config.num_layers)
                .map(|i| EncoderLayer::load(&mut loader.at(&format!("layers.{i}")), d, config.ffn_size))
                .collect::<Result<_>>()?,
            ln_post: LayerNorm::load(loader, "ln_post", d, LAYER_NORM_EPS)?,
            proj1: Linear::load_biased(loader, "proj1", [d, d])?,
            proj2: Linear::load_biased(loader, "proj2", [config.output_size, d])?,
            config: config.clone(),
        })
    }

    /// Frames of a whole chunk.
    pub(crate) fn chunk_frames(&self) -> usize {
        self.config.chunk_frames()
    }

    /// Frames of a whole attention window.
    pub(crate) fn window_frames(&self) -> usize {
        self.chunk_frames() * self.config.chunks_per_window()
    }

    /// Rows that `frames` frames of a clip give.
    pub(crate) fn tokens(&self, frames: usize) -> usize {
        mel::token_count(frames, self.chunk_frames())
    }

    /// Width of the rows.
    pub(crate) fn output_size(&self) -> usize {
        self.config.output_size
    }

    /// Encodes `clips` → `[tokens, output_size]`, one after the other. Every chunk is padded with zeros to the longest of the
    /// call, or to a whole one where `padded`: a stretch of a clip that has a whole chunk elsewhere needs that.
    pub(crate) fn record(&self, rec: &mut Recording, clips: &[Clip<'_>], padded: bool) -> Result<Buffer> {
        let (bins, whole) = (self.config.num_mel_bins, self.chunk_frames());
        let chunks: Vec<&[f32]> = clips.iter().flat_map(|c| c.features.chunks(whole * bins)).collect();
        let longest = chunks.iter().map(|c| c.len() / bins).max().unwrap_or(0);
        let width = if padded { whole } else { longest };

        let mut image = vec![0.0; chunks.len() * bins * width];
        for (chunk, image) in chunks.iter().zip(image.chunks_exact_mut(bins * width)) {
            for (t, frame) in chunk.chunks_exact(bins).enumerate() {
                frame.iter().enumerate().for_each(|(bin, &v)| image[bin * width + t] = v);
            }
        }
        let mut x = rec.constant_f32([chunks.len(), bins, width, 1], image);
        for (conv, name) in self.conv2d.iter().zip(["conv1", "conv2_pre_gelu", "conv3_pre_gelu"]) {
            x = conv.record(rec, x, name)?;
        }
        let &[images, mel_rows, steps, channels] = x.shape.axes() else {
            unreachable!("images have four axes")
        };
        let columns = permute::record(rec, x, [images, mel_rows, steps, channels], [0, 2, 3, 1])?
            .reshape([images * steps, channels * mel_rows]);

        let position =
            rec.constant_f32([images * steps, self.config.hidden_size], self.sinusoids(images, steps));
        if rec.is_tapped() {
            let bare = self.conv_out.record(rec, columns)?;
            rec.tap(|| "conv_out".into(), bare.reshape([images, steps, self.config.hidden_size]));
        }
        let placed = self.conv_out.record_onto(rec, columns, position)?;

        let mut kept = Vec::new();
        for (image, chunk) in chunks.iter().enumerate() {
            let tokens = self.tokens(chunk.len() / bins);
            kept.extend((0..tokens).map(|t| (image * steps + t) as u32));
        }
        let bounds = self.bounds(clips, self.tokens(width));
        let (kept, bounds) = (rec.constant_u32([kept.len()], kept), rec.constant_u32([bounds.len()], bounds));
        let mut x = gather_rows::record(rec, placed, kept)?;
        rec.tap(|| "encoder_input".into(), x);
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.record(rec, x, self.config.num_heads, bounds)?;
            rec.tap(|| format!("layer.{i}"), x);
        }
        let normed = self.ln_post.record(rec, x)?;
        rec.tap(|| "ln_post".into(), normed);
        let mid = self.proj1.record_activated(rec, normed, Activation::GeluErf)?;
        let out = self.proj2.record_with(rec, mid, Epilogue::default())?;
        rec.tap(|| "output".into(), out);
        Ok(out)
    }

    /// Where attention windows begin and end, per clip: so many chunks of the longest chunk's tokens, the last one shorter.
    pub(crate) fn bounds(&self, clips: &[Clip<'_>], chunk_tokens: usize) -> Vec<u32> {
        let window = chunk_tokens * self.config.chunks_per_window();
        let mut bounds = vec![0u32];
        let mut start = 0;
        for clip in clips {
            let end = start + self.tokens(clip.frames);
            while start < end {
                start = end.min(start + window.max(1));
                bounds.push(start as u32);
            }
        }
        bounds
    }

    /// Sines then cosines of a chunk's positions, which start anew in every chunk: `[chunks · steps, hidden]`.
    fn sinusoids(&self, chunks: usize, steps: usize) -> Vec<f32> {
        let half = self.config.hidden_size / 2;
        let increment = 10_000f64.ln() / (half.max(2) - 1) as f64;
        let mut one = Vec::with_capacity(steps * 2 * half);
        for position in 0..steps {
            let angle = |i: usize| position as f64 * (-increment * i as f64).exp();
            one.extend((0..half).map(|i| angle(i).sin() as f32));
            one.extend((0..half).map(|i| angle(i).cos() as f32));
        }
        one.repeat(chunks)
    }
}

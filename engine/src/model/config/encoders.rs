//! Sizes of the audio encoder and of the vision encoder.

use serde_json::json;

use super::fields::{COUNT, Fields, LAYERS, POSITIONS, WIDTH};
use crate::error::Result;

/// The audio encoder: three convolutions over a chunk of mel frames, then windowed attention layers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AudioConfig {
    /// Rows of a mel frame.
    pub(crate) num_mel_bins: usize,
    /// Width of a layer, even.
    pub(crate) hidden_size: usize,
    /// Attention layers.
    pub(crate) num_layers: usize,
    /// Attention heads, a divisor of `hidden_size`.
    pub(crate) num_heads: usize,
    /// Width of a layer's feed-forward block.
    pub(crate) ffn_size: usize,
    /// Channels of the convolutions.
    pub(crate) conv_channels: usize,
    /// Half a chunk, in mel frames.
    pub(crate) n_window: usize,
    /// An attention window, in mel frames; at least one chunk.
    pub(crate) n_window_infer: usize,
    /// Width of an output row, that of the thinker.
    pub(crate) output_size: usize,
    /// Rows of the table of positions inside a chunk.
    pub(crate) max_positions: usize,
}

impl AudioConfig {
    pub(super) fn read(fields: &Fields<'_>, thinker_size: usize) -> Result<Self> {
        fields.only("activation_function", &json!("gelu"))?;
        fields.only("scale_embedding", &json!(false))?;
        let hidden_size = even(fields, "d_model")?;
        let n_window = fields.size("n_window", 1..=1 << 16)?;
        Ok(Self {
            num_mel_bins: fields.size("num_mel_bins", COUNT)?,
            hidden_size,
            num_layers: fields.size(fields.either("encoder_layers", "num_hidden_layers"), LAYERS)?,
            num_heads: heads(fields, "encoder_attention_heads", hidden_size, 1)?,
            ffn_size: fields.size("encoder_ffn_dim", WIDTH)?,
            conv_channels: fields.size("downsample_hidden_size", WIDTH)?,
            n_window,
            n_window_infer: fields.size("n_window_infer", 2 * n_window..=1 << 24)?,
            output_size: exactly(fields, "output_dim", thinker_size)?,
            // Each of the three convolutions halves a chunk, rounding up.
            max_positions: fields
                .size("max_source_positions", (2 * n_window).div_ceil(8)..=*POSITIONS.end())?,
        })
    }

    /// Mel frames of a chunk.
    pub(crate) fn chunk_frames(&self) -> usize {
        2 * self.n_window
    }

    /// Whole chunks of an attention window.
    pub(crate) fn chunks_per_window(&self) -> usize {
        self.n_window_infer / self.chunk_frames()
    }
}

/// The vision encoder: a linear patch embedding, attention blocks, and mergers into rows of the thinker.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct VisionConfig {
    /// Attention blocks.
    pub(crate) num_layers: usize,
    /// Width of a block.
    pub(crate) hidden_size: usize,
    /// Attention heads; each is a multiple of four wide.
    pub(crate) num_heads: usize,
    /// Width of a block's feed-forward part.
    pub(crate) ffn_size: usize,
    /// Colours of a pixel.
    pub(crate) in_channels: usize,
    /// Side of a patch, in pixels.
    pub(crate) patch_size: usize,
    /// Frames of a patch.
    pub(crate) temporal_patch_size: usize,
    /// Side of the square of patches that becomes one row of the thinker.
    pub(crate) spatial_merge_size: usize,
    /// Rows of the learned position table, a square number.
    pub(crate) num_positions: usize,
    /// Width of an output row, that of the thinker.
    pub(crate) output_size: usize,
    /// Blocks whose outputs are also merged and added after the thinker's first layers, ascending.
    pub(crate) deepstack_layers: Vec<usize>,
}

impl VisionConfig {
    pub(super) fn read(fields: &Fields<'_>, thinker_size: usize, thinker_layers: usize) -> Result<Self> {
        fields.only("hidden_act", &json!("gelu_pytorch_tanh"))?;
        let hidden_size = fields.size("hidden_size", WIDTH)?;
        let num_layers = fields.size("depth", LAYERS)?;
        let num_positions = fields.size("num_position_embeddings", 1..=1 << 20)?;
        if num_positions.isqrt().pow(2) != num_positions {
            let found = num_positions.to_string();
            return Err(fields.error("num_position_embeddings", "a square number", &found));
        }
        let key = "deepstack_visual_indexes";
        let deepstack_layers = fields.sizes(key, 0..=num_layers - 1)?;
        if deepstack_layers.len() > thinker_layers || !deepstack_layers.is_sorted_by(|a, b| a < b) {
            let expected = format!("at most {thinker_layers} ascending numbers");
            return Err(fields.error(key, &expected, &format!("{deepstack_layers:?}")));
        }
        Ok(Self {
            num_layers,
            hidden_size,
            num_heads: heads(fields, "num_heads", hidden_size, 4)?,
            ffn_size: fields.size("intermediate_size", WIDTH)?,
            in_channels: exactly(fields, fields.either("in_channels", "in_chans"), 3)?,
            patch_size: fields.size("patch_size", 1..=256)?,
            temporal_patch_size: fields.size("temporal_patch_size", 1..=16)?,
            spatial_merge_size: fields.size("spatial_merge_size", 1..=16)?,
            num_positions,
            output_size: exactly(fields, "out_hidden_size", thinker_size)?,
            deepstack_layers,
        })
    }

    /// Width of a head.
    pub(crate) fn head_dim(&self) -> usize {
        self.hidden_size / self.num_heads
    }

    /// Values of a patch: channels, frames, rows and columns.
    pub(crate) fn patch_values(&self) -> usize {
        self.in_channels * self.temporal_patch_size * self.patch_size * self.patch_size
    }

    /// Side of the square that the position table covers, in patches.
    pub(crate) fn position_side(&self) -> usize {
        self.num_positions.isqrt()
    }

    /// Patches that become one row of the thinker.
    pub(crate) fn merged_patches(&self) -> usize {
        self.spatial_merge_size * self.spatial_merge_size
    }
}

/// Heads that divide `width` into parts that are multiples of `unit`.
fn heads(fields: &Fields<'_>, key: &str, width: usize, unit: usize) -> Result<usize> {
    let heads = fields.size(key, COUNT)?;
    if !width.is_multiple_of(heads * unit) {
        let expected = format!("heads that divide the width {width} into multiples of {unit}");
        return Err(fields.error(key, &expected, &heads.to_string()));
    }
    Ok(heads)
}

fn even(fields: &Fields<'_>, key: &str) -> Result<usize> {
    let width = fields.size(key, 4..=*WIDTH.end())?;
    if width.is_multiple_of(2) {
        Ok(width)
    } else {
        Err(fields.error(key, "an even number", &width.to_string()))
    }
}

/// A size that another part of the config has fixed already.
pub(super) fn exactly(fields: &Fields<'_>, key: &str, size: usize) -> Result<usize> {
    fields.size(key, size..=size)
}

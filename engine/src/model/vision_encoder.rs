//! Pictures and video to rows for the thinker: patches → transformer over each frame pair → merged 2×2, and the same from
//! three layers on the way (deepstack).

use crate::error::Result;
use crate::image::Patches;
use crate::kernels::attention::{self, Mask, Params};
use crate::kernels::embedding;
use crate::kernels::linear::Activation;
use crate::layers::linear::Linear;
use crate::layers::norm::LayerNorm;
use crate::layers::rope::Rope;
use crate::model::config::VisionConfig;
use crate::recording::{Buffer, Recording};
use crate::weights::Loader;

const LAYER_NORM_EPS: f32 = 1e-6;

#[derive(Clone, Debug)]
struct Block {
    norm1: LayerNorm,
    /// Queries, keys and values: rows of the checkpoint's one `qkv`.
    qkv: [Linear; 3],
    proj: Linear,
    norm2: LayerNorm,
    linear_fc1: Linear,
    linear_fc2: Linear,
}

impl Block {
    fn load(loader: &mut Loader<'_>, d: usize, ffn: usize) -> Result<Block> {
        let all = Linear::load_biased(loader, "attn.qkv", [3 * d, d])?;
        let part = |i: usize| Linear {
            weight: all.weight.slice_rows(i * d, d),
            bias: all.bias.map(|b| b.reshape([3, d]).slice_rows(i, 1).reshape([d])),
        };
        Ok(Block {
            norm1: LayerNorm::load(loader, "norm1", d, LAYER_NORM_EPS)?,
            qkv: [part(0), part(1), part(2)],
            proj: Linear::load_biased(loader, "attn.proj", [d, d])?,
            norm2: LayerNorm::load(loader, "norm2", d, LAYER_NORM_EPS)?,
            linear_fc1: Linear::load_biased(loader, "mlp.linear_fc1", [ffn, d])?,
            linear_fc2: Linear::load_biased(loader, "mlp.linear_fc2", [d, ffn])?,
        })
    }

    fn record(&self, rec: &mut Recording, x: Buffer, heads: usize, place: &Place<'_>) -> Result<Buffer> {
        let normed = self.norm1.record(rec, x)?;
        let [q, k, v] = &self.qkv;
        let (q, k, v) = (q.record(rec, normed)?, k.record(rec, normed)?, v.record(rec, normed)?);
        let q = place.rope.turn(rec, q, place.table)?;
        let k = place.rope.turn(rec, k, place.table)?;
        let mask = Mask::Segments { bounds: place.frames };
        let params = Params { heads, kv_heads: heads, head_dim: x.row() / heads, mask };
        let attended = attention::record(rec, q, k, v, params)?;
        let x = self.proj.record_onto(rec, attended, x)?;
        let normed = self.norm2.record(rec, x)?;
        let mid = self.linear_fc1.record_activated(rec, normed, Activation::GeluTanh)?;
        self.linear_fc2.record_onto(rec, mid, x)
    }
}

/// What all blocks of a call share.
struct Place<'a> {
    rope: &'a Rope,
    table: Buffer,
    /// Bounds of the frame pairs: attention stays inside one.
    frames: Buffer,
}

/// Four neighbouring patches to one row of the thinker.
#[derive(Clone, Debug)]
struct Merger {
    ln_q: LayerNorm,
    /// Whether the norm is over the four patches together or over each.
    group_first: bool,
    group: usize,
    mlp_0: Linear,
    mlp_2: Linear,
}

impl Merger {
    fn load(loader: &mut Loader<'_>, config: &VisionConfig, group_first: bool) -> Result<Merger> {
        let group = config.merged_patches();
        let (d, merged) = (config.hidden_size, config.hidden_size * group);
        Ok(Merger {
            ln_q: LayerNorm::load(loader, "ln_q", if group_first { merged } else { d }, LAYER_NORM_EPS)?,
            group_first,
            group,
            mlp_0: Linear::load_biased(loader, "mlp.0", [merged, merged])?,
            mlp_2: Linear::load_biased(loader, "mlp.2", [config.output_size, merged])?,
        })
    }

    fn record(&self, rec: &mut Recording, x: Buffer) -> Result<Buffer> {
        let merged = [x.rows() / self.group, x.row() * self.group];
        let normed = if self.group_first {
            self.ln_q.record(rec, x.reshape(merged))?
        } else {
            self.ln_q.record(rec, x)?.reshape(merged)
        };
        let mid = self.mlp_0.record_activated(rec, normed, Activation::GeluErf)?;
        self.mlp_2.record(rec, mid)
    }
}

/// The checkpoint's `visual`.
#[derive(Clone, Debug)]
pub(crate) struct VisionEncoder {
    config: VisionConfig,
    patch_embed: Linear,
    /// Learned positions of a square grid, `[side², hidden]`.
    pos_embed: Buffer,
    rope: Rope,
    blocks: Vec<Block>,
    merger: Merger,
    merger_list: Vec<Merger>,
}

/// Rows for the thinker: `[tokens, output_size]` each.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) merged: Buffer,
    /// Added after the thinker's first layers, one set a layer.
    pub(crate) deepstack: Vec<Buffer>,
}

impl VisionEncoder {
    pub(crate) fn load(loader: &mut Loader<'_>, config: &VisionConfig) -> Result<VisionEncoder> {
        let loader = &mut loader.finer();
        let d = config.hidden_size;
        let patch = [config.in_channels, config.temporal_patch_size, config.patch_size, config.patch_size];
        let [c, t, h, w] = patch;
        let mut embed = loader.at("patch_embed.proj");
        let patch_embed = Linear {
            weight: embed.kept_matrix_of("weight", &[d, c, t, h, w], [d, config.patch_values()])?,
            bias: Some(embed.vector("bias", d)?),
        };
        Ok(VisionEncoder {
            patch_embed,
            pos_embed: loader.at("pos_embed").kept().matrix("weight", [config.num_positions, d])?,
            rope: Rope::picture(loader.memory(), config.head_dim())?,
            blocks: (0..config.num_layers)
                .map(|i| Block::load(&mut loader.at(&format!("blocks.{i}")), d, config.ffn_size))
                .collect::<Result<_>>()?,
            merger: Merger::load(&mut loader.at("merger"), config, false)?,
            merger_list: (0..config.deepstack_layers.len())
                .map(|i| Merger::load(&mut loader.at(&format!("merger_list.{i}")), config, true))
                .collect::<Result<_>>()?,
            config: config.clone(),
        })
    }

    /// Rows that a grid of patches `[t, h, w]` gives.
    pub(crate) fn tokens(&self, grid: [usize; 3]) -> usize {
        grid.iter().product::<usize>() / self.config.merged_patches()
    }

    /// Encodes one picture or video.
    pub(crate) fn record(&self, rec: &mut Recording, patches: &Patches) -> Result<Seen> {
        let [t, gh, gw] = patches.grid;
        let (frame, n) = (gh * gw, t * gh * gw);
        let cells = self.cells(gh, gw);
        let x = rec.constant_f32([n, patches.pixel_values.len() / n], patches.pixel_values.clone());
        let x = self.patch_embed.record(rec, x)?;
        rec.tap(|| "patch_embed".into(), x);

        let (ids, weights) = self.bilinear(&cells, gh, gw);
        let (ids, weights) =
            (rec.constant_u32([n, 4], ids.repeat(t)), rec.constant_f32([n, 4], weights.repeat(t)));
        let mut x = embedding::record(rec, ids, Some(weights), self.pos_embed, Some(x))?;
        rec.tap(|| "block_input".into(), x);

        let axis = |of: fn(&(usize, usize)) -> usize| {
            cells.iter().map(|c| of(c) as f32).collect::<Vec<_>>().repeat(t)
        };
        let positions = rec.constant_f32([2, n], [axis(|c| c.0), axis(|c| c.1)].concat());
        let table = self.rope.table(rec, positions)?;
        rec.tap(|| "rope_table".into(), table);
        let frames = rec.constant_u32([t + 1], (0..=t).map(|i| (i * frame) as u32).collect());
        let place = Place { rope: &self.rope, table, frames };
        let mut deepstack = Vec::new();
        for (i, block) in self.blocks.iter().enumerate() {
            x = block.record(rec, x, self.config.num_heads, &place)?;
            rec.tap(|| format!("block.{i}"), x);
            if let Some(level) = self.config.deepstack_layers.iter().position(|&at| at == i) {
                let rows = self.merger_list[level].record(rec, x)?;
                rec.tap(|| format!("deepstack.{level}"), rows);
                deepstack.push(rows);
            }
        }
        let merged = self.merger.record(rec, x)?;
        rec.tap(|| "merged".into(), merged);
        Ok(Seen { merged, deepstack })
    }

    /// Row and column of each patch of a frame, in the order of merge blocks.
    fn cells(&self, gh: usize, gw: usize) -> Vec<(usize, usize)> {
        let m = self.config.spatial_merge_size;
        let mut cells = Vec::with_capacity(gh * gw);
        for (block_row, block_col) in (0..gh / m).flat_map(|r| (0..gw / m).map(move |c| (r, c))) {
            cells.extend((0..m * m).map(|i| (block_row * m + i / m, block_col * m + i % m)));
        }
        cells
    }

    /// The four entries of the learned grid around each patch, corners aligned, and their shares.
    fn bilinear(&self, cells: &[(usize, usize)], gh: usize, gw: usize) -> (Vec<u32>, Vec<f32>) {
        let side = self.config.position_side();
        let at = |i: usize, len: usize| {
            let x = if len > 1 { i as f32 * (side - 1) as f32 / (len - 1) as f32 } else { 0.0 };
            let low = (x as usize).min(side - 1);
            (low, (low + 1).min(side - 1), x - low as f32)
        };
        let (mut ids, mut weights) =
            (Vec::with_capacity(cells.len() * 4), Vec::with_capacity(cells.len() * 4));
        for &(row, col) in cells {
            let ((y0, y1, fy), (x0, x1, fx)) = (at(row, gh), at(col, gw));
            ids.extend([y0 * side + x0, y0 * side + x1, y1 * side + x0, y1 * side + x1].map(|id| id as u32));
            weights.extend([(1.0 - fy) * (1.0 - fx), (1.0 - fy) * fx, fy * (1.0 - fx), fy * fx]);
        }
        (ids, weights)
    }
}

//! Code2wav: codes to a waveform. A windowed transformer over frames, two upsampling stages, then a convolutional decoder.
//!
//! Everything is causal but the transposed convolutions, which look one step ahead; so samples come out a little after their
//! frame, and any split of the frames into steps gives the same samples. A whole clip is decoded in steps too.

use crate::error::Result;
use crate::kernels::linear::{Activation, Epilogue};
use crate::kernels::{advance, embedding, snake};
use crate::layers::attention::AttentionConfig;
use crate::layers::cache::Cache;
use crate::layers::conv::{CausalConv, DepthwiseConv, UpsampleConv};
use crate::layers::decoder::{Decoder, DecoderConfig};
use crate::layers::linear::Linear;
use crate::layers::mlp::MlpConfig;
use crate::layers::norm::LayerNorm;
use crate::layers::rope::Rope;
use crate::memory::Memory;
use crate::model::config::Code2WavConfig;
use crate::recording::{Buffer, Recording};
use crate::shape::Element;
use crate::weights::Loader;

const DECODER_KERNEL: usize = 7;
const DILATIONS: [usize; 3] = [1, 3, 9];

/// `x + sin²(x·e^alpha) / e^beta`, each channel with its own alpha and beta.
#[derive(Clone, Debug)]
struct SnakeBeta {
    alpha: Buffer,
    beta: Buffer,
}

impl SnakeBeta {
    fn load(loader: &mut Loader<'_>, name: &str, channels: usize) -> Result<SnakeBeta> {
        let mut scope = loader.at(name);
        Ok(SnakeBeta { alpha: scope.vector("alpha", channels)?, beta: scope.vector("beta", channels)? })
    }

    fn record(&self, rec: &mut Recording, x: Buffer) -> Result<Buffer> {
        snake::record(rec, x, self.alpha, self.beta)
    }
}

/// An upsampling stage: transposed convolution, then a ConvNeXt block.
#[derive(Clone, Debug)]
struct Upsample {
    conv: UpsampleConv,
    dwconv: DepthwiseConv,
    norm: LayerNorm,
    pwconv1: Linear,
    pwconv2: Linear,
    gamma: Buffer,
}

impl Upsample {
    fn load(loader: &mut Loader<'_>, width: usize, ratio: usize) -> Result<Upsample> {
        Ok(Upsample {
            conv: UpsampleConv::load(loader, "0.conv", [width, width, ratio], ratio)?,
            dwconv: DepthwiseConv::load(loader, "1.dwconv.conv", width, 7)?,
            norm: LayerNorm::load(loader, "1.norm", width, 1e-6)?,
            pwconv1: Linear::load_biased(loader, "1.pwconv1", [4 * width, width])?,
            pwconv2: Linear::load_biased(loader, "1.pwconv2", [width, 4 * width])?,
            gamma: loader.at("1").vector("gamma", width)?,
        })
    }

    fn step(&self, rec: &mut Recording, x: Buffer, index: usize) -> Result<Option<Buffer>> {
        let Some(x) = self.conv.step(rec, x, false)? else { return Ok(None) };
        rec.tap(|| format!("upsample.{index}.transconv"), x);
        let y = self.dwconv.step(rec, x)?;
        let y = self.norm.record(rec, y)?;
        let y = self.pwconv1.record_activated(rec, y, Activation::GeluErf)?;
        let epilogue = Epilogue { scale: Some(self.gamma), residual: Some(x), ..Epilogue::default() };
        let x = self.pwconv2.record_with(rec, y, epilogue)?;
        rec.tap(|| format!("upsample.{index}.convnext"), x);
        Ok(Some(x))
    }
}

#[derive(Clone, Debug)]
struct ResidualUnit {
    act1: SnakeBeta,
    conv1: CausalConv,
    act2: SnakeBeta,
    conv2: CausalConv,
}

impl ResidualUnit {
    fn load(loader: &mut Loader<'_>, channels: usize, dilation: usize) -> Result<ResidualUnit> {
        Ok(ResidualUnit {
            act1: SnakeBeta::load(loader, "act1", channels)?,
            conv1: CausalConv::load(loader, "conv1.conv", [channels, channels, DECODER_KERNEL], dilation)?,
            act2: SnakeBeta::load(loader, "act2", channels)?,
            conv2: CausalConv::load(loader, "conv2.conv", [channels, channels, 1], 1)?,
        })
    }

    fn step(&self, rec: &mut Recording, x: Buffer) -> Result<Buffer> {
        let y = self.act1.record(rec, x)?;
        let y = self.conv1.step(rec, y, Activation::None, None)?;
        let y = self.act2.record(rec, y)?;
        self.conv2.step(rec, y, Activation::None, Some(x))
    }
}

/// One stage of the decoder: halves the channels and multiplies the rate.
#[derive(Clone, Debug)]
struct DecoderBlock {
    snake: SnakeBeta,
    conv: UpsampleConv,
    units: Vec<ResidualUnit>,
}

impl DecoderBlock {
    fn load(loader: &mut Loader<'_>, channels: usize, rate: usize) -> Result<DecoderBlock> {
        let mut block = loader.at("block");
        Ok(DecoderBlock {
            snake: SnakeBeta::load(&mut block, "0", channels)?,
            conv: UpsampleConv::load(&mut block, "1.conv", [channels, channels / 2, 2 * rate], rate)?,
            units: DILATIONS
                .iter()
                .enumerate()
                .map(|(i, &d)| ResidualUnit::load(&mut block.at(&(i + 2).to_string()), channels / 2, d))
                .collect::<Result<_>>()?,
        })
    }

    fn step(&self, rec: &mut Recording, x: Buffer, first: bool, index: usize) -> Result<Option<Buffer>> {
        let x = self.snake.record(rec, x)?;
        rec.tap(|| format!("decoder.{index}.snake"), x);
        let Some(mut x) = self.conv.step(rec, x, first)? else { return Ok(None) };
        rec.tap(|| format!("decoder.{index}.transconv"), x);
        for (unit, dilation) in self.units.iter().zip(DILATIONS) {
            x = unit.step(rec, x)?;
            rec.tap(|| format!("decoder.{index}.res_dil{dilation}"), x);
        }
        rec.tap(|| format!("decoder.{index}"), x);
        Ok(Some(x))
    }
}

fn decoder_config(config: &Code2WavConfig) -> DecoderConfig {
    DecoderConfig {
        num_layers: config.num_layers,
        attention: AttentionConfig {
            hidden_size: config.hidden_size,
            heads: config.num_heads,
            kv_heads: config.num_kv_heads,
            head_dim: config.head_dim,
            qk_norm_eps: None,
            bias: false,
            window: Some(config.sliding_window),
        },
        mlp: MlpConfig::Dense { intermediate_size: config.ffn_size },
        rms_norm_eps: config.rms_norm_eps,
        layer_scale: true,
    }
}

/// How far a clip has come: what, besides the count of frames, decides the shape of the next step. The device holds the rest.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Progress {
    /// Decoder blocks that have had input.
    started: Vec<bool>,
}

/// The checkpoint's `code2wav`, with the state of one clip.
#[derive(Debug)]
pub(crate) struct Code2Wav {
    config: Code2WavConfig,
    /// Rows of the embedding that the next frames take, u32 `[MAX_STEP_FRAMES, groups]`.
    codes: Buffer,
    /// Where the next frames stand in the clip, `[MAX_STEP_FRAMES, 1]`.
    positions: Buffer,
    /// `[groups · codebook, hidden]`
    code_embedding: Buffer,
    pre_transformer: Decoder,
    cache: Cache,
    upsample: Vec<Upsample>,
    first_conv: CausalConv,
    blocks: Vec<DecoderBlock>,
    last_snake: SnakeBeta,
    last_conv: CausalConv,
}

impl Code2Wav {
    /// Most frames of a step: bounds the scratch memory.
    pub(crate) const MAX_STEP_FRAMES: usize = 16;

    pub(crate) fn load(loader: &mut Loader<'_>, config: &Code2WavConfig) -> Result<Code2Wav> {
        // All of it: sound shows errors that the choice of a token hides.
        let loader = &mut loader.kept();
        let (hidden, dim) = (config.hidden_size, config.decoder_dim);
        let rope = Rope::plain(loader.memory(), config.head_dim, config.rope_theta)?;
        let decoder_config = decoder_config(config);
        let pre_transformer = Decoder::load(&mut loader.at("pre_transformer"), &decoder_config, rope)?;
        let rows = config.sliding_window + Self::MAX_STEP_FRAMES;
        let cache = pre_transformer.cache(loader.memory(), rows)?;
        let codes = [Self::MAX_STEP_FRAMES, config.num_quantizers].into();
        let codes = loader.memory().allocate(codes, Element::U32)?;
        let positions = loader.memory().allocate([Self::MAX_STEP_FRAMES, 1].into(), Element::F32)?;
        let last = config.upsample_rates.len() + 1;
        let last_channels = dim >> config.upsample_rates.len();
        Ok(Code2Wav {
            codes,
            positions,
            code_embedding: loader
                .at("code_embedding")
                .matrix("weight", [config.num_quantizers * config.codebook_size, hidden])?,
            pre_transformer,
            cache,
            upsample: (config.upsampling_ratios.iter().enumerate())
                .map(|(i, &r)| Upsample::load(&mut loader.at(&format!("upsample.{i}")), hidden, r))
                .collect::<Result<_>>()?,
            first_conv: CausalConv::load(loader, "decoder.0.conv", [dim, hidden, DECODER_KERNEL], 1)?,
            blocks: (config.upsample_rates.iter().enumerate())
                .map(|(i, &r)| DecoderBlock::load(&mut loader.at(&format!("decoder.{}", i + 1)), dim >> i, r))
                .collect::<Result<_>>()?,
            last_snake: SnakeBeta::load(loader, &format!("decoder.{last}"), last_channels)?,
            last_conv: CausalConv::load(
                loader,
                &format!("decoder.{}.conv", last + 1),
                [1, last_channels, DECODER_KERNEL],
                1,
            )?,
            config: config.clone(),
        })
    }

    /// Samples that a frame gives in the long run.
    pub(crate) fn samples_per_frame(&self) -> usize {
        self.config.samples_per_frame()
    }

    /// Starts a new clip: silence before its first frame.
    pub(crate) fn reset(&self, memory: &mut dyn Memory) -> Result<Progress> {
        self.cache.set_past(memory, 0)?;
        memory.write_f32(
            self.positions,
            &std::array::from_fn::<_, { Self::MAX_STEP_FRAMES }, _>(|i| i as f32),
        )?;
        for stage in &self.upsample {
            stage.dwconv.reset(memory)?;
        }
        self.first_conv.reset(memory)?;
        for unit in self.blocks.iter().flat_map(|b| &b.units) {
            unit.conv1.reset(memory)?;
        }
        self.last_conv.reset(memory)?;
        Ok(Progress { started: vec![false; self.blocks.len()] })
    }

    /// Puts the codes of the next frames, `[frames][groups]`, at most [`Code2Wav::MAX_STEP_FRAMES`], in their place for a step.
    pub(crate) fn write_codes(&self, memory: &mut dyn Memory, codes: &[Vec<u32>]) -> Result<()> {
        let row = |(group, &code)| (group * self.config.codebook_size) as u32 + code;
        let rows: Vec<u32> = codes.iter().flat_map(|frame| frame.iter().enumerate().map(row)).collect();
        memory.write_u32(self.codes.slice_rows(0, codes.len()), &rows)
    }

    /// The next `frames` frames, whose codes are in their place → the samples that are final, `[samples, 1]`; `None` when there
    /// are none yet.
    pub(crate) fn step(
        &self,
        rec: &mut Recording,
        frames: usize,
        progress: &mut Progress,
    ) -> Result<Option<Buffer>> {
        let groups = self.config.num_quantizers;
        let ids = self.codes.slice_rows(0, frames);
        let shares = rec.constant_f32([frames, groups], vec![1.0 / groups as f32; frames * groups]);
        let x = embedding::record(rec, ids, Some(shares), self.code_embedding, None)?;
        rec.tap(|| "embed".into(), x);

        let positions = self.positions.slice_rows(0, frames).reshape([1, frames]);
        let mut x = self.pre_transformer.record(rec, x, positions, &self.cache.layers, self.cache.past)?;
        advance::record(rec, self.cache.past, frames as u32)?;
        advance::advance_f32(rec, self.positions, frames as u32)?;

        for (i, stage) in self.upsample.iter().enumerate() {
            let Some(y) = stage.step(rec, x, i)? else { return Ok(None) };
            x = y;
        }
        x = self.first_conv.step(rec, x, Activation::None, None)?;
        rec.tap(|| "decoder.0".into(), x);
        for (i, (block, started)) in self.blocks.iter().zip(&mut progress.started).enumerate() {
            let first = !std::mem::replace(started, true);
            let Some(y) = block.step(rec, x, first, i + 1)? else { return Ok(None) };
            x = y;
        }
        let x = self.last_snake.record(rec, x)?;
        rec.tap(|| format!("decoder.{}", self.blocks.len() + 1), x);
        let wav = self.last_conv.step(rec, x, Activation::Clamp, None)?;
        rec.tap(|| "wav".into(), wav);
        Ok(Some(wav))
    }
}

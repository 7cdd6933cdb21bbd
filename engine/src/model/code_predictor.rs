//! The code predictor: the other codes of a speech frame, one after the other, each from all before it.

use crate::error::Result;
use crate::kernels::{concat_rows, embedding, sample};
use crate::layers::cache::Cache;
use crate::layers::decoder::{Decoder, DecoderConfig};
use crate::layers::linear::Linear;
use crate::layers::rope::Rope;
use crate::memory::Memory;
use crate::model::config::CodePredictorConfig;
use crate::recording::{Buffer, Recording};
use crate::weights::Loader;

/// The checkpoint's `talker.code_predictor`.
#[derive(Clone, Debug)]
pub(crate) struct CodePredictor {
    /// Table i embeds code i + 1, `[codes, hidden]`.
    codec_embedding: Vec<Buffer>,
    /// Head i scores code i + 1.
    lm_head: Vec<Linear>,
    decoder: Decoder,
}

impl CodePredictor {
    pub(crate) fn load(loader: &mut Loader<'_>, config: &CodePredictorConfig) -> Result<CodePredictor> {
        let text = &config.text;
        let shape = [text.vocab_size, text.hidden_size];
        let others = config.num_code_groups - 1;
        let rope = Rope::plain(loader.memory(), text.head_dim, text.rope_theta)?;
        Ok(CodePredictor {
            codec_embedding: (0..others)
                .map(|i| loader.at(&format!("model.codec_embedding.{i}")).kept().matrix("weight", shape))
                .collect::<Result<_>>()?,
            lm_head: (0..others)
                .map(|i| Linear::load(&mut loader.finer(), &format!("lm_head.{i}"), shape))
                .collect::<Result<_>>()?,
            decoder: Decoder::load(&mut loader.at("model"), &DecoderConfig::from(text), rope)?,
        })
    }

    /// Codes that it gives for a frame.
    pub(crate) fn codes(&self) -> usize {
        self.lm_head.len()
    }

    /// A cache for one frame; each frame starts it anew.
    pub(crate) fn cache(&self, memory: &mut dyn Memory) -> Result<Cache> {
        self.decoder.cache(memory, self.codes() + 1)
    }

    /// One frame: from the talker's normalised row `talker` `[1, hidden]` and its code's embedding `first` `[1, hidden]`,
    /// samples the other codes into `samplers[i].token`. Returns the sum of all the frame's embeddings `[1, hidden]`.
    pub(crate) fn record_frame(
        &self,
        rec: &mut Recording,
        talker: Buffer,
        first: Buffer,
        cache: &Cache,
        samplers: &[sample::State],
        params: &sample::Params,
    ) -> Result<Buffer> {
        let mut x = concat_rows::record(rec, talker, first)?;
        let mut sum = first;
        let mut past = 0;
        for (i, sampler) in samplers.iter().enumerate() {
            let rows = x.rows();
            let positions = rec.constant_f32([1, rows], (past..past + rows).map(|p| p as f32).collect());
            let count = rec.constant_u32([1], vec![past as u32]);
            let normed = self.decoder.record(rec, x, positions, &cache.layers, count)?;
            let logits = self.lm_head[i].record(rec, normed.slice_rows(rows - 1, 1))?;
            rec.tap(|| format!("cp_logits.{i}"), logits);
            let code = sample::record(rec, logits, *sampler, params.clone())?;
            sum = embedding::record(rec, code, None, self.codec_embedding[i], Some(sum))?;
            x = embedding::record(rec, code, None, self.codec_embedding[i], None)?;
            past += rows;
        }
        Ok(sum)
    }
}

//! The talker: a decoder that follows the thinker and gives the first code of each speech frame of 80 ms.
//!
//! It reads every user turn (text as projected embeddings, media as the thinker's projected stream), then nine rows that open
//! the answer, then one row a frame: the embeddings of the last frame's codes plus the next text token.

use crate::error::Result;
use crate::kernels::linear::Activation;
use crate::kernels::scatter_rows::{self, Mode};
use crate::kernels::{add, advance, embedding};
use crate::layers::cache::Cache;
use crate::layers::decoder::Decoder;
use crate::layers::linear::Linear;
use crate::model::config::{SpeechConfig, TalkerConfig};
use crate::model::thinker::load_decoder;
use crate::recording::{Buffer, Recording};
use crate::weights::Loader;

/// Two linear layers with silu between: thinker rows to talker rows.
#[derive(Clone, Debug)]
struct Projection {
    linear_fc1: Linear,
    linear_fc2: Linear,
}

impl Projection {
    fn load(loader: &mut Loader<'_>, config: &TalkerConfig) -> Result<Projection> {
        let (input, mid) = (config.thinker_hidden_size, config.projection_size);
        Ok(Projection {
            linear_fc1: Linear::load_biased(loader, "linear_fc1", [mid, input])?,
            linear_fc2: Linear::load_biased(loader, "linear_fc2", [config.text.hidden_size, mid])?,
        })
    }

    fn record(&self, rec: &mut Recording, x: Buffer) -> Result<Buffer> {
        let mid = self.linear_fc1.record_activated(rec, x, Activation::Silu)?;
        self.linear_fc2.record(rec, mid)
    }
}

/// The checkpoint's `talker` without its code predictor.
#[derive(Clone, Debug)]
pub(crate) struct Talker {
    pub(crate) config: TalkerConfig,
    /// `[vocab, hidden]`
    pub(crate) codec_embedding: Buffer,
    codec_head: Linear,
    text_projection: Projection,
    hidden_projection: Projection,
    pub(crate) decoder: Decoder,
}

impl Talker {
    /// Rows that open an answer.
    pub(crate) const OPENING_ROWS: usize = 9;

    pub(crate) fn load(loader: &mut Loader<'_>, config: &TalkerConfig) -> Result<Talker> {
        let shape = [config.text.vocab_size, config.text.hidden_size];
        Ok(Talker {
            codec_embedding: loader.at("model.codec_embedding").kept().matrix("weight", shape)?,
            codec_head: Linear::load(&mut loader.finer(), "codec_head", shape)?,
            text_projection: Projection::load(&mut loader.at("text_projection"), config)?,
            hidden_projection: Projection::load(&mut loader.at("hidden_projection"), config)?,
            decoder: load_decoder(&mut loader.at("model"), &config.text)?,
            config: config.clone(),
        })
    }

    /// Thinker embeddings `[rows, thinker hidden]` → talker rows.
    pub(crate) fn project_text(&self, rec: &mut Recording, x: Buffer) -> Result<Buffer> {
        self.text_projection.record(rec, x)
    }

    /// The thinker's stream of media tokens `[rows, thinker hidden]` → talker rows.
    pub(crate) fn project_hidden(&self, rec: &mut Recording, x: Buffer) -> Result<Buffer> {
        self.hidden_projection.record(rec, x)
    }

    /// Rows for text tokens `ids` u32 `[rows]`: their thinker embeddings from `embed_tokens`, projected.
    pub(crate) fn text_rows(&self, rec: &mut Recording, ids: Buffer, embed_tokens: Buffer) -> Result<Buffer> {
        let x = embedding::record(rec, ids, None, embed_tokens, None)?;
        self.project_text(rec, x)
    }

    /// Rows of a stretch of user turns: `ids` as text, except where `media` gives the thinker's stream `[count, hidden]` for the
    /// rows it names.
    pub(crate) fn user_rows(
        &self,
        rec: &mut Recording,
        ids: &[u32],
        media: &[(Vec<u32>, Buffer)],
        embed_tokens: Buffer,
    ) -> Result<Buffer> {
        let ids = rec.constant_u32([ids.len()], ids.to_vec());
        let mut rows = self.text_rows(rec, ids, embed_tokens)?;
        for (at, hidden) in media {
            let projected = self.project_hidden(rec, *hidden)?;
            let at = rec.constant_u32([at.len()], at.clone());
            rows = scatter_rows::record(rec, rows, projected, at, Mode::Replace)?;
        }
        Ok(rows)
    }

    /// The nine rows that open an answer: `role` are the tokens `<|im_start|>`, `assistant` and the line break, `first` is the
    /// first spoken text token.
    pub(crate) fn opening_rows(
        &self,
        rec: &mut Recording,
        role: [u32; 3],
        first: u32,
        speaker: u32,
        speech: &SpeechConfig,
        embed_tokens: Buffer,
    ) -> Result<Buffer> {
        let pad = speech.tts_pad;
        let text = [role[0], role[1], role[2], pad, pad, pad, pad, speech.tts_bos, first];
        let c = &self.config;
        let codec = [
            c.codec_nothink_id,
            c.codec_think_bos_id,
            c.codec_think_eos_id,
            speaker,
            c.codec_pad_id,
            c.codec_bos_id,
        ];
        let text = rec.constant_u32([text.len()], text.to_vec());
        let text = self.text_rows(rec, text, embed_tokens)?;
        let codec = rec.constant_u32([codec.len()], codec.to_vec());
        let codec = embedding::record(rec, codec, None, self.codec_embedding, None)?;
        let at = rec.constant_u32([6], (3..9).collect());
        scatter_rows::record(rec, text, codec, at, Mode::Add)
    }

    /// The row of the next frame: the sum of the last frame's code embeddings plus a text row, `[1, hidden]` each.
    pub(crate) fn frame_row(&self, rec: &mut Recording, codes: Buffer, text: Buffer) -> Result<Buffer> {
        add::record(rec, codes, text)
    }

    /// Reads rows `x` `[rows, hidden]` at `positions` `[3, rows]` → the stream after the final norm, `[rows, hidden]`.
    pub(crate) fn record(
        &self,
        rec: &mut Recording,
        x: Buffer,
        positions: Buffer,
        cache: &Cache,
    ) -> Result<Buffer> {
        let normed = self.decoder.record(rec, x, positions, &cache.layers, cache.past)?;
        advance::record(rec, cache.past, x.rows() as u32)?;
        Ok(normed)
    }

    /// Scores of a frame's first code after the row `normed` `[1, hidden]`: `[1, vocab]`.
    pub(crate) fn logits(&self, rec: &mut Recording, normed: Buffer) -> Result<Buffer> {
        let logits = self.codec_head.record(rec, normed)?;
        rec.tap(|| "logits".into(), logits);
        Ok(logits)
    }
}

//! The thinker: a decoder that reads text, sound and pictures and writes text.
//!
//! Media rows take the place of their placeholder tokens' embeddings; the vision encoder's deepstack rows are added to the
//! stream after the first layers. The talker later reads the stream of media rows as it enters `accept_hidden_layer`.

use crate::error::Result;
use crate::kernels::scatter_rows::{self, Mode};
use crate::kernels::{advance, embedding};
use crate::layers::cache::Cache;
use crate::layers::decoder::{Decoder, DecoderConfig};
use crate::layers::linear::Linear;
use crate::layers::rope::Rope;
use crate::model::config::TextConfig;
use crate::recording::{Buffer, Recording};
use crate::weights::Loader;

/// Rows of an encoder that stand for placeholder tokens.
#[derive(Clone, Debug)]
pub(crate) struct Insert {
    /// Rows of the call that they replace, `[count]`.
    pub(crate) at: Vec<u32>,
    /// `[count, hidden]`
    pub(crate) rows: Buffer,
    /// Added after layer 0, 1, …: `[count, hidden]` each.
    pub(crate) deepstack: Vec<Buffer>,
}

/// What a call gives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Thought {
    /// The stream after the final norm, `[rows, hidden]`.
    pub(crate) normed: Buffer,
    /// The stream that the talker accepts, `[rows, hidden]`.
    pub(crate) accepted: Option<Buffer>,
}

/// The checkpoint's `thinker.model` and `thinker.lm_head`, or a dense Qwen3's `model` and `lm_head`.
#[derive(Clone, Debug)]
pub(crate) struct Thinker {
    /// `[vocab, hidden]`
    pub(crate) embed_tokens: Buffer,
    pub(crate) decoder: Decoder,
    lm_head: Linear,
    accept_layer: Option<usize>,
}

impl Thinker {
    /// Loads `model.…` and `lm_head.weight` under the loader's scope.
    pub(crate) fn load(
        loader: &mut Loader<'_>,
        config: &TextConfig,
        accept_layer: Option<usize>,
    ) -> Result<Thinker> {
        let shape = [config.vocab_size, config.hidden_size];
        let mut table = loader.at("model.embed_tokens");
        let (embed_tokens, lm_head) = if config.tie_word_embeddings {
            let weight = table.finer().matrix("weight", shape)?;
            (weight, Linear { weight, bias: None })
        } else {
            // Its rows are read one by one, so that their bytes cost no time.
            let embed_tokens = table.kept().matrix("weight", shape)?;
            (embed_tokens, Linear::load(&mut loader.finer(), "lm_head", shape)?)
        };
        let decoder = load_decoder(&mut loader.at("model"), config)?;
        Ok(Thinker { embed_tokens, decoder, lm_head, accept_layer })
    }

    /// Reads rows: `ids` u32 `[rows]` at `positions` `[3, rows]`, with media rows in their places.
    pub(crate) fn record(
        &self,
        rec: &mut Recording,
        ids: Buffer,
        positions: Buffer,
        inserts: &[Insert],
        cache: &Cache,
    ) -> Result<Thought> {
        let rows = ids.shape.len();
        let mut x = embedding::record(rec, ids, None, self.embed_tokens, None)?;
        let mut places = Vec::new();
        for insert in inserts {
            let at = rec.constant_u32([insert.at.len()], insert.at.clone());
            x = scatter_rows::record(rec, x, insert.rows, at, Mode::Replace)?;
            places.push(at);
        }

        let turn = self.decoder.turn(rec, positions, cache.past)?;
        rec.tap(|| "rope_table".into(), turn.table);
        let mut accepted = None;
        for (i, layer) in self.decoder.layers.iter().enumerate() {
            if self.accept_layer == Some(i) {
                accepted = Some(x);
            }
            x = layer.record(rec, x, turn, cache.layers[i], i)?;
            for (insert, &at) in inserts.iter().zip(&places) {
                if let Some(&deep) = insert.deepstack.get(i) {
                    x = scatter_rows::record(rec, x, deep, at, Mode::Add)?;
                }
            }
        }
        let normed = self.decoder.finish(rec, x)?;
        if self.accept_layer == Some(self.decoder.layers.len()) {
            accepted = Some(normed);
        }
        if let Some(accepted) = accepted {
            rec.tap(|| "accept_hidden".into(), accepted);
        }
        advance::record(rec, cache.past, rows as u32)?;
        Ok(Thought { normed, accepted })
    }

    /// Scores of the next token after each row of `normed`: `[rows, vocab]`.
    pub(crate) fn logits(&self, rec: &mut Recording, normed: Buffer) -> Result<Buffer> {
        let logits = self.lm_head.record(rec, normed)?;
        rec.tap(|| "logits".into(), logits);
        Ok(logits)
    }
}

/// The decoder that a text config describes, under the loader's scope.
pub(crate) fn load_decoder(loader: &mut Loader<'_>, config: &TextConfig) -> Result<Decoder> {
    let (head, theta) = (config.head_dim, config.rope_theta);
    let rope = match config.mrope_section {
        Some(section) => Rope::mrope(loader.memory(), head, theta, section)?,
        None => Rope::plain(loader.memory(), head, theta)?,
    };
    Decoder::load(loader, &DecoderConfig::from(config), rope)
}

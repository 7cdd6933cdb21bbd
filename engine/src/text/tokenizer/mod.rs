//! Byte-level BPE, from `tokenizer.json`, or from `vocab.json`, `merges.txt` and the added tokens of
//! `tokenizer_config.json`.

mod file;

use std::{collections::HashMap, path::Path, sync::Arc};

use serde_json::Value;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::NFC;

use file::{Added, Behaviour, File, Normalizer, Pattern, PreTokenizer, Step};

use super::decoder::{Decoder, TokenBytes};
use crate::{
    error::{Error, Result},
    files::{damaged, read, read_json, read_optional, read_text},
};

/// How Qwen's tokenizer cuts text before BPE: contractions, words with one leading sign, single digits, signs, white
/// space (the last blank before a word belongs to the word).
const SPLIT: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*",
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
);

/// Longest text to encode. The regular expression gives up after a million steps back, at most one a character.
const MAX_TEXT_BYTES: usize = 500_000;

/// No vocabulary is near this size; a larger id would make a huge table.
const MAX_VOCAB: u32 = 1 << 22;

/// What a tokenizer is made of, wherever that stands.
struct Parts {
    vocab: HashMap<String, u32>,
    merges: Vec<(String, String)>,
    ignore_merges: bool,
    added: Vec<Added>,
    normalizer: Option<Normalizer>,
    pre_tokenizer: PreTokenizer,
}

/// Text to token ids and back.
pub(crate) struct Tokenizer {
    inner: tokenizers::Tokenizer,
    tokens: Arc<TokenBytes>,
}

impl Tokenizer {
    /// Reads the tokenizer in the checkpoint's folder.
    ///
    /// # Errors
    /// `Error::Io` where its files cannot be read, `Error::Checkpoint` where they are no byte-level BPE.
    pub(crate) fn load(dir: &Path) -> Result<Self> {
        let path = dir.join("tokenizer.json");
        match read_optional(&path)? {
            Some(bytes) => Self::from_json(&path, &bytes),
            None => Self::from_vocab(dir),
        }
    }

    fn from_vocab(dir: &Path) -> Result<Self> {
        let config_path = dir.join("tokenizer_config.json");
        let vocab_path = dir.join("vocab.json");
        let vocab = serde_json::from_slice(&read(&vocab_path)?)
            .map_err(|e| damaged(&vocab_path, format!("expected an object of tokens and ids: {e}")))?;
        let split = Step::Split {
            pattern: Pattern::Regex(SPLIT.into()),
            behavior: Behaviour::Isolated,
            invert: false,
        };
        let bytes = Step::ByteLevel { add_prefix_space: false, trim_offsets: true, use_regex: false };
        let parts = Parts {
            vocab,
            merges: merges(&dir.join("merges.txt"))?,
            ignore_merges: false,
            added: added_tokens(&config_path, &read_json(&config_path)?)?,
            normalizer: Some(Normalizer::Nfc),
            pre_tokenizer: PreTokenizer::Sequence { pretokenizers: vec![split, bytes] },
        };
        Self::build(&vocab_path, parts)
    }

    /// From the bytes of a `tokenizer.json`. Errors as [`Tokenizer::load`].
    pub(crate) fn from_json(path: &Path, json: &[u8]) -> Result<Self> {
        let File { added_tokens: added, normalizer, pre_tokenizer, model, .. } = File::read(path, json)?;
        let merges = model.merges.into_iter().map(|merge| merge.pair(path)).collect::<Result<_>>()?;
        let (vocab, ignore_merges) = (model.vocab, model.ignore_merges);
        Self::build(path, Parts { vocab, merges, ignore_merges, added, normalizer, pre_tokenizer })
    }

    /// `path` is named in errors.
    fn build(path: &Path, mut parts: Parts) -> Result<Self> {
        let fault = |e: tokenizers::Error| file::fault(path, &e.to_string());
        for token in &parts.added {
            // In the vocabulary, a token keeps its stated id even where the ids have gaps. No merge leads to it.
            if parts.vocab.insert(token.content.clone(), token.id).is_some_and(|id| id != token.id) {
                return Err(file::fault(path, &format!("two ids for the token {:?}", token.content)));
            }
        }
        // The library takes it for granted.
        if let Some((left, right)) =
            parts.merges.iter().find(|(left, right)| !parts.vocab.contains_key(&format!("{left}{right}")))
        {
            return Err(file::fault(path, &format!("a merge of {left:?} and {right:?} to no token")));
        }
        let model = BPE::builder()
            .vocab_and_merges(parts.vocab.into_iter().collect::<Vocab>(), parts.merges)
            .ignore_merges(parts.ignore_merges)
            .build()
            .map_err(fault)?;
        let mut inner = tokenizers::Tokenizer::new(model);
        inner.with_normalizer(parts.normalizer.map(|Normalizer::Nfc| NFC)).map_err(fault)?;
        inner.with_pre_tokenizer(Some(parts.pre_tokenizer.build(path)?));
        inner.add_tokens(parts.added.into_iter().map(Added::build)).map_err(fault)?;
        let tokens = Arc::new(token_bytes(path, &inner)?);
        Ok(Self { inner, tokens })
    }

    /// The ids of a text; special tokens written out in it become their ids.
    ///
    /// # Errors
    /// `Error::Input` where the text is longer than 500,000 bytes.
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>> {
        if text.len() > MAX_TEXT_BYTES {
            let length = text.len();
            return Err(Error::Input(format!(
                "expected a text of at most {MAX_TEXT_BYTES} bytes, found {length}; shorten it"
            )));
        }
        let encoding = self.inner.encode_fast(text, false);
        let encoding =
            encoding.map_err(|e| Error::Input(format!("cannot turn the text into tokens: {e}")))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of the ids, special tokens included. Bytes that are no UTF-8 come out as U+FFFD.
    pub(crate) fn decode(&self, ids: &[u32]) -> String {
        let mut decoder = self.decoder(true);
        let mut text: String = ids.iter().map(|&id| decoder.push(id)).collect();
        text.push_str(&decoder.finish());
        text
    }

    /// A decoder for a stream of ids, which shows or hides special tokens such as `<|im_end|>`.
    pub(crate) fn decoder(&self, show_special: bool) -> Decoder {
        Decoder::new(self.tokens.clone(), show_special)
    }

    /// The id of exactly this token, for example `<|im_start|>`.
    pub(crate) fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }
}

/// The tokens of `added_tokens_decoder` in `tokenizer_config.json`.
fn added_tokens(path: &Path, config: &Value) -> Result<Vec<Added>> {
    let fault = |key: &str, reason: String| Error::Config {
        path: path.to_owned(),
        key: format!("added_tokens_decoder{key}"),
        reason,
    };
    let table = config["added_tokens_decoder"].as_object();
    let table = table.ok_or_else(|| fault("", "expected an object of tokens by id, found none".into()))?;
    let mut tokens = Vec::with_capacity(table.len());
    for (key, token) in table {
        let id: Option<u32> = key.parse().ok();
        let content = token["content"].as_str().filter(|content| !content.is_empty());
        let (Some(id), Some(content)) = (id, content) else {
            return Err(fault(&format!(".{key}"), format!("expected a token with content, found {token}")));
        };
        let flag = |name: &str| token[name].as_bool().unwrap_or(false);
        tokens.push(Added {
            id,
            content: content.to_owned(),
            special: flag("special"),
            normalized: flag("normalized"),
            single_word: flag("single_word"),
            lstrip: flag("lstrip"),
            rstrip: flag("rstrip"),
        });
    }
    Ok(tokens)
}

/// The pairs of `merges.txt` in order of rank.
fn merges(path: &Path) -> Result<Vec<(String, String)>> {
    let text = read_text(path)?;
    let mut pairs = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.is_empty() || (number == 0 && line.starts_with("#version")) {
            continue;
        }
        match line.split_once(' ') {
            Some((left, right)) if !left.is_empty() && !right.is_empty() && !right.contains(' ') => {
                pairs.push((left.to_owned(), right.to_owned()));
            }
            _ => {
                let line_number = number + 1;
                return Err(damaged(
                    path,
                    format!("line {line_number}: expected two tokens, found {line:?}"),
                ));
            }
        }
    }
    Ok(pairs)
}

/// The bytes of every token, by id.
fn token_bytes(path: &Path, tokenizer: &tokenizers::Tokenizer) -> Result<TokenBytes> {
    let mut names: Vec<Option<String>> = Vec::new();
    for (name, id) in tokenizer.get_vocab(true) {
        if id >= MAX_VOCAB {
            return Err(damaged(
                path,
                format!("token {name:?}: expected an id below {MAX_VOCAB}, found {id}"),
            ));
        }
        let id = id as usize;
        if id >= names.len() {
            names.resize(id + 1, None);
        }
        if let Some(other) = names[id].replace(name.clone()) {
            return Err(damaged(
                path,
                format!("expected one token for id {id}, found {other:?} and {name:?}"),
            ));
        }
    }
    let alphabet = byte_alphabet();
    let added = tokenizer.get_added_tokens_decoder();
    Ok(TokenBytes::new(names.into_iter().zip(0u32..).map(|(name, id)| {
        let name = name.unwrap_or_default();
        match added.get(&id) {
            Some(token) => (name.into_bytes(), token.special),
            None => {
                let bytes: Option<Vec<u8>> = name.chars().map(|c| alphabet.get(&c).copied()).collect();
                (bytes.unwrap_or(name.into_bytes()), false)
            }
        }
    })))
}

/// The characters by which byte-level BPE writes bytes: printable Latin-1 stands for itself, the other bytes, in
/// order, for the characters from U+0100 on.
fn byte_alphabet() -> HashMap<char, u8> {
    let mut others = '\u{100}'..;
    let own = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    (0..=u8::MAX)
        .filter_map(|byte| Some((if own(byte) { char::from(byte) } else { others.next()? }, byte)))
        .collect()
}

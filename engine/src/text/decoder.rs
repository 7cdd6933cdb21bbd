//! From token ids to text, one token at a time.

use std::sync::Arc;

/// The bytes that each token stands for.
pub(super) struct TokenBytes {
    bytes: Vec<u8>,
    /// Of token `i`, the end of its bytes; they begin where those of token `i - 1` end.
    ends: Vec<usize>,
    special: Vec<bool>,
}

impl TokenBytes {
    /// From one entry per id: its bytes and whether it is a special token. An id without a token has no bytes.
    pub(super) fn new(tokens: impl Iterator<Item = (Vec<u8>, bool)>) -> Self {
        let mut table = Self { bytes: Vec::new(), ends: Vec::new(), special: Vec::new() };
        for (bytes, special) in tokens {
            table.bytes.extend_from_slice(&bytes);
            table.ends.push(table.bytes.len());
            table.special.push(special);
        }
        table
    }

    fn get(&self, id: u32) -> Option<(&[u8], bool)> {
        let id = usize::try_from(id).ok()?;
        let end = *self.ends.get(id)?;
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        Some((&self.bytes[start..end], self.special[id]))
    }
}

/// Turns a stream of tokens into text. A character whose bytes are spread over several tokens comes out with its last.
pub(crate) struct Decoder {
    tokens: Arc<TokenBytes>,
    show_special: bool,
    /// The beginning of a character.
    pending: Vec<u8>,
}

impl Decoder {
    pub(super) fn new(tokens: Arc<TokenBytes>, show_special: bool) -> Self {
        Self { tokens, show_special, pending: Vec::new() }
    }

    /// The text that this token completes; often none. Bytes that can be no UTF-8 come out as U+FFFD, ids without a
    /// token and hidden special tokens as nothing.
    pub(crate) fn push(&mut self, id: u32) -> String {
        if let Some((bytes, special)) = self.tokens.get(id)
            && (self.show_special || !special)
        {
            self.pending.extend_from_slice(bytes);
        }
        let mut text = String::new();
        let mut rest = self.pending.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    rest = &[];
                    break;
                }
                Err(fault) => {
                    let (valid, after) = rest.split_at(fault.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(valid));
                    rest = after;
                    // Without a length, the bytes are a character's beginning, and the next token may bring its end.
                    let Some(length) = fault.error_len() else { break };
                    text.push(char::REPLACEMENT_CHARACTER);
                    rest = &rest[length..];
                }
            }
        }
        self.pending = rest.to_vec();
        text
    }

    /// The end of the stream: U+FFFD where a character was left unfinished, else nothing.
    pub(crate) fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.pending)).into_owned()
    }
}

//! Text as the model sees it: token ids, and conversations laid out by the checkpoint's chat template.
//!
//! Nothing here counts the rows of sound and pictures: the template leaves one placeholder token for each medium.

mod bounds;
mod decoder;
mod filters;
mod guarded;
mod python;
mod template;
#[cfg(test)]
mod tests;
mod tokenizer;

pub(crate) use decoder::Decoder;
pub(crate) use template::ChatTemplate;
pub(crate) use tokenizer::Tokenizer;

//! What config.json says of the way in which a checkpoint was quantised.

use std::path::Path;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::files::read_json_optional;

/// Programs whose checkpoints are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::weights) enum Scheme {
    /// compressed-tensors, which llm-compressor writes.
    CompressedTensors,
    /// AutoAWQ.
    Awq,
    /// AutoGPTQ and GPTQModel. The first form of the format stores zero points less one.
    Gptq {
        /// Whether it is the first form.
        less_one: bool,
    },
}

impl Scheme {
    /// What the folder's config.json says; `None` where it was not quantised.
    ///
    /// # Errors
    /// `Error::Config` for a scheme that the engine does not read.
    pub(in crate::weights) fn read(dir: &Path) -> Result<Option<Scheme>> {
        let path = dir.join("config.json");
        let Some(json) = read_json_optional(&path)? else { return Ok(None) };
        let within = [&json, &json["thinker_config"], &json["thinker_config"]["text_config"]];
        let keys = ["quantization_config", "compression_config"];
        let mut found = within.into_iter().flat_map(|json| keys.map(|key| (key, &json[key])));
        match found.find(|(_, stated)| stated.is_object()) {
            Some((key, stated)) => Stated { path: &path, key, stated }.scheme().map(Some),
            None => Ok(None),
        }
    }
}

/// The part of config.json that is about it.
struct Stated<'a> {
    path: &'a Path,
    key: &'static str,
    stated: &'a Value,
}

impl Stated<'_> {
    fn scheme(&self) -> Result<Scheme> {
        match self.stated["quant_method"].as_str() {
            Some("compressed-tensors") => {
                self.only("format", &["pack-quantized"])?;
                Ok(Scheme::CompressedTensors)
            }
            Some("awq") => {
                self.only("version", &["gemm", "GEMM"])?;
                self.bits()?;
                Ok(Scheme::Awq)
            }
            Some("gptq") => {
                self.bits()?;
                self.only("checkpoint_format", &["gptq", "gptq_v2"])?;
                Ok(Scheme::Gptq { less_one: self.stated["checkpoint_format"] != "gptq_v2" })
            }
            _ => Err(self.error("quant_method", "compressed-tensors, awq or gptq")),
        }
    }

    /// One of these words, or none at all.
    fn only(&self, key: &str, known: &[&str]) -> Result<()> {
        match &self.stated[key] {
            Value::Null => Ok(()),
            Value::String(word) if known.contains(&word.as_str()) => Ok(()),
            _ => Err(self.error(key, known[0])),
        }
    }

    fn bits(&self) -> Result<()> {
        let bits = &self.stated["bits"];
        if bits.is_null() || bits == 4 { Ok(()) } else { Err(self.error("bits", "4")) }
    }

    fn error(&self, key: &str, expected: &str) -> Error {
        Error::Config {
            path: self.path.to_owned(),
            key: format!("{}.{key}", self.key),
            reason: format!(
                "expected {expected}, found {}; take a checkpoint of four bits in groups, or import the published one",
                self.stated[key]
            ),
        }
    }
}

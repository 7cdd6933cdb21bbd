//! Doors to the readers of files that come from elsewhere, for fuzzing: each takes the bytes of a file and says whether they were
//! taken for one. Compiled for tests and with the feature `fuzzing` only.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::error::Result;
use crate::files::{parse_json, to_text};
use crate::model::config::{Config, GenerationConfig, PreprocessorConfig};
use crate::text::{ChatTemplate, Tokenizer};
use crate::weights;

/// A reader of one kind of file.
#[derive(Clone, Copy, Debug)]
pub enum Door {
    /// A shard of a published checkpoint, or of an imported one.
    Safetensors,
    /// A file of llama.cpp's.
    Gguf,
    /// A `config.json`; what it says is then read as the two smaller configs too.
    Config,
    /// A `tokenizer.json`; where it is one, a text goes through it there and back.
    Tokenizer,
    /// A chat template; where it is one, it lays out conversations of all kinds.
    Template,
}

impl Door {
    /// Whether the bytes are those of such a file.
    pub fn opens(self, bytes: &[u8]) -> bool {
        let read = match self {
            Door::Safetensors => weights::check_bytes(Path::new("model.safetensors"), bytes),
            Door::Gguf => weights::check_gguf(Path::new("model.gguf"), bytes),
            Door::Config => configs(bytes),
            Door::Tokenizer => tokenized(bytes),
            Door::Template => rendered(bytes),
        };
        read.is_ok()
    }
}

fn tokenized(bytes: &[u8]) -> Result<()> {
    let tokenizer = Tokenizer::from_json(Path::new("tokenizer.json"), bytes)?;
    // Where the pattern runs out of steps it is refused for this text alone.
    if let Ok(ids) = tokenizer.encode("<|im_start|>user\nWhat's 7 + 8, Zoë? 世界\r\n\t<|im_end|>") {
        tokenizer.decode(&ids);
    }
    Ok(())
}

fn configs(bytes: &[u8]) -> Result<()> {
    let json = parse_json(Path::new("config.json"), bytes.to_vec())?;
    let config = Config::read(Path::new("config.json"), &json)?;
    GenerationConfig::read(Path::new("generation_config.json"), &json, &config)?;
    if let Config::Omni(omni) = &config {
        PreprocessorConfig::read(Path::new("preprocessor_config.json"), &json, &omni.thinker)?;
    }
    Ok(())
}

fn rendered(bytes: &[u8]) -> Result<()> {
    let path = PathBuf::from("chat_template.jinja");
    let source = to_text(&path, bytes.to_vec())?;
    let template = ChatTemplate::compile(path, source, minijinja::context! { eos_token => "<|im_end|>" })?;
    let messages = json!([
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "audio", "audio": "x"}, {"type": "image"}, {"type": "text", "text": "What?"}]},
        {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "get_time", "arguments": {"zone": "UTC"}}}]},
        {"role": "tool", "content": "12:00"},
    ]);
    let tools =
        json!([{"type": "function", "function": {"name": "get_time", "parameters": {"type": "object"}}}]);
    template.render(&messages, Some(&tools), true, Some(false))?;
    template.render(&messages, None, false, None)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOORS: [(&str, Door); 5] = [
        ("safetensors", Door::Safetensors),
        ("gguf", Door::Gguf),
        ("config", Door::Config),
        ("tokenizer", Door::Tokenizer),
        ("template", Door::Template),
    ];

    fn data(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
    }

    #[test]
    fn the_files_of_a_checkpoint_go_through_their_doors() {
        let sound = [
            ("assets/pocket/model-00001-of-00001.safetensors", Door::Safetensors),
            ("assets/pocket/config.json", Door::Config),
            ("assets/pocket/tokenizer.json", Door::Tokenizer),
            ("tests/fuzz/seeds/safetensors/imported", Door::Safetensors),
            ("tests/fuzz/seeds/gguf/small", Door::Gguf),
            ("tests/fuzz/seeds/template/pocket", Door::Template),
        ];
        for (name, door) in sound {
            let bytes = std::fs::read(data(name)).unwrap();
            assert!(door.opens(&bytes), "{name}");
            assert!(!door.opens(&bytes[..bytes.len() / 2]), "half of {name}");
        }
    }

    /// What fuzzing has found, each in a folder named after its door.
    #[test]
    fn what_was_found_once_is_refused() {
        for (name, door) in DOORS {
            let mut found = 0;
            for entry in std::fs::read_dir(data("tests/data/fuzz").join(name)).unwrap() {
                let path = entry.unwrap().path();
                assert!(!door.opens(&std::fs::read(&path).unwrap()), "{}", path.display());
                found += 1;
            }
            assert!(found > 0, "{name}");
        }
    }
}

//! Doors to the readers of files that come from elsewhere, for fuzzing: each takes the bytes of a file and says whether they were
//! taken for one. Compiled for tests and with the feature `fuzzing` only.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::error::Result;
use crate::files::{parse_json, to_text};
use crate::model::config::{Config, GenerationConfig, PreprocessorConfig};
use crate::text::{ChatTemplate, Tokenizer};
use crate::weights;

/// A shard of a published checkpoint, or of an imported one.
pub fn safetensors(bytes: &[u8]) -> bool {
    weights::check_bytes(Path::new("model.safetensors"), bytes).is_ok()
}

/// A file of llama.cpp's.
pub fn gguf(bytes: &[u8]) -> bool {
    weights::check_gguf(Path::new("model.gguf"), bytes).is_ok()
}

/// A `config.json`; what it says is then read as the two smaller configs too.
pub fn config(bytes: &[u8]) -> bool {
    configs(bytes).is_ok()
}

/// A `tokenizer.json`; where it is one, a text goes through it there and back.
pub fn tokenizer(bytes: &[u8]) -> bool {
    let Ok(tokenizer) = Tokenizer::from_json(Path::new("tokenizer.json"), bytes) else { return false };
    let ids =
        tokenizer.encode("<|im_start|>user\nWhat's 7 + 8, Zoë? 世界\r\n\t<|im_end|>").unwrap_or_default();
    tokenizer.decode(&ids);
    true
}

/// A chat template; where it is one, it lays out conversations of all kinds.
pub fn template(bytes: &[u8]) -> bool {
    rendered(bytes).is_ok()
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

    type Door = fn(&[u8]) -> bool;

    const DOORS: [(&str, Door); 5] = [
        ("safetensors", safetensors),
        ("gguf", gguf),
        ("config", config),
        ("tokenizer", tokenizer),
        ("template", template),
    ];

    #[test]
    fn the_files_of_a_checkpoint_go_through_their_doors() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/pocket");
        let sound = [
            ("model-00001-of-00001.safetensors", safetensors as Door),
            ("config.json", config),
            ("tokenizer.json", tokenizer),
        ];
        for (name, door) in sound {
            let bytes = std::fs::read(folder.join(name)).unwrap();
            assert!(door(&bytes), "{name}");
            assert!(!door(&bytes[..bytes.len() / 2]), "half of {name}");
        }
        let json = std::fs::read(folder.join("chat_template.json")).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert!(template(json["chat_template"].as_str().unwrap().as_bytes()));
        assert!(!template(b"{% for %}"));
    }

    /// What fuzzing has found, each in a folder named after its door.
    #[test]
    fn what_was_found_once_is_refused() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/fuzz");
        let mut found = 0;
        for (name, door) in DOORS {
            for entry in std::fs::read_dir(folder.join(name)).unwrap() {
                let path = entry.unwrap().path();
                assert!(!door(&std::fs::read(&path).unwrap()), "{}", path.display());
                found += 1;
            }
        }
        assert!(found >= DOORS.len());
    }
}

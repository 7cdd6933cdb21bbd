//! Tokenizer and chat template against the manifest's cases.

use serde_json::Value;

use super::goldens::Goldens;
use crate::engine::Engine;
use crate::error::Result;

pub(super) fn verify(engine: &Engine, goldens: &mut Goldens) -> Result<()> {
    let manifest = goldens.manifest.clone();
    for (i, case) in manifest["tokenizer"].as_array().into_iter().flatten().enumerate() {
        let text = case["text"].as_str().unwrap_or_default();
        let ids = engine.tokenizer.encode(text)?;
        let golden: Vec<u32> = ids_of(&case["ids"]);
        goldens.check_equal(&format!("tokenizer {i} encode"), &ids, &golden);
        let decoded = case["decoded"].as_str().unwrap_or_default().to_owned();
        goldens.check_equal(&format!("tokenizer {i} decode"), &engine.tokenizer.decode(&golden), &decoded);
    }
    for (i, case) in manifest["chat_template"].as_array().into_iter().flatten().enumerate() {
        let tools = Some(&case["tools"]).filter(|t| !t.is_null());
        let rendered = engine.template.render(&case["messages"], tools, true, None)?;
        let golden = case["rendered"].as_str().unwrap_or_default().to_owned();
        goldens.check_equal(&format!("chat_template {i}"), &rendered, &golden);
    }
    Ok(())
}

pub(super) fn ids_of(list: &Value) -> Vec<u32> {
    list.as_array().into_iter().flatten().filter_map(Value::as_u64).map(|id| id as u32).collect()
}

//! A conversation as data.

use anyhow::Result;
use serde_json::{Value, json};

use super::Page;
use crate::state::End;

/// The whole document.
///
/// # Errors
/// It cannot be written as JSON.
pub(super) fn text(model: &str, pages: &[Page<'_>]) -> Result<String> {
    let exchanges: Vec<Value> = pages.iter().map(exchange).collect();
    Ok(serde_json::to_string_pretty(&json!({"version": 1, "model": model, "exchanges": exchanges}))?)
}

fn exchange(page: &Page<'_>) -> Value {
    let answer = &page.exchange.answer;
    let attachments: Vec<Value> = page
        .attachments
        .iter()
        .map(|attached| {
            let kind = if attached.is_picture { "picture" } else { "sound" };
            json!({"kind": kind, "name": attached.name, "file": attached.file})
        })
        .collect();
    let end = answer.end.map(|end| match end {
        End::Complete => "complete",
        End::Stopped => "stopped",
        End::Limit => "limit",
        End::Failed => "failed",
    });
    // Function calls are JSON already, unless the model wrote them badly.
    let call = |call: &String| serde_json::from_str(call).unwrap_or_else(|_| json!(call));
    let calls: Vec<Value> = answer.calls.iter().map(call).collect();
    json!({
        "question": {
            "text": page.exchange.text,
            "spoken": page.exchange.spoken.is_some(),
            "sound": page.question_sound,
            "attachments": attachments,
        },
        "answer": {
            "text": answer.text,
            "reasoning": answer.reasoning,
            "calls": calls,
            "sound": page.answer_sound,
            "end": end,
        },
    })
}

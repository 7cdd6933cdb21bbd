//! A conversation as files: a page to read, the same as data, and what was said as far as it is still in memory.

mod json;
mod markdown;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::clips::{Clips, Side};
use crate::state::Exchange;
use crate::wav;

/// An exchange and the files that belong to it.
struct Page<'a> {
    exchange: &'a Exchange,
    /// Counts from 1.
    number: usize,
    question_sound: Option<String>,
    answer_sound: Option<String>,
    attachments: Vec<Attached>,
}

/// A picture or a sound that went with a question.
struct Attached {
    name: String,
    is_picture: bool,
    /// Its copy; none where the file is gone.
    file: Option<String>,
}

/// Writes the conversation to a new folder in `folder`, and returns that. The folder appears only when it is complete.
///
/// # Errors
/// A file cannot be written; nothing is left then.
pub(crate) fn write(folder: &Path, model: &str, exchanges: &[Exchange], clips: &Clips) -> Result<PathBuf> {
    let beside = tempfile::Builder::new()
        .prefix(".colloquy-")
        .tempdir_in(folder)
        .with_context(|| format!("cannot write to {}", folder.display()))?;
    let pages = pages(exchanges, |turn, side| clips.has(turn, side));
    for page in &pages {
        write_page(beside.path(), page, clips)?;
    }
    save(&beside.path().join("conversation.md"), &markdown::text(model, &pages))?;
    save(&beside.path().join("conversation.json"), &json::text(model, &pages)?)?;
    let written = place(beside.path(), folder)?;
    // It has another name now.
    let _ = beside.keep();
    Ok(written)
}

/// Gives the finished folder the first name that is free.
fn place(beside: &Path, folder: &Path) -> Result<PathBuf> {
    let name = |i: usize| folder.join(format!("conversation-{i}"));
    let free = (1..).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(0));
    let renamed = std::fs::rename(beside, &free);
    renamed.with_context(|| format!("cannot write {}", free.display()))?;
    Ok(free)
}

/// The exchanges, with names for the files of what `has` says is kept.
fn pages(exchanges: &[Exchange], has: impl Fn(u64, Side) -> bool) -> Vec<Page<'_>> {
    exchanges
        .iter()
        .enumerate()
        .map(|(i, exchange)| {
            let number = i + 1;
            let sound =
                |side, name: &str| has(exchange.turn, side).then(|| format!("{number:03}-{name}.wav"));
            let question_sound = sound(Side::Question, "question");
            let answer_sound = sound(Side::Answer, "answer");
            let attachments = exchange.attachments.iter().enumerate().map(|(j, attachment)| {
                let name = attachment.name();
                let file = attachment.path.is_file().then(|| format!("{number:03}-{}-{name}", j + 1));
                Attached { name, is_picture: attachment.thumbnail.is_some(), file }
            });
            let attachments = attachments.collect();
            Page { exchange, number, question_sound, answer_sound, attachments }
        })
        .collect()
}

fn write_page(folder: &Path, page: &Page<'_>, clips: &Clips) -> Result<()> {
    let turn = page.exchange.turn;
    for (side, file) in [(Side::Question, &page.question_sound), (Side::Answer, &page.answer_sound)] {
        if let (Some(file), Some(clip)) = (file, clips.get(turn, side)) {
            wav::write_i16(&folder.join(file), &clip.samples, clip.rate_hz)?;
        }
    }
    for (attached, attachment) in page.attachments.iter().zip(&page.exchange.attachments) {
        if let Some(file) = &attached.file {
            std::fs::copy(&attachment.path, folder.join(file))
                .with_context(|| format!("cannot copy {}", attachment.path.display()))?;
        }
    }
    Ok(())
}

fn save(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests;

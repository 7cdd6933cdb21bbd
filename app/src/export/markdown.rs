//! A conversation as a page of Markdown.

use super::Page;
use crate::state::End;

/// The whole page.
pub(super) fn text(model: &str, pages: &[Page<'_>]) -> String {
    let mut text = String::from("# Conversation\n");
    if !model.is_empty() {
        text += &format!("\nModel: {model}\n");
    }
    for page in pages {
        text += &format!("\n## {}\n\n**Question**\n", page.number);
        push_question(&mut text, page);
        text += "\n**Answer**\n";
        push_answer(&mut text, page);
    }
    text
}

fn push_question(text: &mut String, page: &Page<'_>) {
    for attached in &page.attachments {
        let mark = if attached.is_picture { "!" } else { "" };
        *text += &match &attached.file {
            Some(file) => format!("\n{mark}[{}](<{file}>)\n", attached.name),
            None => format!("\n{} (the file is gone)\n", attached.name),
        };
    }
    match (&page.question_sound, &page.exchange.spoken) {
        (Some(file), _) => *text += &format!("\n[spoken question]({file})\n"),
        (None, Some(_)) => *text += "\nspoken question\n",
        (None, None) => {}
    }
    if let Some(question) = &page.exchange.text {
        *text += &format!("\n{question}\n");
    }
}

fn push_answer(text: &mut String, page: &Page<'_>) {
    let answer = &page.exchange.answer;
    if !answer.reasoning.is_empty() {
        let reasoning = answer.reasoning.trim();
        *text += &format!("\n<details><summary>Reasoning</summary>\n\n{reasoning}\n\n</details>\n");
    }
    if !answer.text.is_empty() {
        *text += &format!("\n{}\n", answer.text.trim_end());
    }
    for call in &answer.calls {
        *text += &format!("\n```json\n{call}\n```\n");
    }
    if let Some(file) = &page.answer_sound {
        *text += &format!("\n[spoken answer]({file})\n");
    }
    match answer.end {
        Some(End::Stopped) => *text += "\n*stopped*\n",
        Some(End::Limit) => *text += "\n*cut off at the limit of the answer's length*\n",
        Some(End::Failed) => *text += "\n*failed*\n",
        Some(End::Complete) | None => {}
    }
}

//! Text with words that run from right to left. The library shapes the letters of each word, but sets words one after the other
//! from left to right: here they are put where they are read. What is copied stays in the order in which it was written.

use std::sync::Arc;

use eframe::egui::text::LayoutJob;
use eframe::egui::{Align, Color32, Galley, Label, Layout, TextStyle, Ui};
use eframe::epaint::text::Row;

/// Where a letter belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Left,
    Right,
    /// A space or a mark: where its neighbours belong.
    Neutral,
}

fn kind(letter: char) -> Kind {
    match u32::from(letter) {
        // Digits of Arabic run as ours do.
        0x660..=0x669 | 0x6F0..=0x6F9 => Kind::Left,
        0x590..=0x8FF | 0xFB1D..=0xFDFF | 0xFE70..=0xFEFE | 0x10800..=0x10FFF | 0x1E800..=0x1EFFF => {
            Kind::Right
        }
        _ if letter.is_alphanumeric() => Kind::Left,
        _ => Kind::Neutral,
    }
}

/// Whether a text has such words.
pub(super) fn has_some(text: &str) -> bool {
    text.chars().any(|letter| kind(letter) == Kind::Right)
}

/// Whether a text as a whole runs from right to left: its first word does.
fn runs(text: &str) -> bool {
    text.chars().map(kind).find(|kind| *kind != Kind::Neutral) == Some(Kind::Right)
}

/// A text that wraps; one that runs from right to left begins at the right edge.
pub(super) fn text_ui(ui: &mut Ui, text: &str, color: Color32) {
    let font = TextStyle::Body.resolve(ui.style());
    for line in text.lines() {
        let mut job = LayoutJob::simple(line.to_owned(), font.clone(), color, ui.available_width());
        let runs = runs(line);
        job.halign = if runs { Align::RIGHT } else { Align::LEFT };
        let mut galley = Arc::unwrap_or_clone(ui.fonts_mut(|fonts| fonts.layout_job(job)));
        arrange(&mut galley, runs);
        let label = Label::new(Arc::new(galley));
        if runs {
            ui.with_layout(Layout::top_down(Align::RIGHT), |ui| ui.add(label));
        } else {
            ui.add(label);
        }
    }
}

/// Moves the words of each row to where they are read.
fn arrange(galley: &mut Galley, runs: bool) {
    for placed in &mut galley.rows {
        if placed.row.glyphs.iter().any(|glyph| kind(glyph.chr) == Kind::Right) {
            arrange_row(Arc::make_mut(&mut placed.row), runs);
        }
    }
}

fn arrange_row(row: &mut Row, runs: bool) {
    // Spaces at the end of a row are not seen; they stay.
    let end = row.glyphs.iter().rposition(|glyph| !glyph.chr.is_whitespace()).map_or(0, |last| last + 1);
    let letters: Vec<_> = row.glyphs[..end].iter().map(|glyph| glyph.chr).collect();
    let words = words(&letters);
    let Some(mut left) = row.glyphs.first().map(|glyph| glyph.pos.x) else { return };
    let starts: Vec<_> = words.iter().map(|(word, _)| row.glyphs[word.start].pos.x).collect();
    let last = &row.glyphs[end - 1];
    let right = last.pos.x + last.advance_width;
    for i in order(&words.iter().map(|(_, kind)| *kind).collect::<Vec<_>>(), runs) {
        let width = starts.get(i + 1).unwrap_or(&right) - starts[i];
        move_word(row, words[i].0.clone(), left - starts[i]);
        left += width;
    }
}

fn move_word(row: &mut Row, word: std::ops::Range<usize>, by: f32) {
    let first = row.glyphs[word.start].first_vertex as usize;
    let next = row.glyphs.get(word.end).map(|glyph| glyph.first_vertex as usize);
    let end = next.unwrap_or(row.visuals.glyph_vertex_range.end);
    for glyph in &mut row.glyphs[word] {
        glyph.pos.x += by;
    }
    for vertex in row.visuals.mesh.vertices.get_mut(first..end).into_iter().flatten() {
        vertex.pos.x += by;
    }
}

/// Letters that belong together, in the order in which they were written; each space and each mark is alone.
fn words(letters: &[char]) -> Vec<(std::ops::Range<usize>, Kind)> {
    let mut words: Vec<(std::ops::Range<usize>, Kind)> = vec![];
    for (i, letter) in letters.iter().enumerate() {
        let kind = kind(*letter);
        match words.last_mut() {
            Some((word, last)) if *last == kind && kind != Kind::Neutral => word.end = i + 1,
            _ => words.push((i..i + 1, kind)),
        }
    }
    words
}

/// The words from left to right as they are read: the Unicode Bidirectional Algorithm, as far as a paragraph without embeddings
/// and mirrored brackets needs it.
fn order(kinds: &[Kind], runs: bool) -> Vec<usize> {
    let base = if runs { Kind::Right } else { Kind::Left };
    let near = |mut kinds: Box<dyn Iterator<Item = &Kind> + '_>| {
        kinds.find(|kind| **kind != Kind::Neutral).copied().unwrap_or(base)
    };
    let level = |i: usize| {
        let kind = match kinds[i] {
            Kind::Neutral => {
                let before = near(Box::new(kinds[..i].iter().rev()));
                let after = near(Box::new(kinds[i..].iter()));
                if before == after { before } else { base }
            }
            kind => kind,
        };
        match (kind, runs) {
            (Kind::Right, _) => 1,
            (_, true) => 2,
            (_, false) => 0,
        }
    };
    let levels: Vec<u8> = (0..kinds.len()).map(level).collect();
    let mut order: Vec<usize> = (0..kinds.len()).collect();
    for least in [2, 1] {
        for run in order.chunk_by_mut(|a, b| (levels[*a] >= least) == (levels[*b] >= least)) {
            if levels[run[0]] >= least {
                run.reverse();
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of a text from left to right, each as it was written.
    fn seen(text: &str) -> String {
        let letters: Vec<char> = text.chars().collect();
        let words = words(&letters);
        let kinds: Vec<_> = words.iter().map(|(_, kind)| *kind).collect();
        order(&kinds, runs(text)).into_iter().flat_map(|i| &letters[words[i].0.clone()]).collect()
    }

    #[test]
    fn words_stand_where_they_are_read() {
        assert_eq!(seen("one two"), "one two");
        assert_eq!(seen("אחת שתים."), ".שתים אחת");
        // Words of the other kind keep their own order inside.
        assert_eq!(seen("אחת New York 25 שתים"), "שתים New York 25 אחת");
        assert_eq!(seen("say אחת שתים now."), "say שתים אחת now.");
        assert_eq!(seen("مرحبا، 12 x"), "12 x مرحبا،");
    }

    #[test]
    fn a_text_is_known_by_its_first_word() {
        assert!(runs("«אחת» two") && !runs("one אחת") && !runs("12"));
        assert!(has_some("one אחת") && !has_some("plain, 日本"));
    }
}

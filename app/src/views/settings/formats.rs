//! The one question before a large model comes: in which format.

use std::borrow::Cow;

use crossbeam_channel::Sender;
use eframe::egui::{Label, RichText, Ui};

use crate::command::Command;
use crate::doctor::{FORMATS, Fit};
use crate::language::t;
use crate::models::{Expected, Format, Pace, bytes, models};
use crate::state::{ModelWish, State};
use crate::views::{send, theme};

/// The question, with what is to be expected of each answer.
pub(super) fn formats_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    let (palette, fetching) = (theme::palette(ui), &state.fetching);
    ui.add_space(theme::space::TIGHT);
    ui.label(t!("In which format? It is converted while it comes, and needs no more room than it takes in the end and one of its files."));
    for format in FORMATS {
        let expected = fetching.expected.iter().find(|expected| expected.format == format);
        ui.horizontal_wrapped(|ui| {
            if ui.radio(fetching.format() == format, name(format)).clicked() {
                send(commands, Command::Models(ModelWish::Choose(format)));
            }
            if expected.is_some_and(|expected| expected.is_recommended) {
                ui.label(RichText::new(t!("recommended here")).color(palette.accent));
            }
        });
        ui.indent(format.name(), |ui| {
            let told = RichText::new(told(format, expected)).small().color(palette.weak);
            ui.add(Label::new(told).wrap());
        });
    }
    let is_measured = fetching.expected.iter().any(|expected| expected.speed.is_some());
    if fetching.is_measuring {
        ui.label(RichText::new(t!("Measuring this machine…")).color(palette.weak));
    } else if !is_measured {
        let button = ui.button(t!("How fast would they be here?"));
        if button.on_hover_text(t!("Measures this machine for some ten seconds")).clicked() {
            send(commands, Command::Models(ModelWish::Measure));
        }
    }
}

/// What a format is called.
pub(super) fn name(format: Format) -> Cow<'static, str> {
    match format {
        Format::F32 => t!("Single precision (f32)"),
        Format::Bf16 => t!("Sixteen bits (bf16)"),
        Format::Q8_0 => t!("Eight bits (q8_0)"),
        Format::Q4 => t!("Four bits (q4)"),
    }
}

/// Size, memory and speed of the model that is made for talking.
fn told(format: Format, expected: Option<&Expected>) -> String {
    let mut parts = Vec::new();
    if let Some(size) = models().iter().find_map(|entry| entry.repo.as_ref().and(entry.bytes.of(format))) {
        parts.push(t!("%{size} on the disk", size = bytes(size)));
    }
    if let Some(expected) = expected {
        parts.push(t!("%{size} of memory", size = bytes(expected.memory)));
        match expected.fit {
            Fit::Now | Fit::Unknown => {}
            Fit::Later => parts.push(t!("more than is free now")),
            Fit::Never => parts.push(t!("more than this machine has")),
        }
        match expected.speed {
            Some(Pace::Fast(words)) => {
                parts.push(t!("faster than you read: about %{words} words a second", words = words))
            }
            Some(Pace::Fluent(words)) => {
                parts.push(t!("fast enough to talk with: about %{words} words a second", words = words))
            }
            Some(Pace::Slow(words)) => parts.push(t!("slow: about %{words} words a second", words = words)),
            None => {}
        }
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_told_by_size_memory_and_speed() {
        let (memory, is_recommended) = (41_000_000_000, true);
        let mut expected = Expected {
            format: Format::Q8_0,
            memory,
            fit: Fit::Now,
            speed: Some(Pace::Fast(45)),
            is_recommended,
        };
        assert_eq!(
            told(Format::Q8_0, Some(&expected)),
            "38.0 GB on the disk, 41.0 GB of memory, faster than you read: about 45 words a second"
        );
        expected.fit = Fit::Later;
        expected.speed = Some(Pace::Slow(6));
        assert_eq!(
            told(Format::Q4, Some(&expected)),
            "23.4 GB on the disk, 41.0 GB of memory, more than is free now, slow: about 6 words a second"
        );
        assert_eq!(told(Format::Bf16, None), "70.5 GB on the disk");
    }
}

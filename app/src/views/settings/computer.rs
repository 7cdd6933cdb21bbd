//! This machine: what it has, what holds it back with the lines that mend it, and how fast the large model would be.

use std::borrow::Cow;

use crossbeam_channel::Sender;
use eframe::egui::{Button, Frame, Grid, Label, Margin, RichText, ScrollArea, Spinner, Ui};

use super::{LABEL_WIDTH, note_ui};
use crate::command::Command;
use crate::doctor::{self, Finding, Fit, Phase, Place, Report, Severity, Words};
use crate::language::t;
use crate::state::{ExamineWish, State};
use crate::views::{send, small_button, theme};

/// Room for the button behind a line.
const COPY_WIDTH: f32 = 100.0;

/// The section.
pub(super) fn computer_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    let examining = &state.examining;
    let is_free = examining.phase.is_none() && !examining.is_wanted;
    let label = match &examining.report {
        None => t!("Examine this computer"),
        Some(_) => t!("Examine it again"),
    };
    ui.horizontal_wrapped(|ui| {
        wish_ui(ui, is_free, &label, ExamineWish::Begin, commands);
        if examining.report.is_some() {
            wish_ui(ui, true, &t!("Copy report"), ExamineWish::Copy, commands);
            wish_ui(ui, true, &t!("Save…"), ExamineWish::Save, commands);
        }
    });
    if examining.is_wanted {
        note_ui(ui, &t!("It is measured as soon as nothing else goes on."));
    } else if let Some(phase) = examining.phase {
        ui.horizontal(|ui| {
            ui.add(Spinner::new());
            ui.label(words(phase));
        });
    } else if let Some(message) = &examining.failure {
        let color = theme::palette(ui).error;
        ui.add(Label::new(RichText::new(message).color(color)).wrap());
    } else if examining.report.is_none() {
        let note = t!(
            "What it has, what holds it back, and how fast the large model would be. Takes some seconds and changes nothing."
        );
        note_ui(ui, &note);
    }
    if let Some(report) = &examining.report {
        findings_ui(ui, report, commands);
        forecast_ui(ui, report);
        facts_ui(ui, report);
    }
}

fn wish_ui(ui: &mut Ui, is_free: bool, label: &str, wish: ExamineWish, commands: &Sender<Command>) {
    if ui.add_enabled(is_free, Button::new(label)).clicked() {
        send(commands, Command::Examine(wish));
    }
}

fn words(phase: Phase) -> Cow<'static, str> {
    match phase {
        Phase::Looking => t!("Looking what there is…"),
        Phase::Processor => t!("Measuring the processor…"),
        Phase::Graphics => t!("Measuring the graphics processor…"),
    }
}

fn findings_ui(ui: &mut Ui, report: &Report, commands: &Sender<Command>) {
    ui.add_space(theme::space::TIGHT);
    if report.findings.is_empty() {
        ui.label(RichText::new(t!("Nothing holds this machine back.")).color(theme::palette(ui).ready));
    }
    for (index, finding) in report.findings.iter().enumerate() {
        finding_ui(ui, index, finding, commands);
        ui.add_space(theme::space::TIGHT);
    }
}

fn finding_ui(ui: &mut Ui, index: usize, finding: &Finding, commands: &Sender<Command>) {
    let palette = theme::palette(ui);
    let (name, color) = match finding.severity {
        Severity::Problem => (t!("Problem"), palette.error),
        Severity::Warning => (t!("Warning"), palette.thinking),
        Severity::Advice => (t!("Advice"), palette.weak),
    };
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(name).small().color(color));
        ui.label(RichText::new(finding.title.shown()).strong());
    });
    ui.add(Label::new(finding.what.shown()).wrap());
    for (at, line) in finding.fix.iter().enumerate() {
        ui.push_id((index, at), |ui| {
            ui.horizontal(|ui| {
                let width = ui.available_width() - COPY_WIDTH;
                let frame = Frame::new()
                    .fill(palette.bar)
                    .corner_radius(f32::from(theme::ROUND) / 2.0)
                    .inner_margin(Margin::symmetric(8, 4));
                frame.show(ui, |ui| {
                    ui.set_max_width(width);
                    ui.add(Label::new(RichText::new(line).monospace().size(13.0)).wrap());
                });
                if small_button(ui, &t!("Copy")).on_hover_text(t!("Copy this line")).clicked() {
                    send(commands, Command::Examine(ExamineWish::CopyLine(index, at)));
                }
            });
        });
    }
}

fn forecast_ui(ui: &mut Ui, report: &Report) {
    ui.add_space(theme::space::TIGHT);
    ui.label(RichText::new(t!("Forecast for Qwen3-Omni 30B-A3B (from sums, not tried)")).strong());
    ScrollArea::horizontal().id_salt("forecast").show(ui, |ui| {
        Grid::new("forecast").num_columns(6).spacing([20.0, 4.0]).show(ui, |ui| {
            let weak = theme::palette(ui).weak;
            let heads = [
                t!("runs on"),
                t!("format"),
                t!("needs"),
                t!("has room"),
                t!("tokens/s"),
                t!("real-time factor of speech"),
            ];
            for head in heads {
                ui.label(RichText::new(head).small().color(weak));
            }
            ui.end_row();
            for forecast in report.told() {
                let chosen = report
                    .recommendation
                    .is_some_and(|choice| (choice.place, choice.format) == (forecast.place, forecast.format));
                let number = |number: Option<String>| number.unwrap_or_else(|| "–".into());
                let cells = [
                    place(forecast.place).into_owned(),
                    forecast.format.to_owned(),
                    doctor::gib(forecast.memory),
                    fit(forecast.fit).into_owned(),
                    number(forecast.tokens_per_s.map(|tokens| format!("{tokens:.0}"))),
                    number(forecast.real_time_factor.map(|factor| format!("{factor:.2}"))),
                ];
                for cell in cells {
                    let text = RichText::new(cell);
                    ui.label(if chosen { text.strong() } else { text });
                }
                ui.end_row();
            }
        });
    });
    ui.label(match report.recommendation {
        Some(choice) => {
            let on = place(choice.place);
            t!("Recommended: %{format} on the %{place}", format = choice.format, place = on)
        }
        None => t!("Recommended: the small model that ships with the program"),
    });
}

fn place(place: Place) -> Cow<'static, str> {
    match place {
        Place::Graphics => t!("graphics processor"),
        Place::Processor => t!("processor"),
    }
}

fn fit(fit: Fit) -> Cow<'static, str> {
    match fit {
        Fit::Now => t!("yes"),
        Fit::Later => t!("after changes"),
        Fit::Never => t!("no"),
        Fit::Unknown => t!("not known"),
    }
}

fn facts_ui(ui: &mut Ui, report: &Report) {
    ui.add_space(theme::space::TIGHT);
    let weak = theme::palette(ui).weak;
    for row in doctor::rows(&report.facts) {
        ui.horizontal_top(|ui| {
            let name = row.name.as_ref().map_or_else(String::new, Words::shown);
            ui.scope(|ui| {
                ui.set_width(LABEL_WIDTH * 0.6);
                ui.label(RichText::new(name).color(weak));
            });
            ui.add(Label::new(row.join(Words::shown)).wrap());
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use egui_kittest::kittest::Queryable;

    use super::*;
    use crate::event::Event;
    use crate::state::ExamineReport;
    use crate::views::settings::{Target, seek};
    use crate::views::tests::{ms, ready, shown};

    /// The page of a machine of the command line's tests.
    fn examined(machine: &str) -> State {
        let mut state = ready();
        state.handle(Command::ShowSettings(true), ms(0));
        let report = Arc::new(doctor::tests::of(machine, None));
        state.apply(Event::Examined(ExamineReport::Ended(Ok(report))), ms(0));
        state
    }

    #[test]
    fn each_line_that_mends_something_has_its_button() {
        let (mut harness, commands) = shown(examined("strix-halo-32"));
        seek(&harness.ctx, Target::Computer);
        harness.run_steps(4);
        harness.check_accessibility();
        harness.get_by_label("Graphics may take too little of the memory");
        harness.get_by_label("Recommended: q4 on the graphics processor");
        harness.get_all_by_label("Copy").nth(1).unwrap().click_accesskit();
        harness.run_steps(2);
        let sent: Vec<_> = commands.try_iter().collect();
        assert!(matches!(sent[..], [Command::Examine(ExamineWish::CopyLine(0, 1))]), "{sent:?}");
        harness.get_by_label("Save…").click_accesskit();
        harness.get_by_label("Examine it again").click_accesskit();
        harness.run_steps(2);
        let sent: Vec<_> = commands.try_iter().collect();
        let [Command::Examine(first), Command::Examine(second)] = sent[..] else { panic!("{sent:?}") };
        assert!(
            [first, second].contains(&ExamineWish::Save) && [first, second].contains(&ExamineWish::Begin)
        );
    }

    #[test]
    fn it_is_told_what_is_being_found_out_and_what_is_waited_for() {
        let (mut harness, _commands) = shown(ready());
        harness.state_mut().shows_settings = true;
        harness.run_steps(2);
        harness.get_by_label("Examine this computer");
        harness.state_mut().handle(Command::Examine(ExamineWish::Begin), ms(0));
        harness.state_mut().apply(Event::Examined(ExamineReport::Began(Phase::Graphics)), ms(0));
        harness.run_steps(2);
        harness.get_by_label("Measuring the graphics processor…");
        harness.state_mut().handle(Command::Press, ms(0));
        harness.run_steps(2);
        harness.get_by_label("It is measured as soon as nothing else goes on.");
    }
}

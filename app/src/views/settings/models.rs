//! Larger models: what they can do, their licence, and fetching them.

use crossbeam_channel::Sender;
use eframe::egui::{Align, Button, Id, Label, ProgressBar, Response, RichText, Ui};

use super::{formats, note_ui};
use crate::command::Command;
use crate::language::t;
use crate::models::{Entry, Kind, Presence, Progress, Stage, bytes};
use crate::state::{ModelWish, Running, State};
use crate::views::{send, theme};

/// The button that shows them, and each of them.
pub(super) fn models_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    let fetching = &state.fetching;
    let button = Button::new(t!("Get the large model…")).selected(fetching.shown);
    let button = ui.add(button);
    lead_ui(ui, fetching.led, &button);
    if button.on_hover_text(t!("Models that can be downloaded from the Hugging Face hub")).clicked() {
        wish(commands, ModelWish::Show(!fetching.shown));
    }
    if !fetching.shown {
        return;
    }
    if !fetching.offers.is_empty() {
        formats::formats_ui(ui, state, commands);
    }
    let mut entries: Vec<&'static Entry> = fetching.offers.iter().map(|(kind, _)| kind.entry).collect();
    entries.dedup();
    for entry in entries {
        ui.add_space(theme::space::TIGHT);
        entry_ui(ui, state, entry, commands);
    }
    note_ui(ui, &t!("A network is used only for this, and only while a model is on its way."));
}

/// Goes there when somebody was led there anew.
fn lead_ui(ui: &Ui, led: u32, button: &Response) {
    let id = Id::unique("led to models");
    let before = ui.data_mut(|data| std::mem::replace(data.get_temp_mut_or_default(id), led));
    if before != led {
        button.scroll_to_me(Some(Align::TOP));
    }
}

fn wish(commands: &Sender<Command>, wish: ModelWish) {
    send(commands, Command::Models(wish));
}

fn entry_ui(ui: &mut Ui, state: &State, entry: &'static Entry, commands: &Sender<Command>) {
    let palette = theme::palette(ui);
    ui.label(RichText::new(&entry.title).strong());
    let speaks = entry.gives.iter().any(|given| given == "speech");
    let hears_only = entry.takes.len() == 1;
    let about = match (speaks, hears_only) {
        (true, _) => t!("Takes sound, pictures, video and text; answers in text and speech."),
        (false, true) => t!("Takes a sound, and describes it in text."),
        (false, false) => t!("Takes sound, pictures, video and text; reasons first, answers in text only."),
    };
    ui.add(Label::new(about).wrap());
    ui.horizontal_wrapped(|ui| {
        let size = bytes(entry.bytes.bf16);
        let facts = t!("Download: %{size}. Licence:", size = size);
        ui.label(RichText::new(facts).color(palette.weak));
        match entry.licence_page() {
            Some(page) => ui.hyperlink_to(&entry.licence, page),
            None => ui.label(&entry.licence),
        };
    });
    let fetching = &state.fetching;
    let of_entry = || fetching.offers.iter().filter(|(kind, _)| kind.entry == entry);
    for (kind, presence) in of_entry() {
        match presence {
            Presence::Here(folder) | Presence::Cached(folder) => {
                form_ui(ui, *kind, |ui| {
                    let text = if state.uses(folder) { t!("In use") } else { t!("Use it") };
                    if ui.add_enabled(!state.uses(folder), Button::new(text)).clicked() {
                        send(commands, Command::Open(folder.clone()));
                    }
                });
            }
            Presence::Partly { .. } if fetching.running.is_none() => form_ui(ui, *kind, |ui| {
                if ui.button(t!("Go on with the download")).clicked() {
                    wish(commands, ModelWish::Get(*kind));
                }
                if ui.button(t!("Delete what has come")).clicked() {
                    wish(commands, ModelWish::Remove(*kind));
                }
            }),
            _ => {}
        }
    }
    let chosen = Kind::offered(entry, fetching.format());
    let is_new = || of_entry().any(|(kind, presence)| *kind == chosen && *presence == Presence::Absent);
    match &fetching.running {
        Some(running) if running.kind.entry == entry => running_ui(ui, running, commands),
        _ if fetching.asked.is_some_and(|kind| kind.entry == entry) => asking_ui(ui, commands),
        running if is_new() => {
            let button = Button::new(t!("Download"));
            let is_wanted = ui.add_enabled(running.is_none(), button).clicked();
            if is_wanted {
                wish(commands, ModelWish::Get(chosen));
            }
        }
        _ => {}
    }
    if let Some((_, message)) = fetching.failure.as_ref().filter(|(kind, _)| kind.entry == entry) {
        ui.add(Label::new(RichText::new(message).color(palette.error)).wrap());
    }
}

/// A form in which a model is here, or is to be, and what can be done with it.
fn form_ui(ui: &mut Ui, kind: Kind, controls: impl FnOnce(&mut Ui)) {
    ui.horizontal_wrapped(|ui| {
        ui.label(kind.format.map_or_else(|| t!("As published"), formats::name));
        controls(ui);
    });
}

fn asking_ui(ui: &mut Ui, commands: &Sender<Command>) {
    ui.label(t!("Read the licence at the link above. Do you accept it?"));
    ui.horizontal(|ui| {
        if ui.button(t!("Accept and download")).clicked() {
            wish(commands, ModelWish::Accept);
        }
        if ui.button(t!("Not now")).clicked() {
            wish(commands, ModelWish::Decline);
        }
    });
}

fn running_ui(ui: &mut Ui, running: &Running, commands: &Sender<Command>) {
    ui.add(ProgressBar::new(running.progress.share()).text(words(&running.progress)));
    ui.add_enabled_ui(!running.is_stopping, |ui| {
        ui.horizontal(|ui| {
            if ui.button(t!("Pause")).on_hover_text(t!("What has come stays")).clicked() {
                wish(commands, ModelWish::Pause);
            }
            if ui.button(t!("Cancel")).on_hover_text(t!("What has come is deleted")).clicked() {
                wish(commands, ModelWish::Cancel);
            }
        });
    });
}

/// How far it is, and how long it takes.
fn words(progress: &Progress) -> String {
    if progress.of == 0 {
        return t!("Asking the hub…").into();
    }
    let (here, of, rate) = (bytes(progress.bytes), bytes(progress.of), bytes(progress.rate as u64));
    match progress.stage {
        Stage::Fetching => {}
        Stage::Checking => return t!("Comparing what came with the hub's hashes…").into(),
        Stage::Converting => return t!("%{here} of %{of}; converting…", here = here, of = of).into(),
    }
    let so_far = t!("%{here} of %{of}, %{rate}/s", here = here, of = of, rate = rate);
    match progress.left() {
        Some(left) => {
            let minutes = left.as_secs().div_ceil(60);
            format!("{so_far}; {}", t!("%{minutes} min left", minutes = minutes))
        }
        None => so_far.into(),
    }
}

#[cfg(test)]
mod tests {
    use egui_kittest::kittest::Queryable;
    use engine::Format;

    use super::*;
    use crate::event::Event;
    use crate::models::models;
    use crate::state::ModelReport;
    use crate::views::tests::{ms, ready, shown};

    fn with(presence: Presence) -> State {
        let mut state = ready();
        state.shows_settings = true;
        state.handle(Command::Models(ModelWish::Show(true)), ms(0));
        state.apply(Event::Models(ModelReport::Offers(offers(presence))), ms(0));
        state
    }

    fn kind(format: Option<Format>) -> Kind {
        Kind { entry: &models()[1], format }
    }

    /// Of which the one in eight bits is here or not.
    fn offers(presence: Presence) -> Vec<(Kind, Presence)> {
        vec![
            (kind(None), Presence::Absent),
            (kind(Some(Format::Q8_0)), presence),
            (kind(Some(Format::Q4)), Presence::Absent),
        ]
    }

    #[test]
    fn a_model_is_fetched_after_its_licence_paused_and_used() {
        let (mut harness, commands) = shown(with(Presence::Absent));
        harness.run_steps(3);
        let mut click = |label: &str, expected: ModelWish| {
            harness.get_by_label(label).click_accesskit();
            harness.run_steps(2);
            let sent: Vec<_> = commands.try_iter().collect();
            assert!(matches!(sent[..], [Command::Models(wish)] if wish == expected), "{label}: {sent:?}");
            harness.state_mut().handle(Command::Models(expected), ms(1));
            harness.run_steps(2);
        };
        click("Four bits (q4)", ModelWish::Choose(Format::Q4));
        click("Eight bits (q8_0)", ModelWish::Choose(Format::Q8_0));
        click("How fast would they be here?", ModelWish::Measure);
        click("Download", ModelWish::Get(kind(Some(Format::Q8_0))));
        click("Accept and download", ModelWish::Accept);
        click("Pause", ModelWish::Pause);
        harness.state_mut().apply(Event::Models(ModelReport::Ended(Ok(()))), ms(2));
        let here = Presence::Here("large".into());
        harness.state_mut().apply(Event::Models(ModelReport::Offers(offers(here))), ms(2));
        harness.run_steps(2);
        harness.get_by_label("Use it").click_accesskit();
        harness.run_steps(2);
        let sent: Vec<_> = commands.try_iter().collect();
        assert!(matches!(&sent[..], [Command::Open(folder)] if folder.ends_with("large")), "{sent:?}");
    }

    #[test]
    fn the_bar_says_how_far_it_is() {
        let progress =
            Progress { bytes: 7_000_000_000, of: 70_000_000_000, rate: 1e8, ..Progress::default() };
        assert_eq!(words(&progress), "7.0 GB of 70.0 GB, 100.0 MB/s; 11 min left");
        let converting = Progress { stage: Stage::Converting, converted: Some(0), ..progress };
        assert_eq!(words(&converting), "7.0 GB of 70.0 GB; converting…");
        assert_eq!(converting.share(), 0.05);
        assert_eq!(words(&Progress::default()), "Asking the hub…");
    }
}

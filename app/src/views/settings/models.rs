//! Larger models: what they can do, their licence, and fetching them.

use crossbeam_channel::Sender;
use eframe::egui::{Button, Label, ProgressBar, RichText, Ui};

use super::note_ui;
use crate::command::Command;
use crate::language::t;
use crate::models::{Entry, Presence, Progress, bytes};
use crate::state::{ModelWish, Running, State};
use crate::views::{send, theme};

/// The button that shows them, and each of them.
pub(super) fn models_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    let fetching = &state.fetching;
    let button = Button::new(t!("Get the large model…")).selected(fetching.shown);
    if ui.add(button).on_hover_text(t!("Models that can be downloaded from the Hugging Face hub")).clicked() {
        wish(commands, ModelWish::Show(!fetching.shown));
    }
    if !fetching.shown {
        return;
    }
    for (entry, presence) in &fetching.offers {
        ui.add_space(theme::space::TIGHT);
        entry_ui(ui, state, entry, presence, commands);
    }
    note_ui(ui, &t!("A network is used only for this, and only while a model is on its way."));
}

fn wish(commands: &Sender<Command>, wish: ModelWish) {
    send(commands, Command::Models(wish));
}

fn entry_ui(
    ui: &mut Ui,
    state: &State,
    entry: &'static Entry,
    presence: &Presence,
    commands: &Sender<Command>,
) {
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
    match (&fetching.running, presence) {
        (Some(running), _) if running.name == entry.name => running_ui(ui, running, commands),
        (_, Presence::Here(folder) | Presence::Cached(folder)) => {
            let text = if state.uses(folder) { t!("In use") } else { t!("Use it") };
            if ui.add_enabled(!state.uses(folder), Button::new(text)).clicked() {
                send(commands, Command::Open(folder.clone()));
            }
        }
        _ if fetching.asked == Some(entry.name.as_str()) => asking_ui(ui, commands),
        (running, presence) => {
            ui.horizontal(|ui| {
                let begun = matches!(presence, Presence::Partly { .. });
                let text = if begun { t!("Go on with the download") } else { t!("Download") };
                if ui.add_enabled(running.is_none(), Button::new(text)).clicked() {
                    wish(commands, ModelWish::Get(&entry.name));
                }
                if begun && ui.button(t!("Delete what has come")).clicked() {
                    wish(commands, ModelWish::Remove(&entry.name));
                }
            });
        }
    }
    if let Some((_, message)) = fetching.failure.as_ref().filter(|(name, _)| *name == entry.name) {
        ui.add(Label::new(RichText::new(message).color(palette.error)).wrap());
    }
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
    let Progress { bytes: here, of, .. } = running.progress;
    let share = if of > 0 { here as f32 / of as f32 } else { 0.0 };
    ui.add(ProgressBar::new(share).text(words(&running.progress)));
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
    if progress.is_checking {
        return t!("Comparing what came with the hub's hashes…").into();
    }
    let (here, of, rate) = (bytes(progress.bytes), bytes(progress.of), bytes(progress.rate as u64));
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

    use super::*;
    use crate::event::Event;
    use crate::models::models;
    use crate::state::ModelReport;
    use crate::views::tests::{ms, ready, shown};

    fn with(presence: Presence) -> State {
        let mut state = ready();
        state.shows_settings = true;
        state.handle(Command::Models(ModelWish::Show(true)), ms(0));
        let offers = vec![(&models()[1], presence)];
        state.apply(Event::Models(ModelReport::Offers(offers)), ms(0));
        state
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
        click("Download", ModelWish::Get(&models()[1].name));
        click("Accept and download", ModelWish::Accept);
        click("Pause", ModelWish::Pause);
        harness.state_mut().apply(Event::Models(ModelReport::Ended(Ok(()))), ms(2));
        let here = Presence::Here("large".into());
        harness.state_mut().apply(Event::Models(ModelReport::Offers(vec![(&models()[1], here)])), ms(2));
        harness.run_steps(2);
        harness.get_by_label("Use it").click_accesskit();
        harness.run_steps(2);
        let sent: Vec<_> = commands.try_iter().collect();
        assert!(matches!(&sent[..], [Command::Open(folder)] if folder.ends_with("large")), "{sent:?}");
    }

    #[test]
    fn the_bar_says_how_far_it_is() {
        let progress = Progress { bytes: 7_000_000_000, of: 70_000_000_000, rate: 1e8, is_checking: false };
        assert_eq!(words(&progress), "7.0 GB of 70.0 GB, 100.0 MB/s; 11 min left");
        assert_eq!(words(&Progress::default()), "Asking the hub…");
    }
}

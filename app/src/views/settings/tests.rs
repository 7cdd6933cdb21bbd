use crossbeam_channel::Receiver;
use eframe::egui::accesskit::Role;
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use std::path::Path;

use super::*;
use crate::preferences::{self, DeviceOption, Theme};
use crate::state::{Action, Keep};
use crate::views::tests::{ms, ready, shown};
use eframe::egui::Modifiers;

fn open() -> State {
    let mut state = ready();
    state.handle(Command::ShowSettings(true), ms(0));
    state
}

/// Clicks what has this label and gives the one command that follows.
fn click(harness: &mut Harness<'static, State>, commands: &Receiver<Command>, label: &str) -> Command {
    harness.get_by_label(label).click();
    harness.run_steps(3);
    let sent: Vec<_> = commands.try_iter().collect();
    let [command] = &sent[..] else { panic!("{label}: {sent:?}") };
    command.clone()
}

/// Does what a command says, with the file at `path` written as the keeper does.
fn follow(harness: &mut Harness<'static, State>, command: Command, path: &Path) -> Vec<Action> {
    let actions = harness.state_mut().handle(command, ms(1));
    for action in &actions {
        match action {
            Action::Keep(Keep::Preferences(preferences)) => preferences::write(path, preferences).unwrap(),
            Action::Look(look) => theme::dress(&harness.ctx, look),
            _ => {}
        }
    }
    harness.run_steps(3);
    actions
}

/// The page in a window that is high enough for all of it.
fn page(state: State) -> (Harness<'static, State>, Receiver<Command>) {
    let (mut harness, commands) = shown(state);
    harness.set_size(vec2(800.0, 2600.0));
    harness.run_steps(2);
    (harness, commands)
}

#[test]
fn a_theme_is_chosen_at_once_and_stored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    let (mut harness, commands) = page(open());
    for (theme, label, is_dark) in [(Theme::Dark, "Dark", true), (Theme::Light, "Light", false)] {
        harness.get_by_label("Theme").click();
        harness.run_steps(2);
        let command = click(&mut harness, &commands, label);
        let actions = follow(&mut harness, command, &path);
        assert!(matches!(actions[..], [Action::Keep(_), Action::Look(_)]), "{actions:?}");
        assert_eq!(harness.state().preferences.look.theme, theme);
        assert_eq!(preferences::read(&path).0, harness.state().preferences);
        assert_eq!(harness.ctx.global_style().visuals.dark_mode, is_dark);
    }
}

#[test]
fn the_size_of_the_text_is_chosen_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut state = open();
    state.preferences.look.text_size = 1.0;
    let (mut harness, _commands) = page(state);
    let mut larger = harness.state().preferences.clone();
    larger.look.text_size = 1.5;
    follow(&mut harness, Command::Prefer(Box::new(larger)), &folder.path().join("settings.toml"));
    assert_eq!(harness.ctx.zoom_factor(), 1.5);
}

#[test]
fn a_language_is_chosen_by_its_own_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    let (mut harness, commands) = page(open());
    harness.get_by_label("Language").click();
    harness.run_steps(2);
    let command = click(&mut harness, &commands, "Deutsch");
    let actions = follow(&mut harness, command, &path);
    let [Action::Keep(_), Action::Look(look)] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(look.language.as_deref(), Some("de"));
    assert_eq!(preferences::read(&path).0.look.language.as_deref(), Some("de"));
}

#[test]
fn another_device_waits_for_a_reload_which_a_button_offers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    let (mut harness, commands) = page(open());
    assert!(harness.query_by_label("Load it now").is_none());
    harness.get_by_label("Runs on").click();
    harness.run_steps(2);
    let command = click(&mut harness, &commands, "Processor");
    let actions = follow(&mut harness, command, &path);
    assert!(matches!(actions[..], [Action::Keep(_)]), "{actions:?}");
    assert_eq!(preferences::read(&path).0.model.device, DeviceOption::Cpu);
    let command = click(&mut harness, &commands, "Load it now");
    let actions = follow(&mut harness, command, &path);
    let [Action::Place { placing, .. }] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(placing.device, DeviceOption::Cpu);
    assert!(harness.query_by_label("Load it now").is_none());
}

#[test]
fn speech_voice_and_sampling_reach_the_engine() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    let (mut harness, commands) = page(open());
    let command = click(&mut harness, &commands, "Speak the answers");
    let actions = follow(&mut harness, command, &path);
    let [Action::Keep(_), Action::Settings(settings)] = &actions[..] else { panic!("{actions:?}") };
    assert!(!settings.speech);
    let command = click(&mut harness, &commands, "Choose words as the model recommends");
    let actions = follow(&mut harness, command, &path);
    let [Action::Keep(_), Action::Settings(settings)] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(settings.text_sampling.unwrap().top_k, 20);
    assert!(!settings.speech, "what was chosen before stays");
    harness.get_by_role_and_label(Role::Slider, "Temperature");
    harness.get_by_label("Top k");
    harness.get_by_role_and_label(Role::Slider, "Top p");
    assert_eq!(preferences::read(&path).0, harness.state().preferences);
}

#[test]
fn a_preset_fills_the_instructions_and_own_words_are_typed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    let (mut harness, commands) = page(open());
    harness.get_by_label("Instructions").click();
    harness.run_steps(2);
    let command = click(&mut harness, &commands, "Brief");
    follow(&mut harness, command, &path);
    assert_eq!(harness.state().settings.system.as_deref(), Some("Answer in one or two short sentences."));
    harness.get_by_label("Text of the instructions").focus();
    harness.run_steps(2);
    harness.get_by_label("Text of the instructions").type_text(" In rhyme.");
    harness.run_steps(2);
    let typed = commands.try_iter().last().unwrap();
    follow(&mut harness, typed, &path);
    let stored = preferences::read(&path).0.answer.system.unwrap();
    assert!(stored.contains("In rhyme.") && stored.contains("short sentences"), "{stored}");
}

#[test]
fn keys_and_buttons_open_and_close_the_page() {
    let (mut harness, commands) = shown(ready());
    harness.run_steps(2);
    let command = click(&mut harness, &commands, "Settings");
    assert!(matches!(command, Command::ShowSettings(true)));
    harness.state_mut().handle(Command::ShowSettings(true), ms(0));
    harness.run_steps(2);
    harness.check_accessibility();
    harness.key_press(Key::Escape);
    harness.run_steps(2);
    let sent: Vec<_> = commands.try_iter().collect();
    assert!(matches!(sent[..], [Command::ShowSettings(false)]), "{sent:?}");
    let command = click(&mut harness, &commands, "Done");
    assert!(matches!(command, Command::ShowSettings(false)));
}

#[test]
fn what_the_command_line_gave_is_said() {
    let mut state = open();
    state.given = vec!["--device"];
    let (harness, _commands) = page(state);
    harness.get_by_label("The command line wins over these settings: --device.");
}

#[test]
fn what_is_kept_and_when_memory_is_given_back_is_chosen() {
    let mut state = open();
    state.handle(Command::Gpus(vec!["Radeon 8060S".into(), "llvmpipe".into()]), ms(0));
    let (mut harness, commands) = page(state);
    assert!(harness.query_by_label("Delete all recordings").is_none());
    let Command::Prefer(preferences) = click(&mut harness, &commands, "Keep recordings of what is said too")
    else {
        panic!()
    };
    assert!(preferences.keeping.recordings && preferences.keeping.recording_days == Some(30));
    harness.state_mut().handle(Command::Prefer(preferences), ms(1));
    harness.run_steps(3);
    let command = click(&mut harness, &commands, "Delete all recordings");
    let actions = harness.state_mut().handle(command, ms(1));
    assert!(matches!(actions[..], [Action::Keep(Keep::DeleteSounds)]), "{actions:?}");

    let Command::Prefer(preferences) =
        click(&mut harness, &commands, "Give the model's memory back when it is not used")
    else {
        panic!()
    };
    let actions = harness.state_mut().handle(Command::Prefer(preferences), ms(1));
    assert!(
        matches!(actions[..], [Action::Keep(_), Action::FreeAfter(Some(time))] if time.as_secs() == 15 * 60),
        "{actions:?}"
    );
    harness.get_by_label("Graphics processor").click();
    harness.run_steps(3);
    let Command::Prefer(preferences) = click(&mut harness, &commands, "Radeon 8060S") else { panic!() };
    assert_eq!(preferences.model.gpu.as_deref(), Some("Radeon 8060S"));
    harness.state_mut().handle(Command::Prefer(preferences), ms(1));
    assert!(harness.state().needs_reload());
}

/// Shows the section of the keys and clicks what stands beside this name.
fn record(harness: &mut Harness<'static, State>, deed: &str) {
    harness.get_by_role_and_label(Role::Button, deed).click();
    harness.run_steps(2);
    harness.get_by_role_and_label(Role::Button, deed);
    assert!(crate::views::is_recording_key(&harness.ctx));
}

#[test]
fn a_key_is_recorded_refused_and_reset() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    let (mut harness, commands) = page(open());
    harness.run_steps(2);
    // Another key for talking.
    record(&mut harness, "Talk");
    harness.key_press(Key::F5);
    harness.run_steps(3);
    let command = commands.try_iter().last().unwrap();
    let actions = follow(&mut harness, command, &path);
    assert!(matches!(actions[..], [Action::Keep(_)]), "{actions:?}");
    assert!(!crate::views::is_recording_key(&harness.ctx));
    assert_eq!(preferences::read(&path).0.keys.of(Deed::Talk).unwrap().to_string(), "F5");
    // One that is taken stays where it is.
    record(&mut harness, "Conversation list");
    harness.key_press_modifiers(Modifiers::COMMAND, Key::N);
    harness.run_steps(3);
    harness.get_by_label("Ctrl+N is taken: New conversation.");
    assert!(commands.is_empty());
    // Escape leaves all as it is, and the page open.
    record(&mut harness, "Conversation list");
    harness.key_press(Key::Escape);
    harness.run_steps(3);
    assert!(commands.is_empty() && !crate::views::is_recording_key(&harness.ctx));
    // The key for everywhere is taken at once.
    record(&mut harness, "Talk, from anywhere");
    harness.key_press(Key::F9);
    harness.run_steps(3);
    let command = commands.try_iter().last().unwrap();
    let actions = follow(&mut harness, command, &path);
    assert!(matches!(actions[..], [Action::Keep(_), Action::TalkKey(Some(_))]), "{actions:?}");
    harness.state_mut().handle(Command::NoTalkKey("It is taken.".into()), ms(1));
    harness.run_steps(2);
    harness.get_by_label("colloquy remote toggle");
    harness.get_all_by_label("Reset").next().unwrap().click();
    harness.run_steps(3);
    let command = commands.try_iter().last().unwrap();
    follow(&mut harness, command, &path);
    assert_eq!(preferences::read(&path).0.keys.of(Deed::Talk).unwrap().to_string(), "Space");
    harness.check_accessibility();
}

//! Microphone, speaker and volume, each with a test. Works at once.

use crossbeam_channel::Sender;
use eframe::egui::{Button, ComboBox, Rangef, Response, Slider, Ui};

use super::{note_ui, row_ui};
use crate::command::Command;
use crate::language::t;
use crate::preferences::{Sound, VOLUMES};
use crate::state::{Device, SoundWish, State, Trial};
use crate::views::{meter, send, theme};

/// Widths of the device boxes, and room for the button behind them.
const BOX_WIDTHS: Rangef = Rangef { min: 120.0, max: 320.0 };
const BUTTON_WIDTH: f32 = 220.0;

/// The section.
pub(super) fn sound_ui(ui: &mut Ui, state: &State, sound: &mut Sound, commands: &Sender<Command>) {
    let devices = &state.sounding.devices;
    let trial = state.sounding.trial;
    row_ui(ui, &t!("Microphone"), |ui| {
        let chosen = device_ui(ui, "microphone", &mut sound.microphone, &devices.microphones);
        if trial == Some(Trial::Microphone) {
            wish_ui(ui, state, &t!("Stop the test"), SoundWish::EndTrial, commands);
        } else {
            let wish = SoundWish::Try(Trial::Microphone);
            wish_ui(ui, state, &t!("Test the microphone"), wish, commands);
        }
        chosen
    });
    if trial == Some(Trial::Microphone) {
        let color = theme::palette(ui).listening;
        meter::level_ui(ui, state.level.get(), true, &t!("Level of the tested microphone"), color);
        note_ui(ui, &t!("Say something: the bars grow with your voice. Nothing is kept."));
    }
    row_ui(ui, &t!("Speaker"), |ui| {
        let chosen = device_ui(ui, "speaker", &mut sound.speaker, &devices.speakers);
        wish_ui(ui, state, &t!("Test the speaker"), SoundWish::Try(Trial::Speaker), commands);
        chosen
    });
    row_ui(ui, &t!("Volume"), |ui| ui.add(Slider::new(&mut sound.volume, VOLUMES).step_by(5.0).suffix(" %")));
    wish_ui(ui, state, &t!("Look for devices again"), SoundWish::List, commands);
}

/// A choice of devices; one that is not there can still be seen to be chosen.
fn device_ui(ui: &mut Ui, salt: &str, chosen: &mut Option<String>, devices: &[Device]) -> Response {
    let desktops = t!("As the desktop");
    let shown = match chosen.as_deref() {
        None => desktops.to_string(),
        Some(id) => devices.iter().find(|device| device.id == id).map_or_else(
            || t!("%{name} (not there)", name = id.split_once(':').map_or(id, |(_, name)| name)).into(),
            |device| device.name.clone(),
        ),
    };
    let width = (ui.available_width() - BUTTON_WIDTH).clamp(BOX_WIDTHS.min, BOX_WIDTHS.max);
    let combo = ComboBox::from_id_salt(salt).width(width).truncate().selected_text(shown);
    let shown = combo.show_ui(ui, |ui| {
        ui.selectable_value(chosen, None, desktops.as_ref());
        for device in devices {
            ui.selectable_value(chosen, Some(device.id.clone()), &device.name);
        }
    });
    shown.response
}

fn wish_ui(ui: &mut Ui, state: &State, label: &str, wish: SoundWish, commands: &Sender<Command>) {
    let can = !matches!(wish, SoundWish::Try(_)) || state.can_try();
    if ui.add_enabled(can, Button::new(label)).clicked() {
        send(commands, Command::Sound(wish));
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::{Receiver, unbounded};
    use eframe::egui::accesskit::Role;
    use egui_kittest::Harness;
    use egui_kittest::kittest::Queryable;

    use super::*;
    use crate::audio::{Devices, Report};
    use crate::event::Event;
    use crate::preferences::Look;
    use crate::views::tests::{ms, ready};

    fn device(id: &str, name: &str) -> Device {
        Device { id: id.into(), name: name.into() }
    }

    fn listed() -> State {
        let mut state = ready();
        let devices = Devices {
            microphones: vec![device("pulseaudio:usb", "USB Microphone")],
            speakers: vec![device("pulseaudio:hdmi", "HDMI"), device("pulseaudio:desk", "Desk Speakers")],
        };
        state.apply(Event::Sound(Report::Listed(devices)), ms(0));
        state
    }

    /// The section alone; what is chosen is taken over at once.
    fn section(state: State) -> (Harness<'static, State>, Receiver<Command>) {
        let (sender, commands) = unbounded();
        let draw = move |ui: &mut Ui, state: &mut State| {
            let mut sound = state.preferences.sound.clone();
            sound_ui(ui, state, &mut sound, &sender);
            state.preferences.sound = sound;
        };
        let dressed =
            Harness::builder().with_context_setup(|context| theme::dress(context, &Look::default()));
        let mut harness = dressed.build_ui_state(draw, state);
        harness.run_steps(2);
        (harness, commands)
    }

    fn click(harness: &mut Harness<'static, State>, label: &str) {
        harness.get_by_label(label).click();
        harness.run_steps(3);
    }

    #[test]
    fn devices_are_chosen_by_name_and_kept_by_id() {
        let (mut harness, _commands) = section(listed());
        click(&mut harness, "Speaker");
        click(&mut harness, "Desk Speakers");
        assert_eq!(harness.state().preferences.sound.speaker.as_deref(), Some("pulseaudio:desk"));
        assert_eq!(harness.state().preferences.sound.microphone, None);
        click(&mut harness, "Speaker");
        click(&mut harness, "As the desktop");
        assert_eq!(harness.state().preferences.sound, Sound::default());
        harness.get_by_role_and_label(Role::Slider, "Volume");
        harness.check_accessibility();
    }

    #[test]
    fn a_device_that_is_not_there_stays_chosen() {
        let mut state = listed();
        state.preferences.sound.microphone = Some("pulseaudio:headset".into());
        let (harness, _commands) = section(state);
        harness.get_by_value("headset (not there)");
        assert_eq!(harness.state().preferences.sound.microphone.as_deref(), Some("pulseaudio:headset"));
    }

    #[test]
    fn a_test_shows_its_meter_until_it_ends() {
        let (mut harness, commands) = section(listed());
        assert!(harness.query_by_role(Role::Meter).is_none());
        click(&mut harness, "Test the microphone");
        assert!(matches!(commands.try_recv(), Ok(Command::Sound(SoundWish::Try(Trial::Microphone)))));
        harness.state_mut().apply(Event::Sound(Report::Trying(Some(Trial::Microphone))), ms(0));
        harness.run_steps(2);
        harness.get_by_role_and_label(Role::Meter, "Level of the tested microphone");
        click(&mut harness, "Stop the test");
        assert!(matches!(commands.try_recv(), Ok(Command::Sound(SoundWish::EndTrial))));
        harness.state_mut().apply(Event::Sound(Report::Trying(None)), ms(0));
        harness.run_steps(2);
        click(&mut harness, "Test the speaker");
        assert!(matches!(commands.try_recv(), Ok(Command::Sound(SoundWish::Try(Trial::Speaker)))));
        click(&mut harness, "Look for devices again");
        assert!(matches!(commands.try_recv(), Ok(Command::Sound(SoundWish::List))));
    }

    #[test]
    fn no_device_is_tested_while_a_turn_uses_it() {
        let mut state = listed();
        state.handle(Command::Press, ms(0));
        let (mut harness, commands) = section(state);
        click(&mut harness, "Test the microphone");
        click(&mut harness, "Test the speaker");
        assert!(commands.is_empty());
    }
}

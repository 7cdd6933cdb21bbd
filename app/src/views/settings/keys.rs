//! Which keys do what. Works at once.

use eframe::egui::{Button, Context, Event, Id, Key, RichText, Ui};

use super::{note_ui, row_ui};
use crate::language::t;
use crate::preferences::{Chord, Conflict, Deed, Keys};
use crate::state::State;
use crate::views::theme;

/// What the page remembers.
#[derive(Clone, Default)]
struct Recorder {
    /// The next key is for this.
    deed: Option<Deed>,
    /// Why the last key was not taken.
    refusal: Option<String>,
}

fn id() -> Id {
    Id::unique("key being recorded")
}

/// Whether the next key that is pressed is to be chosen, and does nothing else.
pub(in crate::views) fn is_recording(context: &Context) -> bool {
    context.data(|data| data.get_temp::<Recorder>(id())).is_some_and(|recorder| recorder.deed.is_some())
}

/// Forgets what was begun.
pub(super) fn stop(ui: &Ui) {
    ui.data_mut(|data| data.remove_temp::<Recorder>(id()));
}

/// The section.
pub(super) fn keys_ui(ui: &mut Ui, state: &State, keys: &mut Keys) {
    let mut recorder: Recorder = ui.data_mut(|data| data.get_temp(id())).unwrap_or_default();
    if let Some(deed) = recorder.deed
        && let Some(pressed) = pressed(ui)
    {
        recorder.deed = None;
        // Escape is the key that leaves, except where it can be meant.
        if pressed != Chord::of(Key::Escape, Default::default()) || deed == Deed::Cancel {
            recorder.refusal = keys.set(deed, pressed).err().map(|why| told(pressed, why));
        }
    }
    for deed in Deed::ALL {
        row_ui(ui, &name(deed), |ui| {
            let chord = keys.of(deed);
            let recorded = recorder.deed == Some(deed);
            let text = match chord {
                _ if recorded => t!("Press a key…").into(),
                Some(chord) => chord.to_string(),
                None => t!("None").into(),
            };
            let button = ui.add(Button::new(text).selected(recorded));
            if button.clicked() {
                recorder = Recorder { deed: (!recorded).then_some(deed), refusal: None };
            }
            if chord != Keys::default().of(deed) && ui.button(t!("Reset")).clicked() {
                let refused = keys.reset(deed).err().zip(Keys::default().of(deed));
                recorder = Recorder { deed: None, refusal: refused.map(|(why, first)| told(first, why)) };
            }
            button.on_hover_text(t!("Click, then press the new key; Escape leaves it as it is"))
        });
    }
    if let Some(refusal) = &recorder.refusal {
        let palette = theme::palette(ui);
        ui.label(RichText::new(refusal).color(palette.error));
    }
    if let Some(why) = &state.no_talk_key {
        note_ui(ui, why);
        note_ui(ui, &t!("These lines can be bound to keys in the desktop's own settings:"));
        for word in ["toggle", "start", "stop", "cancel"] {
            ui.monospace(format!("colloquy remote {word}"));
        }
    }
    ui.data_mut(|data| data.insert_temp(id(), recorder));
}

/// The key that was pressed, which no control sees.
fn pressed(ui: &Ui) -> Option<Chord> {
    let mut pressed = None;
    ui.input_mut(|input| {
        input.events.retain(|event| match event {
            Event::Key { key, pressed: true, modifiers, .. } => {
                pressed.get_or_insert(Chord::of(*key, *modifiers));
                false
            }
            Event::Text(_) => false,
            _ => true,
        });
    });
    pressed
}

fn told(chord: Chord, why: Conflict) -> String {
    match why {
        Conflict::Taken(deed) => t!("%{key} is taken: %{deed}.", key = chord, deed = name(deed)),
        Conflict::Typing => t!("%{key} is needed for typing. Add Ctrl or Alt.", key = chord),
        Conflict::Moving => t!("%{key} moves between the controls. Choose another key.", key = chord),
        Conflict::Unknown => t!("%{key} cannot work everywhere. Choose another key.", key = chord),
    }
    .into()
}

fn name(deed: Deed) -> String {
    match deed {
        Deed::Talk => t!("Talk"),
        Deed::TalkAnywhere => t!("Talk, from anywhere"),
        Deed::Cancel => t!("Cancel"),
        Deed::NewConversation => t!("New conversation"),
        Deed::Settings => t!("Settings page"),
        Deed::History => t!("Conversation list"),
    }
    .into()
}

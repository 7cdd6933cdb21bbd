//! What the keyboard does before any widget has it: the talk key, and keys that work wherever the focus is.

use eframe::egui::{Context, Event, Key, RawInput};

use super::Window;
use crate::command::Command;
use crate::preferences::{Chord, Deed, Keys};
use crate::views;

/// What is remembered from one event to the next.
#[derive(Default)]
pub(super) struct Held {
    /// The talk key is down and was taken.
    talk: bool,
    /// The talk key types something, which comes next.
    types: bool,
}

/// What goes on when a key is pressed.
#[derive(Clone, Copy, Debug, Default)]
struct Moment {
    /// The talk key is not for talking just now: text is typed, or controls are worked with it.
    is_typing: bool,
    /// Something has the focus.
    has_focus: bool,
    /// There is something to cancel.
    can_cancel: bool,
    /// It records hands-free.
    is_locked: bool,
    /// The settings are shown.
    shows_settings: bool,
    /// The list of conversations is shown.
    shows_history: bool,
}

impl Window {
    /// Takes the program's own keys out of `raw_input`.
    pub(super) fn take_keys(&mut self, context: &Context, raw_input: &mut RawInput) {
        // A key that is pressed to be chosen does nothing else.
        if views::is_recording_key(context) {
            return;
        }
        let moment = Moment {
            // On the settings' page the talk key works the control that has the keyboard.
            is_typing: self.state.shows_settings || context.text_edit_focused(),
            has_focus: context.memory(|memory| memory.focused()).is_some(),
            can_cancel: self.state.is_answering()
                || self.state.is_holding()
                || self.state.has_waiting()
                || self.state.turn.ear.is_wanted(),
            is_locked: self.state.turn.stage.is_locked(),
            shows_settings: self.state.shows_settings,
            shows_history: self.state.history.shown,
        };
        let mut wishes = vec![];
        let (keys, held) = (&self.state.preferences.keys, &mut self.held);
        raw_input.events.retain(|event| take(event, keys, held, moment, &mut wishes));
        for wish in wishes {
            self.wish(wish);
        }
    }

    /// No key is held any more.
    pub(super) fn let_go(&mut self) {
        self.held = Held::default();
    }
}

/// Whether the widgets are to have this event too; what it asks for comes into `wishes`.
fn take(event: &Event, keys: &Keys, held: &mut Held, moment: Moment, wishes: &mut Vec<Command>) -> bool {
    let types = std::mem::take(&mut held.types);
    let (key, pressed, repeat, chord) = match event {
        Event::Key { key, pressed, repeat, modifiers, .. } => {
            (*key, *pressed, *repeat, Chord::of(*key, *modifiers))
        }
        Event::Text(_) if types => return false,
        // Other ways to talk do not need the window's keyboard.
        Event::WindowFocused(false) => {
            if std::mem::take(&mut held.talk) {
                wishes.push(Command::Leave);
            }
            return true;
        }
        _ => return true,
    };
    let is = |deed| keys.of(deed) == Some(chord);
    if pressed && is(Deed::Talk) && !moment.is_typing {
        if !std::mem::replace(&mut held.talk, true) {
            wishes.push(Command::Press);
        }
        held.types = true;
        return false;
    }
    if !pressed && held.talk && keys.of(Deed::Talk).map(Chord::key) == Some(key) {
        held.talk = false;
        wishes.push(Command::Release);
        return false;
    }
    if is(Deed::Cancel) && moment.can_cancel {
        if pressed {
            wishes.push(Command::Stop);
        }
        return false;
    }
    // Enter on a button is the button's; the text field sends by itself.
    if key == Key::Enter && moment.is_locked && !moment.has_focus {
        if pressed {
            wishes.push(Command::Submit);
        }
        return false;
    }
    let wish = if is(Deed::NewConversation) {
        Command::NewConversation
    } else if is(Deed::Settings) {
        Command::ShowSettings(!moment.shows_settings)
    } else if is(Deed::History) {
        Command::ShowHistory(!moment.shows_history)
    } else {
        return true;
    };
    if pressed && !repeat {
        wishes.push(wish);
    }
    false
}

#[cfg(test)]
mod tests {
    use eframe::egui::Modifiers;

    use super::*;

    fn key(chord: Chord, pressed: bool) -> Event {
        let written = chord.to_string();
        let mut modifiers = Modifiers::NONE;
        if written.contains("Ctrl+") {
            modifiers |= Modifiers::COMMAND | Modifiers::CTRL;
        }
        Event::Key { key: chord.key(), physical_key: None, pressed, repeat: false, modifiers }
    }

    /// What these events come to: what is asked for, and how many the widgets get.
    fn after(keys: &Keys, events: &[Event], moment: Moment) -> (String, usize) {
        let (mut held, mut wishes) = (Held::default(), vec![]);
        let left = events.iter().filter(|event| take(event, keys, &mut held, moment, &mut wishes)).count();
        (format!("{wishes:?}"), left)
    }

    #[test]
    fn the_talk_key_is_pressed_once_and_types_nothing() {
        let (mut keys, idle) = (Keys::default(), Moment::default());
        for text in ["Space", "F5", "T"] {
            let talk: Chord = text.parse().unwrap();
            keys.set(Deed::Talk, talk).unwrap();
            let typed = Event::Text("t".into());
            let events =
                [key(talk, true), typed.clone(), key(talk, true), typed.clone(), key(talk, false), typed];
            assert_eq!(after(&keys, &events, idle), ("[Press, Release]".into(), 1), "{text}");
            let typing = Moment { is_typing: true, ..idle };
            assert_eq!(after(&keys, &events, typing), ("[]".into(), 6), "{text}");
            let left = [key(talk, true), Event::WindowFocused(false), key(talk, false)];
            assert_eq!(after(&keys, &left, idle).0, "[Press, Leave]", "{text}");
        }
    }

    #[test]
    fn each_key_does_its_deed_where_it_can() {
        let (keys, idle) = (Keys::default(), Moment::default());
        let pressed = |deed| [key(keys.of(deed).unwrap(), true), key(keys.of(deed).unwrap(), false)];
        for (deed, moment, wishes, left) in [
            (Deed::Cancel, idle, "[]", 2),
            (Deed::Cancel, Moment { can_cancel: true, ..idle }, "[Stop]", 0),
            (Deed::NewConversation, Moment { is_typing: true, ..idle }, "[NewConversation]", 0),
            (Deed::Settings, idle, "[ShowSettings(true)]", 0),
            (Deed::Settings, Moment { shows_settings: true, ..idle }, "[ShowSettings(false)]", 0),
            (Deed::History, idle, "[ShowHistory(true)]", 0),
            (Deed::History, Moment { shows_history: true, ..idle }, "[ShowHistory(false)]", 0),
        ] {
            assert_eq!(after(&keys, &pressed(deed), moment), (wishes.into(), left), "{deed:?} {moment:?}");
        }
    }

    #[test]
    fn enter_ends_a_question_that_is_spoken_hands_free() {
        let keys = Keys::default();
        let enter = [key("Enter".parse().unwrap(), true)];
        let locked = Moment { is_locked: true, ..Moment::default() };
        assert_eq!(after(&keys, &enter, locked), ("[Submit]".into(), 0));
        assert_eq!(after(&keys, &enter, Moment { has_focus: true, ..locked }), ("[]".into(), 1));
        assert_eq!(after(&keys, &enter, Moment::default()), ("[]".into(), 1));
    }
}

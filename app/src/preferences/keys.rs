//! Which keys do what: plain data, and what speaks against a key.

use std::fmt::{Display, Formatter};
use std::str::FromStr;

use eframe::egui::{Key, Modifiers};
use global_hotkey::hotkey::HotKey;
use serde::{Deserialize, Serialize};

use crate::cli::parse_talk_key;

/// A key and what is held with it, written like `Ctrl+Shift+N`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Chord {
    /// Ctrl; on a Mac the command key.
    command: bool,
    alt: bool,
    shift: bool,
    key: Key,
}

/// What a key can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Deed {
    /// Talk, while the window has the keyboard.
    Talk,
    /// Talk, wherever the keyboard is.
    TalkAnywhere,
    /// Stop the answer or forget the question.
    Cancel,
    /// Begin another conversation.
    NewConversation,
    /// Show the settings, or the conversation again.
    Settings,
    /// Show the list of conversations, or do not.
    History,
}

/// The keys.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Keys {
    talk: Chord,
    talk_anywhere: Option<Chord>,
    cancel: Chord,
    new_conversation: Chord,
    settings: Chord,
    history: Chord,
}

/// Why a key cannot do something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Conflict {
    /// It does something else already.
    Taken(Deed),
    /// It could no longer be typed or edited with.
    Typing,
    /// It moves the keyboard's focus, or works what has it.
    Moving,
    /// Desktops do not know it as a key of their own.
    Unknown,
}

impl Default for Keys {
    fn default() -> Keys {
        Keys {
            talk: Chord::plain(Key::Space),
            talk_anywhere: None,
            cancel: Chord::plain(Key::Escape),
            new_conversation: Chord::command(Key::N),
            settings: Chord::command(Key::Comma),
            history: Chord::command(Key::H),
        }
    }
}

impl Deed {
    /// All of them, in the order in which they are shown.
    pub(crate) const ALL: [Deed; 6] =
        [Deed::Talk, Deed::TalkAnywhere, Deed::Cancel, Deed::NewConversation, Deed::Settings, Deed::History];
}

impl Keys {
    /// The key for a deed.
    pub(crate) fn of(&self, deed: Deed) -> Option<Chord> {
        match deed {
            Deed::TalkAnywhere => self.talk_anywhere,
            Deed::Talk => Some(self.talk),
            Deed::Cancel => Some(self.cancel),
            Deed::NewConversation => Some(self.new_conversation),
            Deed::Settings => Some(self.settings),
            Deed::History => Some(self.history),
        }
    }

    /// Gives a deed another key.
    ///
    /// # Errors
    /// What speaks against it.
    pub(crate) fn set(&mut self, deed: Deed, chord: Chord) -> Result<(), Conflict> {
        let other = Deed::ALL.into_iter().find(|other| *other != deed && self.of(*other) == Some(chord));
        if let Some(other) = other {
            return Err(Conflict::Taken(other));
        }
        chord.suits(deed)?;
        self.put(deed, Some(chord));
        Ok(())
    }

    /// Gives a deed the key that it has at the first start.
    ///
    /// # Errors
    /// Another deed has that key now.
    pub(crate) fn reset(&mut self, deed: Deed) -> Result<(), Conflict> {
        match Keys::default().of(deed) {
            Some(chord) => self.set(deed, chord),
            None => {
                self.put(deed, None);
                Ok(())
            }
        }
    }

    fn put(&mut self, deed: Deed, chord: Option<Chord>) {
        let of_deed = match (deed, chord) {
            (Deed::TalkAnywhere, chord) => {
                self.talk_anywhere = chord;
                return;
            }
            (Deed::Talk, _) => &mut self.talk,
            (Deed::Cancel, _) => &mut self.cancel,
            (Deed::NewConversation, _) => &mut self.new_conversation,
            (Deed::Settings, _) => &mut self.settings,
            (Deed::History, _) => &mut self.history,
        };
        *of_deed = chord.unwrap_or(*of_deed);
    }
}

impl Chord {
    const fn plain(key: Key) -> Chord {
        Chord { command: false, alt: false, shift: false, key }
    }

    const fn command(key: Key) -> Chord {
        Chord { command: true, ..Chord::plain(key) }
    }

    /// What was pressed.
    pub(crate) fn of(key: Key, modifiers: Modifiers) -> Chord {
        Chord { command: modifiers.command, alt: modifiers.alt, shift: modifiers.shift, key }
    }

    /// Its key, without what is held with it.
    pub(crate) fn key(self) -> Key {
        self.key
    }

    /// As a key of the desktop.
    ///
    /// # Errors
    /// A sentence: it is none, or one that could no longer be typed with.
    pub(crate) fn hot_key(self) -> Result<HotKey, String> {
        parse_talk_key(&self.to_string())
    }

    /// Whether the key can be used for this deed.
    fn suits(self, deed: Deed) -> Result<(), Conflict> {
        let held = self.command || self.alt;
        let is_function = self.key >= Key::F1 && self.key <= Key::F35;
        if !held && MOVING.contains(&self.key) {
            return Err(Conflict::Moving);
        }
        if self.command && !self.alt && EDITING.contains(&self.key) {
            return Err(Conflict::Typing);
        }
        match deed {
            // Where text is typed it is typed; elsewhere it talks.
            Deed::Talk if self.key != Key::Escape => Ok(()),
            Deed::Cancel if self.key == Key::Escape => Ok(()),
            _ if !held && !is_function => Err(Conflict::Typing),
            Deed::TalkAnywhere => self.hot_key().map(drop).map_err(|_| Conflict::Unknown),
            _ => Ok(()),
        }
    }
}

/// Keys that move the focus, or work what has it.
const MOVING: [Key; 6] =
    [Key::Tab, Key::Enter, Key::ArrowUp, Key::ArrowDown, Key::ArrowLeft, Key::ArrowRight];

/// Keys that edit text while Ctrl is held.
const EDITING: [Key; 6] = [Key::A, Key::C, Key::V, Key::X, Key::Y, Key::Z];

impl Display for Chord {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        for (is_held, name) in [(self.command, "Ctrl+"), (self.alt, "Alt+"), (self.shift, "Shift+")] {
            if is_held {
                f.write_str(name)?;
            }
        }
        f.write_str(self.key.name())
    }
}

impl FromStr for Chord {
    type Err = String;

    fn from_str(text: &str) -> Result<Chord, String> {
        let (held, name) = text.rsplit_once('+').unwrap_or(("", text));
        let key = Key::from_name(name.trim()).ok_or_else(|| format!("{text:?} is no key"))?;
        let mut chord = Chord::plain(key);
        for modifier in held.split('+').map(str::trim).filter(|modifier| !modifier.is_empty()) {
            match modifier.to_ascii_lowercase().as_str() {
                "ctrl" | "command" => chord.command = true,
                "alt" => chord.alt = true,
                "shift" => chord.shift = true,
                _ => return Err(format!("{text:?} is no key: {modifier} is none of Ctrl, Alt, Shift")),
            }
        }
        Ok(chord)
    }
}

impl TryFrom<String> for Chord {
    type Error = String;

    fn try_from(text: String) -> Result<Chord, String> {
        text.parse()
    }
}

impl From<Chord> for String {
    fn from(chord: Chord) -> String {
        chord.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chord(text: &str) -> Chord {
        text.parse().unwrap()
    }

    #[test]
    fn every_key_can_be_written_and_read_again() {
        for key in Key::ALL {
            for modifiers in [Modifiers::NONE, Modifiers::COMMAND, Modifiers::ALT | Modifiers::SHIFT] {
                let chord = Chord::of(*key, modifiers);
                assert_eq!(chord.to_string().parse(), Ok(chord));
            }
        }
        assert_eq!(chord("ctrl + n"), Keys::default().new_conversation);
        for bad in ["", "Ctrl+", "Hyper+N", "Nokey", "N+Ctrl"] {
            assert!(bad.parse::<Chord>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_key_does_one_thing_and_leaves_typing_alone() {
        let mut keys = Keys::default();
        for (deed, text, conflict) in [
            (Deed::Talk, "Ctrl+N", Conflict::Taken(Deed::NewConversation)),
            (Deed::History, "Escape", Conflict::Taken(Deed::Cancel)),
            (Deed::Talk, "Tab", Conflict::Moving),
            (Deed::NewConversation, "N", Conflict::Typing),
            (Deed::NewConversation, "Shift+N", Conflict::Typing),
            (Deed::Settings, "Ctrl+C", Conflict::Typing),
            (Deed::TalkAnywhere, "Space", Conflict::Taken(Deed::Talk)),
            (Deed::TalkAnywhere, "T", Conflict::Typing),
            (Deed::TalkAnywhere, "Ctrl+Questionmark", Conflict::Unknown),
        ] {
            assert_eq!(keys.set(deed, chord(text)), Err(conflict), "{deed:?} {text}");
        }
        assert_eq!(keys, Keys::default());
        for (deed, text) in [
            (Deed::Talk, "F5"),
            (Deed::TalkAnywhere, "Ctrl+Alt+Space"),
            (Deed::Cancel, "F7"),
            (Deed::Talk, "T"),
            (Deed::History, "Alt+Enter"),
        ] {
            keys.set(deed, chord(text)).unwrap();
            assert_eq!(keys.of(deed), Some(chord(text)));
        }
    }

    #[test]
    fn what_is_reset_has_its_first_key_again_unless_that_is_taken() {
        let mut keys = Keys::default();
        keys.set(Deed::History, chord("F2")).unwrap();
        keys.set(Deed::NewConversation, chord("Ctrl+H")).unwrap();
        assert_eq!(keys.reset(Deed::History), Err(Conflict::Taken(Deed::NewConversation)));
        keys.reset(Deed::NewConversation).unwrap();
        keys.reset(Deed::History).unwrap();
        keys.set(Deed::TalkAnywhere, chord("F9")).unwrap();
        keys.reset(Deed::TalkAnywhere).unwrap();
        assert_eq!(keys, Keys::default());
    }

    #[test]
    fn keys_of_the_desktop_are_the_same_there() {
        for text in ["F9", "Ctrl+Alt+T", "Alt+Space", "Ctrl+Shift+Comma", "Ctrl+5", "Ctrl+PageUp"] {
            assert!(chord(text).hot_key().is_ok(), "{text}");
        }
    }
}

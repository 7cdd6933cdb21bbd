//! A talk key that works wherever the keyboard is. On Linux only X11 has it: elsewhere the desktop binds its own key to
//! `colloquy remote`.

use std::sync::PoisonError;

use global_hotkey::hotkey::HotKey;
use global_hotkey::{GlobalHotKeyEvent, GlobalHotKeyManager, HotKeyState};

use super::Window;
use crate::command::Command;
use crate::language::t;
use crate::preferences::Chord;

/// Whether there is such a key.
pub(super) enum TalkKey {
    /// None is wanted, or it cannot be had.
    Absent,
    /// It is to be taken when there is a model to talk to.
    Wanted(HotKey),
    /// It is given back with the value.
    Taken { manager: GlobalHotKeyManager, key: HotKey },
}

impl TalkKey {
    /// The key to take: that of the command line, or the one that was chosen for good.
    pub(super) fn wanted(given: Option<HotKey>, chosen: Option<Chord>) -> TalkKey {
        let chosen = || chosen.and_then(|chord| chord.hot_key().ok());
        given.or_else(chosen).map_or(TalkKey::Absent, TalkKey::Wanted)
    }
}

impl Window {
    /// Takes the key that is wanted, once, or says why not.
    pub(super) fn take_talk_key(&mut self) {
        let TalkKey::Wanted(key) = self.talk_key else { return };
        self.talk_key = match self.taken(key) {
            Ok(manager) => {
                tracing::info!(%key, "the talk key works everywhere");
                TalkKey::Taken { manager, key }
            }
            Err(why) => {
                let advice = t!("Bind a key in the desktop's own settings to: colloquy remote toggle");
                self.wish(Command::NoTalkKey(format!("{why} {advice}")));
                TalkKey::Absent
            }
        };
    }

    /// Takes another key at once, unless the command line gave one.
    pub(super) fn change_talk_key(&mut self, chosen: Option<Chord>) {
        if self.options.talk_key.is_some() {
            return;
        }
        if let TalkKey::Taken { manager, key } = &self.talk_key
            && let Err(error) = manager.unregister(*key)
        {
            tracing::warn!(%key, %error, "the talk key cannot be given back");
        }
        self.talk_key = TalkKey::wanted(None, chosen);
        if self.state.info().is_some() {
            self.take_talk_key();
        }
    }

    fn taken(&self, key: HotKey) -> Result<GlobalHotKeyManager, String> {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        // A key would seem to be taken there, and never be heard of.
        if cfg!(target_os = "linux") && (is_set("WAYLAND_DISPLAY") || !is_set("DISPLAY")) {
            return Err(t!("Programs cannot take a talk key on a Wayland desktop.").into());
        }
        let (commands, awake) = (self.commands_out.clone(), self.awake.clone());
        GlobalHotKeyEvent::set_event_handler(Some(move |event: GlobalHotKeyEvent| {
            // A window that is closing takes no commands.
            let _ = commands.send(match event.state {
                HotKeyState::Pressed => Command::Press,
                HotKeyState::Released => Command::Release,
            });
            awake.lock().unwrap_or_else(PoisonError::into_inner).request_repaint();
        }));
        let manager = GlobalHotKeyManager::new().map_err(|error| refusal(key, &error))?;
        manager.register(key).map_err(|error| refusal(key, &error))?;
        Ok(manager)
    }
}

fn refusal(key: HotKey, error: &global_hotkey::Error) -> String {
    match error {
        global_hotkey::Error::AlreadyRegistered(_) => {
            t!("The talk key %{key} is taken by another program.", key = key).into()
        }
        error => t!("The talk key %{key} cannot be had: %{error}.", key = key, error = error).into(),
    }
}

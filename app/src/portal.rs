//! A talk key that the desktop watches for the program: the GlobalShortcuts portal, on Wayland and in a sandbox. The desktop may
//! ask the person first, or give another key than was wished for.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use ashpd::desktop::global_shortcuts::{GlobalShortcuts, NewShortcut};
use ashpd::zbus::block_on;
use ashpd::zbus::export::futures_core::Stream;
use ashpd::zbus::message::Message;
use ashpd::zbus::zvariant::{OwnedObjectPath, OwnedValue};
use global_hotkey::hotkey::{Code, HotKey, Modifiers};

use crate::command::Command;
use crate::language::t;

/// The shortcut's name for the portal, which remembers its key.
const TALK: &str = "talk";

/// The key. It is given back with the value.
#[derive(Debug)]
pub(crate) struct Portal(Arc<Mutex<End>>);

/// Whether the key is not wanted any more, and who waits to be told.
#[derive(Debug, Default)]
struct End {
    has_come: bool,
    waiting: Option<Waker>,
}

impl Drop for Portal {
    fn drop(&mut self) {
        let mut end = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        end.has_come = true;
        if let Some(waiting) = end.waiting.take() {
            waiting.wake();
        }
    }
}

/// Asks for a key, on a thread of its own. Its presses and releases are delivered, or why there is no key: a sentence.
pub(crate) fn bind(key: HotKey, deliver: impl Fn(Command) + Send + 'static) -> Portal {
    let end = Arc::new(Mutex::new(End::default()));
    let watched = end.clone();
    let spawned = std::thread::Builder::new().name("portal".into()).spawn(move || {
        if let Err(error) = block_on(watch(key, &watched, &deliver)) {
            tracing::info!(%error, "the desktop gives no talk key");
            let why = t!("The desktop gives no key to talk with from anywhere: %{error}.", error = error);
            let advice = t!("Bind a key in the desktop's own settings to: colloquy remote toggle");
            deliver(Command::NoTalkKey(format!("{why} {advice}")));
        }
    });
    if let Err(error) = spawned {
        tracing::error!(%error, "no thread for the talk key");
    }
    Portal(end)
}

async fn watch(key: HotKey, end: &Mutex<End>, deliver: &impl Fn(Command)) -> Result<(), ashpd::Error> {
    let portal = GlobalShortcuts::new().await?;
    // All signals in one stream, so that none overtakes another.
    let mut signals = pin!(portal.receive_all_signals().await?);
    let session = portal.create_session(Default::default()).await?;
    let shortcut = NewShortcut::new(TALK, t!("Hold to talk to Colloquy, or tap"))
        .preferred_trigger(trigger(key).as_deref());
    let bound = portal.bind_shortcuts(&session, &[shortcut], None, Default::default()).await?.response()?;
    let shown = bound.shortcuts().first().map(|shortcut| shortcut.trigger_description().to_owned());
    tracing::info!(key = shown, "the desktop watches for the talk key");
    loop {
        let signal = poll_fn(|context| {
            let mut end = end.lock().unwrap_or_else(PoisonError::into_inner);
            if end.has_come {
                return Poll::Ready(None);
            }
            end.waiting = Some(context.waker().clone());
            signals.as_mut().poll_next(context)
        });
        let Some(signal) = signal.await else { break };
        if let Some(command) = command(&signal) {
            deliver(command);
        }
    }
    session.close().await
}

/// What a signal of the portal means.
fn command(signal: &Message) -> Option<Command> {
    let body = signal.body();
    let header = signal.header();
    let member = header.member()?;
    let is_ours = || {
        let fields = body.deserialize::<(OwnedObjectPath, String, u64, HashMap<String, OwnedValue>)>();
        fields.is_ok_and(|(_, name, ..)| name == TALK)
    };
    match member.as_str() {
        "Activated" if is_ours() => Some(Command::Press),
        "Deactivated" if is_ours() => Some(Command::Release),
        _ => None,
    }
}

/// The key as portals write it, where they have a name for it: `CTRL+ALT+t`.
fn trigger(key: HotKey) -> Option<String> {
    let code = key.key.to_string();
    let name = match key.key {
        Code::Space => "space".into(),
        Code::Comma => "comma".into(),
        Code::Period => "period".into(),
        Code::Minus => "minus".into(),
        Code::Pause | Code::Home | Code::End | Code::Insert | Code::Delete => code,
        _ => match (code.strip_prefix("Key"), code.strip_prefix("Digit"), code.strip_prefix('F')) {
            (Some(letter), ..) => letter.to_lowercase(),
            (_, Some(digit), _) => digit.into(),
            (.., Some(number)) if number.parse::<u8>().is_ok() => code,
            _ => return None,
        },
    };
    let held = [
        (Modifiers::CONTROL, "CTRL+"),
        (Modifiers::ALT, "ALT+"),
        (Modifiers::SHIFT, "SHIFT+"),
        (Modifiers::META, "LOGO+"),
    ];
    let held = held.into_iter().filter(|(modifier, _)| key.mods.contains(*modifier));
    Some(held.map(|(_, name)| name).collect::<String>() + &name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_named_as_portals_name_them() {
        for (key, named) in [
            ("ctrl+alt+t", Some("CTRL+ALT+t")),
            ("F9", Some("F9")),
            ("super+space", Some("LOGO+space")),
            ("ctrl+shift+5", Some("CTRL+SHIFT+5")),
            ("Pause", Some("Pause")),
            ("MediaPlayPause", None),
        ] {
            assert_eq!(trigger(key.parse().unwrap()).as_deref(), named, "{key}");
        }
    }
}

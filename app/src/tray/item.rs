//! The icon as a StatusNotifierItem, on a thread of its own: the bus may take its time.

use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Sender, unbounded};
use ksni::blocking::TrayMethods;
use ksni::menu::StandardItem;
use ksni::{Icon, MenuItem, OfflineReason};

use super::icon::icon;
use super::{Face, Sign};
use crate::command::Command;
use crate::language::t;

/// The icon. It goes with the value.
#[derive(Debug)]
pub(crate) struct Tray(Sender<Face>);

impl Tray {
    /// Shows this from now on.
    pub(crate) fn show(&self, face: Face) {
        // Without a bus nobody listens.
        let _ = self.0.send(face);
    }
}

/// Puts the icon into the tray. What its menu asks for is delivered, and whether there is a tray, at once and whenever that
/// changes.
pub(crate) fn start(deliver: impl Fn(Command) + Clone + Send + 'static) -> Tray {
    let (sender, faces) = unbounded();
    let item = Item { face: Face::default(), deliver: deliver.clone(), is_offline: AtomicBool::new(false) };
    let spawned = std::thread::Builder::new().name("tray".into()).spawn(move || {
        // A desktop that has only begun to start may have a tray later.
        let handle = match item.assume_sni_available(true).spawn() {
            Ok(handle) => handle,
            Err(error) => {
                tracing::info!(%error, "there is no tray");
                (deliver)(Command::TrayIs(false));
                return;
            }
        };
        // A tray that is not there has said so by now.
        handle.update(|item| {
            if !item.is_offline.load(Ordering::Relaxed) {
                tracing::info!("an icon stands in the tray");
                (item.deliver)(Command::TrayIs(true));
            }
        });
        for face in faces {
            handle.update(|item| item.face = face);
        }
        handle.shutdown().wait();
    });
    if let Err(error) = spawned {
        tracing::error!(%error, "no thread for the tray");
    }
    Tray(sender)
}

/// What the tray asks about.
struct Item<D> {
    face: Face,
    deliver: D,
    /// The tray has said that it is not there.
    is_offline: AtomicBool,
}

impl<D: Fn(Command) + Send + 'static> Item<D> {
    fn window(&self) -> Command {
        if self.face.is_hidden { Command::Show } else { Command::Hide }
    }

    fn entry(label: String, enabled: bool, command: fn(&Self) -> Command) -> MenuItem<Self> {
        let activate = Box::new(move |item: &mut Self| (item.deliver)(command(item)));
        StandardItem { label, enabled, activate, ..StandardItem::default() }.into()
    }
}

impl<D: Fn(Command) + Send + 'static> ksni::Tray for Item<D> {
    fn id(&self) -> String {
        "colloquy".into()
    }

    fn title(&self) -> String {
        let doing = match self.face.sign {
            Sign::Idle => return "Colloquy".into(),
            Sign::Listening => t!("listening"),
            Sign::Thinking => t!("thinking"),
            Sign::Speaking => t!("speaking"),
        };
        format!("Colloquy: {doing}")
    }

    fn icon_pixmap(&self) -> Vec<Icon> {
        icon(self.face.sign)
    }

    fn activate(&mut self, _x: i32, _y: i32) {
        (self.deliver)(self.window());
    }

    fn menu(&self) -> Vec<MenuItem<Self>> {
        let is_listening = self.face.sign == Sign::Listening;
        let talk = if is_listening { t!("Send") } else { t!("Talk") };
        let window = if self.face.is_hidden { t!("Show window") } else { t!("Hide window") };
        vec![
            Self::entry(talk.into(), self.face.can_talk, |_| Command::Toggle),
            Self::entry(t!("Stop").into(), self.face.sign != Sign::Idle, |_| Command::Stop),
            MenuItem::Separator,
            Self::entry(window.into(), true, Self::window),
            Self::entry(t!("Quit").into(), true, |_| Command::Quit),
        ]
    }

    fn watcher_online(&self) {
        self.is_offline.store(false, Ordering::Relaxed);
        (self.deliver)(Command::TrayIs(true));
    }

    fn watcher_offline(&self, reason: OfflineReason) -> bool {
        tracing::info!(?reason, "there is no tray");
        self.is_offline.store(true, Ordering::Relaxed);
        (self.deliver)(Command::TrayIs(false));
        true
    }
}

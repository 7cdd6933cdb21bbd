//! Tells through the desktop that an answer has ended. A click on what it shows delivers a command.

#[cfg(target_os = "linux")]
use std::sync::{Arc, Mutex, PoisonError};

#[cfg(target_os = "linux")]
use ashpd::zbus::block_on;
#[cfg(target_os = "linux")]
use notify_rust::{Notification, NotificationHandle, NotificationResponse};

use crate::command::Command;
#[cfg(target_os = "linux")]
use crate::language::t;

/// What the desktop shows now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notices {
    #[cfg(target_os = "linux")]
    last: Arc<Mutex<Last>>,
}

#[cfg(target_os = "linux")]
#[derive(Debug, Default)]
struct Last {
    shown: Option<Arc<NotificationHandle>>,
    /// That nobody shows notices was logged.
    complained: bool,
}

impl Notices {
    /// Shows these words in place of earlier ones, on a thread of its own.
    #[cfg(target_os = "linux")]
    pub(crate) fn show(&self, words: String, deliver: impl Fn(Command) + Send + 'static) {
        let last = self.last.clone();
        let spawned = std::thread::Builder::new().name("notice".into()).spawn(move || {
            let title = t!("Colloquy has answered");
            let shown = Notification::new()
                .appname("Colloquy")
                .summary(&title)
                // Servers may read markup.
                .body(&words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"))
                .icon("colloquy")
                .action("default", &t!("Show"))
                .show();
            let guard = || last.lock().unwrap_or_else(PoisonError::into_inner);
            match shown {
                Ok(handle) => {
                    let handle = Arc::new(handle);
                    if let Some(earlier) = guard().shown.replace(handle.clone()) {
                        block_on(earlier.close_async());
                    }
                    block_on(handle.wait_for_action_async(|response| {
                        if matches!(response, NotificationResponse::Default) {
                            deliver(Command::Show);
                        }
                    }));
                }
                Err(error) if !std::mem::replace(&mut guard().complained, true) => {
                    tracing::info!(%error, "this desktop shows no notices");
                }
                Err(_) => {}
            }
        });
        if let Err(error) = spawned {
            tracing::error!(%error, "no thread for a notice");
        }
    }

    /// Shows nothing: notices of this system are not known.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn show(&self, _words: String, _deliver: impl Fn(Command) + Send + 'static) {}
}

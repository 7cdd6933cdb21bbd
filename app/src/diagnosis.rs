//! A report about this machine and this program, to go with a question to other people. It holds nothing that was said, typed or
//! answered, and no name of a person's folder.

use std::fmt::Write;
use std::path::Path;

use engine::Info;

use crate::doctor;
use crate::logbook::Line;
use crate::preferences::Preferences;

/// So many lines of the log go with it.
const LOG_LINES: usize = 200;

/// What is found out about the machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    /// The system and its kernel.
    pub(crate) system: String,
    /// The desktop and how it shows windows.
    pub(crate) desktop: String,
    /// What the window is drawn with.
    pub(crate) drawing: String,
    /// Graphics processors.
    pub(crate) gpus: String,
    /// Microphones and speakers.
    pub(crate) sound: String,
    /// The person's own folder, which is not to be named.
    pub(crate) home: Option<String>,
}

impl Surroundings {
    /// Looks at the system; may take a moment.
    pub(crate) fn find(drawing: String) -> Surroundings {
        let (name, kernel) = doctor::identity(Path::new("/"));
        let set = |name| std::env::var(name).unwrap_or_else(|_| "not set".into());
        Surroundings {
            system: format!("{name}, kernel {kernel}, {}", std::env::consts::ARCH),
            desktop: format!("{}, session {}", set("XDG_CURRENT_DESKTOP"), set("XDG_SESSION_TYPE")),
            drawing,
            home: std::env::var("HOME").ok().filter(|home| home.len() > 1),
            ..Surroundings::default()
        }
    }

    /// The report.
    pub(crate) fn report(
        &self,
        info: Option<&Info>,
        given: &[&str],
        preferences: &Preferences,
        log: &[Line],
    ) -> String {
        let mut report = format!("Colloquy {}\n", env!("CARGO_PKG_VERSION"));
        let model = info.map_or("none".into(), |info| {
            let Info { name, weight_bytes, context_tokens, .. } = info;
            format!("{name}, {} MiB of weights, context of {context_tokens} tokens", weight_bytes >> 20)
        });
        let device = info.map_or_else(String::new, |info| {
            let reason = info.fallback.as_ref().map(|reason| format!(" (no graphics processor: {reason})"));
            info.device.clone() + &reason.unwrap_or_default()
        });
        for (name, value) in [
            ("System", &self.system),
            ("Desktop", &self.desktop),
            ("Window", &self.drawing),
            ("Graphics processors", &self.gpus),
            ("Sound", &self.sound),
            ("Model", &model),
            ("Runs on", &device),
            ("Options", &given.join(", ")),
        ] {
            // Writing to a string cannot fail.
            let _ = writeln!(report, "{name}: {value}");
        }
        let mut preferences = preferences.clone();
        let has_instructions = preferences.answer.system.take().is_some();
        let settings = toml::to_string(&preferences).unwrap_or_default();
        let _ = write!(report, "\nSettings (instructions of one's own: {has_instructions}):\n{settings}");
        report.push_str("\nLog:\n");
        for line in &log[log.len().saturating_sub(LOG_LINES)..] {
            let _ = writeln!(report, "{line}");
        }
        match &self.home {
            Some(home) => report.replace(home.as_str(), "~"),
            None => report,
        }
    }
}

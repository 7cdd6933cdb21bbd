//! What can be told about the program without telling what was said.

use tracing::Level;

use super::{Action, Device, State};
use crate::diagnosis::Surroundings;
use crate::language::t;

impl State {
    /// Copies a report about this machine and this program.
    pub(super) fn diagnosed(&mut self, mut around: Surroundings) -> Vec<Action> {
        let named = |devices: &[Device]| {
            devices.iter().map(|device| device.name.as_str()).collect::<Vec<_>>().join("; ")
        };
        let devices = &self.sounding.devices;
        around.sound =
            format!("microphones: {}. Speakers: {}", named(&devices.microphones), named(&devices.speakers));
        around.gpus = self.gpus.join("; ");
        let log = self.logbook.lines(Level::INFO);
        let report = around.report(self.info(), &self.given, &self.preferences, &log);
        self.hint(t!("The report is on the clipboard. Look through it before you pass it on."));
        vec![Action::Copy(report)]
    }

    /// Copies the log, down to this level.
    pub(super) fn copy_log(&mut self, level: Level) -> Vec<Action> {
        let lines: Vec<_> = self.logbook.lines(level).iter().map(ToString::to_string).collect();
        self.hint(t!("The log is on the clipboard."));
        vec![Action::Copy(lines.join("\n"))]
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use engine::{Cancel, Ending, Settings};

    use super::*;
    use crate::audio::Level as Loudness;
    use crate::command::Command;
    use crate::event::Event;
    use crate::logbook::Logbook;
    use crate::state::tests::{info, summary};

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn a_report_tells_of_the_machine_and_nothing_of_the_conversation() {
        let logbook = Logbook::default();
        let mut state = State::new(Settings::default(), Loudness::default());
        state.logbook = logbook.clone();
        let actions = logbook.during(|| {
            state.apply(Event::Loaded(info(true), Cancel::new()), NOW);
            let mut preferences = state.preferences.clone();
            preferences.answer.system = Some("a secret instruction".into());
            preferences.model.folder = Some("/people/jane/models/large".into());
            state.handle(Command::Prefer(Box::new(preferences)), NOW);
            state.handle(Command::Draft("a secret question".into()), NOW);
            state.handle(Command::Submit, NOW);
            state.apply(Event::Text { turn: 1, piece: "a secret answer".into() }, NOW);
            state.apply(Event::Reasoning { turn: 1, piece: "a secret thought".into() }, NOW);
            let summary = summary("a secret answer", 0, Ending::Stop);
            state.apply(Event::Written { turn: 1, summary }, NOW);
            state.handle(Command::NoTalkKey("See /people/jane/notes.".into()), NOW);
            state.sounding.devices.speakers = vec![Device { id: "a".into(), name: "Desk speakers".into() }];
            let around = Surroundings {
                system: "Debian, kernel 6".into(),
                home: Some("/people/jane".into()),
                ..Surroundings::default()
            };
            state.handle(Command::Diagnosed(Box::new(around)), NOW)
        });
        let [Action::Copy(report)] = &actions[..] else { panic!("{actions:?}") };
        for told in [
            concat!("Colloquy ", env!("CARGO_PKG_VERSION")),
            "System: Debian, kernel 6",
            "Model: pocket",
            "Speakers: Desk speakers",
            "folder = \"~/models/large\"",
            "instructions of one's own: true",
            "answer written turn=1",
            "See ~/notes.",
        ] {
            assert!(report.contains(told), "{told:?} is not in:\n{report}");
        }
        for kept in ["secret", "jane"] {
            assert!(!report.contains(kept), "{kept:?} is in:\n{report}");
        }
        let actions = state.handle(Command::CopyLog(Level::WARN), NOW);
        let [Action::Copy(log)] = &actions[..] else { panic!("{actions:?}") };
        assert!(log.contains("See /people/jane/notes.") && !log.contains("answer written"), "{log}");
    }
}

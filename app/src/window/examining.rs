//! The examination of this machine, on a thread of its own.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;

use super::Window;
use super::files::choose;
use crate::command::Command;
use crate::doctor::{self, Phase, Report};
use crate::event::{Event, Events};
use crate::language::t;
use crate::state::ExamineReport;

/// What ends the examination before its next phase.
#[derive(Default)]
pub(super) struct Examiner(Arc<AtomicBool>);

impl Window {
    /// Begins the examination.
    pub(super) fn examine(&mut self) {
        self.examiner = Examiner::default();
        let (ends, events) = (self.examiner.0.clone(), self.reports.clone());
        let work = move || events.send(Event::Examined(examine(&ends, &events)));
        if let Err(error) = std::thread::Builder::new().name("doctor".into()).spawn(work) {
            self.reports.send(Event::Examined(ExamineReport::Ended(Err(fault(&error)))));
        }
    }

    /// Has it make room, as soon as it can.
    pub(super) fn stop_examining(&self) {
        self.examiner.0.store(true, Ordering::Release);
    }
}

fn examine(ends: &AtomicBool, events: &Events) -> ExamineReport {
    let begins = |phase: Phase| {
        events.send(Event::Examined(ExamineReport::Began(phase)));
        !ends.load(Ordering::Acquire)
    };
    let asks = match doctor::asks() {
        Ok(asks) => asks,
        Err(error) => return ExamineReport::Ended(Err(fault(&error))),
    };
    match doctor::look(true, None, begins) {
        Ok(Some(facts)) => ExamineReport::Ended(Ok(Arc::new(doctor::report(facts, &asks, None)))),
        Ok(None) => ExamineReport::Interrupted,
        Err(error) => ExamineReport::Ended(Err(fault(&error))),
    }
}

fn fault(error: &dyn std::fmt::Display) -> String {
    t!("This computer cannot be examined: %{error}.", error = error).into()
}

/// Asks for a file and writes the report to it: as JSON where its name ends so, as text otherwise.
pub(super) fn save(report: &Report) -> Command {
    let dialog = rfd::FileDialog::new().set_title(t!("Save the report")).set_file_name("colloquy-doctor.txt");
    let dialog = dialog.add_filter("Text", &["txt"]).add_filter("JSON", &["json"]);
    choose(|| dialog.save_file(), |path| write(path, report).map(|()| path.to_path_buf()))
}

fn write(path: &Path, report: &Report) -> anyhow::Result<()> {
    let is_json = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("json"));
    let text = if is_json { report.json()? } else { doctor::text(report) };
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_written_as_its_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let report = doctor::tests::of("no-graphics", None);
        let [text, json] = ["a.txt", "a.JSON"].map(|name| folder.path().join(name));
        write(&text, &report).unwrap();
        write(&json, &report).unwrap();
        assert_eq!(std::fs::read_to_string(text).unwrap(), doctor::text(&report));
        let json: serde_json::Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
        assert_eq!(json["findings"][0]["id"], "no-graphics");
        let error = write(Path::new("no/such/folder/a.txt"), &report).unwrap_err();
        assert!(error.to_string().contains("no/such/folder/a.txt"), "{error}");
    }
}

//! The examination of this machine: measured while nothing else goes on, so that it disturbs no answer and no answer disturbs it.

use std::sync::Arc;

use super::{Action, Model, State, Weights};
use crate::doctor::{self, Phase, Report};
use crate::language::t;
use crate::turn::Stage;

/// How far the examination is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Examining {
    /// What was found last.
    pub(crate) report: Option<Arc<Report>>,
    /// What is being found out.
    pub(crate) phase: Option<Phase>,
    /// It is wanted, and begins when nothing else goes on.
    pub(crate) is_wanted: bool,
    /// Why it failed: a sentence.
    pub(crate) failure: Option<String>,
}

/// What the person wants of the examination.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ExamineWish {
    /// Examine this machine.
    Begin,
    /// Put the report on the clipboard.
    Copy,
    /// Put a line that mends something on the clipboard: that of the finding and the line at these places.
    CopyLine(usize, usize),
    /// Write the report to a file.
    Save,
}

/// What is told of it.
#[derive(Clone, Debug)]
pub(crate) enum ExamineReport {
    /// This is being found out.
    Began(Phase),
    /// It made room for something else.
    Interrupted,
    /// It is over, or failed for the reason that the sentence tells.
    Ended(Result<Arc<Report>, String>),
}

impl State {
    /// Whether the devices have nothing else to do.
    fn is_quiet(&self) -> bool {
        let is_loading =
            matches!(self.model, Model::Loading(..)) || matches!(self.weights, Weights::Coming(_));
        let is_turning = !matches!(self.turn.stage, Stage::Idle | Stage::Absent) || self.has_waiting();
        !is_loading && !is_turning
    }

    pub(super) fn wish_examination(&mut self, wish: ExamineWish) -> Vec<Action> {
        match wish {
            ExamineWish::Begin => {
                self.examining.is_wanted = self.examining.phase.is_none();
                vec![]
            }
            ExamineWish::Copy => {
                let Some(report) = &self.examining.report else { return vec![] };
                let text = doctor::text(report);
                self.hint(t!("The report is on the clipboard. Look through it before you pass it on."));
                vec![Action::Copy(text)]
            }
            ExamineWish::CopyLine(finding, line) => {
                let report = self.examining.report.as_ref();
                let line = report.and_then(|report| report.findings.get(finding)?.fix.get(line).cloned());
                line.into_iter().map(Action::Copy).collect()
            }
            ExamineWish::Save => {
                self.examining.report.iter().map(|report| Action::SaveExamination(report.clone())).collect()
            }
        }
    }

    pub(super) fn examined(&mut self, report: ExamineReport) {
        let examining = &mut self.examining;
        match report {
            ExamineReport::Began(phase) => examining.phase = Some(phase),
            ExamineReport::Interrupted => {
                examining.phase = None;
                examining.is_wanted = true;
            }
            ExamineReport::Ended(result) => {
                examining.phase = None;
                match result {
                    Ok(report) => examining.report = Some(report),
                    Err(message) => examining.failure = Some(message),
                }
            }
        }
    }

    /// Begins the examination when it is quiet, and has it make room when that is over.
    pub(super) fn examine(&mut self) -> Option<Action> {
        let is_quiet = self.is_quiet();
        let examining = &mut self.examining;
        match examining.phase {
            None if examining.is_wanted && is_quiet => {
                examining.is_wanted = false;
                examining.failure = None;
                examining.phase = Some(Phase::Looking);
                Some(Action::Examine)
            }
            Some(_) if !is_quiet && !examining.is_wanted => {
                examining.is_wanted = true;
                Some(Action::StopExamining)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use engine::{Cancel, Ending, Settings};

    use super::*;
    use crate::audio::Level;
    use crate::command::Command;
    use crate::event::Event;
    use crate::state::tests::{info, summary};

    const NOW: Duration = Duration::ZERO;

    fn ready() -> State {
        let mut state = State::new(Settings::default(), Level::default());
        state.apply(Event::Loaded(info(true), Cancel::new()), NOW);
        state
    }

    fn begins(actions: &[Action]) -> bool {
        actions.iter().any(|action| matches!(action, Action::Examine))
    }

    fn begin(state: &mut State) -> Vec<Action> {
        state.handle(Command::Examine(ExamineWish::Begin), NOW)
    }

    #[test]
    fn it_waits_for_the_end_of_an_answer() {
        let mut state = ready();
        state.handle(Command::Draft("hi".into()), NOW);
        state.handle(Command::Submit, NOW);
        assert!(!begins(&begin(&mut state)) && state.examining.is_wanted);
        let actions = state.apply(Event::Written { turn: 1, summary: summary("Yes.", 0, Ending::Stop) }, NOW);
        assert!(begins(&actions), "{actions:?}");
        assert!(!begins(&begin(&mut state)), "it runs already");
        // Nor does it run while a model is loaded.
        let mut state = ready();
        state.apply(Event::Loading("other".into()), NOW);
        assert!(!begins(&begin(&mut state)));
        assert!(begins(&state.apply(Event::LoadFailed("No.".into()), NOW)));
    }

    #[test]
    fn it_makes_room_for_a_question_and_begins_anew_after_it() {
        let mut state = ready();
        assert!(begins(&begin(&mut state)));
        state.apply(Event::Examined(ExamineReport::Began(Phase::Processor)), NOW);
        let actions = state.handle(Command::Press, NOW);
        assert!(matches!(actions[..], [Action::Listen { .. }, Action::StopExamining]), "{actions:?}");
        assert!(!begins(&state.apply(Event::Examined(ExamineReport::Interrupted), NOW)));
        assert!(begins(&state.handle(Command::Stop, NOW)));
    }

    #[test]
    fn its_report_and_each_line_can_be_copied_and_the_report_saved() {
        let mut state = ready();
        assert!(state.handle(Command::Examine(ExamineWish::Copy), NOW).is_empty());
        begin(&mut state);
        let report = Arc::new(doctor::tests::of("strix-halo-32", None));
        state.apply(Event::Examined(ExamineReport::Ended(Ok(report.clone()))), NOW);
        assert_eq!(state.examining.phase, None);
        let actions = state.handle(Command::Examine(ExamineWish::Copy), NOW);
        assert!(
            matches!(&actions[..], [Action::Copy(text)] if *text == doctor::text(&report)),
            "{actions:?}"
        );
        let actions = state.handle(Command::Examine(ExamineWish::CopyLine(0, 1)), NOW);
        assert!(matches!(&actions[..], [Action::Copy(line)] if line == "sudo update-grub"), "{actions:?}");
        let actions = state.handle(Command::Examine(ExamineWish::Save), NOW);
        assert!(matches!(&actions[..], [Action::SaveExamination(_)]), "{actions:?}");
    }
}

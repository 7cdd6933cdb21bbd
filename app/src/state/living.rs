//! What follows from where the window is: before the person, hidden in the tray, or not looked at.

use std::time::Duration;

use pulldown_cmark::{Event as Piece, Parser, TagEnd};

use super::{Action, End, State};
use crate::turn::Input;

/// Letters of an answer that the desktop shows.
const FIRST_LETTERS: usize = 140;

/// Where the window is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Living {
    /// Whether the desktop has a tray with the program's icon.
    pub(crate) has_tray: bool,
    /// Whether the window is hidden.
    pub(crate) is_hidden: bool,
    /// Whether the program is to end.
    quits: bool,
}

impl State {
    /// Whether closing the window only hides it.
    pub(crate) fn closes_to_tray(&self) -> bool {
        self.preferences.desktop.close_to_tray && self.living.has_tray && !self.living.quits
    }

    /// Hides the window, where it can be found again; otherwise makes it small.
    pub(super) fn hide(&mut self) -> Vec<Action> {
        self.living.is_hidden = self.living.has_tray;
        vec![if self.living.has_tray { Action::Hide } else { Action::Minimize }]
    }

    /// Brings the window to the front.
    pub(super) fn show(&mut self) -> Vec<Action> {
        self.living.is_hidden = false;
        vec![Action::Show]
    }

    /// There is a tray, or none any more: a hidden window could not be found again.
    pub(super) fn tray_is(&mut self, there: bool) -> Vec<Action> {
        self.living.has_tray = there;
        if there || !self.living.is_hidden {
            return vec![];
        }
        self.hide()
    }

    /// Ends the program, whatever closing the window means.
    pub(super) fn quit(&mut self, now: Duration) -> Vec<Action> {
        self.living.quits = true;
        let mut actions = self.step(Input::Stop, now);
        actions.push(Action::Quit);
        actions
    }

    /// Tells that the answer of `turn` has come to its end.
    pub(super) fn finished(&self, turn: u64) -> Option<Action> {
        let exchange = self.exchanges.iter().rev().find(|exchange| exchange.turn == turn)?;
        let is_whole = matches!(exchange.answer.end, Some(End::Complete | End::Limit));
        let tells = self.preferences.desktop.notify && is_whole && turn == self.turn.number;
        tells.then(|| Action::Notify(first_words(&exchange.answer.text)))
    }
}

/// The beginning of an answer in one line, without its marks.
fn first_words(markdown: &str) -> String {
    let pieces = Parser::new(markdown).map(|piece| match piece {
        Piece::Text(text) | Piece::Code(text) => text.to_string(),
        Piece::End(
            TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::Item | TagEnd::CodeBlock | TagEnd::TableCell,
        )
        | Piece::SoftBreak
        | Piece::HardBreak => " ".into(),
        _ => String::new(),
    });
    let text = pieces.collect::<String>();
    let mut words = String::new();
    for word in text.split_whitespace() {
        if words.chars().count() + word.chars().count() > FIRST_LETTERS {
            // A language without spaces is one long word.
            if words.is_empty() {
                words = word.chars().take(FIRST_LETTERS).collect();
            }
            return words + "…";
        }
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use engine::{Cancel, Ending, Settings};

    use super::*;
    use crate::audio::Level;
    use crate::command::Command;
    use crate::event::Event;
    use crate::state::tests::{info, summary};

    const NOW: Duration = Duration::ZERO;

    fn state() -> State {
        let mut state = State::new(Settings::default(), Level::default());
        state.apply(Event::Loaded(info(true), Cancel::new()), NOW);
        state
    }

    #[test]
    fn a_window_is_hidden_only_where_it_can_be_found_again() {
        let mut state = state();
        state.preferences.desktop.close_to_tray = true;
        assert!(matches!(state.handle(Command::Hide, NOW)[..], [Action::Minimize]));
        assert!(!state.living.is_hidden && !state.closes_to_tray());
        state.handle(Command::TrayIs(true), NOW);
        assert!(matches!(state.handle(Command::Hide, NOW)[..], [Action::Hide]));
        assert!(state.living.is_hidden && state.closes_to_tray());
        // The tray goes away while it is hidden.
        assert!(matches!(state.handle(Command::TrayIs(false), NOW)[..], [Action::Minimize]));
        assert!(!state.living.is_hidden && !state.closes_to_tray());
        state.handle(Command::TrayIs(true), NOW);
        assert!(matches!(state.handle(Command::Quit, NOW)[..], [Action::Quit]));
        assert!(!state.closes_to_tray(), "it quits");
    }

    #[test]
    fn the_end_of_an_answer_is_told_with_its_first_words() {
        for (notifies, speaks) in [(true, false), (true, true), (false, false)] {
            let mut state = state();
            state.preferences.desktop.notify = notifies;
            state.settings.speech = speaks;
            state.handle(Command::Draft("Where?".into()), NOW);
            state.handle(Command::Submit, NOW);
            state.apply(Event::Text { turn: 1, piece: "In **Paris**.".into() }, NOW);
            let samples = if speaks { 9 } else { 0 };
            let mut actions = state.apply(
                Event::Written { turn: 1, summary: summary("In **Paris**.", samples, Ending::Stop) },
                NOW,
            );
            if speaks {
                assert!(!actions.iter().any(|action| matches!(action, Action::Notify(_))), "it still speaks");
                state.apply(Event::SpeechStarted { turn: 1 }, NOW);
                actions = state.apply(Event::SpeechEnded { turn: 1 }, NOW);
            }
            let told: Vec<_> = actions
                .iter()
                .filter_map(
                    |action| if let Action::Notify(words) = action { Some(words.as_str()) } else { None },
                )
                .collect();
            assert_eq!(told, if notifies { vec!["In Paris."] } else { vec![] }, "{notifies} {speaks}");
        }
    }

    #[test]
    fn first_words_are_plain_and_few() {
        assert_eq!(first_words("# One\n\n* two\n* `three`\nfour"), "One two three four");
        assert_eq!(first_words(""), "");
        let long = first_words(&"word ".repeat(100));
        assert!(long.ends_with(" word…") && long.chars().count() <= FIRST_LETTERS + 1, "{long}");
        assert_eq!(first_words(&"字".repeat(300)).chars().count(), FIRST_LETTERS + 1);
    }
}

use egui_kittest::kittest::Queryable;

use super::*;
use crate::event::Event;
use crate::views::tests::{ms, ready, shown};

fn listed() -> State {
    let mut state = ready();
    state.handle(Command::ShowHistory(true), ms(0));
    let line = |id, title: &str| Line { id, title: title.into(), when: "1 May 2026, 12:00".into() };
    state.apply(Event::Listed(vec![line(5, "capital of France"), line(3, "two plus two")]), ms(0));
    state
}

#[test]
fn the_list_is_opened_by_its_button() {
    let (mut harness, commands) = shown(ready());
    harness.run_steps(2);
    assert!(harness.query_by_label("Search the conversations").is_none());
    harness.get_by_label("Conversations").click();
    harness.run_steps(2);
    assert!(matches!(commands.try_iter().collect::<Vec<_>>()[..], [Command::ShowHistory(true)]));
    harness.state_mut().handle(Command::ShowHistory(true), ms(0));
    harness.run_steps(2);
    harness.get_by_label("No conversation is kept yet.");
}

#[test]
fn a_conversation_is_opened_searched_and_deleted_by_name() {
    let (mut harness, commands) = shown(listed());
    harness.run_steps(3);
    harness.check_accessibility();
    for label in ["two plus two", "Delete capital of France"] {
        harness.get_by_label(label).click();
        harness.run_steps(2);
    }
    let sent: Vec<_> = commands.try_iter().collect();
    assert!(matches!(sent[..], [Command::OpenKept(3), Command::DeleteKept(5)]), "{sent:?}");
    harness.get_by_label("Search the conversations").focus();
    harness.run_steps(2);
    harness.get_by_label("Search the conversations").type_text("plus");
    harness.run_steps(2);
    let sent = commands.try_iter().last();
    assert!(matches!(&sent, Some(Command::SearchKept(words)) if words == "plus"), "{sent:?}");
}

#[test]
fn everything_is_forgotten_only_when_it_was_said_twice() {
    let (mut harness, commands) = shown(listed());
    harness.run_steps(3);
    assert!(harness.query_by_label("Delete all").is_none());
    for (label, confirms) in
        [("Forget everything…", true), ("Keep them", false), ("Forget everything…", true)]
    {
        harness.get_by_label(label).click();
        harness.run_steps(2);
        let sent: Vec<_> = commands.try_iter().collect();
        assert!(matches!(sent[..], [Command::AskToForget(asks)] if asks == confirms), "{sent:?}");
        harness.state_mut().handle(Command::AskToForget(confirms), ms(0));
        harness.run_steps(3);
    }
    harness.get_by_label("Delete all").click();
    harness.run_steps(2);
    assert!(matches!(commands.try_iter().collect::<Vec<_>>()[..], [Command::ForgetEverything]));
}

#[test]
fn a_run_that_keeps_nothing_says_so() {
    let mut state = listed();
    state.history.off = true;
    let (mut harness, _commands) = shown(state);
    harness.run_steps(3);
    harness.get_by_label("Nothing is kept in this run: it was started with --no-history.");
    assert!(harness.query_by_label("Forget everything…").is_none());
}

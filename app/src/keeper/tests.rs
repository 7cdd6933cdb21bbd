use std::time::Duration;

use super::*;

fn keeper(path: &std::path::Path) -> (Keeper, Receiver<Event>) {
    let (sender, events) = unbounded();
    let conversations = path.with_file_name("conversations.db");
    let places = Places { preferences: Some(path.to_path_buf()), conversations: Some(conversations) };
    let keeper = Keeper::start(places, Keeping::default(), Events::new(sender, || {})).unwrap();
    (keeper, events)
}

#[test]
fn the_last_settings_are_in_the_file_when_the_keeper_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    let (keeper, events) = keeper(&path);
    let mut preferences = Preferences::default();
    for k in 0..50 {
        preferences.model.context_tokens = Some(1000 + k);
        keeper.give(Keep::Preferences(Box::new(preferences.clone())));
    }
    drop(keeper);
    assert_eq!(preferences::read(&path), (preferences, None));
    assert!(events.is_empty());
}

#[test]
fn settings_that_cannot_be_written_are_told() {
    let folder = tempfile::tempdir().unwrap();
    // A file stands where the folder should be.
    let file = folder.path().join("in-the-way");
    std::fs::write(&file, "").unwrap();
    let (keeper, events) = keeper(&file.join("settings.toml"));
    keeper.give(Keep::Preferences(Box::default()));
    drop(keeper);
    let Event::NotKept(message) = events.recv().unwrap() else { panic!() };
    assert!(message.contains("in-the-way"), "{message}");
}

fn turn(question: &str) -> Box<Turn> {
    Box::new(Turn { question: Some(question.into()), answer: "Yes.".into(), ..Turn::default() })
}

fn titles(events: &Receiver<Event>) -> Vec<String> {
    let Event::Listed(lines) = events.recv_timeout(Duration::from_secs(20)).unwrap() else { panic!() };
    lines.into_iter().map(|line| line.title).collect()
}

#[test]
fn turns_are_listed_recalled_continued_and_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    let (first, events) = keeper(&path);
    for (place, question) in [(1, "one"), (1, "more"), (2, "two")] {
        first.give(Keep::Turn { place, continues: None, number: 1, turn: turn(question) });
    }
    assert_eq!(
        (titles(&events), titles(&events), titles(&events)),
        (vec!["one".into()], vec!["one".into()], vec!["two".into(), "one".into()])
    );
    drop(first);

    let (second, events) = keeper(&path);
    assert_eq!(titles(&events), ["two", "one"], "a new start lists what is there");
    second.give(Keep::Recall(1));
    let Event::Recalled(1, turns) = events.recv().unwrap() else { panic!() };
    assert_eq!(turns.len(), 2);
    second.give(Keep::Turn { place: 1, continues: Some(1), number: 2, turn: turn("again") });
    assert_eq!(titles(&events), ["one", "two"]);
    second.give(Keep::Search("two".into()));
    assert_eq!(titles(&events), ["two"]);
    second.give(Keep::Delete(2));
    assert!(titles(&events).is_empty());
    second.give(Keep::Forget);
    assert!(titles(&events).is_empty());
    second.give(Keep::Preferences(Box::default()));
    drop(second);
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["settings.toml"]);
}

#[test]
fn without_a_turn_no_file_of_conversations_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let (keeper, _events) = keeper(&folder.path().join("settings.toml"));
    keeper.give(Keep::Search("a".into()));
    keeper.give(Keep::Recall(1));
    drop(keeper);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

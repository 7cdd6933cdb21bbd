use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::*;

fn turn(question: &str, answer: &str) -> Turn {
    Turn {
        question: Some(question.into()),
        answer: answer.into(),
        ending: "complete".into(),
        ..Turn::default()
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000_000 + second).unwrap()
}

fn titles(store: &Store, words: &str) -> Vec<String> {
    store.list(words).unwrap().into_iter().map(|line| line.title).collect()
}

#[test]
fn what_is_added_is_there_after_the_file_was_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/conversations.db");
    let red = RgbaImage::from_pixel(4, 3, image::Rgba([200, 30, 30, 255]));
    let spoken = Turn {
        spoken_seconds: Some(2.5),
        attached: vec![
            Attached { path: "a/red.png".into(), thumbnail: Some(red.into()) },
            Attached { path: "b.wav".into(), thumbnail: None },
        ],
        answer: "A red square.".into(),
        ending: "stopped".into(),
        tokens_per_second: Some(31.5),
        first_sound_ms: Some(420),
        ..Turn::default()
    };
    let (mut store, told) = Store::open(&path).unwrap();
    assert_eq!(told, None);
    let id = store.add(None, &spoken, at(0)).unwrap();
    assert_eq!(store.add(Some(id), &turn("And this?", "A cat."), at(9)).unwrap(), id);
    drop(store);
    let (store, told) = Store::open(&path).unwrap();
    assert_eq!(told, None);
    assert_eq!(store.turns(id).unwrap(), [spoken, turn("And this?", "A cat.")]);
    assert_eq!(titles(&store, ""), ["A red square."]);
}

#[test]
fn a_question_answered_anew_is_kept_once() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(&folder.path().join("c.db")).unwrap();
    let again = |question: &str, answer: &str| Turn { again: true, ..turn(question, answer) };
    let id = store.add(None, &turn("a", "b"), at(0)).unwrap();
    store.add(Some(id), &turn("c", "d"), at(1)).unwrap();
    assert_eq!(store.add(Some(id), &again("c", "e"), at(2)).unwrap(), id);
    assert_eq!(store.turns(id).unwrap(), [turn("a", "b"), turn("c", "e")]);
    // Where the conversation was deleted meanwhile, it begins anew.
    store.delete(id).unwrap();
    let other = store.add(Some(id), &again("c", "f"), at(3)).unwrap();
    assert_eq!(store.turns(other).unwrap(), [turn("c", "f")]);
}

#[test]
fn the_list_is_newest_first_and_searched_by_any_text() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(&folder.path().join("c.db")).unwrap();
    let long = "one two three four five six seven eight nine ten eleven twelve thirteen";
    let old = store.add(None, &turn("capital of France", "Paris."), at(0)).unwrap();
    store.add(None, &turn(long, "100 % sure"), at(1)).unwrap();
    assert_eq!(
        titles(&store, ""),
        ["one two three four five six seven eight nine ten eleven twel…", "capital of France"]
    );
    store.add(Some(old), &turn("and of Peru", "Lima."), at(2)).unwrap();
    assert_eq!(titles(&store, "")[0], "capital of France");
    assert_eq!(titles(&store, " lima "), ["capital of France"]);
    assert_eq!(titles(&store, "0 %").len(), 1);
    assert_eq!(titles(&store, "_").len(), 0, "a sign of the database's own is a plain letter here");
}

#[test]
fn what_is_deleted_or_too_old_is_gone_with_its_messages() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.db");
    let (mut store, _) = Store::open(&path).unwrap();
    let ids: Vec<_> =
        (0..4).map(|day| store.add(None, &turn("xylophone", "b"), at(day * 86_400)).unwrap()).collect();
    store.delete(ids[3]).unwrap();
    store.delete_older(1, at(2 * 86_400)).unwrap();
    assert_eq!(store.list("").unwrap().iter().map(|line| line.id).collect::<Vec<_>>(), [ids[2], ids[1]]);
    assert!(store.turns(ids[0]).unwrap().is_empty());
    // A conversation that was deleted while it goes on becomes a new one.
    let new = store.add(Some(ids[0]), &turn("c", "d"), at(0)).unwrap();
    assert!(!ids.contains(&new));
    for id in [ids[1], ids[2]] {
        store.delete(id).unwrap();
    }
    drop(store);
    let bytes = std::fs::read(&path).unwrap();
    assert!(!bytes.windows(9).any(|window| window == b"xylophone"), "deleted text is still in the file");
}

#[test]
fn a_damaged_file_is_kept_aside_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.db");
    std::fs::write(&path, vec![b'x'; 9000]).unwrap();
    let (mut store, told) = Store::open(&path).unwrap();
    assert!(told.unwrap().contains("c.db.broken"));
    assert_eq!(std::fs::read(folder.path().join("c.db.broken")).unwrap(), vec![b'x'; 9000]);
    store.add(None, &turn("a", "b"), at(0)).unwrap();
    drop(store);
    // Damage in the middle of a file whose beginning is whole.
    let mut bytes = std::fs::read(&path).unwrap();
    let half = bytes.len() / 2;
    bytes[half..].fill(0xa5);
    std::fs::write(&path, &bytes).unwrap();
    assert!(Store::open(&path).unwrap().1.is_some());
    Store::erase(&path).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_file_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.db");
    drop(Store::open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let Err(error) = Store::open(&path) else { panic!("it was opened") };
    assert!(error.to_string().contains("newer"), "{error}");
    assert!(path.exists());
}

/// Names the file to a child that writes until it is killed.
const CHILD: &str = "COLLOQUY_TEST_STORE";

/// What the child does.
fn write_until_killed(path: &Path) {
    let (mut store, _) = Store::open(path).unwrap();
    for k in 0.. {
        store.add(Some(1), &turn(&format!("question {k}"), &"answer ".repeat(2000)), at(k)).unwrap();
        // The standard output goes past the harness, so that it is not held back.
        std::io::Write::write_all(&mut std::io::stdout(), format!("kept {k}\n").as_bytes()).unwrap();
    }
}

#[test]
fn a_program_that_is_killed_loses_at_most_the_turn_at_hand() {
    if let Some(path) = std::env::var_os(CHILD) {
        return write_until_killed(Path::new(&path));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.db");
    let mut before = 0;
    for round in 0..8_u32 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::tests::a_program_that_is_killed_loses_at_most_the_turn_at_hand"])
            .arg("--nocapture")
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let enough = usize::try_from(3 + 7 * round).unwrap();
        let mut kept = (&mut told).filter(|line| line.starts_with("kept")).take(enough).count();
        // Not always at the same place of a turn.
        std::thread::sleep(std::time::Duration::from_micros(u64::from(round) * 371));
        child.kill().unwrap();
        child.wait().unwrap();
        kept += told.filter(|line| line.starts_with("kept")).count();
        assert!(kept >= enough, "the child wrote {kept}");

        let (store, damage) = Store::open(&path).unwrap();
        assert_eq!(damage, None);
        let turns = store.turns(1).unwrap();
        let added = turns.len() - before;
        assert!(added == kept || added == kept + 1, "{kept} turns were told, {added} are there");
        assert!(turns.iter().all(|turn| turn.answer.len() == 14_000), "a turn is there in part");
        before = turns.len();
    }
}

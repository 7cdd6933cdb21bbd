use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};
use tempfile::TempDir;

use super::*;

/// A folder, a seat in it, and the commands that it delivers.
fn served() -> (TempDir, Place, Seat, Receiver<Command>) {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::within(folder.path());
    let seat = Seat::take(&place).unwrap().unwrap();
    let (sender, commands) = unbounded();
    seat.serve(move |command| sender.send(command).map_err(|_| "the window is closing")).unwrap();
    (folder, place, seat, commands)
}

/// What is answered to these bytes, however they are taken.
fn answer(place: &Place, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(&place.socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

#[test]
fn each_word_becomes_its_command() {
    let (_folder, place, _seat, commands) = served();
    for word in Word::value_variants() {
        send(&place, *word, false).unwrap();
    }
    let got: Vec<_> = commands.try_iter().map(|command| format!("{command:?}")).collect();
    assert_eq!(got, ["Start", "Finish", "Toggle", "Stop", "Show", "NewConversation", "Quit"]);
}

#[test]
fn what_is_no_word_is_answered_with_an_error_and_hangs_nothing() {
    let (_folder, place, _seat, commands) = served();
    let long = vec![b's'; 1 << 20];
    for bytes in [&b"\n"[..], b"leave\n", b"START\n", b"start stop\n", b"\xff\xfe\n", b"star", &long] {
        let begun = Instant::now();
        let said = answer(&place, bytes);
        assert!(said.starts_with("error: "), "{said:?} to {:?}", &bytes[..bytes.len().min(20)]);
        assert!(begun.elapsed() < Duration::from_secs(3));
    }
    assert!(answer(&place, b"leave\n").contains("start, stop, toggle, cancel, show"));
    assert!(commands.is_empty());
    // One that says nothing and one that is gone do not keep the next one out.
    let _mute = UnixStream::connect(&place.socket).unwrap();
    drop(UnixStream::connect(&place.socket).unwrap());
    assert_eq!(answer(&place, b"toggle\r\nmore"), "ok\n");
    assert!(matches!(commands.try_iter().collect::<Vec<_>>()[..], [Command::Toggle]));
}

#[test]
fn there_is_one_seat_and_only_its_owner_can_reach_it() {
    let (_folder, place, seat, _commands) = served();
    assert_eq!(std::fs::metadata(&place.socket).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(Seat::take(&place).unwrap().is_none());
    drop(seat);
    assert!(!place.socket.exists());
    let refusal = send(&place, Word::Show, false).unwrap_err().to_string();
    assert!(refusal.contains("no Colloquy window is open"), "{refusal}");
    assert!(Seat::take(&place).unwrap().is_some());
}

#[test]
fn the_socket_of_a_killed_program_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::within(folder.path());
    drop(UnixListener::bind(&place.socket).unwrap());
    assert!(place.socket.exists());
    let refusal = send(&place, Word::Show, false).unwrap_err().to_string();
    assert!(refusal.contains("no Colloquy window is open"), "{refusal}");
    assert!(Seat::take(&place).unwrap().is_some());
}

#[test]
fn a_window_that_is_about_to_open_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::within(folder.path());
    let later = place.clone();
    let opening = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        let seat = Seat::take(&later).unwrap().unwrap();
        let (sender, commands) = unbounded();
        seat.serve(move |command| sender.send(command).map_err(|_| "the window is closing")).unwrap();
        commands.recv_timeout(Duration::from_secs(5)).unwrap()
    });
    send(&place, Word::Show, true).unwrap();
    assert!(matches!(opening.join().unwrap(), Command::Show));
}

#[test]
fn a_closing_window_says_so() {
    let (_folder, place, _seat, commands) = served();
    drop(commands);
    let refusal = send(&place, Word::Start, false).unwrap_err().to_string();
    assert!(refusal.contains("is closing"), "{refusal}");
}

#[test]
fn a_file_in_the_way_is_kept_and_a_folder_that_others_can_open_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::within(folder.path());
    std::fs::write(&place.socket, "mine").unwrap();
    let error = Seat::take(&place).unwrap_err().to_string();
    assert!(error.contains("in the way"), "{error}");
    assert_eq!(std::fs::read_to_string(&place.socket).unwrap(), "mine");

    let own = place::private(folder.path().join("own")).unwrap();
    assert_eq!(std::fs::metadata(&own).unwrap().permissions().mode() & 0o777, 0o700);
    std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(place::private(own).unwrap_err().to_string().contains("XDG_RUNTIME_DIR"));
}

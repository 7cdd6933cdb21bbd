//! Taps instead of a held key, and other programs that talk to the window.

use super::*;

fn remote(desktop: &Desktop, word: &str) {
    let output = colloquy(desktop, &["remote", word]);
    assert!(output.status.success(), "{word}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn without_a_model_other_programs_are_told_why_nothing_begins() {
    let _turn = ONE_AT_A_TIME.lock();
    let desktop = Desktop::start("no-model", false);
    let log = kept("no-model.log");
    let nowhere = desktop.path("nowhere");
    let mut command = desktop.command(binary());
    command.arg("--model").arg(&nowhere).stderr(std::fs::File::create(&log).unwrap());
    let _window = desktop::Process::of(&mut command);
    wait_for_log(&log, "the model cannot be loaded", 0, 60);
    for word in ["start", "toggle"] {
        wait_for("the refusal", 10, || {
            let output = colloquy(&desktop, &["remote", word]);
            assert!(!output.status.success(), "{word} was taken");
            String::from_utf8_lossy(&output.stderr).contains("no model is loaded")
        });
    }
    remote(&desktop, "show");
}

#[test]
fn a_tap_begins_a_question_and_other_programs_can_do_the_same() {
    let _turn = ONE_AT_A_TIME.lock();
    let desktop = Desktop::start("hands-free", true);
    let log = kept("hands-free.log");
    let model = model();
    let arguments = ["--greedy", "--talk-key", "F9", "--model"].map(OsStr::new);
    let arguments = [&arguments[..], &[model.as_os_str()]].concat();
    let window = desktop.start_colloquy(binary(), &arguments, &log);

    // A tap, a question, a tap.
    desktop.run("xdotool", ["key", "space"]);
    wait_for_log(&log, "locked: true", 0, 10);
    say_the_question(&desktop);
    desktop.screenshot(&kept("hands-free.png"));
    desktop.run("xdotool", ["key", "space"]);
    let answer = wait_for_log(&log, "answer turn=1", 0, 60);
    assert!(answer.contains("Paris"), "{answer}");

    // A question from afar interrupts it; the window need not be there to be seen.
    wait_for_log(&log, "stage=Speaking", 0, 10);
    let search = ["search", "--name", "^Colloquy$"];
    desktop.run("xdotool", search.iter().chain(&["windowminimize", "--sync"]));
    remote(&desktop, "start");
    let line = wait_for_log(&log, "turn=2 stage=Listening", 0, 10);
    assert!(line.contains("locked: true"), "{line}");
    remote(&desktop, "start");
    say_the_question(&desktop);
    remote(&desktop, "stop");
    let answer = wait_for_log(&log, "answer turn=2", 0, 60);
    assert!(answer.contains("Paris"), "{answer}");
    remote(&desktop, "toggle");
    wait_for_log(&log, "turn=3 stage=Listening", 0, 10);
    remote(&desktop, "cancel");
    wait_for_log(&log, "turn=3 stage=Idle", 0, 10);

    // A second start only shows the first window.
    let second = colloquy(&desktop, &[]);
    let said = String::from_utf8_lossy(&second.stdout);
    assert!(second.status.success() && said.contains("is open already"), "{second:?}");
    wait_for("the window to come back", 5, || {
        let mut command = desktop.command("xdotool");
        let active = command.args(["getactivewindow", "getwindowname"]).stdout(Stdio::piped()).output();
        String::from_utf8_lossy(&active.unwrap().stdout).contains("Colloquy")
    });

    // The talk key works while another window has the keyboard, and only one program can have it.
    desktop.run("xdotool", search.iter().chain(&["windowminimize", "--sync"]));
    desktop.run("xdotool", ["keydown", "F9"]);
    wait_for_log(&log, "turn=4 stage=Listening", 0, 10);
    sleep(Duration::from_millis(400));
    desktop.run("xdotool", ["keyup", "F9"]);
    wait_for_log(&log, "turn=4 stage=Thinking", 0, 10);
    let other = kept("hands-free-other.log");
    let mut command = desktop.command(binary());
    command.args(&arguments).env("XDG_RUNTIME_DIR", desktop.path("nowhere")).env("TMPDIR", desktop.path(""));
    let taken = desktop::Process::of(command.stderr(std::fs::File::create(&other).unwrap()));
    wait_for_log(&other, "The talk key F9 is taken by another program", 0, 60);
    drop(taken);

    // Killed, it leaves its socket behind, which is in nobody's way.
    drop(window);
    let refused = colloquy(&desktop, &["remote", "start"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("no Colloquy window is open"), "{refused:?}");
    let _window = desktop.start_colloquy(binary(), &arguments, &kept("hands-free-again.log"));
    remote(&desktop, "show");
}

//! What is said while the model is being loaded is answered when it is there.

use super::*;

#[test]
fn what_is_said_before_the_model_is_there_is_answered_when_it_is() {
    let _turn = ONE_AT_A_TIME.lock();
    let desktop = Desktop::start("loading", true);
    let log = kept("loading.log");
    let (model, gate) = (model(), kept("loading.gate"));
    let _ = std::fs::remove_file(&gate);
    let arguments = ["--device", "cpu", "--greedy", "--no-speech", "--model"].map(OsStr::new);
    let waits = [model.as_os_str(), OsStr::new("--load-after"), gate.as_os_str()];
    let mut colloquy = desktop.open_colloquy(binary(), &[&arguments[..], &waits].concat(), &log);
    desktop.run("xdotool", ["keydown", "space"]);
    wait_for_log(&log, "turn=1 stage=Listening", 0, 30);
    desktop.screenshot(&kept("loading.png"));
    say_the_question(&desktop);
    desktop.run("xdotool", ["keyup", "space"]);
    wait_for_log(&log, "turn=1 stage=Idle", 0, 30);
    assert!(!std::fs::read_to_string(&log).unwrap().contains("model loaded"));
    std::fs::write(&gate, "").unwrap();
    let answer = wait_for_log(&log, "answer turn=2", 0, 120);
    assert!(answer.contains("The capital of France is Paris."), "{answer}");
    assert!(colloquy.is_alive());
}

//! What is said while the model is being loaded is answered when it is there.
//!
//! The model runs on a graphics processor that is a program: its pipelines are compiled anew by each test, which takes seconds.

use super::*;

#[test]
fn what_is_said_before_the_model_is_there_is_answered_when_it_is() {
    let _turn = ONE_AT_A_TIME.lock();
    let desktop = Desktop::start("loading", true);
    let log = kept("loading.log");
    let model = model();
    let arguments = ["--device", "gpu", "--greedy", "--no-speech", "--model"].map(OsStr::new);
    let arguments = [&arguments[..], &[model.as_os_str()]].concat();
    let mut colloquy = desktop.open_colloquy(binary(), &arguments, &log);
    desktop.run("xdotool", ["keydown", "space"]);
    let heard = wait_for_log(&log, "turn=1 stage=Listening", 0, 30);
    desktop.screenshot(&kept("loading.png"));
    say_the_question(&desktop);
    desktop.run("xdotool", ["keyup", "space"]);
    let ready = wait_for_log(&log, "model waits=false", 0, 120);
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.find(&heard) < text.find(&ready), "the model was there before the question: {text}");
    let answer = wait_for_log(&log, "answer turn=2", 0, 120);
    assert!(answer.contains("The capital of France is Paris."), "{answer}");
    assert!(colloquy.is_alive());
}

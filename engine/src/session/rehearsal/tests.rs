use std::collections::HashSet;

use super::*;
use crate::executor::Executor;
use crate::fixtures;
use crate::image::Image;
use crate::message::Content;
use crate::settings::{Device as Where, Options, Settings};
use crate::shader::Blueprint;

fn session(checkpoint: &str, settings: Settings) -> Session {
    let options = Options { device: Where::Gpu, ..Options::default() };
    let engine = Engine::load(&fixtures::path(checkpoint), &options);
    Session::new(engine.expect("a Vulkan driver, such as Mesa's lavapipe"), settings).unwrap()
}

fn pipelines(session: &Session) -> HashSet<Blueprint> {
    match &session.engine().executor {
        Executor::Gpu(gpu) => gpu.pipelines(),
        Executor::Cpu(_) | Executor::Outline(_) => HashSet::new(),
    }
}

/// Those that a turn has needed besides the ones that were there.
fn missed(session: &mut Session, before: &HashSet<Blueprint>) -> Vec<Blueprint> {
    session.respond().unwrap();
    while session.step().unwrap().is_some() {}
    pipelines(session).difference(before).cloned().collect()
}

#[test]
fn after_a_rehearsal_a_turn_makes_no_pipeline() {
    let settings = Settings { max_text_tokens: 12, max_frames: Some(9), ..Settings::default() };
    let mut session = session("reference/open/omni-bf16", settings);
    assert!(pipelines(&session).is_empty());
    session.warm_up().unwrap();
    let made = pipelines(&session);
    assert!(made.len() > 50, "{}", made.len());

    session.push(Content::Text("How many are seven and eight?".into())).unwrap();
    assert_eq!(missed(&mut session, &made), []);
    for block in wave(20_000).chunks(3000) {
        session.push_audio(block).unwrap();
    }
    assert_eq!(missed(&mut session, &made), []);
    let image = Image { width: 60, height: 40, rgb: vec![99; 60 * 40 * 3] };
    session.push(Content::Image(image)).unwrap();
    session.push(Content::Text("What is to be seen? ".repeat(40))).unwrap();
    assert_eq!(missed(&mut session, &made), []);
}

#[test]
fn a_model_that_only_writes_is_rehearsed_with_the_settings_in_force() {
    let settings = Settings { max_text_tokens: 4, ..Settings::default() }.greedy();
    let mut session = session("reference/open/qwen3-dense-bf16", settings);
    session.warm_up().unwrap();
    let made = pipelines(&session);
    session.push(Content::Text("One, two, three.".into())).unwrap();
    assert_eq!(missed(&mut session, &made), []);
}

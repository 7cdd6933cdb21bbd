//! A graphics processor that is lost in the middle of a turn: the turn fails with a reason, the conversation goes on.
//!
//! Needs a Vulkan driver, such as Mesa's lavapipe; without one the tests fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use colloquy_tests::checkpoints::omni;
use colloquy_tests::talks::{Answer, ask, finish, remember_text, sample, silent};
use engine::{Audio, Content, Device, Engine, Error, Options, Result, Role, Session, Settings};

/// Points of a turn at which the device is lost.
const POINTS: usize = 50;

fn session() -> Session {
    let options = Options { device: Device::Gpu, threads: 1, ..Options::default() };
    let engine = Engine::load(&omni(), &options).expect("a Vulkan driver, such as Mesa's lavapipe");
    let settings = Settings { max_text_tokens: 6, max_frames: Some(6), speech: true, ..silent() };
    Session::new(engine, settings).unwrap()
}

/// A turn with sound, text and a spoken answer: everything that works on the device.
fn turn(session: &mut Session) -> Result<Answer> {
    let Audio { mut samples } = sample(0);
    samples.truncate(16_000);
    session.push_audio(&samples)?;
    session.push(Content::Text("What did you hear?".into()))?;
    session.respond()?;
    finish(session)
}

fn remember_something(session: &mut Session) {
    remember_text(session, Role::User, "Remember the number seven.");
    remember_text(session, Role::Assistant, "Seven.");
}

/// Loses the device with the `at`th piece of work of a turn. `None` where the turn was over by then.
fn lose(session: &mut Session, at: u64) -> Option<Error> {
    session.engine().lose_device_after(at);
    let error = turn(session).err();
    if error.is_none() {
        session.engine().lose_device_after(0);
    }
    error
}

#[test]
fn fifty_losses_at_random_points_of_a_turn_are_survived() {
    let mut session = session();
    remember_something(&mut session);
    let expected = turn(&mut session).unwrap().bits();

    // How many pieces of work a turn has: the first power of two that is too late.
    let mut pieces = 1;
    while fresh(&mut session, |session| lose(session, pieces)).is_some() {
        pieces *= 2;
    }

    let (mut survived, mut random) = (0, 0x2545_f491_u64);
    while survived < POINTS {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = 1 + (random >> 33) % pieces;
        fresh(&mut session, |session| {
            let Some(error) = lose(session, at) else { return };
            assert!(matches!(error, Error::DeviceLost(_)), "at {at}: {error}");
            assert!(session.engine().fault().is_some());
            // Speech from before the loss is nobody's answer.
            session.take_samples();
            let next = turn(session).unwrap_or_else(|error| panic!("the turn after a loss at {at}: {error}"));
            assert_eq!(next.bits(), expected, "at {at}: the conversation is not what it was");
            survived += 1;
        });
    }
}

/// Does something in a conversation that only has what is to be remembered.
fn fresh<T>(session: &mut Session, work: impl FnOnce(&mut Session) -> T) -> T {
    session.rebuild().unwrap();
    session.reset().unwrap();
    remember_something(session);
    work(session)
}

#[test]
fn a_loss_between_turns_fails_none() {
    let mut session = session();
    ask(&mut session, vec![Content::Text("One.".into())]).unwrap();
    session.engine().lose_device_after(1);
    // A cancelled answer is enough work to lose it.
    session.push(Content::Text("Two.".into())).unwrap();
    session.respond().unwrap();
    assert!(finish(&mut session).is_err());
    session.take_samples();
    session.rebuild().unwrap();
    assert!(session.engine().fault().is_none());
    let answer = ask(&mut session, vec![Content::Text("Three.".into())]).unwrap();
    assert!(!answer.summary.text_tokens.is_empty());
}

#[test]
fn a_session_that_gave_its_memory_back_goes_on_where_it_was() {
    for device in [Device::Gpu, Device::Cpu] {
        let options = Options { device, threads: 1, ..Options::default() };
        let engine = Engine::load(&omni(), &options).expect("a Vulkan driver, such as Mesa's lavapipe");
        let settings = Settings { max_text_tokens: 6, max_frames: Some(6), speech: true, ..silent() };
        let mut session = Session::new(engine, settings).unwrap();
        remember_something(&mut session);
        let expected = fresh(&mut session, turn).unwrap().bits();

        fresh(&mut session, |session| {
            session.release().unwrap();
            assert!(session.engine().fault().is_some());
            assert_eq!(turn(session).unwrap().bits(), expected, "{device:?}");
        });

        // A conversation that ends meanwhile, and other settings, need no model in place.
        session.release().unwrap();
        session.reset().unwrap();
        session.set_settings(Settings { seed: 1, ..session.settings().clone() }).unwrap();
        session.release().unwrap();
        remember_something(&mut session);
        assert_eq!(turn(&mut session).unwrap().bits(), expected, "{device:?}");
    }
}

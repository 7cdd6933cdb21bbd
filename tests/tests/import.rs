//! Imported checkpoints answer as the published ones do in that format, on both devices.
//!
//! Needs a Vulkan driver, such as Mesa's lavapipe; without one the tests fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};

use colloquy_tests::checkpoints::{data, dense, omni, pocket};
use colloquy_tests::talks::{Answer, ask, sample, silent};
use engine::{
    Audio, Cancel, Content, Device, Engine, Error, Format, ImportOptions, Options, Session, Settings, import,
};
use tempfile::TempDir;

const FORMATS: [Format; 3] = [Format::Bf16, Format::Q8_0, Format::Q4];

fn imported(source: &Path, format: Format) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("imported");
    let options = ImportOptions { format, folder: Some(folder.clone()), shard_bytes: 4 << 20, with: None };
    import(source, &options, &Cancel::new(), &|_| ()).unwrap();
    (dir, folder)
}

fn answer(folder: &Path, device: Device, format: Option<Format>) -> Answer {
    let options = Options { device, format, context_tokens: Some(512), ..Options::default() };
    let engine = Engine::load(folder, &options).expect("a Vulkan driver, such as Mesa's lavapipe");
    let (hears, speaks) = (engine.info().hears, !engine.info().voices.is_empty());
    let settings = Settings { max_text_tokens: 12, max_frames: Some(6), speech: speaks, ..silent() };
    let mut session = Session::new(engine, settings).unwrap();
    let mut question = vec![Content::Text("How many legs does a spider have?".into())];
    if hears {
        let Audio { mut samples } = sample(0);
        samples.truncate(16_000);
        question.push(Content::Audio(Audio { samples }));
    }
    ask(&mut session, question).unwrap()
}

/// Tokens, codes and samples are those of the published checkpoint.
fn same_answers(source: &Path, device: Device) {
    for format in FORMATS {
        let (_dir, folder) = imported(source, format);
        let wanted = answer(source, device, Some(format));
        let case = || format!("{} as {} on {device:?}", source.display(), format.name());
        assert!(answer(&folder, device, None).bits() == wanted.bits(), "{}", case());
    }
}

#[test]
fn on_the_processor() {
    for source in [pocket(), omni(), data().join("reference/open/omni-f32"), dense()] {
        same_answers(&source, Device::Cpu);
    }
}

#[test]
fn on_a_graphics_processor() {
    for source in [pocket(), omni(), dense()] {
        same_answers(&source, Device::Gpu);
    }
}

#[test]
fn another_format_than_the_imported_one_is_refused() {
    let (_dir, folder) = imported(&omni(), Format::Q8_0);
    let options = Options { device: Device::Cpu, format: Some(Format::Q4), ..Options::default() };
    let Err(error) = Engine::load(&folder, &options) else { panic!("loaded in another format") };
    assert!(matches!(error, Error::Input(_)), "{error}");
    let words = error.to_string();
    assert!(words.contains("imported as q8_0") && words.contains("held as q4"), "{words}");
    let mut engine = Engine::load(&folder, &Options { device: Device::Cpu, ..Options::default() }).unwrap();
    let words = engine::verify_format(&mut engine).unwrap_err().to_string();
    assert!(words.contains("nothing more exact"), "{words}");
}

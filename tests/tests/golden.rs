//! Every stage of every reference checkpoint against what the reference implementation computed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};

use engine::{Engine, Options};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/reference").join(name)
}

/// All comparisons of a set pass, and there are at least so many.
fn passes(set: &str, checkpoint: &str, at_least: usize) {
    let mut engine = Engine::load(&data(set).join(checkpoint), &Options::default()).unwrap();
    let cases = engine::verify(&mut engine, &data(set).join("goldens"), None).unwrap();
    let failures: Vec<_> = cases.iter().filter_map(|c| Some((&c.name, c.failure.as_ref()?))).collect();
    assert!(failures.is_empty(), "{set}/{checkpoint}: {failures:#?}");
    assert!(cases.len() >= at_least, "{set}/{checkpoint}: only {} comparisons", cases.len());
}

#[test]
fn omni_open() {
    passes("open", "omni-f32", 400);
    passes("open", "omni-bf16", 400);
}

#[test]
fn omni_of_odd_sizes() {
    passes("narrow", "omni-bf16", 370);
    passes("wide", "omni-bf16", 360);
}

#[test]
fn dense() {
    passes("open", "qwen3-dense-f32", 20);
    passes("open", "qwen3-dense-bf16", 20);
    passes("narrow", "qwen3-dense-bf16", 20);
    passes("wide", "qwen3-dense-bf16", 20);
}

#[test]
fn a_golden_of_another_checkpoint_fails() {
    let mut engine = Engine::load(&data("narrow/qwen3-dense-bf16"), &Options::default()).unwrap();
    let cases = engine::verify(&mut engine, &data("wide/goldens"), None).unwrap();
    assert!(cases.iter().any(|c| c.failure.is_some()));
}

#[test]
fn the_dump_holds_our_tensors_under_the_goldens_names() {
    let folder = tempfile::tempdir().unwrap();
    let mut engine = Engine::load(&data("narrow/qwen3-dense-bf16"), &Options::default()).unwrap();
    engine::verify(&mut engine, &data("narrow/goldens"), Some(folder.path())).unwrap();
    for file in ["raw.safetensors", "chat.safetensors"] {
        assert!(folder.path().join(file).metadata().unwrap().len() > 1000, "{file}");
    }
}

//! Checkpoints in the repository, and altered copies of them. Not the engine's reader of checkpoints, which they try.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests: a failure is the test's"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

/// The checkpoint that ships with the app.
pub fn pocket() -> PathBuf {
    repository().join("assets/pocket")
}

/// A random Qwen3-Omni.
pub fn omni() -> PathBuf {
    data().join("reference/open/omni-bf16")
}

/// A random dense Qwen3.
pub fn dense() -> PathBuf {
    data().join("reference/open/qwen3-dense-bf16")
}

/// Files of tests.
pub fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data")
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A copy of a checkpoint that is gone with the returned folder.
pub fn copy(folder: &Path) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    dir
}

/// Changes a JSON file of a copy.
pub fn edit_json(folder: &Path, name: &str, edit: impl FnOnce(&mut Value)) {
    let path = folder.join(name);
    let mut json = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    edit(&mut json);
    fs::write(&path, serde_json::to_vec(&json).unwrap()).unwrap();
}

/// A copy of the random Qwen3-Omni whose answers end with any of `ids`.
pub fn omni_that_stops_at(ids: &[u32]) -> TempDir {
    let dir = copy(&omni());
    edit_json(dir.path(), "generation_config.json", |json| json["eos_token_id"] = ids.into());
    dir
}

/// A copy of the random Qwen3-Omni without the parts that speak, as the published Thinking and Captioner checkpoints are.
pub fn omni_without_speech() -> TempDir {
    let dir = copy(&omni());
    edit_json(dir.path(), "config.json", |json| {
        json["enable_audio_output"] = false.into();
        let json = json.as_object_mut().unwrap();
        json.remove("talker_config");
        json.remove("code2wav_config");
    });
    let stays = |name: &str| name.starts_with("thinker.");
    for shard in shards(dir.path()) {
        let (header, data) = read_shard(&shard);
        write_shard(&shard, header.into_iter().filter(|(name, _)| stays(name)).collect(), &data);
    }
    edit_json(dir.path(), "model.safetensors.index.json", |json| {
        json["weight_map"].as_object_mut().unwrap().retain(|name, _| stays(name));
    });
    dir
}

/// The weight files of a checkpoint.
pub fn shards(folder: &Path) -> Vec<PathBuf> {
    let mut shards: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "safetensors"))
        .collect();
    shards.sort();
    shards
}

/// A shard's entries by tensor name, and the bytes behind its header.
pub fn read_shard(path: &Path) -> (BTreeMap<String, Value>, Vec<u8>) {
    let bytes = fs::read(path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: BTreeMap<String, Value> = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    header.remove("__metadata__");
    (header, bytes[8 + length..].to_vec())
}

/// Writes the tensors of `header`, whose places are those in `data`, one after the other.
fn write_shard(path: &Path, mut header: BTreeMap<String, Value>, data: &[u8]) {
    let mut kept = Vec::new();
    for entry in header.values_mut() {
        let place = |i: usize| entry["data_offsets"][i].as_u64().unwrap() as usize;
        let (start, tensor) = (kept.len(), &data[place(0)..place(1)]);
        kept.extend_from_slice(tensor);
        entry["data_offsets"] = vec![start, kept.len()].into();
    }
    write_raw_shard(path, &header, &kept);
}

/// Writes a header as it is, and the bytes behind it.
pub fn write_raw_shard(path: &Path, header: &BTreeMap<String, Value>, data: &[u8]) {
    let header = serde_json::to_vec(header).unwrap();
    let bytes = [&(header.len() as u64).to_le_bytes(), &header[..], data].concat();
    fs::write(path, bytes).unwrap();
}

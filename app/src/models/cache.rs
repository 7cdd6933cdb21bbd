//! Models and files that other programs have fetched from the hub. They are read and linked to, never changed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The folder of the hub's own programs.
pub(super) fn folder() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
    set("HF_HUB_CACHE")
        .or_else(|| set("HF_HOME").map(|home| home.join("hub")))
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("huggingface/hub")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/huggingface/hub")))
}

fn of(cache: &Path, repo: &str) -> PathBuf {
    cache.join(format!("models--{}", repo.replace('/', "--")))
}

/// The folder of a whole snapshot of `repo`, the one that its main branch was last first.
pub(super) fn snapshot(cache: &Path, repo: &str) -> Option<PathBuf> {
    let snapshots = of(cache, repo).join("snapshots");
    let main = fs::read_to_string(of(cache, repo).join("refs/main")).ok();
    let main =
        main.map(|commit| snapshots.join(commit.trim())).filter(|main| main.parent() == Some(&snapshots));
    let others = fs::read_dir(&snapshots).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    main.into_iter().chain(others).find(|folder| is_whole(folder))
}

/// Whether all shards are there that the index names, with as many bytes as it says, and the model's configuration.
fn is_whole(folder: &Path) -> bool {
    let json = |name| -> Option<Value> { serde_json::from_slice(&fs::read(folder.join(name)).ok()?).ok() };
    let Some(index) = json("model.safetensors.index.json") else { return false };
    let Some(map) = index["weight_map"].as_object() else { return false };
    let shards: BTreeSet<_> = map.values().filter_map(Value::as_str).collect();
    let bytes = shards.iter().map(|shard| Some(fs::metadata(folder.join(shard)).ok()?.len()));
    let Some(bytes) = bytes.sum::<Option<u64>>() else { return false };
    json("config.json").is_some() && bytes >= index["metadata"]["total_size"].as_u64().unwrap_or(1)
}

/// A file of `repo` with this hash and size, whichever snapshot it belongs to.
pub(super) fn blob(cache: &Path, repo: &str, hash: &str, size: u64) -> Option<PathBuf> {
    let blob = of(cache, repo).join("blobs").join(hash);
    fs::metadata(&blob).is_ok_and(|found| found.is_file() && found.len() == size).then_some(blob)
}

//! Models that are here: found in the hub's own cache, checked, mended and removed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::hub::{COMMIT, Hub, NAME, hash, model};
use super::{Home, SHARD, end};

/// A cache of the hub's own programs with these files.
pub(super) fn cache(home: &Home, files: &[(String, Vec<u8>)]) -> PathBuf {
    let folder = home.path("hf/hub/models--Qwen--Qwen3-Omni-30B-A3B-Captioner");
    let snapshot = folder.join("snapshots").join(COMMIT);
    for path in [&folder.join("blobs"), &folder.join("refs"), &snapshot] {
        fs::create_dir_all(path).unwrap();
    }
    fs::write(folder.join("refs/main"), COMMIT).unwrap();
    for (name, bytes) in files {
        let blob = hash(name, bytes);
        fs::write(folder.join("blobs").join(&blob), bytes).unwrap();
        symlink(Path::new("../../blobs").join(blob), snapshot.join(name)).unwrap();
    }
    folder
}

fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let blobs = fs::read_dir(folder.join("blobs")).unwrap().map(|entry| entry.unwrap().path());
    blobs.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn a_whole_model_in_the_cache_needs_no_network() {
    let (hub, home) = (Hub::sound(model(SHARD)), Home::new());
    let folder = cache(&home, hub.files());
    let said = home.get(&hub);
    let snapshot = folder.join("snapshots").join(COMMIT);
    assert!(said.ok && said.out.contains(snapshot.to_str().unwrap()), "{said:?}");
    assert!(hub.requests().is_empty() && !home.model().exists());
    // Of what others have fetched nothing can be removed.
    let before = contents(&folder);
    assert!(!end(home.command(hub.port, &["remove", "captioner"]).spawn().unwrap()).ok);
    assert_eq!(contents(&folder), before);
}

#[test]
fn files_in_the_cache_are_taken_and_left_as_they_are() {
    let (hub, home) = (Hub::sound(model(SHARD)), Home::new());
    let shards: Vec<_> =
        hub.files().iter().filter(|(name, _)| name.ends_with(".safetensors")).cloned().collect();
    let folder = cache(&home, &shards);
    // One of them is damaged, which its size does not show.
    let damaged = folder.join("blobs").join(hash("model-2.safetensors", &shards[1].1));
    let mut bytes = shards[1].1.clone();
    bytes[9] ^= 1;
    fs::write(damaged, bytes).unwrap();
    let before = contents(&folder);
    let said = home.get(&hub);
    assert!(said.ok, "{said:?}");
    home.assert_right(&hub);
    let fetched: Vec<_> = hub.requests().into_iter().filter(|request| request.is_weights()).collect();
    assert!(
        !fetched.is_empty() && fetched.iter().all(|request| request.path.ends_with("model-2.safetensors"))
    );
    assert_eq!(contents(&folder), before);
    let said = end(home.command(hub.port, &["remove", "captioner"]).spawn().unwrap());
    assert!(said.ok, "{said:?}");
    assert_eq!(contents(&folder), before);
}

#[test]
fn a_damaged_model_is_found_out_and_mended() {
    let (hub, home) = (Hub::sound(model(SHARD)), Home::new());
    assert!(home.get(&hub).ok);
    let check = |arguments: &[&str]| end(home.command(hub.port, arguments).spawn().unwrap());
    let said = check(&["check", NAME]);
    assert!(said.ok && said.out.contains("model-1.safetensors is right"), "{said:?}");
    let file = home.model().join("model-1.safetensors");
    let mut bytes = fs::read(&file).unwrap();
    bytes[1234] ^= 4;
    fs::write(&file, bytes).unwrap();
    fs::remove_file(home.model().join("config.json")).unwrap();
    let said = check(&["check", NAME]);
    assert!(!said.ok && said.err.contains("2 of 5 files are not right"), "{said:?}");
    assert!(
        said.out.contains("model-1.safetensors has other bytes")
            && said.out.contains("config.json is missing")
    );
    assert!(!check(&["check", NAME, "--mend"]).ok);
    let again = Hub::sound(model(SHARD));
    assert!(home.get(&again).ok);
    home.assert_right(&again);
    assert!(!again.requests().iter().any(|request| request.path.ends_with("model-2.safetensors")));
}

#[test]
fn a_model_is_listed_used_by_its_name_and_removed() {
    let (hub, home) = (Hub::sound(model(SHARD)), Home::new());
    let run = |arguments: &[&str]| end(home.command(hub.port, arguments).spawn().unwrap());
    assert!(run(&["list"]).out.contains("is not here"));
    assert!(home.get(&hub).ok);
    let listed = run(&["list"]).out;
    assert!(listed.contains(&format!("is here: {}", home.model().display())), "{listed}");
    assert!(home.get(&hub).out.contains("is here: "));
    let command = home.command(hub.port, &[]);
    let talk = ["talk", "--model", NAME, "--text", "hello"];
    let mut other = std::process::Command::new(command.get_program());
    other.args(talk).envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let said = other.output().unwrap();
    // Its files hold no model; that they were looked at shows that the name was understood.
    let told = String::from_utf8(said.stderr).unwrap();
    assert!(!said.status.success() && told.contains(home.model().to_str().unwrap()), "{told}");
    assert!(run(&["remove", NAME]).ok && !home.model().exists());
    let told = String::from_utf8(other.output().unwrap().stderr).unwrap();
    assert!(told.contains(&format!("fetch it with `colloquy models get {NAME}`")), "{told}");
    assert!(!run(&["remove", NAME]).ok && !run(&["remove", "pocket"]).ok);
}

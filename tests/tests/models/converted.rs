//! Models that are converted while they come: in the end there is what `import` makes of the downloaded folder.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use colloquy_tests::checkpoints::omni;
use colloquy_tests::program::binary;

use super::here::cache;
use super::hub::{COMMIT, Hub, NAME, Reply, Request, noise};
use super::{Home, Said, end, names};

/// A small Qwen3-Omni, in three files of weights.
fn files() -> Vec<(String, Vec<u8>)> {
    names(&omni()).into_iter().map(|name| (name.clone(), fs::read(omni().join(name)).unwrap())).collect()
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    names(folder).into_iter().map(|name| (name.clone(), fs::read(folder.join(name)).unwrap())).collect()
}

/// A home, and what `import` makes of the model.
struct Case {
    home: Home,
    wanted: BTreeMap<String, Vec<u8>>,
}

impl Case {
    fn new() -> Case {
        let home = Home::new();
        let out = home.path("wanted");
        let mut import = Command::new(binary());
        import.arg("import").arg(omni()).args(["--format", "q8_0", "--out"]).arg(&out);
        assert!(import.output().unwrap().status.success());
        Case { home, wanted: contents(&out) }
    }

    fn model(&self) -> PathBuf {
        self.home.path("data/colloquy/models").join(format!("{NAME}-q8_0"))
    }

    fn getting(&self, port: u16) -> Command {
        let mut command = self.home.getting(port);
        command.args(["--format", "q8_0"]);
        command
    }

    fn get(&self, hub: &Hub) -> Said {
        end(self.getting(hub.port).spawn().unwrap())
    }

    fn run(&self, hub: &Hub, arguments: &[&str]) -> Said {
        end(self.home.command(hub.port, arguments).spawn().unwrap())
    }

    /// The converted model is right, and nothing else is there.
    fn assert_right(&self) {
        assert!(contents(&self.model()) == self.wanted);
        let mut beside = names(self.model().parent().unwrap());
        beside.retain(|name| !name.starts_with('.'));
        assert_eq!(beside, [format!("{NAME}-q8_0")]);
    }
}

/// Requests for pieces of files of weights; one for a header asks for more.
fn weights(hub: &Hub) -> Vec<Request> {
    let is_piece = |request: &Request| request.range.is_some_and(|(first, last)| last - first < 65_536);
    hub.requests().into_iter().filter(|request| request.is_weights() && is_piece(request)).collect()
}

#[test]
fn a_model_is_converted_while_it_comes_listed_checked_used_and_removed() {
    let (hub, case) = (Hub::sound(files()), Case::new());
    let said = case.get(&hub);
    assert!(said.ok && said.out.contains(&format!("{NAME}-q8_0 is here: ")), "{said:?}");
    case.assert_right();
    let asked = hub.requests().len();
    assert!(case.get(&hub).ok && hub.requests().len() == asked, "it is here");

    let listed = case.run(&hub, &["list"]).out;
    assert!(
        listed.contains(&format!("{NAME}-q8_0 is here: ")) && listed.contains("    is not here"),
        "{listed}"
    );
    let listed = case.run(&hub, &["list", "--json"]).out;
    assert!(listed.contains(&format!(r#""converted":[{{"name":"{NAME}-q8_0","state":"here""#)), "{listed}");
    let said = case.run(&hub, &["check", "captioner-q8_0"]);
    assert!(said.ok && said.out.contains("as it was converted"), "{said:?}");
    let file = case.model().join("model-00001-of-00001.safetensors");
    let mut bytes = fs::read(&file).unwrap();
    let last = bytes.len() - 5000;
    bytes[last] ^= 1;
    fs::write(&file, bytes).unwrap();
    let said = case.run(&hub, &["check", &format!("{NAME}-q8_0")]);
    assert!(!said.ok && said.err.contains("1 of ") && said.err.contains("--format q8_0"), "{said:?}");

    let environment = case.home.command(hub.port, &[]);
    let mut talk = Command::new(binary());
    talk.args(["talk", "--device", "cpu", "--text", "hello", "--max-text-tokens", "1", "--model"]);
    talk.arg(format!("{NAME}-q8_0"));
    talk.envs(environment.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let said = talk.output().unwrap();
    assert!(said.status.success(), "{said:?}");
    assert!(case.run(&hub, &["remove", "captioner-q8_0"]).ok && !case.model().exists());
    let told = String::from_utf8(talk.output().unwrap().stderr).unwrap();
    assert!(told.contains(&format!("fetch it with `colloquy models get {NAME} --format q8_0`")), "{told}");
}

#[test]
fn twenty_kills_at_random_points_leave_what_can_be_gone_on_with() {
    for give_back in [false, true] {
        let hub = Hub::start(files(), |request, reply| {
            reply.pace = Some(if request.is_weights() { 8192 } else { 1 << 20 });
        });
        let case = Case::new();
        let mut killed = 0;
        for random in noise(11, 20) {
            let mut command = case.getting(hub.port);
            if give_back {
                command.arg("--give-back");
            }
            let mut child = command.spawn().unwrap();
            sleep(Duration::from_millis(10 + 3 * u64::from(random)));
            if child.try_wait().unwrap().is_none() {
                child.kill().unwrap();
                killed += 1;
            }
            assert!(!end(child).err.contains("fault of the program"));
            if case.model().exists() {
                let said = case.get(&hub);
                assert!(said.ok, "{said:?}");
                case.assert_right();
                fs::remove_dir_all(case.model()).unwrap();
            }
        }
        assert!(killed > 0, "the conversion is too fast for this test");
        let said = case.get(&Hub::sound(files()));
        assert!(said.ok, "it does not go on: {said:?}");
        case.assert_right();
    }
}

#[test]
fn what_is_converted_is_not_fetched_again() {
    let trouble = |request: &Request, reply: &mut Reply| {
        // It is the last one: the files come by their size.
        if request.path.ends_with("model-00002-of-00003.safetensors")
            && request.range.is_some_and(|(first, _)| first >= 131_072)
        {
            sleep(Duration::from_millis(300));
            reply.refuse(403);
        }
    };
    let (hub, case) = (Hub::start(files(), trouble), Case::new());
    let said = case.get(&hub);
    assert!(!said.ok && said.err.contains("has terms to agree to") && !case.model().exists(), "{said:?}");
    let listed = case.run(&hub, &["list"]).out;
    assert!(listed.contains(&format!("{NAME}-q8_0 ")) && listed.contains("are here"), "{listed}");
    // Of what is converted nothing is kept as it came.
    let source = case.home.path("data/colloquy/models").join(format!("{NAME}-q8_0.source/weights"));
    let kept = names(&source);
    assert!(kept.contains(&"model-00003-of-00003.taken".into()), "{kept:?}");
    assert!(!kept.contains(&"model-00003-of-00003.safetensors".into()), "{kept:?}");
    let well = Hub::sound(files());
    let said = case.get(&well);
    assert!(said.ok, "{said:?}");
    case.assert_right();
    let again = weights(&well);
    assert!(
        !again.is_empty() && !again.iter().any(|request| request.path.contains("-00003-of")),
        "{again:?}"
    );
    assert!(!well.requests().iter().any(|request| request.path.contains("/api/")), "the commit was settled");
}

#[test]
fn wrong_bytes_wrong_headers_and_wrong_sizes_are_found_out() {
    // A hash that is always wrong.
    let (hub, case) = (
        Hub::start(files(), |request, reply| {
            if request.is_weights() && request.range.is_some_and(|(first, _)| first > 0) {
                reply.body[5] ^= 1;
            }
        }),
        Case::new(),
    );
    let said = case.get(&hub);
    assert!(!said.ok && said.err.contains("its hash differs") && !case.model().exists(), "{said:?}");
    assert!(case.get(&Hub::sound(files())).ok);
    case.assert_right();

    // A header that came wrong, but can be read: two of its names are exchanged.
    let case = Case::new();
    let hub = Hub::start(files(), |request, reply| {
        if request.path.ends_with("-00001-of-00003.safetensors")
            && request
                .range
                .is_some_and(|range| range == (0, reply.body.len().saturating_sub(1)) && range.1 > 65_536)
        {
            let length = u64::from_le_bytes(reply.body[..8].try_into().unwrap()) as usize;
            // A space in place of one that is there already would be no change.
            reply.body[8 + length - 1] = b'\n';
            let last = reply.body[8 + length - 2];
            if last != b' ' {
                reply.body[8 + length - 1] = b'!';
            }
        }
    });
    let said = case.get(&hub);
    assert!(!said.ok && said.err.contains("headers are fetched again"), "{said:?}");
    let said = case.get(&Hub::sound(files()));
    assert!(said.ok, "{said:?}");
    case.assert_right();
}

#[test]
fn too_little_room_and_a_full_disk_are_told() {
    let case = Case::new();
    let hub = Hub::sound(files());
    // A list of files that says more than a disk holds is refused by the header.
    let huge = Hub::start(files(), |request, reply| {
        if request.path.contains("/tree/") {
            let text = String::from_utf8(reply.body.clone()).unwrap();
            reply.body = text.replace("\"size\":715000,", "\"size\":1000000000000000,").into_bytes();
        }
    });
    let said = case.get(&huge);
    assert!(!said.ok && said.err.contains("by the hub's list"), "{said:?}");
    assert!(weights(&huge).is_empty(), "nothing is fetched before that");
    fs::remove_dir_all(case.home.path("data/colloquy/models")).unwrap();

    // Every write of the first output fails.
    let folder = case.home.path("data/colloquy/models");
    let refusing = Hub::start(files(), |request, reply| {
        if request.is_weights() && request.range.is_some_and(|(first, _)| first > 0) {
            reply.refuse(403);
        }
    });
    assert!(!case.get(&refusing).ok);
    let part = folder.join(format!("{NAME}-q8_0.part"));
    symlink("/dev/full", part.join("model-00001-of-00001.safetensors")).unwrap();
    let said = case.get(&hub);
    assert!(!said.ok && said.err.contains("model-00001-of-00001.safetensors"), "{said:?}");
    fs::remove_file(part.join("model-00001-of-00001.safetensors")).unwrap();
    assert!(case.get(&hub).ok);
    case.assert_right();
}

#[test]
fn models_and_files_that_are_here_are_converted_and_left_as_they_are() {
    // A whole model in the cache: no network.
    let (hub, case) = (Hub::sound(files()), Case::new());
    let folder = cache(&case.home, hub.files());
    let before = contents(&folder.join("blobs"));
    let said = case.get(&hub);
    assert!(said.ok && hub.requests().is_empty(), "{said:?}");
    case.assert_right();
    assert!(contents(&folder.join("blobs")) == before);
    assert!(folder.join("snapshots").join(COMMIT).join("config.json").exists());

    // One of its files there, another one damaged.
    let case = Case::new();
    let shards: Vec<_> = hub
        .files()
        .iter()
        .filter(|(name, _)| {
            name.ends_with("2-of-00003.safetensors") || name.ends_with("3-of-00003.safetensors")
        })
        .cloned()
        .collect();
    let folder = cache(&case.home, &shards);
    let damaged = folder.join("blobs").join(super::hub::hash(&shards[1].0, &shards[1].1));
    let mut bytes = shards[1].1.clone();
    bytes[99_999] ^= 1;
    fs::write(damaged, bytes).unwrap();
    let before = contents(&folder.join("blobs"));
    let mut command = case.getting(hub.port);
    let said = end(command.arg("--give-back").spawn().unwrap());
    assert!(said.ok, "{said:?}");
    case.assert_right();
    assert!(!weights(&hub).iter().any(|request| request.path.contains("-00002-of")));
    assert!(contents(&folder.join("blobs")) == before);

    // A model that was fetched as it is.
    let case = Case::new();
    assert!(case.home.get(&hub).ok);
    let fetched = contents(&case.home.model());
    let asked = hub.requests().len();
    assert!(case.get(&hub).ok && hub.requests().len() == asked);
    assert!(contents(&case.model()) == case.wanted && contents(&case.home.model()) == fetched);
}

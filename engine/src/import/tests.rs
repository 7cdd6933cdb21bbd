mod gguf;
pub(crate) mod packs;
mod values;

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use half::bf16;
use serde_json::json;

use super::folder::Folder;
use super::*;
use crate::engine::plan;
use crate::error::Error;
use crate::fixtures;
use crate::memory::{Memory, Tally};
use crate::model::Model;
use crate::model::config::Config;
use crate::recording::Buffer;
use crate::shape::{Bytes, Element, Shape};
use crate::weights::{Checkpoint, Loader, Planned, Weights};

const FORMATS: [Format; 3] = [Format::Bf16, Format::Q8_0, Format::Q4];

/// Folder whose checkpoint the child of a test imports, and where to.
const CHILD: &str = "COLLOQUY_TEST_IMPORT";

fn pocket() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/pocket")
}

fn omni() -> PathBuf {
    fixtures::path("reference/open/omni-bf16")
}

fn options(out: &Path, format: Format, shard_bytes: u64) -> ImportOptions {
    ImportOptions { format, folder: Some(out.to_owned()), shard_bytes, with: None }
}

fn run(source: &Path, options: &ImportOptions) -> Result<ImportReport> {
    import(source, options, &Cancel::new(), &|_| ())
}

/// The files of a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|p| (p.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&p).unwrap())).collect()
}

/// A memory that keeps what it is given.
#[derive(Default)]
struct Kept {
    uploads: Vec<(Shape, Element, Vec<Vec<u8>>)>,
    vectors: Vec<Vec<f32>>,
}

impl Memory for Kept {
    fn upload(&mut self, shape: Shape, element: Element, parts: Vec<Bytes>) -> Result<Buffer> {
        let buffer = Tally::alone().allocate(shape, element);
        self.uploads.push((shape, element, parts.iter().map(|part| (**part).as_ref().to_vec()).collect()));
        buffer
    }

    fn allocate(&mut self, shape: Shape, element: Element) -> Result<Buffer> {
        Tally::alone().allocate(shape, element)
    }

    fn free(&mut self, _: Buffer) {}

    fn write_f32(&mut self, _: Buffer, values: &[f32]) -> Result<()> {
        self.vectors.push(values.to_vec());
        Ok(())
    }

    fn write_u32(&mut self, _: Buffer, _: &[u32]) -> Result<()> {
        Ok(())
    }

    fn read_f32(&mut self, buffer: Buffer) -> Result<Vec<f32>> {
        Ok(vec![0.0; buffer.shape.len()])
    }

    fn read_u32(&mut self, buffer: Buffer) -> Result<Vec<u32>> {
        Ok(vec![0; buffer.shape.len()])
    }
}

/// All that loading a folder gives an executor.
fn loaded(folder: &Path, format: Option<Format>) -> Kept {
    let checkpoint = Checkpoint::open(folder).unwrap();
    let mut kept = Kept::default();
    let mut loader = Loader::new(checkpoint.scope(""), &mut kept, format);
    Model::load(&mut loader, &Config::load(folder).unwrap()).unwrap();
    checkpoint.finish().unwrap();
    kept
}

#[test]
fn imported_files_hold_bit_for_bit_what_loading_would_make() {
    let sources = [
        "open/omni-bf16",
        "open/omni-f32",
        "open/qwen3-dense-bf16",
        "narrow/omni-bf16",
        "wide/qwen3-dense-bf16",
    ];
    let sources = sources.map(|set| fixtures::path(&format!("reference/{set}")));
    for source in sources.into_iter().chain([pocket()]) {
        for format in FORMATS {
            let dir = tempfile::tempdir().unwrap();
            let out = dir.path().join("out");
            run(&source, &options(&out, format, 1 << 20)).unwrap();
            let (wanted, found) = (loaded(&source, Some(format)), loaded(&out, None));
            assert!(wanted.uploads == found.uploads, "{} as {}", source.display(), format.name());
            assert!(wanted.vectors == found.vectors, "{} as {}", source.display(), format.name());
            let same = loaded(&out, Some(format));
            assert!(same.uploads == wanted.uploads, "{} as {}", source.display(), format.name());
        }
    }
}

#[test]
fn files_are_plain_safetensors_in_load_order_aligned_and_of_the_size_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let (out, most) = (dir.path().join("out"), 1 << 19);
    let report = run(&omni(), &options(&out, Format::Q4, most)).unwrap();
    assert!(report.shards > 1 && (report.kept_files, report.source_files) == (0, 3));
    let (mut bytes, mut names) = (0, Vec::new());
    for (name, file) in files(&out).iter().filter(|(name, _)| name.ends_with(".safetensors")) {
        bytes += file.len() as u64;
        let (header, metadata) = safetensors::SafeTensors::read_metadata(file).unwrap();
        assert!((8 + header).is_multiple_of(4096) && file.len().is_multiple_of(4096), "{name}");
        assert!((file.len() - 8 - header) as u64 <= most, "{name}");
        let tensors = safetensors::SafeTensors::deserialize(file).unwrap();
        for name in metadata.offset_keys().into_iter().filter(|name| !name.starts_with("colloquy.padding")) {
            let view = tensors.tensor(&name).unwrap();
            let at = view.data().as_ptr().addr() - file.as_ptr().addr();
            assert!(at.is_multiple_of(4096), "{name} at {at}");
            names.push(name);
        }
    }
    assert_eq!(bytes, report.bytes);
    let checkpoint = Checkpoint::outline(&omni()).unwrap();
    let plan = plan(&checkpoint, &Config::load(&omni()).unwrap(), Format::Q4).unwrap();
    assert_eq!(names, plan.iter().map(|planned| planned.name.clone()).collect::<Vec<_>>());
    // Whatever else belongs to a checkpoint is there.
    for name in ["config.json", "tokenizer.json", "generation_config.json", "chat_template.json"] {
        assert_eq!(fs::read(out.join(name)).unwrap(), fs::read(omni().join(name)).unwrap());
    }
}

#[test]
fn errors_are_those_of_the_stored_weights() {
    let dir = tempfile::tempdir().unwrap();
    let report = run(&omni(), &options(&dir.path().join("out"), Format::Q8_0, 1 << 30)).unwrap();
    let checkpoint = Checkpoint::open(&omni()).unwrap();
    let name = "thinker.model.layers.0.self_attn";
    let group = |part: &str, kind: &str, held: &str| {
        let found = report.errors.iter().find(|g| (&*g.part, &*g.kind, &*g.held) == (part, kind, held));
        found.unwrap_or_else(|| panic!("no {part} {kind} {held} in {:?}", report.errors)).clone()
    };
    let attention = group("thinker", "attention", "q8_0");
    assert_eq!(attention.tensors, 4 * 5, "{name}");
    // Half a step of 127 of the largest weight of a block, which is some two to four times the root mean square.
    assert!((0.002..0.01).contains(&attention.rms()), "{attention:?}");
    assert!(attention.most > attention.rms() && attention.most < 0.05, "{attention:?}");
    for (part, kind) in [("thinker", "routers"), ("thinker", "embeddings"), ("code2wav", "convolutions")] {
        let exact = group(part, kind, "bf16");
        assert_eq!((exact.rms(), exact.most), (0.0, 0.0), "{part} {kind}");
    }
    let all: u64 = report.errors.iter().map(|group| group.weights).sum();
    assert_eq!(all as usize * 2, checkpoint.total_bytes());

    // By plain loops, of one matrix.
    let one = Checkpoint::open(&omni()).unwrap();
    let tensor = one.scope(name).get("q_proj.weight", &[96, 64]).unwrap();
    let outline = Checkpoint::outline(&omni()).unwrap();
    let outlined = outline.scope(name).get("q_proj.weight", &[96, 64]).unwrap();
    let (shard, from) = outlined.places().next().unwrap();
    let planned = Planned { name: "q".into(), weights: Weights::Plain(outlined), element: Element::Bf16 };
    let part = route::Part { planned: 0, matrix: 0, from, output: 0, at: 0, bytes: 96 * 64 * 2, padding: 0 };
    let mut exact = Vec::new();
    encode::encode(&outline.shards()[shard], &part, None, &planned, &mut |piece| {
        exact.extend(piece);
        Ok(())
    })
    .unwrap();
    let values: Vec<bf16> = bytemuck::pod_collect_to_vec(&exact);
    assert!(values.iter().map(|v| v.to_f32()).eq(tensor.to_f32()));
}

#[test]
fn what_cannot_be_imported_is_refused_with_the_cure() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let refused = |source: &Path, out: &Path, format, words: &[&str]| {
        let message = run(source, &options(out, format, 1 << 30)).unwrap_err().to_string();
        for word in words {
            assert!(message.contains(word), "{word:?} not in: {message}");
        }
    };
    refused(&dir.path().join("absent"), &out, Format::Q4, &["absent"]);
    refused(dir.path(), &out, Format::Q4, &["config.json"]);
    refused(&omni(), &out, Format::F32, &["bf16, q8_0 or q4"]);
    assert!(!out.exists());

    run(&omni(), &options(&out, Format::Q4, 1 << 30)).unwrap();
    refused(&omni(), &out, Format::Q4, &["out", "is there already", "--out"]);
    refused(&out, &dir.path().join("again"), Format::Q8_0, &["imported already", "q4"]);

    let foreign = dir.path().join("mine.part");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("letter.txt"), "dear").unwrap();
    refused(&omni(), &dir.path().join("mine"), Format::Q4, &["mine.part", "of no import"]);
    assert_eq!(fs::read(foreign.join("letter.txt")).unwrap(), b"dear");

    // Loading: another format, a cut file, another version, files of two imports.
    let wrong = Checkpoint::open(&out).unwrap().check_format(Some(Format::Q8_0)).unwrap_err().to_string();
    assert!(wrong.contains("imported as q4") && wrong.contains("q8_0"), "{wrong}");
    let shard = out.join("model-00001-of-00001.safetensors");
    let whole = fs::read(&shard).unwrap();
    let broken = |bytes: &[u8], words: &[&str]| {
        fs::write(&shard, bytes).unwrap();
        let message = Checkpoint::open(&out).err().unwrap().to_string();
        for word in words.iter().chain(&["model-00001-of-00001.safetensors"]) {
            assert!(message.contains(word), "{word:?} not in: {message}");
        }
    };
    broken(&whole[..whole.len() - 4096], &["cut short", "import the checkpoint again"]);
    broken(&whole[..whole.len() - 1], &["import the checkpoint again"]);
    broken(&[&whole[..], b"x"].concat(), &["import the checkpoint again"]);
    let edited = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let at = whole.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        let mut edited = whole.clone();
        edited[at..at + to.len()].copy_from_slice(to.as_bytes());
        edited
    };
    broken(&edited("version\":\"1\"", "version\":\"2\""), &["version 1", "\"2\"", "update Colloquy"]);
    broken(&edited("format\":\"q4\"", "format\":\"q5\""), &["colloquy.format"]);
    broken(&edited("\"q4 ", "\"q5 "), &["format of its blocks", "q5 "]);
    broken(&edited("\"q4 96,", "\"q4 95,"), &["bytes for q4 blocks"]);
}

#[test]
fn shards_of_two_imports_do_not_mix() {
    let dir = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| dir.path().join(name));
    // A tensor in each file, so that they hold the same ones.
    let dense = fixtures::path("reference/open/qwen3-dense-bf16");
    run(&dense, &options(&a, Format::Q8_0, 1)).unwrap();
    run(&dense, &options(&b, Format::Q4, 1)).unwrap();
    fs::copy(first_shard(&b), first_shard(&a)).unwrap();
    let message = Checkpoint::open(&a).err().unwrap().to_string();
    assert!(message.contains("same import"), "{message}");
}

#[test]
fn an_import_that_is_killed_goes_on_and_gives_the_same_files() {
    if let Some(folder) = std::env::var_os(CHILD) {
        run(&omni(), &options(Path::new(&folder), Format::Q4, 1 << 19)).unwrap();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let child = |out: &Path| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "import::tests::an_import_that_is_killed_goes_on_and_gives_the_same_files"])
            .env(CHILD, out)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let undisturbed = dir.path().join("undisturbed");
    let begun = Instant::now();
    assert!(child(&undisturbed).wait().unwrap().success());
    let whole = begun.elapsed();
    let wanted = files(&undisturbed);
    assert!(wanted.len() > 9 && !wanted.contains_key("import.journal"));

    let mut random = 0x2545_f491_u64;
    for _ in 0..6 {
        let out = dir.path().join("out");
        // Killed again and again, at any time; then undisturbed.
        for _ in 0..3 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mut child = child(&out);
            std::thread::sleep(whole * (random >> 40) as u32 / (1 << 24) + Duration::from_millis(1));
            child.kill().unwrap();
            child.wait().unwrap();
            // Either nothing has the name, or all is there.
            if out.exists() {
                break;
            }
        }
        if let Err(error) = run(&omni(), &options(&out, Format::Q4, 1 << 19)) {
            assert!(error.to_string().contains("is there already"), "{error}");
        }
        assert!(files(&out) == wanted);
        assert!(!dir.path().join("out.part").exists());
        fs::remove_dir_all(&out).unwrap();
    }

    // Killed when some files are finished: they are kept. One that was too fast for that is begun again.
    let (out, journal) = (dir.path().join("out"), dir.path().join("out.part/import.journal"));
    let finished = || fs::read_to_string(&journal).map_or(0, |journal| journal.lines().count());
    let mut kept = 0;
    for _ in 0..20 {
        let mut child = child(&out);
        while finished() < 2 && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_micros(200));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        if !out.exists() {
            kept = run(&omni(), &options(&out, Format::Q4, 1 << 19)).unwrap().kept_files;
            assert!(files(&out) == wanted);
        }
        fs::remove_dir_all(&out).unwrap();
        if kept > 0 {
            break;
        }
    }
    assert!(kept >= 1, "{kept} finished files were kept");
}

#[test]
fn what_is_found_damaged_or_of_another_import_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let [wanted, out] = ["wanted", "out"].map(|name| dir.path().join(name));
    let part = dir.path().join("out.part");
    let most = 1 << 19;
    run(&omni(), &options(&wanted, Format::Q8_0, most)).unwrap();
    // Broken off after some files.
    let broken_off = |format| {
        let cancel = Cancel::new();
        let stop = |progress: Progress| {
            if progress.bytes == progress.total_bytes {
                cancel.fire();
            }
        };
        let error = import(&omni(), &options(&out, format, most), &cancel.renewed(), &stop).unwrap_err();
        assert!(matches!(error, Error::Cancelled), "{error}");
    };
    broken_off(Format::Q8_0);
    let journal = fs::read_to_string(part.join("import.journal")).unwrap();
    let finished = journal.lines().count() - 1;
    assert!(finished >= 2, "{journal}");
    // What was made of one file is damaged, and a line is torn.
    let damaged = first_shard(&part);
    let mut bytes = fs::read(&damaged).unwrap();
    let last = bytes.len() - 4096;
    bytes[last] ^= 1;
    fs::write(&damaged, bytes).unwrap();
    fs::write(part.join("import.journal"), journal + "{\"file\":\"mod").unwrap();
    let report = run(&omni(), &options(&out, Format::Q8_0, most)).unwrap();
    assert_eq!(report.kept_files, finished - 1);
    assert!(files(&out) == files(&wanted));
    let errors = run(&omni(), &options(&dir.path().join("other"), Format::Q8_0, most)).unwrap().errors;
    assert_eq!(report.errors.len(), errors.len());

    // Another format: nothing of the first is left.
    fs::remove_dir_all(&out).unwrap();
    broken_off(Format::Q4);
    let report = run(&omni(), &options(&out, Format::Q8_0, most)).unwrap();
    assert_eq!(report.kept_files, 0);
    assert!(files(&out) == files(&wanted));

    // Whole, but killed before the journal was gone.
    let journal = {
        fs::rename(&out, &part).unwrap();
        fs::write(part.join("import.journal"), "").unwrap();
        run(&omni(), &options(&out, Format::Q8_0, most)).unwrap();
        out.join("import.journal")
    };
    fs::write(&journal, "").unwrap();
    run(&omni(), &options(&out, Format::Q8_0, most)).unwrap();
    assert!(files(&out) == files(&wanted));
}

fn first_shard(folder: &Path) -> PathBuf {
    let mut names: Vec<_> = files(folder).into_keys().filter(|name| name.ends_with("safetensors")).collect();
    names.sort_unstable();
    folder.join(&names[0])
}

#[test]
fn too_little_room_and_a_second_import_are_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let folder = Folder::open(&out, json!({})).unwrap();
    folder.check_room(1).unwrap();
    let message = folder.check_room(1 << 62).unwrap_err().to_string();
    assert!(message.contains("out.part") && message.contains("make room"), "{message}");
    let message = run(&omni(), &options(&out, Format::Q4, 1 << 30)).unwrap_err().to_string();
    assert!(message.contains("another import writes to") && message.contains("out.part"), "{message}");
    drop(folder);
    run(&omni(), &options(&out, Format::Q4, 1 << 30)).unwrap();
}

/// The small files of a checkpoint, and the headers of its files of weights.
fn headers(source: &Path, folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for (name, bytes) in files(source) {
        let header = || 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let end = if name.ends_with(".safetensors") { header() } else { bytes.len() };
        fs::write(folder.join(name), &bytes[..end]).unwrap();
    }
}

#[test]
fn files_that_come_one_by_one_and_are_given_back_give_the_same_folder() {
    let dir = tempfile::tempdir().unwrap();
    let [small, wanted, out, come] = ["small", "wanted", "out", "come"].map(|name| dir.path().join(name));
    let whole = run(&omni(), &options(&wanted, Format::Q8_0, 1 << 19)).unwrap();
    headers(&omni(), &small);
    let begin = |identity: &str| {
        Import::begin(&small, identity, &options(&out, Format::Q8_0, 1 << 19), &Cancel::new()).unwrap()
    };
    let take = |import: &mut Import, name: &str, tell: &dyn Fn(Progress), cancel: &Cancel| {
        fs::copy(omni().join(name), &come).unwrap();
        import.take(name, &come, true, cancel, tell)
    };
    let silent = |_: Progress| ();
    let mut import = begin("one");
    let all = import.files();
    assert!(all.len() == 3 && all.iter().all(|file| !file.is_taken));
    assert!(all.is_sorted_by(|a, b| a.bytes >= b.bytes));
    assert!((whole.bytes..whole.bytes + all[0].bytes).contains(&import.room()), "{}", import.room());
    take(&mut import, &all[1].name, &silent, &Cancel::new()).unwrap();
    // All of its weights are given back.
    assert!(fs::metadata(&come).unwrap().len() < all[1].bytes / 10);
    assert!(import.finish().err().unwrap().to_string().contains("not all files"));

    // Another one; a file that is not the one whose header was there; a break in the middle.
    let mut import = begin("one");
    let taken = |import: &Import| import.files().iter().map(|file| file.is_taken).collect::<Vec<_>>();
    assert_eq!(taken(&import), [false, true, false]);
    let error = import.take(&all[0].name, &omni().join(&all[2].name), false, &Cancel::new(), &silent);
    assert!(error.unwrap_err().to_string().contains("another; download it again"));
    let cancel = Cancel::new();
    let stop = |_: Progress| cancel.fire();
    let error = take(&mut import, &all[0].name, &stop, &cancel.renewed()).unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");
    drop(import);
    let mut import = begin("one");
    assert_eq!(taken(&import), [false, true, false]);
    for file in &all {
        take(&mut import, &file.name, &silent, &Cancel::new()).unwrap();
    }
    let report = import.finish().unwrap();
    assert_eq!((report.kept_files, report.source_files), (1, 3));
    assert!(files(&out) == files(&wanted));
    let figures = |report: &ImportReport| {
        let of = |group: &ErrorGroup| (group.part.clone(), group.kind.clone(), group.tensors, group.weights);
        report.errors.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(figures(&report), figures(&whole));

    // What was begun with another checkpoint is begun anew.
    fs::remove_dir_all(&out).unwrap();
    let mut import = begin("one");
    take(&mut import, &all[0].name, &silent, &Cancel::new()).unwrap();
    drop(import);
    assert_eq!(taken(&begin("two")), [false; 3]);
}

#[test]
fn the_files_of_an_import_are_compared_with_their_checksums() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    run(&omni(), &options(&out, Format::Q4, 1 << 19)).unwrap();
    let check = || check_import(&out, &Cancel::new(), &mut |_| ()).unwrap();
    let whole = check();
    assert_eq!(whole.len() + 1, files(&out).len(), "all but the checksums themselves");
    assert!(whole.iter().all(|file| file.fault.is_none()), "{whole:?}");
    let shard = first_shard(&out);
    let mut bytes = fs::read(&shard).unwrap();
    bytes[20_000] ^= 1;
    fs::write(&shard, bytes).unwrap();
    fs::write(out.join("vocab.json"), "{}").unwrap();
    fs::remove_file(out.join("merges.txt")).unwrap();
    let faults: Vec<_> = check().into_iter().filter_map(|file| Some((file.name, file.fault?))).collect();
    let faults: Vec<_> = faults.iter().map(|(name, fault)| (name.as_str(), *fault)).collect();
    let changed = (shard.file_name().unwrap().to_str().unwrap(), "has other bytes than when it was imported");
    assert_eq!(faults, [("merges.txt", "is missing"), changed, ("vocab.json", "has another size")]);
    let error = check_import(&omni(), &Cancel::new(), &mut |_| ()).unwrap_err().to_string();
    assert!(error.contains("checksums.json") && error.contains("import the published checkpoint again"));
}

#[test]
fn values_at_odd_places_are_imported_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let [odd, wanted, found] = ["odd", "wanted", "found"].map(|name| dir.path().join(name));
    fs::create_dir(&odd).unwrap();
    for (name, bytes) in files(&omni()) {
        let mut bytes = bytes;
        if name.ends_with(".safetensors") {
            // A space more in the header.
            let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) + 1;
            bytes.insert(length as usize + 7, b' ');
            bytes[..8].copy_from_slice(&length.to_le_bytes());
        }
        fs::write(odd.join(name), bytes).unwrap();
    }
    for format in FORMATS {
        run(&omni(), &options(&wanted, format, 1 << 19)).unwrap();
        run(&odd, &options(&found, format, 1 << 19)).unwrap();
        assert!(files(&found) == files(&wanted), "{}", format.name());
        for folder in [&wanted, &found] {
            fs::remove_dir_all(folder).unwrap();
        }
    }
}

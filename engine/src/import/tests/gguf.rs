//! Files as llama.cpp publishes them, written here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use half::f16;

use super::values::{Values, imported, joined, published, small_files};
use super::{Checkpoint, Config, Format, ImportOptions, ImportReport, Result, omni, options, run};
use crate::weights::writer::Writer;

/// Numbers of types in a file.
const F32: u32 = 0;
const F16: u32 = 1;
const Q4_0: u32 = 2;
const Q8_0: u32 = 8;

/// A matrix in blocks of 32, and what it stands for then.
fn packed(values: &mut [f32], kind: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    for block in values.chunks_mut(32) {
        let most = block.iter().fold(0.0_f32, |most, v| if v.abs() > most.abs() { *v } else { most });
        let d = f16::from_f32(if kind == Q8_0 { most.abs() / 127.0 } else { most / -8.0 });
        bytes.extend(d.to_le_bytes());
        let d = d.to_f32();
        let quants: Vec<f32> = block.iter().map(|v| if d == 0.0 { 0.0 } else { (v / d).round() }).collect();
        if kind == Q8_0 {
            bytes.extend(quants.iter().map(|q| q.clamp(-127.0, 127.0) as i8 as u8));
            block.iter_mut().zip(quants).for_each(|(v, q)| *v = d * q.clamp(-127.0, 127.0));
        } else {
            let quants: Vec<u8> = quants.iter().map(|q| (q + 8.0).clamp(0.0, 15.0) as u8).collect();
            bytes.extend((0..16).map(|i| quants[i] | quants[i + 16] << 4));
            block.iter_mut().zip(quants).for_each(|(v, q)| *v = d * (f32::from(q) - 8.0));
        }
    }
    bytes
}

/// What llama.cpp calls a tensor of the thinker or its encoders, and whether it is one of a stack.
fn listed(name: &str) -> Option<(String, bool)> {
    let parts: Vec<&str> = name.split('.').collect();
    let in_layer = |rest: &str| {
        Some(match rest {
            "input_layernorm" => "attn_norm",
            "post_attention_layernorm" => "ffn_norm",
            "self_attn.q_proj" => "attn_q",
            "self_attn.k_proj" => "attn_k",
            "self_attn.v_proj" => "attn_v",
            "self_attn.o_proj" => "attn_output",
            "self_attn.q_norm" => "attn_q_norm",
            "self_attn.k_norm" => "attn_k_norm",
            "mlp.gate" => "ffn_gate_inp",
            "self_attn.out_proj" | "attn.proj" => "attn_out",
            "self_attn_layer_norm" | "norm1" => "ln1",
            "final_layer_norm" | "norm2" => "ln2",
            "fc1" | "mlp.linear_fc1" => "ffn_up",
            "fc2" | "mlp.linear_fc2" => "ffn_down",
            "attn.qkv" => "attn_qkv",
            _ => return None,
        })
    };
    let (stem, ending) = name.rsplit_once('.')?;
    let plain = |new: String| Some((format!("{new}.{ending}"), false));
    match parts[..] {
        ["thinker", "model", "layers", i, "mlp", "experts", _, proj, "weight"] => {
            let kind = proj.strip_suffix("_proj")?;
            Some((format!("blk.{i}.ffn_{kind}_exps.weight"), true))
        }
        ["thinker", "model", "layers", i, ..] => {
            plain(format!("blk.{i}.{}", in_layer(stem.splitn(5, '.').last()?)?))
        }
        ["thinker", "audio_tower", "layers", i, ..] => {
            plain(format!("a.blk.{i}.{}", in_layer(stem.splitn(5, '.').last()?)?))
        }
        ["thinker", "visual", "blocks", i, ..] => {
            plain(format!("v.blk.{i}.{}", in_layer(stem.splitn(5, '.').last()?)?))
        }
        // The mergers stand behind the blocks 1, 2 and 3.
        ["thinker", "visual", "merger_list", i, ..] => {
            let block = i.parse::<usize>().ok()? + 1;
            let rest = stem.splitn(5, '.').last()?;
            plain(format!(
                "v.deepstack.{block}.{}",
                match rest {
                    "ln_q" => "norm",
                    "mlp.0" => "fc1",
                    _ => "fc2",
                }
            ))
        }
        _ => plain(
            match stem {
                "thinker.model.embed_tokens" => "token_embd",
                "thinker.model.norm" => "output_norm",
                "thinker.lm_head" => "output",
                "thinker.visual.pos_embed" => "v.position_embd",
                "thinker.visual.patch_embed.proj" => "v.patch_embd",
                "thinker.visual.merger.ln_q" => "v.post_ln",
                "thinker.visual.merger.mlp.0" => "mm.0",
                "thinker.visual.merger.mlp.2" => "mm.2",
                "thinker.audio_tower.conv2d1" => "a.conv2d.1",
                "thinker.audio_tower.conv2d2" => "a.conv2d.2",
                "thinker.audio_tower.conv2d3" => "a.conv2d.3",
                "thinker.audio_tower.conv_out" => "a.conv_out",
                "thinker.audio_tower.ln_post" => "a.post_ln",
                "thinker.audio_tower.proj1" => "mm.a.mlp.1",
                "thinker.audio_tower.proj2" => "mm.a.mlp.2",
                _ => return None,
            }
            .into(),
        ),
    }
}

/// Files of a model, and the weights that they stand for.
struct Files {
    thinker: Vec<u8>,
    encoders: Vec<u8>,
    weights: BTreeMap<String, Values>,
}

fn files(kind: u32, deepstack: bool) -> Files {
    let mut weights = published(&omni());
    let mut stacks: BTreeMap<String, (Vec<usize>, Vec<u8>)> = BTreeMap::new();
    let [mut thinker, mut encoders] = ["qwen3vlmoe", "clip"].map(Writer::new);
    let is_expert = |name: &str| name.contains(".experts.");
    let count =
        weights.keys().filter(|name| name.contains("layers.0.mlp.experts.") && name.contains("up_proj"));
    let count = count.filter(|name| name.starts_with("thinker")).count();
    // Experts in the order of their numbers.
    let mut names: Vec<String> = weights.keys().filter(|name| !is_expert(name)).cloned().collect();
    for (layer, proj) in (0..5).flat_map(|i| ["gate", "up", "down"].map(|proj| (i, proj))) {
        names.extend(
            (0..count).map(|i| format!("thinker.model.layers.{layer}.mlp.experts.{i}.{proj}_proj.weight")),
        );
    }
    for name in names {
        let Some((listed, stacked)) = listed(&name) else { continue };
        let Values { shape, values } = weights.get_mut(&name).unwrap();
        let is_matrix = shape.len() == 2 && shape[1] % 32 == 0;
        let exact =
            listed.contains("ffn_gate_inp") || listed == "v.position_embd.weight" || name.contains("conv2d");
        let (kind, bytes) = if is_matrix && !exact {
            let kind = if name.contains("model.layers") { kind } else { Q8_0 };
            (kind, packed(values, kind))
        } else if shape.len() > 2 {
            (
                F16,
                values
                    .iter_mut()
                    .flat_map(|v| {
                        *v = f16::from_f32(*v).to_f32();
                        f16::from_f32(*v).to_le_bytes()
                    })
                    .collect(),
            )
        } else {
            (F32, bytemuck::cast_slice(values).to_vec())
        };
        if stacked {
            let (stack, all) =
                stacks.entry(listed.clone()).or_insert_with(|| (vec![0, shape[0], shape[1]], Vec::new()));
            stack[0] += 1;
            all.extend(bytes);
            if stack[0] == count {
                thinker.tensor(&listed, stack, kind, all);
            }
            continue;
        }
        if !deepstack && listed.contains("deepstack") {
            continue;
        }
        let file = if listed.starts_with(['a', 'v', 'm']) && !listed.starts_with("attn") {
            &mut encoders
        } else {
            &mut thinker
        };
        match &*listed {
            "v.patch_embd.weight" => {
                // A tensor for each of the two frames.
                for frame in 0..2 {
                    let runs = bytes.chunks(256 * 2).skip(frame).step_by(2);
                    let half: Vec<u8> = runs.flatten().copied().collect();
                    let name = if frame == 0 { listed.clone() } else { format!("{listed}.1") };
                    file.tensor(&name, &[shape[0], 3, 16, 16], kind, &half);
                }
            }
            _ if listed.contains("conv2d") && listed.ends_with("bias") => {
                file.tensor(&listed, &[shape[0], 1, 1], kind, &bytes);
            }
            _ => drop(file.tensor(&listed, shape, kind, &bytes)),
        }
    }
    encoders.tensor("a.position_embd.weight", &[4, 8], F32, &[0; 128]);
    Files { thinker: thinker.file(), encoders: encoders.file(), weights }
}

impl Files {
    fn write(&self, folder: &Path) -> PathBuf {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("mmproj-tiny.gguf"), &self.encoders).unwrap();
        let path = folder.join("tiny.gguf");
        fs::write(&path, &self.thinker).unwrap();
        path
    }
}

fn import_with(source: &Path, out: &Path, format: Format, with: &Path) -> Result<ImportReport> {
    let with = Some(with.to_owned());
    run(source, &ImportOptions { with, ..options(out, format, 1 << 30) })
}

#[test]
fn blocks_that_the_engine_has_too_stay_what_they_are() {
    for (kind, format) in [(Q8_0, Format::Q8_0), (Q4_0, Format::Q4)] {
        let dir = tempfile::tempdir().unwrap();
        let files = files(kind, true);
        let file = files.write(&dir.path().join("files"));
        let out = dir.path().join("out");
        let report = import_with(&file, &out, format, &omni()).unwrap();
        assert!(report.notes.is_empty(), "{:?}", report.notes);
        let (mut kept, mut exact) = (0, 0);
        for (name, (held, values)) in imported(&out) {
            if !name.starts_with("thinker.") {
                continue;
            }
            let wanted = joined(&files.weights, &name);
            let is_layer = name.starts_with("thinker.model.layers");
            if held == format.name() && (is_layer || format == Format::Q8_0) {
                kept += 1;
            }
            // Encoders are held in eight bits, which is what they are in where a row is whole blocks.
            let whole = files.weights.get(&name).is_none_or(|tensor| tensor.shape.last().unwrap() % 32 == 0);
            let is_kept = (held != "q4" || is_layer) && (held != "q8_0" || whole);
            assert!(!is_kept || values == wanted, "{name} in {held}");
            exact += usize::from(values == wanted);
        }
        assert!(kept >= 5 * 7 && exact > 100, "{kept} {exact}");
        let attention =
            report.errors.iter().find(|g| (&*g.part, &*g.kind) == ("thinker", "attention")).unwrap();
        assert_eq!((&*attention.held, attention.rms(), attention.most), (format.name(), 0.0, 0.0));
    }
}

#[test]
fn other_formats_are_encoded_anew_and_the_figures_say_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = files(Q4_0, true).write(&dir.path().join("files"));
    let out = dir.path().join("out");
    let report = import_with(&file, &out, Format::Q8_0, &omni()).unwrap();
    let experts = report.errors.iter().find(|g| (&*g.part, &*g.kind) == ("thinker", "experts")).unwrap();
    assert!(experts.held == "q8_0" && experts.rms() > 1e-4 && experts.rms() < 1e-2, "{}", experts.rms());
}

#[test]
fn a_folder_is_as_good_as_a_file_and_what_is_not_there_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("files");
    files(Q8_0, false).write(&folder);
    // Nothing but the small files.
    let small = dir.path().join("small");
    small_files(&small, &omni());
    let out = dir.path().join("out");
    let report = import_with(&folder, &out, Format::Q8_0, &small).unwrap();
    assert!(report.notes.len() == 2 && report.notes[0].contains("in text"), "{:?}", report.notes);
    let Config::Omni(config) = Config::load(&out).unwrap() else { panic!("another model") };
    assert!(config.speech.is_none() && config.thinker.vision.deepstack_layers.is_empty());
    let checkpoint = Checkpoint::open(&out).unwrap();
    assert!(checkpoint.has_any("thinker.audio_tower.") && !checkpoint.has_any("talker."));
    // With a published one, all is there; the file may be called by a link, as in the hub's cache.
    #[cfg(unix)]
    for name in ["tiny.gguf", "mmproj-tiny.gguf"] {
        let [blob, link] = [dir.path().join(name.len().to_string()), folder.join(name)];
        fs::rename(&link, &blob).unwrap();
        std::os::unix::fs::symlink(blob, link).unwrap();
    }
    let file = folder.join("tiny.gguf");
    let report = import_with(&file, &dir.path().join("whole"), Format::Q8_0, &omni()).unwrap();
    assert!(report.notes.is_empty(), "{:?}", report.notes);
    assert!(Checkpoint::open(&dir.path().join("whole")).unwrap().has_any("talker."));
}

#[test]
fn a_file_that_was_split_is_read_from_all_its_parts() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("files");
    let path = files(Q8_0, true).write(&folder);
    fs::rename(path, folder.join("tiny-00001-of-00002.gguf")).unwrap();
    let mut rest = Writer::default();
    rest.alignment = 32;
    rest.pair("split.no", 2, &[1, 0]);
    fs::write(folder.join("tiny-00002-of-00002.gguf"), rest.file()).unwrap();
    import_with(&folder, &dir.path().join("out"), Format::Q8_0, &omni()).unwrap();
    fs::remove_file(folder.join("tiny-00002-of-00002.gguf")).unwrap();
    let message = import_with(&folder, &dir.path().join("b"), Format::Q8_0, &omni()).unwrap_err().to_string();
    assert!(message.contains("tiny-00002-of-00002.gguf"), "{message}");
}

#[test]
fn what_is_missing_or_not_clear_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("files");
    let file = files(Q8_0, true).write(&folder);
    let out = dir.path().join("out");
    let small = dir.path().join("small");
    small_files(&small, &omni());
    let said =
        |source: &Path, with: &Path| import_with(source, &out, Format::Q8_0, with).unwrap_err().to_string();
    let message = run(&file, &options(&out, Format::Q8_0, 1 << 30)).unwrap_err().to_string();
    for word in
        ["no config.json", "no tokenizer.json", "no chat_template.json", "--with", "colloquy models get"]
    {
        assert!(message.contains(word), "{word} not in {message}");
    }
    fs::remove_file(small.join("config.json")).unwrap();
    let message = said(&file, &small);
    assert!(message.contains("no config.json") && !message.contains("tokenizer"), "{message}");
    small_files(&small, &omni());

    fs::copy(&file, folder.join("other.gguf")).unwrap();
    let message = said(&folder, &small);
    assert!(message.contains("other.gguf") && message.contains("two models"), "{message}");
    fs::remove_file(folder.join("other.gguf")).unwrap();
    let encoders = folder.join("mmproj-tiny.gguf");
    fs::copy(&encoders, folder.join("mmproj-other.gguf")).unwrap();
    let message = said(&file, &small);
    assert!(message.contains("both for encoders"), "{message}");
    fs::remove_file(folder.join("mmproj-other.gguf")).unwrap();
    fs::remove_file(&encoders).unwrap();
    let message = said(&file, &small);
    assert!(message.contains("mmproj file beside it") && message.contains("--with"), "{message}");

    let shard = omni().join("model-00001-of-00003.safetensors");
    let message = said(&shard, &small);
    assert!(message.contains("give the folder"), "{message}");
    fs::write(&file, Writer::new("llama").file()).unwrap();
    let message = said(&file, &small);
    assert!(message.contains("found llama") && message.contains("Qwen3-Omni"), "{message}");
    let mut stranger = Writer::new("qwen3vlmoe");
    fs::write(&file, stranger.tensor("blk.0.ssm_a", &[1], F32, &[0; 4]).file()).unwrap();
    assert!(said(&file, &small).contains("blk.0.ssm_a"));
    assert!(!out.exists() && !out.with_file_name("out.part").exists());
}

#[test]
fn talking_with_one_is_refused_with_the_command() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("files");
    let file = files(Q8_0, true).write(&folder);
    for path in [&folder, &file] {
        let message = Checkpoint::open(path).err().unwrap().to_string();
        assert!(message.contains("import it first: colloquy import"), "{message}");
    }
}

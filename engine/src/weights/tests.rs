//! Damaged checkpoints made from the small ones, and what the sound ones give.

use std::{
    fs,
    path::{Path, PathBuf},
};

use half::{bf16, f16};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::error::{Error, Result};

fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/reference/open").join(name)
}

fn plain(stored: Result<Stored>) -> Tensor {
    match stored.unwrap() {
        Stored::Plain(tensor) => tensor,
        Stored::Blocks(..) | Stored::Coded(_) => panic!("blocks in a published checkpoint"),
    }
}

/// A safetensors file with this header text and data.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

fn single(bytes: &[u8]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("model.safetensors"), bytes).unwrap();
    dir
}

fn fault(dir: &Path) -> String {
    Checkpoint::open(dir).map(|_| ()).unwrap_err().to_string()
}

#[track_caller]
fn assert_fault(bytes: &[u8], words: &[&str]) {
    let message = fault(single(bytes).path());
    for word in words.iter().chain(&["model.safetensors"]) {
        assert!(message.contains(word), "{word:?} not in: {message}");
    }
}

/// A copy of the two shards and the index of the dense checkpoint, to be damaged.
fn dense_copy() -> (TempDir, Value) {
    let dir = tempfile::tempdir().unwrap();
    let source = reference("qwen3-dense-bf16");
    for name in [FIRST, SECOND, INDEX] {
        fs::copy(source.join(name), dir.path().join(name)).unwrap();
    }
    let index = serde_json::from_slice(&fs::read(source.join(INDEX)).unwrap()).unwrap();
    (dir, index)
}

const FIRST: &str = "model-00001-of-00002.safetensors";
const SECOND: &str = "model-00002-of-00002.safetensors";
const INDEX: &str = "model.safetensors.index.json";

#[test]
fn a_cut_shard_is_refused_wherever_it_is_cut() {
    let (dir, _) = dense_copy();
    let path = dir.path().join(SECOND);
    let whole = fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let mut cuts = vec![0, 1, 7, 8, 9, header - 1, header, header + 1, whole.len() - 2, whole.len() - 1];
    cuts.extend((1..20).map(|i| whole.len() * i / 20));
    for cut in cuts {
        fs::write(&path, &whole[..cut]).unwrap();
        let message = fault(dir.path());
        assert!(message.contains(SECOND) && message.contains("expected"), "cut at {cut}: {message}");
    }
    fs::write(&path, [&whole[..], b"x"].concat()).unwrap();
    assert!(fault(dir.path()).contains("expected"));
}

#[test]
fn a_lying_header_length_allocates_nothing() {
    let data = [0u8; 64];
    for length in [0u64, 1, 65, 1 << 31, 1 << 63, u64::MAX, u64::MAX - 7] {
        assert_fault(&[&length.to_le_bytes()[..], &data].concat(), &["header", &length.to_string()]);
    }
}

#[test]
fn a_header_that_is_no_table_of_tensors_is_refused() {
    for header in ["[]", "{ ", "{\"a\":1}", "not json", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}"] {
        assert_fault(&file(header, &[0; 4]), &["header in JSON"]);
    }
    for shape in ["[-1]", "[1.5]", "[1e30]", "null", "[18446744073709551616]"] {
        let header = format!("{{\"a\":{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":[0,4]}}}}");
        assert_fault(&file(&header, &[0; 4]), &["header in JSON"]);
    }
    let deep = "[".repeat(100_000);
    assert_fault(&file(&format!("{{\"__metadata__\":{deep}"), &[]), &["header in JSON"]);
}

#[test]
fn entries_that_contradict_the_file_are_refused() {
    let tensor = |dtype: &str, shape: Value, offsets: [u64; 2]| json!({"dtype": dtype, "shape": shape, "data_offsets": offsets});
    let one = |entry: Value| json!({"a.weight": entry}).to_string();
    let cases = [
        (one(tensor("F64", json!([1]), [0, 8])), &["a.weight", "F32, F16 or BF16", "F64"][..]),
        (one(tensor("F8_E4M3", json!([8]), [0, 8])), &["a.weight", "F8_E4M3"]),
        (one(tensor("F32", json!([3]), [0, 8])), &["a.weight", "12 bytes", "0 to 8"]),
        (one(tensor("F32", json!([2]), [8, 0])), &["a.weight", "8 bytes", "8 to 0"]),
        (one(tensor("F32", json!([1u64 << 62, 4]), [0, 8])), &["a.weight", "4611686018427387904"]),
        (one(tensor("F32", json!([2]), [u64::MAX - 8, u64::MAX])), &["a.weight", "offsets inside"]),
        (one(tensor("F32", json!([2]), [1 << 40, (1 << 40) + 8])), &["a.weight", "gap"]),
        (one(tensor("F32", json!([4]), [0, 16])), &["a.weight", "cut short"]),
        (one(tensor("BF16", json!([2]), [0, 4])), &["by its header", "download"]),
        (one(tensor("F32", json!([1]), [4, 8])), &["a.weight", "gap"]),
        (
            json!({"a": tensor("F32", json!([2]), [0, 8]), "b": tensor("F32", json!([1]), [4, 8])})
                .to_string(),
            &["tensor b", "inside another"],
        ),
    ];
    for (header, words) in cases {
        assert_fault(&file(&header, &[0; 8]), words);
    }
    let entry = tensor("F32", json!([1]), [0, 4]);
    assert_fault(&file(&format!("{{\"a\":{entry},\"a\":{entry}}}"), &[0; 4]), &["a is listed twice"]);
}

#[test]
fn index_and_shards_must_agree() {
    let (dir, index) = dense_copy();
    let write = |index: &Value| fs::write(dir.path().join(INDEX), index.to_string()).unwrap();
    let name = "model.layers.1.input_layernorm.weight";

    let mut moved = index.clone();
    moved["weight_map"][name] = FIRST.into();
    write(&moved);
    let message = fault(dir.path());
    assert!(message.contains(name) && message.contains(FIRST) && message.contains(SECOND), "{message}");

    let mut invented = index.clone();
    invented["weight_map"]["model.layers.9.x"] = FIRST.into();
    write(&invented);
    let message = fault(dir.path());
    assert!(message.contains("model.layers.9.x") && message.contains("no shard"), "{message}");

    let mut forgotten = index.clone();
    forgotten["weight_map"].as_object_mut().unwrap().remove(name);
    write(&forgotten);
    let message = fault(dir.path());
    assert!(message.contains(name) && message.contains("lists"), "{message}");

    for path in ["../x.safetensors", "/etc/passwd", "", ".", "a/b", "x/"] {
        let mut outside = index.clone();
        outside["weight_map"][name] = path.into();
        write(&outside);
        let message = fault(dir.path());
        assert!(message.contains(name) && message.contains("a file beside it"), "{path}: {message}");
    }
    for broken in ["", "[]", "{\"weight_map\": []}", "{\"weight_map\": {}}", "{\"weight_map\": {\"a\": 1}}"] {
        fs::write(dir.path().join(INDEX), broken).unwrap();
        assert!(fault(dir.path()).contains(INDEX));
    }

    write(&index);
    fs::remove_file(dir.path().join(SECOND)).unwrap();
    let message = fault(dir.path());
    assert!(message.contains(SECOND) && message.contains("no such file"), "{message}");
    fs::copy(dir.path().join(FIRST), dir.path().join(SECOND)).unwrap();
    let message = fault(dir.path());
    assert!(message.contains("each tensor in one shard") && message.contains(FIRST), "{message}");
}

#[test]
fn a_folder_without_weights_says_which_files_it_lacks() {
    let dir = tempfile::tempdir().unwrap();
    let message = fault(dir.path());
    assert!(message.contains("model.safetensors:") && message.contains(INDEX), "{message}");
    assert!(matches!(Checkpoint::open(&dir.path().join("absent")), Err(Error::Io { .. })));
}

#[test]
fn a_missing_or_misshapen_or_extra_tensor_is_named() {
    let checkpoint = Checkpoint::open(&reference("qwen3-dense-bf16")).unwrap();
    let model = checkpoint.scope("model");
    let message = |result: Result<Tensor>| result.unwrap_err().to_string();
    let wrong = message(model.get("norm.weight", &[49]));
    assert!(
        wrong.contains("model.norm.weight") && wrong.contains("[49]") && wrong.contains("[48]"),
        "{wrong}"
    );
    assert!(wrong.contains(SECOND), "{wrong}");
    let absent = message(model.scope("layers").get("9.weight", &[1]));
    assert!(absent.contains("model.layers.9.weight") && absent.contains("no such tensor"), "{absent}");

    let all = checkpoint.unused();
    assert!(model.has("norm.weight") && !model.has("absent"));
    model.get("norm.weight", &[48]).unwrap();
    assert_eq!(checkpoint.unused().len() + 1, all.len());
    let extra = checkpoint.finish().unwrap_err().to_string();
    assert!(extra.contains(&all[0]) && extra.contains(&format!("{} extra", all.len() - 1)), "{extra}");
}

#[test]
fn values_are_those_of_the_reference_reader() {
    for set in ["omni-bf16", "qwen3-dense-bf16"] {
        let checkpoint = Checkpoint::open(&reference(set)).unwrap();
        let mut seen = 0;
        for entry in fs::read_dir(reference(set)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|e| e != "safetensors") {
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            for (name, view) in safetensors::SafeTensors::deserialize(&bytes).unwrap().tensors() {
                let tensor = checkpoint.scope("").get(&name, view.shape()).unwrap();
                assert_eq!(tensor.parts().collect::<Vec<_>>().concat(), view.data());
                assert_eq!((tensor.bytes(), tensor.dtype), (view.data().len(), DType::Bf16));
                let values = view.data().chunks(2).map(|b| bf16::from_le_bytes([b[0], b[1]]).to_f32());
                assert!(tensor.to_f32().into_iter().eq(values), "{name}");
                assert!(tensor.is_mapped());
                seen += tensor.bytes();
            }
        }
        checkpoint.finish().unwrap();
        assert_eq!(seen, checkpoint.total_bytes());
    }
}

#[test]
fn stacked_experts_are_consecutive_and_share_the_file() {
    let checkpoint = Checkpoint::open(&reference("omni-bf16")).unwrap();
    let experts = checkpoint.scope("thinker.model.layers.1.mlp.experts");
    let stacked = plain(experts.stack(8, "gate_proj.weight", &[32, 64]));
    assert_eq!((stacked.shape.as_slice(), stacked.numel()), (&[8, 32, 64][..], 8 * 32 * 64));
    assert!(stacked.is_mapped() && stacked.parts().len() == 8);
    let third = experts.get("3.gate_proj.weight", &[32, 64]).unwrap().to_f32();
    assert_eq!(stacked.to_f32()[3 * 32 * 64..4 * 32 * 64], third);
    assert!(experts.stack(9, "gate_proj.weight", &[32, 64]).is_err());
    assert!(experts.stack(0, "gate_proj.weight", &[32, 64]).is_err());
}

#[test]
fn misaligned_values_are_copied_and_mixed_types_are_not_stacked() {
    // Three bytes of padding in the header leave the data at an odd address; the F32 follows one F16.
    for pad in 0..4 {
        let header = json!({
            "0.w": {"dtype": "F16", "shape": [1], "data_offsets": [0, 2]},
            "1.w": {"dtype": "F32", "shape": [1], "data_offsets": [2, 6]},
            "none": {"dtype": "F32", "shape": [0, 7], "data_offsets": [6, 6]},
        });
        let header = header.to_string() + &" ".repeat(pad);
        let data = [&f16::from_f32(0.5).to_le_bytes()[..], &1.25f32.to_le_bytes()].concat();
        let dir = single(&file(&header, &data));
        let checkpoint = Checkpoint::open(dir.path()).unwrap();
        let root = checkpoint.scope("");
        let single = root.get("1.w", &[1]).unwrap();
        assert_eq!(single.to_f32(), [1.25]);
        for part in single.parts() {
            assert_eq!(bytemuck::try_cast_slice::<u8, f32>(part).unwrap(), [1.25]);
        }
        assert_eq!(root.get("0.w", &[1]).unwrap().to_f32(), [0.5]);
        assert!(root.get("none", &[0, 7]).unwrap().to_f32().is_empty());
        let mixed = root.stack(2, "w", &[1]).err().unwrap().to_string();
        assert!(mixed.contains("one element type"), "{mixed}");
    }
}

#[test]
fn own_values_must_fit_their_shape() {
    let tensor = Tensor::from_f32("x", &[2, 3], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
    assert_eq!(tensor.to_f32(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    assert!(!tensor.is_mapped());
    let short = Tensor::from_bf16("y", &[3], vec![bf16::ONE; 3]).unwrap();
    assert_eq!((short.to_f32(), short.bytes()), (vec![1.0; 3], 6));
    assert!(Tensor::from_f32("x", &[2, 3], vec![0.0; 5]).is_err());
    assert!(Tensor::from_f32("x", &[usize::MAX, 2], vec![0.0; 5]).is_err());
}

//! Checkpoints that other programs have quantised to four bits, packed here by plain loops.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use safetensors::Dtype;
use serde_json::{Value, json};

use super::values::{Raw, Values, imported, joined, published, write};
use super::{Checkpoint, Format, omni, options, pocket, run};

#[derive(Clone, Copy, PartialEq, Debug)]
enum Method {
    CompressedTensors,
    Gptq { v2: bool },
    Awq,
}

use Method::{Awq, CompressedTensors, Gptq};

/// A matrix in groups along its rows.
struct Quantised {
    out: usize,
    input: usize,
    group: usize,
    quants: Vec<u8>,
    scales: Vec<f32>,
    zeros: Vec<u8>,
}

impl Quantised {
    fn of(tensor: &Values, group: usize, zero_points: bool, round: fn(f32) -> f32) -> Quantised {
        let [out, input] = tensor.shape[..] else { panic!("{:?}", tensor.shape) };
        let (mut quants, mut scales, mut zeros) = (Vec::new(), Vec::new(), Vec::new());
        for weights in tensor.values.chunks(group) {
            let low = weights.iter().fold(0.0_f32, |a, &b| a.min(b));
            let high = weights.iter().fold(0.0_f32, |a, &b| a.max(b));
            let (scale, zero) = match zero_points {
                true => (round((high - low) / 15.0), (-low / (high - low) * 15.0).round().clamp(1.0, 15.0)),
                false => (round(high.max(-low) / 7.5), 8.0),
            };
            quants.extend(weights.iter().map(|w| (w / scale + zero).round().clamp(0.0, 15.0) as u8));
            scales.push(scale);
            zeros.push(zero as u8);
        }
        Quantised { out, input, group, quants, scales, zeros }
    }

    fn groups(&self) -> usize {
        self.input / self.group
    }

    fn decoded(&self) -> Values {
        let value = |(i, &q): (usize, &u8)| {
            self.scales[i / self.group] * (f32::from(q) - f32::from(self.zeros[i / self.group]))
        };
        let values = self.quants.iter().enumerate().map(value).collect();
        Values { shape: vec![self.out, self.input], values }
    }

    fn pack(&self, method: Method, zero_points: bool, scale_type: Dtype) -> Vec<(&'static str, Raw)> {
        let Quantised { out, input, .. } = *self;
        let groups = self.groups();
        let quant = |row: usize, column: usize| u32::from(self.quants[row * input + column]);
        let less = u8::from(method == Gptq { v2: false });
        let zero = |row: usize, group: usize| u32::from(self.zeros[row * groups + group] - less);
        let word = |eight: &dyn Fn(usize) -> u32| (0..8).fold(0, |word, i| word | eight(i) << (4 * i));
        let transposed = |row: usize, group: usize| self.scales[row * groups + group];
        let columns: Vec<f32> = (0..groups)
            .flat_map(|group| (0..out).map(move |row| (row, group)))
            .map(|(r, g)| transposed(r, g))
            .collect();
        match method {
            CompressedTensors => {
                let words: Vec<u32> = (0..out * input / 8)
                    .map(|w| word(&|i| quant(w * 8 / input, w * 8 % input + i)))
                    .collect();
                let zeros: Vec<u32> =
                    (0..out / 8 * groups).map(|w| word(&|i| zero(w / groups * 8 + i, w % groups))).collect();
                let shape: Vec<u8> = [out, input].iter().flat_map(|&n| (n as i64).to_le_bytes()).collect();
                let mut all = vec![
                    ("weight_packed", Raw::words([out, input / 8], &words)),
                    ("weight_scale", scales(scale_type, [out, groups], &self.scales)),
                    ("weight_shape", Raw { dtype: Dtype::I64, shape: vec![2], bytes: shape }),
                ];
                if zero_points {
                    all.push(("weight_zero_point", Raw::words([out / 8, groups], &zeros)));
                }
                all
            }
            Gptq { .. } => {
                let words: Vec<u32> =
                    (0..input / 8 * out).map(|w| word(&|i| quant(w % out, w / out * 8 + i))).collect();
                let zeros: Vec<u32> =
                    (0..groups * out / 8).map(|w| word(&|i| zero(w * 8 % out + i, w * 8 / out))).collect();
                let order: Vec<u32> = (0..input).map(|column| (column / self.group) as u32).collect();
                let mut order = Raw::words([1, input], &order);
                order.shape = vec![input];
                vec![
                    ("qweight", Raw::words([input / 8, out], &words)),
                    ("qzeros", Raw::words([groups, out / 8], &zeros)),
                    ("scales", scales(scale_type, [groups, out], &columns)),
                    ("g_idx", order),
                ]
            }
            Awq => {
                // Place i of a word has the row that is i-th here.
                let rows = [0, 2, 4, 6, 1, 3, 5, 7];
                let words: Vec<u32> = (0..input * out / 8)
                    .map(|w| word(&|i| quant(w * 8 % out + rows[i], w * 8 / out)))
                    .collect();
                let zeros: Vec<u32> = (0..groups * out / 8)
                    .map(|w| word(&|i| zero(w * 8 % out + rows[i], w * 8 / out)))
                    .collect();
                vec![
                    ("qweight", Raw::words([input, out / 8], &words)),
                    ("qzeros", Raw::words([groups, out / 8], &zeros)),
                    ("scales", scales(scale_type, [groups, out], &columns)),
                ]
            }
        }
    }
}

fn scales(dtype: Dtype, shape: [usize; 2], values: &[f32]) -> Raw {
    let bytes = values.iter().flat_map(|&value| match dtype {
        Dtype::BF16 => bf16::from_f32(value).to_le_bytes().to_vec(),
        Dtype::F16 => f16::from_f32(value).to_le_bytes().to_vec(),
        _ => value.to_le_bytes().to_vec(),
    });
    Raw { dtype, shape: shape.to_vec(), bytes: bytes.collect() }
}

/// A checkpoint whose thinker was quantised, and one with the same weights in single precision.
struct Pair {
    dir: tempfile::TempDir,
    packed: PathBuf,
    plain: PathBuf,
    /// The weights that the packed one stands for.
    decoded: BTreeMap<String, Values>,
    /// Matrices that were quantised, as an import calls them.
    names: Vec<String>,
}

fn pair(source: &Path, method: Method, group: usize, zero_points: bool, scale_type: Dtype) -> Pair {
    let round: fn(f32) -> f32 = match scale_type {
        Dtype::BF16 => |v| bf16::from_f32(v).to_f32(),
        _ => |v| f16::from_f32(v).to_f32(),
    };
    let mut decoded = published(source);
    let (mut packed, mut names) = (BTreeMap::new(), Vec::new());
    for (name, tensor) in &mut decoded {
        let linear = name.starts_with("thinker.model.layers.") && name.contains("proj.weight");
        if !linear || tensor.shape[1] % group != 0 {
            packed.insert(name.clone(), Raw::f32(tensor));
            continue;
        }
        let quantised = Quantised::of(tensor, group, zero_points, round);
        for (ending, raw) in quantised.pack(method, zero_points, scale_type) {
            packed.insert(format!("{}{ending}", name.strip_suffix("weight").unwrap()), raw);
        }
        *tensor = quantised.decoded();
        let digits = |part: &&str| !part.bytes().all(|b| b.is_ascii_digit());
        names.push(match name.split_once(".experts.") {
            Some((scope, rest)) => {
                format!("{scope}.experts.{}", rest.split('.').filter(digits).collect::<Vec<_>>().join("."))
            }
            None => name.clone(),
        });
    }
    names.dedup();
    let dir = tempfile::tempdir().unwrap();
    let [packed_dir, plain] = ["packed", "plain"].map(|name| dir.path().join(name));
    write(&packed_dir, source, &packed);
    write(&plain, source, &decoded.iter().map(|(name, values)| (name.clone(), Raw::f32(values))).collect());
    let config = match method {
        CompressedTensors => json!({"quant_method": "compressed-tensors", "format": "pack-quantized"}),
        Gptq { v2 } => json!({
            "quant_method": "gptq", "bits": 4, "group_size": group, "desc_act": false,
            "checkpoint_format": if v2 { "gptq_v2" } else { "gptq" },
        }),
        Awq => json!({"quant_method": "awq", "bits": 4, "group_size": group, "version": "gemm"}),
    };
    configure(&packed_dir, config);
    Pair { dir, packed: packed_dir, plain, decoded, names }
}

/// Sets what config.json says of the quantisation.
fn configure(folder: &Path, stated: Value) {
    let path = folder.join("config.json");
    let mut json: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    json["quantization_config"] = stated;
    fs::write(path, json.to_string()).unwrap();
}

/// An import of four bits, and a checkpoint with the same weights in single precision; in a folder that goes with the last of them.
pub(crate) fn imported_and_decoded() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let Pair { dir, packed, plain, .. } = pair(&omni(), Awq, 32, true, Dtype::F16);
    let out = packed.with_file_name("out");
    run(&packed, &options(&out, Format::Q4, 1 << 30)).unwrap();
    (dir, out, plain)
}

const CASES: [(Method, usize, bool, Dtype); 8] = [
    (CompressedTensors, 32, false, Dtype::BF16),
    (CompressedTensors, 64, false, Dtype::F16),
    (CompressedTensors, 32, true, Dtype::BF16),
    (Gptq { v2: false }, 32, false, Dtype::F16),
    (Gptq { v2: false }, 64, true, Dtype::F16),
    (Gptq { v2: true }, 32, true, Dtype::F16),
    (Awq, 32, true, Dtype::F16),
    (Awq, 64, true, Dtype::BF16),
];

#[test]
fn four_bits_in_groups_stay_what_they_are() {
    let cases = CASES.map(|case| (omni(), case)).into_iter();
    for (source, (method, group, zero_points, scale_type)) in cases.chain([
        (pocket(), (Awq, 128, true, Dtype::F16)),
        (pocket(), (CompressedTensors, 128, false, Dtype::BF16)),
    ]) {
        let case = format!("{method:?} {group} {zero_points} {scale_type:?}");
        let pair = pair(&source, method, group, zero_points, scale_type);
        let out = pair.packed.with_file_name("out");
        let report = run(&pair.packed, &options(&out, Format::Q4, 1 << 30)).unwrap();
        let held = imported(&out);
        assert!(pair.names.len() >= 10, "{case}: {:?}", pair.names);
        for name in &pair.names {
            let (format, values) = &held[name];
            assert_eq!(format, "q4", "{case}: {name}");
            let wanted = joined(&pair.decoded, name);
            assert_eq!(values.len(), wanted.len());
            if !zero_points {
                assert!(*values == wanted, "{case}: {name}");
                continue;
            }
            // Within half a step of half precision at the offset of sixteen quants at most.
            let largest = wanted.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
            let off = values.iter().zip(&wanted).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
            assert!(off <= 16.0 * largest / 2048.0, "{case}: {name}: {off} of {largest}");
        }
        if group > 32 {
            // Some experts' rows are no groups of that many.
            continue;
        }
        let experts =
            report.errors.iter().find(|g| (&*g.part, &*g.kind, &*g.held) == ("thinker", "experts", "q4"));
        let rms = experts.unwrap().rms();
        assert!(if zero_points { rms < 1e-3 } else { rms == 0.0 }, "{case}: {rms}");
    }
}

#[test]
fn other_formats_are_made_of_the_decoded_weights() {
    for (method, group, zero_points, scale_type) in [CASES[2], CASES[4], CASES[6]] {
        let pair = pair(&omni(), method, group, zero_points, scale_type);
        for format in [Format::Q8_0, Format::Bf16] {
            let [a, b] =
                ["a", "b"].map(|name| pair.packed.with_file_name(format!("{name}-{}", format.name())));
            run(&pair.packed, &options(&a, format, 1 << 30)).unwrap();
            run(&pair.plain, &options(&b, format, 1 << 30)).unwrap();
            let [a, b] = [imported(&a), imported(&b)];
            assert!(a == b, "{method:?} as {}", format.name());
        }
    }
}

/// What an import of a changed checkpoint says.
fn refused(case: (Method, usize, bool, Dtype), change: impl Fn(&mut BTreeMap<String, Raw>, &Path)) -> String {
    let pair = pair(&omni(), case.0, case.1, case.2, case.3);
    let file = fs::read(pair.packed.join("model.safetensors")).unwrap();
    let mut tensors = BTreeMap::new();
    for (name, view) in safetensors::SafeTensors::deserialize(&file).unwrap().tensors() {
        let raw = Raw { dtype: view.dtype(), shape: view.shape().to_vec(), bytes: view.data().to_vec() };
        tensors.insert(name, raw);
    }
    let config = fs::read(pair.packed.join("config.json")).unwrap();
    let folder = pair.packed.with_file_name("changed");
    write(&folder, &omni(), &tensors);
    fs::write(folder.join("config.json"), config).unwrap();
    change(&mut tensors, &folder);
    let config = fs::read(folder.join("config.json")).unwrap();
    write(&folder, &omni(), &tensors);
    fs::write(folder.join("config.json"), config).unwrap();
    let out = pair.packed.with_file_name("out");
    run(&folder, &options(&out, Format::Q4, 1 << 30)).unwrap_err().to_string()
}

const Q_PROJ: &str = "thinker.model.layers.1.self_attn.q_proj.";

#[track_caller]
fn assert_words(message: &str, words: &[&str]) {
    for word in words {
        assert!(message.contains(word), "{word:?} not in: {message}");
    }
}

#[test]
fn act_order_is_refused() {
    let message = refused(CASES[3], |tensors, _| {
        let order = &mut tensors.get_mut(&format!("{Q_PROJ}g_idx")).unwrap().bytes;
        order.rotate_right(4);
    });
    assert_words(&message, &["q_proj.g_idx", "act order", "published"]);
}

#[test]
fn other_bits_and_groups_are_refused() {
    let message = refused(CASES[0], |tensors, _| {
        // As many words as eight bits take.
        let words = tensors.get_mut(&format!("{Q_PROJ}weight_packed")).unwrap();
        words.shape[1] *= 2;
        words.bytes = words.bytes.repeat(2);
    });
    assert_words(&message, &["q_proj.weight_packed", "four bits", "[96, 16]", "published"]);
    let message = refused(CASES[0], |tensors, _| {
        let scales = tensors.get_mut(&format!("{Q_PROJ}weight_scale")).unwrap();
        scales.shape[1] *= 2;
        scales.bytes = scales.bytes.repeat(2);
    });
    assert_words(&message, &["q_proj.weight_scale", "groups of 16", "32, 64"]);
    let message =
        refused(CASES[3], |_, folder| configure(folder, json!({"quant_method": "gptq", "bits": 8})));
    assert_words(&message, &["config.json", "quantization_config.bits", "expected 4, found 8"]);
}

#[test]
fn other_schemes_are_refused_by_their_names() {
    for (stated, words) in [
        (json!({"quant_method": "fp8"}), ["quant_method", "\"fp8\""]),
        (
            json!({"quant_method": "compressed-tensors", "format": "nvfp4-pack-quantized"}),
            ["format", "nvfp4"],
        ),
        (json!({"quant_method": "awq", "version": "gemv"}), ["version", "gemv"]),
        (json!({"quant_method": "gptq", "checkpoint_format": "marlin"}), ["checkpoint_format", "marlin"]),
    ] {
        let message = refused(CASES[0], |_, folder| configure(folder, stated.clone()));
        assert_words(&message, &words);
    }
}

#[test]
fn what_is_missing_or_out_of_range_is_refused() {
    let message = refused(CASES[6], |tensors, _| drop(tensors.remove(&format!("{Q_PROJ}scales"))));
    assert_words(&message, &["q_proj.qweight", "scales beside it"]);
    let message = refused(CASES[0], |tensors, _| {
        let scales = &mut tensors.get_mut(&format!("{Q_PROJ}weight_scale")).unwrap().bytes;
        scales[..2].copy_from_slice(&bf16::from_f32(1e-7).to_le_bytes());
    });
    assert_words(&message, &["q_proj.weight", "groups of 32 symmetric", "half precision", "--format q8_0"]);
}

#[test]
fn talking_with_one_is_refused_with_the_command() {
    let pair = pair(&omni(), Awq, 32, true, Dtype::F16);
    let message = Checkpoint::open(&pair.packed).err().unwrap().to_string();
    assert_words(&message, &["import it first", "colloquy import", "packed --format q4"]);
}

//! One small file for each published class of flaws of such parsers, and sound ones.

use std::path::Path;

use super::writer::{Writer, text};
use super::*;

fn parse(file: &[u8]) -> Result<Gguf> {
    Gguf::parse(Path::new("x.gguf"), file)
}

#[track_caller]
fn assert_fault(file: &[u8], words: &[&str]) {
    let message = parse(file).err().expect("a fault").to_string();
    for word in words.iter().chain(&["x.gguf"]) {
        assert!(message.contains(word), "{word:?} not in: {message}");
    }
}

fn writer() -> Writer {
    Writer::new("qwen3")
}

/// Two tensors and metadata of every type.
fn sound() -> Writer {
    let mut writer = writer();
    let list =
        |kind: u32, count: u64, bytes: &[u8]| [&kind.to_le_bytes(), &count.to_le_bytes()[..], bytes].concat();
    for (kind, value) in [
        (0, &[1_u8][..]),
        (1, &[255]),
        (2, &[1, 0]),
        (3, &[1, 0]),
        (4, &[1, 0, 0, 0]),
        (5, &[1, 0, 0, 0]),
        (6, &[0; 4]),
        (7, &[1]),
        (10, &[0; 8]),
        (11, &[0; 8]),
        (12, &[0; 8]),
    ] {
        writer.pair(&format!("number.{kind}"), kind, value);
    }
    writer.pair("words", 9, &list(8, 2, &[text("ä".as_bytes()), text(b"")].concat()));
    writer.pair("lists", 9, &list(9, 1, &list(4, 2, &[0; 8])));
    writer.tensor("a", &[2, 32], 8, &[7; 68]).tensor("b", &[3], 0, &[1; 12]);
    writer
}

#[test]
fn a_sound_file_lists_its_tensors_where_they_are() {
    let file = sound().file();
    let gguf = parse(&file).unwrap();
    assert_eq!(gguf.metadata.len(), 14);
    let [a, b] = &gguf.tensors[..] else { panic!("{} tensors", gguf.tensors.len()) };
    assert_eq!((&*a.name, &a.shape[..], a.encoding), ("a", &[2, 32][..], Encoding::Ggml(Ggml::Q8_0)));
    assert_eq!((&*b.name, &b.shape[..], b.encoding), ("b", &[3][..], Encoding::Plain(DType::F32)));
    assert_eq!((&file[a.range.clone()], &file[b.range.clone()]), (&[7; 68][..], &[1; 12][..]));
}

#[test]
fn a_cut_file_is_refused_wherever_it_is_cut() {
    let file = sound().file();
    let end = parse(&file).unwrap().tensors[1].range.end;
    for cut in 0..end {
        let message = parse(&file[..cut]).err().expect("a cut file").to_string();
        assert!(message.contains("download it again"), "{cut}: {message}");
    }
    parse(&file[..end]).unwrap();
}

#[test]
fn a_changed_byte_is_refused_or_read_but_never_more() {
    let file = sound().file();
    for (at, value) in (0..file.len()).flat_map(|at| [0, 1, 0x7f, 0x80, 0xff].map(|value| (at, value))) {
        let mut changed = file.clone();
        changed[at] = value;
        if let Ok(gguf) = parse(&changed) {
            assert!(gguf.tensors.iter().all(|tensor| tensor.range.end <= changed.len()));
        }
    }
}

#[test]
fn another_file_or_version_is_refused() {
    assert_fault(b"GGML\x03\0\0\0", &["something else"]);
    for version in [0_u32, 1, 4, 3_u32.swap_bytes()] {
        let mut file = sound().file();
        file[4..8].copy_from_slice(&version.to_le_bytes());
        assert_fault(&file, &["version", &version.to_string()]);
    }
}

#[test]
fn counts_above_what_the_file_can_hold_are_refused() {
    for count in [30, 1 << 32, 1 << 61, u64::MAX] {
        let mut tensors = writer();
        tensors.counts[0] = Some(count);
        assert_fault(&tensors.file(), &[&count.to_string(), "tensors"]);
        let mut pairs = writer();
        pairs.counts[1] = Some(count);
        assert_fault(&pairs.file(), &["entries"]);
    }
}

#[test]
fn strings_longer_than_the_file_are_refused() {
    for length in [100_u64, 1 << 40, u64::MAX] {
        let mut file = writer();
        file.pair("s", 8, &length.to_le_bytes());
        assert_fault(&file.file(), &[&length.to_string(), "text"]);
    }
    let mut file = writer();
    file.pair(&"k".repeat(1025), 0, &[0]);
    assert_fault(&file.file(), &["a key of 1025 bytes"]);
}

#[test]
fn strings_that_are_no_text_are_refused() {
    let mut file = writer();
    file.pair("s", 8, &text(&[0xff, 0xfe]));
    assert_fault(&file.file(), &["UTF-8"]);
}

#[test]
fn lists_longer_than_the_file_are_refused() {
    for (kind, count) in [(0_u32, 1 << 40), (12, 1 << 61), (8, 1 << 60), (9, u64::MAX), (12, (1 << 61) + 1)] {
        let mut file = writer();
        file.pair("l", 9, &[&kind.to_le_bytes()[..], &u64::to_le_bytes(count)].concat());
        assert_fault(&file.file(), &[&count.to_string(), "elements"]);
    }
}

#[test]
fn lists_in_lists_without_end_are_refused() {
    let mut nested = Vec::new();
    for _ in 0..100_000 {
        nested.extend(9_u32.to_le_bytes());
        nested.extend(1_u64.to_le_bytes());
    }
    let mut file = writer();
    file.pair("l", 9, &nested);
    assert_fault(&file.file(), &["lists in lists"]);
}

#[test]
fn unknown_and_negative_types_are_refused() {
    for kind in [13_u32, 99, u32::MAX] {
        let mut file = writer();
        file.pair("v", kind, &[0; 64]);
        assert_fault(&file.file(), &["unknown type", &kind.cast_signed().to_string()]);
        let mut file = writer();
        file.pair("l", 9, &[&kind.to_le_bytes()[..], &[0; 64]].concat());
        assert_fault(&file.file(), &["unknown type"]);
    }
    for kind in [4_u32, 31, 1000, u32::MAX] {
        let mut file = writer();
        file.tensor("t", &[32], kind, &[0; 128]);
        assert_fault(&file.file(), &["tensor t", &kind.cast_signed().to_string()]);
    }
    let mut file = writer();
    file.tensor("t", &[256], 13, &[0; 176]);
    assert_fault(&file.file(), &["tensor t", "Q5_K", "Q8_0"]);
}

#[test]
fn alignments_that_are_none_are_refused() {
    for alignment in [0_u32, 1, 3, 4, 33, 1 << 17, u32::MAX] {
        let mut file = writer();
        file.pair("general.alignment", 4, &alignment.to_le_bytes()).tensor("t", &[1], 0, &[0; 4]);
        assert_fault(&file.file(), &["alignment", &alignment.to_string()]);
    }
    let mut file = writer();
    file.pair("general.alignment", 8, &text(b"32"));
    assert_fault(&file.file(), &["alignment"]);
    for alignment in [8_usize, 64, 1 << 16] {
        let mut file = writer();
        file.alignment = alignment;
        file.pair("general.alignment", 4, &(alignment as u32).to_le_bytes()).tensor("t", &[1], 0, &[5; 4]);
        let file = file.file();
        assert_eq!(file[parse(&file).unwrap().tensors[0].range.clone()], [5; 4]);
    }
}

#[test]
fn offsets_past_the_end_or_in_between_are_refused() {
    for offset in [32, 1 << 40, u64::MAX - 31, 1 << 63] {
        let mut file = writer();
        file.listed("t", &[8], 0, offset);
        assert_fault(&file.file(), &["tensor t", "end of the file"]);
    }
    let mut file = writer();
    file.tensor("t", &[16], 0, &[0; 64]).listed("u", &[1], 0, 7);
    assert_fault(&file.file(), &["tensor u", "multiple of 32"]);
}

#[test]
fn tensors_that_share_bytes_are_refused() {
    let mut file = writer();
    file.tensor("t", &[16], 0, &[0; 64]).listed("u", &[4], 0, 32);
    assert_fault(&file.file(), &["tensor u", "inside t"]);
}

#[test]
fn keys_and_tensors_that_are_there_twice_are_refused() {
    let mut file = writer();
    file.pair("k", 0, &[1]).pair("k", 0, &[2]);
    assert_fault(&file.file(), &["the key k twice"]);
    let mut file = writer();
    file.tensor("t", &[1], 0, &[0; 4]).tensor("t", &[1], 0, &[0; 4]);
    assert_fault(&file.file(), &["the tensor t twice"]);
}

#[test]
fn axes_whose_product_is_too_large_are_refused() {
    for axes in [
        &[1 << 32, 1 << 32][..],
        &[u64::MAX],
        &[1 << 62, 4],
        &[1 << 61, 2],
        &[1 << 40, 1 << 20, 1 << 20, 1 << 20],
    ] {
        let mut file = writer();
        file.listed("t", axes, 0, 0);
        assert_fault(&file.file(), &["tensor t"]);
    }
    let mut file = writer();
    file.listed("t", &[1; 6], 0, 0);
    assert_fault(&file.file(), &["6 axes"]);
    let mut file = writer();
    file.tensor("t", &[33], 8, &[0; 68]);
    assert_fault(&file.file(), &["whole blocks of Q8_0"]);
}

//! Every stage of every reference checkpoint against what the reference implementation computed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};

use engine::{Case, Engine, Format, Options};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/reference").join(name)
}

/// The reference keeps to f32.
fn exact() -> Options {
    Options { exact: true, ..Options::default() }
}

/// All comparisons of a set pass, and there are at least so many.
fn passes(set: &str, checkpoint: &str, at_least: usize) {
    let mut engine = Engine::load(&data(set).join(checkpoint), &exact()).unwrap();
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

/// All comparisons of a set with weights held in `format`.
fn in_few_bits(set: &str, checkpoint: &str, format: Format) -> Vec<Case> {
    let options = Options { format: Some(format), ..Options::default() };
    let mut engine = Engine::load(&data(set).join(checkpoint), &options).unwrap();
    engine::verify(&mut engine, &data(set).join("goldens"), None).unwrap()
}

#[test]
fn eight_bits_keep_the_predictions_of_a_dense_model() {
    for set in ["narrow", "wide"] {
        let cases = in_few_bits(set, "qwen3-dense-bf16", Format::Q8_0);
        let failures: Vec<_> = cases.iter().filter_map(|c| Some((&c.name, c.failure.as_ref()?))).collect();
        assert!(failures.is_empty(), "{set}: {failures:#?}");
        assert_eq!(cases.iter().filter(|case| case.divergence.is_some()).count(), 2, "{set}: two prompts");
    }
}

/// Random experts and a few dozen channels tell small errors apart far more than a trained model does, so that logits of the
/// mixtures are not held to a limit here. All else is: what needs no weight, the errors of the table alone, and the list of what
/// was not compared.
#[test]
fn quantised_mixtures_are_judged_by_the_errors_of_their_tables_and_list_the_rest() {
    // A step's error is uniform: its square over twelve, with blocks whose largest weight is about twice their usual one.
    for (format, most) in [(Format::Q8_0, 1e-4), (Format::Q4, 1e-2)] {
        let cases = in_few_bits("open", "omni-bf16", format);
        for case in cases.iter().filter(|case| case.divergence.is_none()) {
            assert_eq!(case.failure, None, "{}", case.name);
        }
        let table = cases.iter().find(|case| case.name == "thinker_text hidden.0").unwrap();
        assert!(table.mean_square_error.is_some_and(|error| error > 0.0 && error < most), "{table:?}");
        assert!(cases.iter().filter(|case| case.divergence.is_some()).count() >= 8, "prompts");
        assert!(cases.iter().filter(|case| case.skipped.is_some()).count() > 100, "skipped");
    }
}

/// What is easily got wrong in this model, and the comparisons that would show it.
const TRAPS: [(&str, &[&str]); 19] = [
    (
        "the tail of a clip is padded to a whole chunk before the convolutions",
        &["audio a.conv3_pre_gelu", "audio a.output"],
    ),
    ("a clip shorter than a chunk is not padded", &["audio b.output"]),
    (
        "positions restart in every chunk; windows do not see each other",
        &["audio a.encoder_input", "audio ab.cu_seqlens"],
    ),
    ("whole seconds have 13 tokens, and no frame none", &["frontend audio_tokens"]),
    (
        "periodic window, dropped last frame, floor under the clip's maximum",
        &["frontend mel_a", "frontend mel_b"],
    ),
    ("features of a batch have other frames at the end", &["frontend batch_mel_b", "audio ab.output"]),
    ("heads are wider than hidden / heads; keys have fewer heads", &["thinker_text hidden.1"]),
    (
        "router: softmax over all, then the best, then their share",
        &["thinker_text router_index.0", "thinker_text router_weight.0"],
    ),
    ("the talker's experts are renormalised and joined by a shared one", &["talker_text prefill_moe.0"]),
    (
        "rotary axes alternate by frequency; positions of video are fractions",
        &["rope_index mixed.cos", "rope_index video_3fps.positions"],
    ),
    (
        "sound in video is woven in by time; text goes on after the last token",
        &["rope_index audio_in_video.positions", "thinker_audio_in_video position_ids"],
    ),
    (
        "deepstack is added after the first layers, to seen rows only",
        &["thinker_audio_image layer_out.0", "thinker_audio_image hidden.1"],
    ),
    (
        "the code predictor starts from the normalised row and table i is for code i + 1",
        &["talker_text cp_inputs", "talker_text cp_logits_first4"],
    ),
    ("the next row sums all codes' embeddings and the text's", &["talker_text step_logits"]),
    (
        "the last text token is never spoken; the end code makes no frame",
        &["talker_text trailing_text_hidden", "talker_text codes"],
    ),
    (
        "the talker reads user turns only, at positions of its own",
        &["talker_multi_turn talker_input_ids", "talker_multi_turn prefill_position_ids"],
    ),
    (
        "the penalty sees this answer's first codes only; control ids are forbidden but the end",
        &["talker_audio first_codes"],
    ),
    (
        "mean of codebooks, no norm of queries and keys, both trims of the transposed convolutions",
        &["code2wav short.embed", "code2wav short.layer.0", "code2wav short.decoder.1.transconv"],
    ),
    (
        "positions of patches in merge order, corners aligned; two kinds of gelu",
        &["vision image1.block_input", "vision image2.rope_cos", "vision video.merged"],
    ),
];

#[test]
fn every_known_trap_is_compared_on_every_set() {
    for set in ["open", "narrow", "wide"] {
        let mut engine = Engine::load(&data(set).join("omni-bf16"), &exact()).unwrap();
        let cases = engine::verify(&mut engine, &data(set).join("goldens"), None).unwrap();
        for (trap, names) in TRAPS {
            for name in names {
                let case = cases.iter().find(|case| case.name == *name);
                let case = case.unwrap_or_else(|| panic!("{set}: {name} is not compared ({trap})"));
                assert_eq!(case.failure, None, "{set}: {name}: {trap}");
            }
        }
    }
}

#[test]
fn a_golden_of_another_checkpoint_fails() {
    let mut engine = Engine::load(&data("narrow/qwen3-dense-bf16"), &exact()).unwrap();
    let cases = engine::verify(&mut engine, &data("wide/goldens"), None).unwrap();
    assert!(cases.iter().any(|c| c.failure.is_some()));
}

#[test]
fn the_dump_holds_our_tensors_under_the_goldens_names() {
    let folder = tempfile::tempdir().unwrap();
    let mut engine = Engine::load(&data("narrow/qwen3-dense-bf16"), &exact()).unwrap();
    engine::verify(&mut engine, &data("narrow/goldens"), Some(folder.path())).unwrap();
    for file in ["raw.safetensors", "chat.safetensors"] {
        assert!(folder.path().join(file).metadata().unwrap().len() > 1000, "{file}");
    }
}

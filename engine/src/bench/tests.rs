use super::*;
use crate::fixtures;
use crate::settings::Device;

fn options(weights: Weights, stages: &[Stage]) -> BenchOptions {
    let options = Options { threads: 2, ..Options::default() };
    BenchOptions { weights, options, tokens: 8, context: 3, runs: 2, stages: stages.to_vec() }
}

#[test]
fn every_stage_of_a_checkpoint_is_measured_against_the_weights_it_reads() {
    for device in [Device::Cpu, Device::Gpu] {
        let folder = fixtures::path("reference/open/omni-bf16");
        let mut options = options(Weights::Checkpoint(folder), &[]);
        options.options.device = device;
        let mut bench = Bench::load(options).unwrap();
        assert_eq!((bench.shape(), bench.format()), ("omni-bf16", "bf16"));
        let all = if device == Device::Gpu { &Stage::ALL[..] } else { &Stage::ALL[..8] };
        assert_eq!(bench.stages(), all);
        for &stage in all {
            let figures = bench.run(stage).unwrap();
            assert!(figures.ms > 0.0 && figures.per_s > 0.0 && figures.bandwidth_share > 0.0, "{figures:?}");
            assert!(figures.bytes_per_step > 0, "{figures:?}");
            if !matches!(stage, Stage::TalkerFrame | Stage::Speech | Stage::FirstAudio) {
                // Each weight at most once.
                assert!(figures.bytes_per_step <= bench.weight_bytes(), "{figures:?}");
            }
            assert!(
                figures.kernels_ms.iter().any(|(name, ms)| *name == "linear" && *ms > 0.0),
                "{figures:?}"
            );
            assert_eq!(figures.dispatches > 0, device == Device::Gpu, "{figures:?}");
            assert_eq!(figures.real_time_factor.is_some_and(|f| f > 0.0), stage == Stage::Speech);
            assert_eq!(figures.frame_gaps.is_some(), stage == Stage::Window);
            let holds_weights = |bytes| bytes > bench.weight_bytes();
            assert_eq!(figures.device_bytes.is_some_and(holds_weights), device == Device::Gpu, "{figures:?}");
            let parts: Vec<_> = figures.parts_ms.iter().map(|(name, _)| *name).collect();
            if stage == Stage::FirstAudio {
                assert_eq!(
                    parts,
                    [
                        "mel",
                        "audio_encoder",
                        "prefill",
                        "first_token",
                        "talker_prefill",
                        "next_token",
                        "frame",
                        "code2wav"
                    ]
                );
                assert!(figures.parts_ms.iter().all(|(_, ms)| *ms > 0.0), "{figures:?}");
                // Ten tokens around those of the sound, 13 for each second.
                assert_eq!(figures.tokens, 10 + 65);
            } else {
                assert_eq!(parts, [""; 0], "{figures:?}");
            }
        }
    }
}

#[test]
fn frames_come_one_after_the_other_while_tokens_are_written() {
    let folder = fixtures::path("reference/open/qwen3-dense-bf16");
    let mut options = options(Weights::Checkpoint(folder), &[Stage::Window]);
    options.options.device = Device::Gpu;
    options.tokens = 64;
    let figures = Bench::load(options).unwrap().run(Stage::Window).unwrap();
    let gaps = figures.frame_gaps.unwrap();
    // A frame begins no sooner than 16 ms after the one before it; it may end a little sooner.
    assert!(gaps.frames > 0 && gaps.median_ms > 8.0, "{gaps:?}");
    assert!(gaps.median_ms <= gaps.p95_ms && gaps.p95_ms <= gaps.longest_ms, "{gaps:?}");
}

#[test]
fn a_decode_step_of_a_dense_model_reads_each_matrix_once_and_the_tied_table_as_head() {
    let weights = Weights::Random("qwen3-0.6b:1-layer".into());
    let mut bench = Bench::load(options(weights, &[Stage::Decode])).unwrap();
    let layer = 1024 * (2048 + 1024 + 1024 + 2048 + 3 * 3072);
    assert_eq!(bench.weight_bytes(), 2 * (151_936 * 1024 + layer));
    let figures = bench.run(Stage::Decode).unwrap();
    // One row more: the token's embedding.
    assert_eq!(figures.bytes_per_step, bench.weight_bytes() + 2 * 1024);
    assert_eq!((figures.tokens, figures.context), (1, 3));
}

#[test]
fn shapes_have_their_published_sizes() {
    let bytes = |name: &str, format: Format, stages: &[Stage]| {
        let mut tally = Tally::alone();
        let config = shape::config(name).unwrap();
        Parts::load(&mut Loader::outline(&mut tally, format), &config, Needs::of(stages)).unwrap();
        tally.sums().bytes
    };
    let small = bytes("qwen3-0.6b", Format::Bf16, &[Stage::Decode]);
    assert!((1_190_000_000..1_193_000_000).contains(&small), "{small}");
    // 35,259,818,545 parameters, of which norms and biases are not counted.
    let large = bytes("omni-30b-a3b", Format::Bf16, &Stage::ALL);
    assert!((70_500_000_000..70_520_000_000).contains(&large), "{large}");
    // 34 and 20 bytes for 32 weights, but for tables, code2wav and what else is kept, and what never has fewer than eight bits.
    for (format, share, more) in [(Format::Q8_0, 34.0 / 64.0, 0.01), (Format::Q4, 20.0 / 64.0, 0.025)] {
        let bytes = bytes("omni-30b-a3b", format, &Stage::ALL) as f64 / large as f64;
        assert!(bytes > share && bytes < share + more, "{format:?}: {bytes}");
    }
}

#[test]
fn bad_requests_are_refused_before_weights_are_made() {
    let random = |name: &str| Weights::Random(name.into());
    let refuse = |options: BenchOptions, words: &[&str]| {
        let error = Bench::load(options).err().unwrap().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    refuse(options(random("qwen3-7b"), &[]), &["qwen3-7b", "omni-30b-a3b"]);
    refuse(options(random("qwen3-0.6b:0-layers"), &[]), &["qwen3-0.6b:0-layers", "1024"]);
    refuse(options(random("qwen3-0.6b"), &[Stage::Code2wav]), &["code2wav", "prefill, decode"]);
    refuse(options(random("qwen3-0.6b"), &[Stage::Window]), &["window", "cpu", "prefill, decode"]);
    // Elsewhere nobody says how much memory there is.
    #[cfg(target_os = "linux")]
    refuse(options(random("omni-30b-a3b:1024-layers"), &[Stage::Decode]), &["GiB", "available"]);
    refuse(BenchOptions { runs: 0, ..options(random("qwen3-0.6b"), &[]) }, &["runs"]);
    refuse(BenchOptions { tokens: usize::MAX, ..options(random("qwen3-0.6b"), &[]) }, &["tokens"]);
    refuse(BenchOptions { context: usize::MAX, ..options(random("qwen3-0.6b"), &[]) }, &["context"]);
}

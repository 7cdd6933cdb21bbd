//! What the small checkpoints' configs say, in the published spelling and in newer ones.

mod damage;
mod tensors;

use std::{fs, path::PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::error::Error;
use crate::layers::mlp::MlpConfig;

fn reference(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data/reference/open").join(name)
}

fn json_of(set: &str, file: &str) -> Value {
    serde_json::from_slice(&fs::read(reference(set).join(file)).unwrap()).unwrap()
}

fn folder(file: &str, json: &Value) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(file), json.to_string()).unwrap();
    dir
}

fn load(json: &Value) -> Result<Config> {
    Config::load(folder("config.json", json).path())
}

fn omni() -> OmniConfig {
    match Config::load(&reference("omni-bf16")).unwrap() {
        Config::Omni(omni) => *omni,
        Config::Dense(_) => panic!("expected the omni architecture"),
    }
}

#[test]
fn the_small_omni_config_is_read_in_full() {
    let OmniConfig { thinker, speech, tokens } = omni();
    let text = &thinker.text;
    assert_eq!((text.vocab_size, text.hidden_size, text.num_layers, text.max_positions), (496, 64, 5, 65536));
    assert_eq!((text.num_heads, text.num_kv_heads, text.head_dim), (4, 2, 24));
    assert_eq!((text.rms_norm_eps, text.rope_theta, text.mrope_section), (1e-6, 1e6, Some([6, 3, 3])));
    assert!(!text.tie_word_embeddings && !text.attention_bias);
    let expected = MlpConfig::Moe {
        num_experts: 8,
        top_k: 2,
        intermediate_size: 32,
        norm_topk_prob: true,
        shared_intermediate_size: None,
    };
    assert_eq!(text.mlp, expected);
    assert_eq!(thinker.position_id_per_seconds, 13.0);
    let audio = &thinker.audio;
    assert_eq!((audio.num_mel_bins, audio.hidden_size, audio.num_layers, audio.num_heads), (128, 32, 3, 2));
    assert_eq!((audio.ffn_size, audio.conv_channels, audio.output_size), (64, 12, 64));
    assert_eq!((audio.chunk_frames(), audio.chunks_per_window(), audio.max_positions), (100, 2, 1500));
    let vision = &thinker.vision;
    assert_eq!((vision.num_layers, vision.hidden_size, vision.head_dim(), vision.ffn_size), (5, 32, 16, 56));
    assert_eq!((vision.patch_values(), vision.position_side(), vision.merged_patches()), (1536, 8, 4));
    assert_eq!(vision.deepstack_layers, [1, 2, 3]);
    assert_eq!((tokens.im_start, tokens.im_end, tokens.user, tokens.assistant), (457, 458, 267, 264));
    assert_eq!((tokens.audio, tokens.image, tokens.video, tokens.vision_end), (488, 468, 469, 466));

    let speech = speech.unwrap();
    assert_eq!((speech.tts_pad, speech.tts_bos, speech.tts_eos), (484, 485, 486));
    let talker = &speech.talker;
    assert_eq!((talker.accept_hidden_layer, talker.num_code_groups, talker.projection_size), (4, 16, 48));
    assert_eq!((talker.num_codes(), talker.codec_eos_id, talker.codec_think_eos_id), (64, 166, 173));
    let voices: Vec<_> = talker.speakers.iter().map(|(name, &id)| (name.as_str(), id)).collect();
    assert_eq!(voices, [("aiden", 319), ("chelsie", 317), ("ethan", 318)]);
    let MlpConfig::Moe { shared_intermediate_size, top_k, .. } = talker.text.mlp else {
        panic!("expected experts")
    };
    assert_eq!((shared_intermediate_size, top_k), (Some(24), 3));
    let predictor = &talker.code_predictor;
    assert_eq!(
        (predictor.num_code_groups, predictor.text.vocab_size, predictor.text.num_layers),
        (16, 64, 2)
    );
    assert_eq!(predictor.text.mlp, MlpConfig::Dense { intermediate_size: 64 });
    assert_eq!(predictor.text.mrope_section, None);
    let wav = &speech.code2wav;
    assert_eq!((wav.num_quantizers, wav.codebook_size, wav.head_dim, wav.sliding_window), (16, 64, 16, 6));
    assert_eq!((wav.rms_norm_eps, wav.rope_theta, wav.samples_per_frame()), (1e-5, 1e4, 1920));
}

#[test]
fn the_small_dense_config_is_read_in_full() {
    let config = Config::load(&reference("qwen3-dense-bf16")).unwrap();
    let text = config.text();
    assert_eq!((text.hidden_size, text.num_layers, text.head_dim, text.mrope_section), (48, 4, 16, None));
    assert!(text.tie_word_embeddings);
    assert_eq!(text.mlp, MlpConfig::Dense { intermediate_size: 112 });
    let Config::Dense(DenseConfig { eos_token_ids, .. }) = config else {
        panic!("expected the dense architecture")
    };
    assert_eq!(eos_token_ids, [458]);
}

/// Moves `rope_theta` and `rope_scaling` into `rope_parameters` everywhere, as transformers 5 saves them.
fn merge_rope(json: &mut Value) {
    let Some(map) = json.as_object_mut() else { return };
    map.values_mut().for_each(merge_rope);
    if let Some(theta) = map.remove("rope_theta") {
        let mut parameters = match map.remove("rope_scaling") {
            Some(Value::Object(scaling)) => scaling,
            _ => serde_json::Map::new(),
        };
        parameters.insert("rope_theta".into(), theta);
        parameters.insert("rope_type".into(), "default".into());
        map.insert("rope_parameters".into(), parameters.into());
    }
}

#[test]
fn newer_spellings_mean_the_same() {
    for set in ["omni-bf16", "qwen3-dense-bf16"] {
        let published = json_of(set, "config.json");
        let expected = load(&published).unwrap();
        let mut newer = published.clone();
        merge_rope(&mut newer);
        assert_ne!(newer, published);
        assert_eq!(load(&newer).unwrap(), expected);
    }
    let mut newer = json_of("omni-bf16", "config.json");
    let expected = load(&newer).unwrap();
    for part in ["thinker_config", "talker_config"] {
        let text = newer[part]["text_config"].as_object_mut().unwrap();
        let experts = text.remove("num_experts").unwrap();
        text.insert("num_local_experts".into(), experts);
    }
    let audio = newer["thinker_config"]["audio_config"].as_object_mut().unwrap();
    audio.remove("encoder_layers");
    newer.as_object_mut().unwrap().remove("architectures");
    assert_eq!(load(&newer).unwrap(), expected);
}

#[test]
fn a_checkpoint_that_only_writes_needs_no_speech_parts() {
    let mut json = json_of("omni-bf16", "config.json");
    json["enable_audio_output"] = false.into();
    for key in
        ["talker_config", "code2wav_config", "tts_pad_token_id", "tts_bos_token_id", "tts_eos_token_id"]
    {
        json.as_object_mut().unwrap().remove(key);
    }
    let Config::Omni(writer) = load(&json).unwrap() else { panic!("expected the omni architecture") };
    assert_eq!((writer.speech, writer.thinker), (None, omni().thinker));
    json["enable_audio_output"] = true.into();
    assert!(load(&json).unwrap_err().to_string().contains("talker_config"));
}

#[test]
fn sampling_is_the_files_or_the_published() {
    let config = Config::load(&reference("omni-bf16")).unwrap();
    let empty = tempfile::tempdir().unwrap();
    let published = GenerationConfig::load(empty.path(), &config).unwrap();
    assert_eq!(GenerationConfig::load(&reference("omni-bf16"), &config).unwrap(), published);
    let flat = |s: &Sampling| (s.do_sample, s.temperature, s.top_k, s.top_p, s.repetition_penalty);
    assert_eq!(flat(&published.thinker), (true, 0.6, 20, 0.95, 1.0));
    assert_eq!(flat(&published.talker), (true, 0.9, 50, 1.0, 1.05));
    assert_eq!(flat(&published.code_predictor), (true, 1.0, 50, 0.8, 1.0));
    assert_eq!((published.max_new_tokens, published.talker_max_new_tokens), (1024, 4096));
    assert_eq!(published.eos_token_ids, [458]);

    let own = json!({"temperature": 1, "top_k": 0, "talker_top_p": 0.5, "talker_do_sample": false,
        "talker_max_new_tokens": 7, "eos_token_id": 3});
    let own = GenerationConfig::load(folder("generation_config.json", &own).path(), &config).unwrap();
    assert_eq!(flat(&own.thinker), (true, 1.0, 0, 0.95, 1.0));
    assert_eq!(flat(&own.talker), (false, 0.9, 50, 0.5, 1.05));
    assert!(!own.code_predictor.do_sample);
    assert_eq!((own.talker_max_new_tokens, own.eos_token_ids), (7, vec![3]));

    let dense = reference("qwen3-dense-bf16");
    let listed = GenerationConfig::load(&dense, &Config::load(&dense).unwrap()).unwrap();
    assert_eq!(listed.eos_token_ids, [458, 456]);
}

#[test]
fn front_ends_are_the_files_or_the_published() {
    let thinker = omni().thinker;
    let empty = tempfile::tempdir().unwrap();
    let published = PreprocessorConfig::load(empty.path(), &thinker).unwrap();
    assert_eq!(PreprocessorConfig::load(&reference("omni-bf16"), &thinker).unwrap(), published);
    assert_eq!((published.n_fft, published.hop_length, published.sample_rate_hz), (400, 160, 16_000));
    assert_eq!((published.min_pixels, published.max_pixels), (3136, 12_845_056));
    assert_eq!((published.image_mean, published.image_std), ([0.5; 3], [0.5; 3]));
    let newer = json!({"size": {"shortest_edge": 4096, "longest_edge": 65536}});
    let newer =
        PreprocessorConfig::load(folder("preprocessor_config.json", &newer).path(), &thinker).unwrap();
    assert_eq!((newer.min_pixels, newer.max_pixels), (4096, 65536));
}

//! Every fault in a config is an error that names its key.

use super::*;

/// Puts `value` at the dotted key; `null` stands for a missing key.
fn damaged(json: &Value, key: &str, value: &Value) -> Value {
    let mut json = json.clone();
    let pointer = format!("/{}", key.replace('.', "/"));
    if let Some(place) = json.pointer_mut(&pointer) {
        *place = value.clone();
    } else {
        let (parent, last) = pointer.rsplit_once('/').unwrap();
        json.pointer_mut(parent).unwrap()[last] = value.clone();
    }
    json
}

#[track_caller]
fn assert_names(result: Result<impl std::fmt::Debug>, key: &str, value: &Value) {
    match result {
        Err(Error::Config { key: named, reason, .. }) => {
            assert!(named.starts_with(key) || key.starts_with(&named), "{key} = {value}: {named}: {reason}");
            assert!(reason.contains("expected") && reason.contains("found"), "{key}: {reason}");
        }
        other => panic!("{key} = {value}: {other:?}"),
    }
}

#[test]
fn no_number_of_the_config_may_be_missing_or_absurd() {
    let json = json_of("omni-bf16", "config.json");
    let text = [
        "vocab_size",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "head_dim",
        "rms_norm_eps",
        "rope_theta",
        "max_position_embeddings",
    ];
    let moe = ["num_experts", "num_experts_per_tok", "moe_intermediate_size", "norm_topk_prob"];
    let audio = [
        "num_mel_bins",
        "d_model",
        "encoder_attention_heads",
        "encoder_ffn_dim",
        "downsample_hidden_size",
        "n_window",
        "n_window_infer",
        "output_dim",
        "max_source_positions",
        "encoder_layers",
    ];
    let vision = [
        "depth",
        "hidden_size",
        "num_heads",
        "intermediate_size",
        "patch_size",
        "temporal_patch_size",
        "spatial_merge_size",
        "num_position_embeddings",
        "out_hidden_size",
        "deepstack_visual_indexes",
    ];
    let talker = [
        "accept_hidden_layer",
        "num_code_groups",
        "thinker_hidden_size",
        "codec_pad_id",
        "codec_bos_id",
        "codec_eos_token_id",
        "codec_nothink_id",
        "codec_think_bos_id",
        "codec_think_eos_id",
        "speaker_id",
        "text_config.intermediate_size",
        "text_config.shared_expert_intermediate_size",
    ];
    let wav = [
        "num_quantizers",
        "codebook_size",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "rms_norm_eps",
        "rope_theta",
        "sliding_window",
        "decoder_dim",
        "upsampling_ratios",
        "upsample_rates",
    ];
    let groups: [(&str, &[&str]); 9] = [
        ("thinker_config.text_config", &text),
        ("thinker_config.text_config", &moe),
        ("talker_config.text_config", &text),
        ("talker_config.text_config", &moe),
        ("talker_config.code_predictor_config", &text),
        ("thinker_config.audio_config", &audio),
        ("thinker_config.vision_config", &vision),
        ("talker_config", &talker),
        ("code2wav_config", &wav),
    ];
    let bad = [json!(-1), json!("8"), json!(1e300), json!(u64::MAX), json!({}), json!([-1]), Value::Null];
    // Where a missing value has a meaning.
    let optional = ["num_key_value_heads", "encoder_layers"];
    for (group, keys) in groups {
        for key in keys {
            let full = format!("{group}.{key}");
            for value in &bad {
                if value.is_null() && optional.contains(key) || *key == "speaker_id" && *value == json!({}) {
                    continue;
                }
                assert_names(load(&damaged(&json, &full, value)), &full, value);
            }
        }
    }
    for key in
        ["im_start_token_id", "im_end_token_id", "user_token_id", "assistant_token_id", "tts_pad_token_id"]
    {
        for value in [json!(496), json!(-1), json!("a"), json!(4294967296u64 + 457), Value::Null] {
            assert_names(load(&damaged(&json, key, &value)), key, &value);
        }
    }
}

#[test]
fn values_that_contradict_each_other_or_are_not_supported_are_named() {
    let json = json_of("omni-bf16", "config.json");
    for (key, value) in [
        ("architectures", json!(["LlamaForCausalLM"])),
        ("architectures", json!([])),
        ("architectures", json!("Qwen3ForCausalLM")),
        ("enable_audio_output", json!("yes")),
        ("thinker_config", json!([])),
        ("thinker_config.position_id_per_seconds", json!(0)),
        ("thinker_config.image_token_id", json!(469)),
        ("thinker_config.audio_token_id", json!(496)),
        ("thinker_config.text_config.num_key_value_heads", json!(3)),
        ("thinker_config.text_config.num_attention_heads", json!(0)),
        ("thinker_config.text_config.head_dim", json!(23)),
        ("thinker_config.text_config.head_dim", json!(0)),
        ("thinker_config.text_config.rms_norm_eps", json!(0.0)),
        ("thinker_config.text_config.hidden_act", json!("gelu")),
        ("thinker_config.text_config.num_experts_per_tok", json!(9)),
        ("thinker_config.text_config.num_experts_per_tok", json!(0)),
        ("thinker_config.text_config.mlp_only_layers", json!([0])),
        ("thinker_config.text_config.decoder_sparse_step", json!(2)),
        ("thinker_config.text_config.use_sliding_window", json!(true)),
        ("thinker_config.text_config.rope_scaling", Value::Null),
        ("thinker_config.text_config.rope_scaling.mrope_section", json!([6, 3, 2])),
        ("thinker_config.text_config.rope_scaling.mrope_section", json!([6, 6])),
        ("thinker_config.text_config.rope_scaling.mrope_section", json!([12, -3, 3])),
        ("thinker_config.text_config.rope_scaling.rope_type", json!("yarn")),
        ("thinker_config.audio_config.d_model", json!(33)),
        ("thinker_config.audio_config.output_dim", json!(65)),
        ("thinker_config.audio_config.n_window_infer", json!(99)),
        ("thinker_config.audio_config.encoder_attention_heads", json!(5)),
        ("thinker_config.audio_config.max_source_positions", json!(12)),
        ("thinker_config.vision_config.num_heads", json!(16)),
        ("thinker_config.vision_config.num_position_embeddings", json!(63)),
        ("thinker_config.vision_config.deepstack_visual_indexes", json!([1, 5])),
        ("thinker_config.vision_config.deepstack_visual_indexes", json!([2, 1])),
        ("thinker_config.vision_config.out_hidden_size", json!(32)),
        ("thinker_config.vision_config.hidden_act", json!("gelu")),
        ("talker_config.accept_hidden_layer", json!(5)),
        ("talker_config.thinker_hidden_size", json!(32)),
        ("talker_config.codec_bos_id", json!(1088)),
        ("talker_config.speaker_id", json!({})),
        ("talker_config.speaker_id.ethan", json!(1088)),
        ("talker_config.speaker_id.ETHAN", json!(3)),
        ("talker_config.text_config.vocab_size", json!(1024)),
        ("talker_config.text_config.shared_expert_intermediate_size", json!(0)),
        ("talker_config.code_predictor_config.hidden_size", json!(33)),
        ("talker_config.code_predictor_config.num_code_groups", json!(15)),
        ("talker_config.code_predictor_config.layer_types", json!(["full_attention"])),
        ("code2wav_config.num_quantizers", json!(15)),
        ("code2wav_config.codebook_size", json!(63)),
        ("code2wav_config.num_attention_heads", json!(64)),
        ("code2wav_config.decoder_dim", json!(72)),
        ("code2wav_config.upsample_rates", json!([])),
        ("code2wav_config.upsample_rates", json!([8, 0])),
        ("code2wav_config.upsample_rates", json!([8, 8, 8, 8, 8, 8])),
        ("code2wav_config.attention_bias", json!(true)),
    ] {
        assert_names(load(&damaged(&json, key, &value)), key, &value);
    }
    let dense = json_of("qwen3-dense-bf16", "config.json");
    for (key, value) in [
        ("rope_scaling", json!({"rope_type": "yarn", "factor": 4.0})),
        ("eos_token_id", json!([458, 500])),
        ("tie_word_embeddings", json!(1)),
    ] {
        assert_names(load(&damaged(&dense, key, &value)), key, &value);
    }
    assert!(load(&json!([])).unwrap_err().to_string().contains("expected an object"));
}

#[test]
fn bad_sampling_and_front_end_values_are_named() {
    let config = Config::load(&reference("omni-bf16")).unwrap();
    for (key, value) in [
        ("temperature", json!(0)),
        ("temperature", json!(-1.0)),
        ("top_p", json!(1.5)),
        ("top_k", json!(-1)),
        ("do_sample", json!(1)),
        ("talker_repetition_penalty", json!(0)),
        ("talker_top_k", json!(2.5)),
        ("talker_max_new_tokens", json!(0)),
        ("eos_token_id", json!([1, "2"])),
    ] {
        let dir = folder("generation_config.json", &json!({key: value}));
        assert_names(GenerationConfig::load(dir.path(), &config), key, &value);
    }
    for (key, value) in [
        ("feature_size", json!(80)),
        ("patch_size", json!(14)),
        ("merge_size", json!(1)),
        ("hop_length", json!(0)),
        ("hop_length", json!(401)),
        ("n_fft", json!(399)),
        ("sampling_rate", json!("16k")),
        ("max_pixels", json!(3000)),
        ("min_pixels", json!(0)),
        ("image_mean", json!([0.5, 0.5])),
        ("image_std", json!([0.5, 0.0, 0.5])),
        ("size.longest_edge", json!(1)),
    ] {
        let file = damaged(&json!({"size": {}}), key, &value);
        let dir = folder("preprocessor_config.json", &file);
        assert_names(PreprocessorConfig::load(dir.path(), &omni().thinker), key, &value);
    }
}

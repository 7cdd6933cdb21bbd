//! What a person may give the engine by mistake: each is refused with a sentence that names the thing, and nothing breaks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use colloquy_tests::checkpoints::{
    copy, data, dense, edit_json, omni, pocket, read_shard, shards, write_raw_shard,
};
use colloquy_tests::talks::{ask, ask_live, ask_text, load, sample, session, silent};
use engine::{Audio, Content, Error, Image, Message, Role, Session, Settings};
use serde_json::{Value, json};

/// The error of loading `folder`, which must name every one of `names`.
fn refused(folder: &Path, names: &[&str]) -> String {
    let Err(error) = load(folder, None) else { panic!("loaded; expected an error that names {names:?}") };
    let sentence = error.to_string();
    for name in names {
        assert!(sentence.contains(name), "expected {name} in: {sentence}");
    }
    assert!(sentence.len() < 600, "{sentence}");
    sentence
}

#[test]
fn folders_that_are_no_checkpoint() {
    refused(Path::new("no/such/folder"), &["no/such/folder", "no such folder"]);
    let empty = tempfile::tempdir().unwrap();
    refused(empty.path(), &["config.json"]);
    let file = empty.path().join("config.json");
    fs::write(&file, "{}").unwrap();
    refused(&file, &["config.json"]);
    refused(empty.path(), &["config.json", "model_type"]);
    fs::write(&file, "not JSON").unwrap();
    refused(empty.path(), &["config.json", "JSON"]);
    fs::write(&file, r#"{"model_type": "llama"}"#).unwrap();
    refused(empty.path(), &["config.json", "llama"]);
}

#[test]
fn files_that_are_missing() {
    for name in ["config.json", "model-00002-of-00003.safetensors"] {
        let folder = copy(&omni());
        fs::remove_file(folder.path().join(name)).unwrap();
        refused(folder.path(), &[name]);
    }
}

#[test]
fn a_shard_cut_anywhere() {
    let folder = copy(&omni());
    let shard = shards(folder.path())[1].clone();
    let whole = fs::read(&shard).unwrap();
    let header = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize + 8;
    let mut cuts = vec![0, 1, 7, 8, 9, header - 1, header, header + 1, whole.len() - 1];
    cuts.extend((1..12).map(|i| whole.len() * i / 12));
    assert_eq!(cuts.len(), 20);
    for cut in cuts {
        fs::write(&shard, &whole[..cut]).unwrap();
        refused(folder.path(), &["model-00002-of-00003.safetensors"]);
    }
}

#[test]
fn headers_of_impossible_length() {
    let folder = copy(&dense());
    let shard = shards(folder.path())[0].clone();
    let whole = fs::read(&shard).unwrap();
    for length in [0, whole.len() as u64 - 7, whole.len() as u64, 1 << 40, 1 << 63, u64::MAX - 7, u64::MAX] {
        let bytes = [&length.to_le_bytes(), &whole[8..]].concat();
        fs::write(&shard, bytes).unwrap();
        refused(folder.path(), &["model-00001-of-00002.safetensors"]);
    }
}

#[test]
fn tensors_that_overlap_repeat_or_do_not_fit() {
    let folder = copy(&dense());
    let shard = shards(folder.path())[0].clone();
    let (header, bytes) = read_shard(&shard);
    let name = header.keys().next().unwrap().clone();
    let with = |edit: &dyn Fn(&mut Value)| {
        let mut header = header.clone();
        edit(header.get_mut(&name).unwrap());
        write_raw_shard(&shard, &header, &bytes);
        refused(folder.path(), &["model-00001-of-00002.safetensors"])
    };
    let size = |e: &Value| e["data_offsets"][1].as_u64().unwrap() - e["data_offsets"][0].as_u64().unwrap();
    let first = size(&header[&name]);
    let elsewhere = if header[&name]["data_offsets"][0] == 0 { first } else { 0 };
    with(&|entry| entry["data_offsets"] = json!([elsewhere, elsewhere + first]));
    with(&|entry| entry["data_offsets"] = json!([bytes.len(), bytes.len() as u64 + first]));
    with(&|entry| entry["data_offsets"] = json!([first, 0]));
    with(&|entry| entry["data_offsets"] = json!([-1, first]));
    with(&|entry| entry["data_offsets"] = json!("here"));
    with(&|entry| entry["dtype"] = json!("I8"));
    with(&|entry| entry["shape"] = json!([u64::MAX, 2]));
    with(&|entry| entry["shape"] = json!([]));
    // One name twice in a header.
    let entry = header[&name].to_string();
    let text = serde_json::to_string(&header).unwrap().replacen('{', &format!("{{\"{name}\":{entry},"), 1);
    fs::write(&shard, [&(text.len() as u64).to_le_bytes(), text.as_bytes(), &bytes].concat()).unwrap();
    refused(folder.path(), &["model-00001-of-00002.safetensors", &name]);
    // One name in two shards.
    write_raw_shard(&shard, &header, &bytes);
    let other = shards(folder.path())[1].clone();
    fs::copy(&shard, &other).unwrap();
    refused(folder.path(), &["safetensors"]);
}

#[test]
fn weights_that_are_no_numbers() {
    for (tensor, part) in [
        ("thinker.model.norm.weight", "thinker"),
        ("talker.model.norm.weight", "talker"),
        ("talker.code_predictor.model.norm.weight", "code predictor"),
    ] {
        let folder = copy(&omni());
        let mut found = 0;
        for shard in shards(folder.path()) {
            let (header, mut bytes) = read_shard(&shard);
            if let Some(entry) = header.get(tensor) {
                let place = |i: usize| entry["data_offsets"][i].as_u64().unwrap() as usize;
                bytes[place(0)..place(1)].fill(0xff); // NaN in every type
                write_raw_shard(&shard, &header, &bytes);
                found += 1;
            }
        }
        assert_eq!(found, 1, "{tensor}");
        let mut session = session(folder.path(), Settings::default());
        let error = ask(&mut session, vec![Content::Text("Hello.".into())]).err().unwrap();
        assert!(matches!(error, Error::NotANumber(_)), "{error}");
        assert!(error.to_string().contains(&format!("the {part} computed")), "{error}");
    }
}

#[test]
fn config_values_of_the_wrong_kind() {
    let text = fs::read_to_string(omni().join("config.json")).unwrap();
    let folder = copy(&omni());
    let file = folder.path().join("config.json");
    fs::write(&file, text.replacen("1e-06", "NaN", 1)).unwrap();
    refused(folder.path(), &["config.json", "rms_norm_eps"]);
    fs::write(&file, &text).unwrap();
    let wrong = [
        ("thinker_config.text_config.hidden_size", json!("wide")),
        ("thinker_config.text_config.hidden_size", json!(-64)),
        ("thinker_config.text_config.num_attention_heads", json!(0)),
        ("thinker_config.text_config.num_hidden_layers", json!(1e18)),
        ("thinker_config.text_config.rope_theta", Value::Null),
        ("thinker_config.audio_config.n_window", json!(0)),
        ("thinker_config.vision_config.patch_size", json!([16])),
        ("talker_config.speaker_id", json!(7)),
        ("talker_config.code_predictor_config.num_code_groups", json!(u64::MAX)),
        ("code2wav_config.upsample_rates", json!([8, 5, 0, 3])),
        ("im_start_token_id", json!(1 << 30)),
    ];
    for (key, value) in wrong {
        edit_json(folder.path(), "config.json", |json| {
            *json = serde_json::from_str(&text).unwrap();
            *json.pointer_mut(&format!("/{}", key.replace('.', "/"))).unwrap() = value;
        });
        refused(folder.path(), &["config.json", key.rsplit('.').next().unwrap()]);
    }
    fs::write(&file, &text).unwrap();
    edit_json(folder.path(), "generation_config.json", |json| json["talker_temperature"] = json!("hot"));
    refused(folder.path(), &["generation_config.json", "talker_temperature"]);
}

#[test]
fn settings_out_of_range() {
    let mut session = session(&pocket(), silent());
    let sampling = |temperature, top_p, repetition_penalty| Settings {
        text_sampling: Some(engine::Sampling {
            temperature,
            top_k: 0,
            top_p,
            repetition_penalty: Some(repetition_penalty),
        }),
        ..silent()
    };
    for (t, p, r) in [
        (f32::NAN, 1.0, 1.0),
        (-1.0, 1.0, 1.0),
        (f32::INFINITY, 1.0, 1.0),
        (1.0, 0.0, 1.0),
        (1.0, f32::NAN, 1.0),
        (1.0, 1.5, 1.0),
        (1.0, 1.0, 0.0),
        (1.0, 1.0, f32::NAN),
    ] {
        let error = session.set_settings(sampling(t, p, r)).unwrap_err().to_string();
        assert!(error.contains("sampling"), "{error}");
    }
    assert_eq!(ask_text(&mut session, "hello").text(), "Hello, how can I help you?");
}

#[test]
fn clips_of_odd_lengths_rates_and_values() {
    for samples in [0, 1, 199, 200] {
        let error = Audio::from_interleaved(&vec![0.1; samples], 1, 16_000).unwrap_err().to_string();
        assert!(error.contains("sound is"), "{error}");
    }
    for (channels, rate) in [(0, 16_000), (65, 16_000), (1, 0)] {
        assert!(Audio::from_interleaved(&[0.1; 65 * 64], channels, rate).is_err(), "{channels} at {rate} Hz");
    }
    let wide = Audio::from_interleaved(&vec![0.1; 32 * 16_000], 32, 16_000).unwrap();
    let mut session =
        session(&omni(), Settings { max_text_tokens: 4, max_frames: Some(2), ..Settings::default() });
    for samples in [wide.samples, vec![0.1; 201], vec![0.0; 16_000], vec![f32::MAX; 16_000]] {
        session.reset().unwrap();
        ask(&mut session, vec![Content::Audio(Audio { samples: samples.clone() })]).unwrap();
        session.reset().unwrap();
        ask_live(&mut session, &samples, 333).unwrap();
    }
    for samples in [vec![], vec![0.1], vec![0.1; 199], vec![0.1; 200]] {
        let error = session.push(Content::Audio(Audio { samples: samples.clone() })).unwrap_err();
        assert!(error.to_string().contains("sound is"), "{error}");
        // A key that is only tapped.
        session.push_audio(&samples).unwrap();
        let error = session.respond().unwrap_err().to_string();
        assert!(error.contains("too short") && error.contains("201"), "{error}");
        session.push_audio(&samples).unwrap();
        assert!(session.push(Content::Text("hello".into())).is_err());
        assert!(session.respond().is_err(), "the message was dropped");
    }
    assert!(!ask_text(&mut session, "hello").summary.text_tokens.is_empty());
}

#[test]
fn samples_that_are_no_numbers_drop_the_message_and_no_more() {
    let mut session = session(&pocket(), silent());
    let clip = sample(3).samples;
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        session.push(Content::Text("seven plus eight".into())).unwrap();
        session.push_audio(&clip).unwrap();
        let error = session.push_audio(&[0.0, bad, 0.0]).unwrap_err();
        assert!(matches!(error, Error::Input(_)) && error.to_string().contains("finite"), "{error}");
        assert!(session.respond().is_err(), "the message was dropped");
        let mut samples = clip.clone();
        samples[5000] = bad;
        assert!(session.push(Content::Audio(Audio { samples })).is_err());
        assert_eq!(ask_live(&mut session, &clip, 800).unwrap().text(), "The capital of France is Paris.");
        session.reset().unwrap();
    }
}

#[test]
fn an_hour_of_sound_is_refused_at_once_where_it_does_not_fit() {
    let hour = Audio { samples: vec![0.1; Audio::MAX_SAMPLES] };
    let mut session = Session::new(load(&pocket(), Some(8192)).unwrap(), silent()).unwrap();
    let begun = Instant::now();
    let error = session.push(Content::Audio(hour.clone())).unwrap_err();
    assert!(matches!(error, Error::Context { needed: 46_800, limit: 8192 }), "{error}");
    let half = || Content::Audio(Audio { samples: hour.samples[..Audio::MAX_SAMPLES / 6].to_vec() });
    let error = ask(&mut session, vec![half(), half()]).unwrap_err();
    assert!(matches!(error, Error::Context { needed: 15_600.., limit: 8192 }), "{error}");
    let message = Message::new(Role::User, vec![Content::Audio(hour)]);
    assert!(matches!(session.push_message(message), Err(Error::Context { .. })));
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!(ask_text(&mut session, "hello").text(), "Hello, how can I help you?");
}

#[test]
fn pictures_of_odd_shapes() {
    let picture =
        |width: usize, height: usize| Image::from_rgb(width, height, vec![99; width * height * 3]).unwrap();
    let mut session =
        session(&omni(), Settings { max_text_tokens: 4, max_frames: Some(2), ..Settings::default() });
    for (width, height) in [(1, 1), (1, 200), (33, 31)] {
        session.reset().unwrap();
        ask(&mut session, vec![Content::Image(picture(width, height))]).unwrap();
    }
    for (width, height) in [(1, 400), (65_535, 1), (65_535, 100)] {
        let error = session.push(Content::Image(picture(width, height))).unwrap_err().to_string();
        assert!(error.contains(&format!("{width} x {height}")) && error.contains("200"), "{error}");
    }
    assert!(Image::from_rgb(0, 5, vec![]).is_err() && Image::from_rgb(2, 2, vec![0; 11]).is_err());
    let mut torn = picture(64, 64);
    torn.rgb.truncate(100);
    assert!(session.push(Content::Image(torn)).is_err());
    assert!(!ask_text(&mut session, "hello").summary.text_tokens.is_empty());
    let large = picture(4096, 4096);
    let mut small = Session::new(load(&omni(), Some(1000)).unwrap(), silent()).unwrap();
    let begun = Instant::now();
    assert!(matches!(small.push(Content::Image(large)), Err(Error::Context { limit: 1000, .. })));
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[test]
fn files_that_are_not_what_their_names_say() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["picture.png", "sound.wav"] {
        let path = folder.path().join(name);
        fs::write(&path, "This is a text.").unwrap();
        let error = match name {
            "picture.png" => Image::open(&path).unwrap_err(),
            _ => Audio::open(&path).unwrap_err(),
        };
        assert!(error.to_string().contains(name), "{error}");
    }
    assert!(Image::open(&data().join("media/bomb.png")).is_err());
    assert!(Image::open(folder.path()).is_err() && Audio::open(&folder.path().join("none.wav")).is_err());
}

#[test]
fn empty_messages_and_placeholders_in_text() {
    let mut session = session(&pocket(), silent());
    let text = |text: &str| Content::Text(text.into());
    for parts in [vec![], vec![text("")], vec![text(" \n"), text("\t")]] {
        let error = ask(&mut session, parts).unwrap_err().to_string();
        assert!(error.contains("empty"), "{error}");
    }
    for name in ["<|audio_pad|>", "<|image_pad|>", "<|video_pad|>"] {
        let words = format!("what is {name} then");
        let refused = |error: Error| assert!(error.to_string().contains(name), "{error}");
        refused(session.push(text(&words)).unwrap_err());
        let message = Message::new(Role::User, vec![text(&words)]);
        refused(session.push_message(message).unwrap_err());
        refused(session.set_settings(Settings { system: Some(words.clone()), ..silent() }).unwrap_err());
        session.push(Content::Audio(sample(3))).unwrap();
        refused(session.push(text(&words)).unwrap_err());
        assert_eq!(ask(&mut session, vec![]).unwrap().text(), "The capital of France is Paris.");
        session.reset().unwrap();
    }
    // A placeholder that only stands there when two parts meet is found later; the message is dropped.
    assert!(ask(&mut session, vec![text("<|audio"), text("_pad|>")]).is_err());
    let long = "word ".repeat(200_000);
    let error = ask(&mut session, vec![text(&long)]).unwrap_err().to_string();
    assert!(error.contains("500000") || error.contains("tokens"), "{error}");
    assert_eq!(ask_text(&mut session, "hello").text(), "Hello, how can I help you?");
}

use clap::Parser;

use super::*;
use crate::cli::{Cli, Command};

fn parse(arguments: &[&str]) -> Result<TalkOptions, String> {
    let all = ["colloquy", "talk"].iter().chain(arguments);
    match Cli::try_parse_from(all).map_err(|e| e.to_string())?.command {
        Some(Command::Talk(options)) => Ok(*options),
        _ => Err("another subcommand".into()),
    }
}

#[test]
fn parts_come_as_images_videos_sound_then_text() {
    let options =
        parse(&["--text", "t", "--audio", "a.wav", "--video", "v", "--image", "1.png", "--image", "2.png"])
            .unwrap();
    assert_eq!(
        options.prompt().unwrap().question,
        [
            Part::Image("1.png".into()),
            Part::Image("2.png".into()),
            Part::Video("v".into()),
            Part::Audio("a.wav".into()),
            Part::Text("t".into()),
        ]
    );
}

#[test]
fn an_empty_question_is_refused() {
    for arguments in [&[][..], &["--text", ""]] {
        let fault = parse(arguments).unwrap().prompt().unwrap_err().to_string();
        assert!(fault.contains("there is no question"), "{fault}");
    }
}

#[test]
fn contradictions_are_refused() {
    for arguments in [
        &["--text", "t", "--messages", "m.json"][..],
        &["--text", "t", "--greedy", "--temperature", "1"],
        &["--text", "t", "--no-speech", "--out", "o.wav"],
        &["--text", "t", "--temperature", "-1"],
        &["--text", "t", "--temperature", "NaN"],
        &["--text", "t", "--top-p", "0"],
        &["--text", "t", "--top-p", "1.5"],
        &["--text", "t", "--fps", "0"],
        &["--text", "t", "--device", "toaster"],
        &["--text", "t", "--seed", "-3"],
        &["--text", "t", "--threads", "-1"],
    ] {
        assert!(parse(arguments).is_err(), "{arguments:?}");
    }
}

#[test]
fn settings_follow_the_options() {
    let options =
        parse(&["--text", "t", "--top-k", "5", "--voice", "Ethan", "--max-frames", "9", "--seed", "7"]);
    let settings = options.unwrap().answer.settings();
    let sampling = settings.text_sampling.unwrap();
    assert_eq!((sampling.temperature, sampling.top_k, sampling.top_p), (1.0, 5, 1.0));
    assert_eq!((settings.voice.as_deref(), settings.max_frames, settings.seed), (Some("Ethan"), Some(9), 7));
    assert!(settings.speech);

    let settings = parse(&["--text", "t"]).unwrap().answer.settings();
    assert_eq!(settings.text_sampling, None, "the checkpoint's own default must hold");
    let settings = parse(&["--text", "t", "--greedy", "--no-speech"]).unwrap().answer.settings();
    assert_eq!(settings.text_sampling, Some(engine::Sampling::GREEDY));
    assert!(!settings.speech);
}

#[test]
fn the_model_that_ships_is_found_in_the_source_tree() {
    let folder = parse(&["--text", "t"]).unwrap().model.folder().unwrap();
    assert!(folder.join("config.json").is_file());
}

#[test]
fn files_that_are_not_there_are_named() {
    let mut options = parse(&["--messages", "nowhere.json"]).unwrap();
    assert!(options.prompt().unwrap_err().to_string().contains("nowhere.json"));
    options = parse(&["--text", "t", "--tools", "none.json"]).unwrap();
    let prompt = options.prompt().unwrap();
    assert!(options.settings(&prompt).unwrap_err().to_string().contains("none.json"));
}

use clap::Parser;

use super::*;
use crate::cli::Cli;

fn options(line: &str) -> WindowOptions {
    Cli::parse_from(["colloquy"].into_iter().chain(line.split_whitespace())).window
}

fn chosen() -> Preferences {
    let mut keys = Keys::default();
    keys.set(Deed::TalkAnywhere, "Ctrl+Alt+T".parse().unwrap()).unwrap();
    keys.set(Deed::Talk, "F5".parse().unwrap()).unwrap();
    Preferences {
        answer: Answering {
            speak: false,
            voice: Some("ethan".into()),
            system: Some("Be brief.\nBe \"kind\".".into()),
            language: Some(SpokenLanguage::Korean),
            sampling: Some(Choosing { temperature: 0.5, top_k: 7, top_p: 0.9 }),
        },
        model: Placing {
            folder: Some("models/large".into()),
            device: DeviceOption::Cpu,
            gpu: Some("Radeon".into()),
            format: Some(FormatOption::Q8_0),
            context_tokens: Some(4096),
        },
        welcome: Welcome { first_run_done: true },
        licences: Licences { accepted: vec!["large".into()] },
        look: Look {
            theme: Theme::Dark,
            contrast: Contrast::High,
            text_size: 1.25,
            language: Some("de".into()),
        },
        keeping: Keeping { conversations: false, days: Some(30), recordings: true, recording_days: None },
        keys,
        sound: Sound { microphone: Some("pulseaudio:a.b".into()), speaker: None, volume: 70 },
        memory: Memory { free_after_minutes: Some(20) },
        desktop: Desktop { tray: false, close_to_tray: true, start_hidden: true, notify: false },
        talking: Talking { hands_free: true, pause_ms: 500, interrupt: false, cancel_echo: false },
    }
}

#[test]
fn what_is_written_is_read_again_and_nothing_is_left_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/settings.toml");
    for preferences in [chosen(), Preferences::default()] {
        write(&path, &preferences).unwrap();
        assert_eq!(read(&path), (preferences, None));
    }
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn a_missing_file_is_no_fault() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(read(&folder.path().join("settings.toml")), (Preferences::default(), None));
}

#[test]
fn a_broken_file_is_kept_aside_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    for broken in ["[look]\ntheme = \"pink\"\n", "[look\n", "look = 3", "\u{0}"] {
        std::fs::write(&path, broken).unwrap();
        let (preferences, told) = read(&path);
        assert_eq!(preferences, Preferences::default());
        assert!(told.unwrap().contains("settings.toml.broken"));
        assert!(!path.exists());
        let kept = std::fs::read_to_string(folder.path().join("settings.toml.broken")).unwrap();
        assert_eq!(kept, broken);
    }
}

#[test]
fn the_line_of_a_fault_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    std::fs::write(&path, "[look]\n\ntheme = \"pink\"\n").unwrap();
    let told = read(&path).1.unwrap();
    assert!(told.contains("line 3") && told.contains("pink"), "{told}");
}

#[test]
fn keys_of_another_version_and_numbers_out_of_range_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    let text = "other = 1\n[look]\ntext_size = 90.0\nshape = \"round\"\n[answer.sampling]\ntop_p = -1.0\n\
                [model]\ncontext_tokens = 1\n";
    std::fs::write(&path, text).unwrap();
    let (preferences, told) = read(&path);
    assert_eq!(told, None);
    assert_eq!(preferences.look.text_size, 2.0);
    assert_eq!(preferences.answer.sampling.unwrap().top_p, 0.01);
    assert_eq!(preferences.model.context_tokens, Some(FEWEST_CONTEXT_TOKENS));
}

#[test]
fn the_command_line_wins_over_the_file() {
    let file = chosen();
    let settings = file.settings(&options(""));
    assert_eq!((settings.speech, settings.voice.as_deref()), (false, Some("ethan")));
    assert_eq!(settings.system.as_deref(), Some("Be brief.\nBe \"kind\".\nAnswer in Korean."));
    assert_eq!(settings.text_sampling.unwrap().top_k, 7);
    let given = file.settings(&options("--voice chelsie --system Hm --greedy"));
    assert_eq!((given.voice.as_deref(), given.system.as_deref()), (Some("chelsie"), Some("Hm")));
    assert_eq!(given.text_sampling, Some(Sampling::GREEDY));

    let placed = file.model.options(&options(""));
    assert_eq!((placed.device, placed.format), (engine::Device::Cpu, Some(engine::Format::Q8_0)));
    assert_eq!(placed.context_tokens, Some(4096));
    let given = file.model.options(&options("--device gpu --format q4"));
    assert_eq!((given.device, given.format), (engine::Device::Gpu, Some(engine::Format::Q4)));
}

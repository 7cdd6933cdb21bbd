//! Other checkpoints and media: without speech, without ears, and videos.

use std::fs;

use colloquy_tests::checkpoints::{data, dense, omni, omni_without_speech};
use colloquy_tests::talks::{ask, ask_live, ask_text, greedy, sample, session};
use engine::{Content, Error, Settings, Video};

fn settings() -> Settings {
    Settings { max_text_tokens: 8, max_frames: Some(4), ..greedy() }
}

#[test]
fn a_checkpoint_without_speech_hears_and_writes() {
    let folder = omni_without_speech();
    let mut mute = session(folder.path(), settings());
    let info = mute.engine().info().clone();
    assert!(info.hears && info.sees && info.voices.is_empty());
    let mut whole = session(&omni(), settings());
    for clip in [sample(2), sample(3)] {
        let written = ask_live(&mut mute, &clip.samples, 800).unwrap();
        assert!(written.samples.is_empty() && written.summary.codes.is_empty());
        let spoken = ask(&mut whole, vec![Content::Audio(clip)]).unwrap();
        assert_eq!(written.summary.text_tokens, spoken.summary.text_tokens);
        mute.reset().unwrap();
        whole.reset().unwrap();
    }
    let error = mute.set_settings(Settings { voice: Some("ethan".into()), ..settings() }).unwrap_err();
    assert!(error.to_string().contains("speak"), "{error}");
}

#[test]
fn a_dense_checkpoint_writes_and_says_that_it_cannot_hear() {
    let mut session = session(&dense(), settings());
    let info = session.engine().info();
    assert!(!info.hears && !info.sees && info.voices.is_empty());
    assert_eq!(ask_text(&mut session, "Hello.").summary.text_tokens.len(), 8);
    let folder = "qwen3-dense-bf16";
    let errors = [
        session.push(Content::Audio(sample(0))).unwrap_err(),
        session.push_audio(&sample(0).samples).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, Error::Input(_)));
        assert!(error.to_string().contains(folder) && error.to_string().contains("hear"), "{error}");
    }
    assert_eq!(ask_text(&mut session, "And now?").summary.text_tokens.len(), 8);
}

#[test]
fn videos_with_and_without_sound_are_answered() {
    let goldens = data().join("reference/open/goldens/omni");
    let folder = tempfile::tempdir().unwrap();
    for i in 0..4 {
        fs::copy(goldens.join("image1.png"), folder.path().join(format!("{i}.png"))).unwrap();
    }
    let mut session = session(&omni(), settings());
    let mut answer = |video: Video| {
        session.reset().unwrap();
        let parts = vec![Content::Video(video), Content::Text("What happens?".into())];
        let first = ask(&mut session, parts).unwrap();
        let next = ask_text(&mut session, "And then?");
        assert_eq!((first.summary.text_tokens.len(), next.summary.text_tokens.len()), (8, 8));
        assert_eq!((first.summary.codes.len(), next.summary.codes.len()), (4, 4));
        first
    };
    let silent = Video::open(folder.path(), None).unwrap();
    assert_eq!((silent.frames.len(), silent.audio.is_some()), (4, false));
    let seen = answer(silent.clone());
    fs::copy(goldens.join("clip_a.wav"), folder.path().join("sound.wav")).unwrap();
    let sounding = Video::open(folder.path(), Some(2.0)).unwrap();
    assert!(sounding.audio.is_some());
    let heard = answer(sounding.clone());
    assert_ne!(seen.summary.text_tokens, heard.summary.text_tokens, "the sound makes a difference");
    assert!(answer(sounding).bits() == heard.bits());
    let mut still = silent;
    still.frames_per_second = 0.0;
    let error = session.push(Content::Video(still)).unwrap_err();
    assert!(error.to_string().contains("frames a second"), "{error}");
}

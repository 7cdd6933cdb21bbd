use super::*;
use crate::fixtures::path;

/// A folder of frames, each of one shade, named as given.
fn folder(names: &[(&str, u8)], width: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, shade) in names {
        let pixels = ::image::RgbImage::from_pixel(width as u32, 32, ::image::Rgb([*shade; 3]));
        pixels.save(folder.path().join(name)).unwrap();
    }
    folder
}

fn refusal(folder: &Path, rate: Option<f32>) -> String {
    Video::open(folder, rate).expect_err("a refusal").to_string()
}

#[test]
fn frames_come_in_the_order_of_their_numbers() {
    let folder =
        folder(&[("frame10.png", 3), ("frame2.png", 2), ("frame1.png", 1), ("frame010b.PNG", 4)], 32);
    fs::write(folder.path().join("notes.txt"), "not a frame").unwrap();
    let video = Video::open(folder.path(), None).unwrap();
    let shades: Vec<_> = video.frames.iter().map(|f| f.rgb[0]).collect();
    assert_eq!(shades, [1, 2, 3, 4]);
    assert_eq!(video.audio, None);
}

#[test]
fn the_rate_is_the_one_given_else_described_else_two() {
    let folder = folder(&[("1.png", 0)], 32);
    let rate = |given| Video::open(folder.path(), given).unwrap().frames_per_second;
    assert_eq!(rate(None), 2.0);
    fs::write(folder.path().join("video.json"), r#"{"fps": 12.5}"#).unwrap();
    assert_eq!(rate(None), 12.5);
    assert_eq!(rate(Some(4.0)), 4.0);
    let video = Video::open(folder.path(), Some(4.0)).unwrap();
    assert_eq!(video.second_per_grid(&ImageConfig::default()), 0.5);

    for bad in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert!(refusal(folder.path(), Some(bad)).contains("frames a second"));
    }
    for bad in ["", "[]", r#"{"fps": "two"}"#, r#"{"rate": 2}"#] {
        fs::write(folder.path().join("video.json"), bad).unwrap();
        assert!(refusal(folder.path(), None).contains("video.json"));
    }
    fs::write(folder.path().join("video.json"), r#"{"fps": 0}"#).unwrap();
    assert!(refusal(folder.path(), None).contains("frames a second"));
}

#[test]
fn a_sound_file_beside_the_frames_is_their_sound() {
    let folder = folder(&[("1.png", 0)], 32);
    fs::copy(path("media/tone_8000.wav"), folder.path().join("audio.wav")).unwrap();
    let video = Video::open(folder.path(), None).unwrap();
    assert_eq!(video.audio.unwrap().samples.len(), 4800);
    fs::copy(path("media/tone_8000.mp3"), folder.path().join("other.mp3")).unwrap();
    assert!(refusal(folder.path(), None).contains("2 sound files"));
}

#[test]
fn folders_that_are_no_video_are_refused_with_a_reason() {
    let mixed = folder(&[("1.png", 0)], 32);
    ::image::RgbImage::new(64, 32).save(mixed.path().join("2.png")).unwrap();
    let error = refusal(mixed.path(), None);
    assert!(error.contains("2.png") && error.contains("64 x 32") && error.contains("32 x 32"), "{error}");

    let empty = tempfile::tempdir().unwrap();
    assert!(refusal(empty.path(), None).contains("no frames"));
    assert!(matches!(Video::open(&empty.path().join("missing"), None), Err(Error::Io { .. })));
    assert!(matches!(Video::open(&path("media/tone_8000.wav"), None), Err(Error::Io { .. })));

    for number in 0..=Video::MAX_FRAMES {
        fs::write(empty.path().join(format!("{number}.png")), "").unwrap();
    }
    assert!(refusal(empty.path(), None).contains("769 frames"));
}

#[test]
fn frames_share_the_budget_of_pixels() {
    let (limits, config) = (VideoLimits::default(), ImageConfig::default());
    let sizes = |frames| {
        let limited = limits.apply(frames, &config);
        (limited.min_pixels, limited.max_pixels)
    };
    // Few frames: the limit of a frame. Many: total · 2 / frames. Very many: 5 % over the least.
    assert_eq!(sizes(4), (131_072, 786_432));
    assert_eq!(sizes(768), (131_072, 307_200));
    assert_eq!(sizes(100_000), (131_072, 137_625));
}

#[test]
fn small_frames_are_enlarged_to_the_least_size() {
    let folder = folder(&[("1.png", 0), ("2.png", 255), ("3.png", 255)], 32);
    let video = Video::open(folder.path(), None).unwrap();
    let patches = video.prepare(&ImageConfig::default(), &VideoLimits::default()).unwrap();
    assert_eq!(patches.grid, [2, 24, 24]);
    assert_eq!(patches.pixel_values[..256], [-1.0; 256]);
    assert_eq!(patches.pixel_values[256..512], [1.0; 256], "the second frame follows within a patch");
    let own = VideoLimits { min_pixels: 4 * 1024, ..VideoLimits::default() };
    assert_eq!(video.prepare(&ImageConfig::default(), &own).unwrap().grid, [2, 4, 4]);
    let none = Video { frames: Vec::new(), ..video };
    assert!(none.prepare(&ImageConfig::default(), &own).is_err());
}

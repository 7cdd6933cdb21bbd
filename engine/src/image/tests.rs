use std::fs;

use super::*;
use crate::fixtures::{Tensors, path};

const GOLDENS: &str = "reference/open/goldens/omni";
const RED: [u8; 3] = [255, 0, 0];
const GREEN: [u8; 3] = [0, 255, 0];
const BLUE: [u8; 3] = [0, 0, 255];
const WHITE: [u8; 3] = [255; 3];

fn golden() -> Tensors {
    Tensors::open(&format!("{GOLDENS}/frontend.safetensors"))
}

fn image((shape, rgb): (Vec<usize>, Vec<u8>)) -> Image {
    Image::from_rgb(shape[1], shape[0], rgb).unwrap()
}

fn pixel(image: &Image, x: usize, y: usize) -> [u8; 3] {
    let at = (y * image.width + x) * 3;
    [image.rgb[at], image.rgb[at + 1], image.rgb[at + 2]]
}

fn assert_patches(patches: &Patches, values: (Vec<usize>, Vec<f32>), grid: (Vec<usize>, Vec<i32>)) {
    assert_eq!(patches.grid.map(|n| n as i32).to_vec(), grid.1);
    assert_eq!(patches.pixel_values.len(), values.0[0] * values.0[1]);
    let worst = patches.pixel_values.iter().zip(&values.1).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // A step of 8 bits is 2/255, so this allows rounding of f32 only.
    assert!(worst < 1e-6, "worst difference {worst}");
}

#[test]
fn pictures_give_the_patches_of_the_reference() {
    let file = golden();
    // The first needs no resize, the second does.
    for name in ["image1", "image2"] {
        let picture = Image::open(&path(&format!("{GOLDENS}/{name}.png"))).unwrap();
        assert_eq!(picture, image(file.u8(name)));
        let patches = prepare(&picture, &ImageConfig::default()).unwrap();
        assert_patches(
            &patches,
            file.f32(&format!("{name}_pixel_values")),
            file.i32(&format!("{name}_grid")),
        );
    }
}

#[test]
fn frames_give_the_patches_of_the_reference() {
    let file = golden();
    let (shape, rgb) = file.u8("video");
    let size = shape[1] * shape[2] * 3;
    let frames: Vec<_> =
        rgb.chunks(size).map(|f| Image::from_rgb(shape[2], shape[1], f.to_vec()).unwrap()).collect();
    let whole = patches(&frames, &ImageConfig::default()).unwrap();
    assert_patches(&whole, file.f32("video_pixel_values"), file.i32("video_grid"));

    let odd = patches(&frames[..3], &ImageConfig::default()).unwrap();
    let repeated: Vec<_> = [0, 1, 2, 2].map(|i| frames[i].clone()).to_vec();
    assert_eq!(odd, patches(&repeated, &ImageConfig::default()).unwrap());
}

#[test]
fn resized_sides_are_those_of_the_reference() {
    let (shape, cases) = golden().i32("smart_resize_cases");
    assert_eq!(shape, [12, 4]);
    for case in cases.chunks(4) {
        let [h, w, to_h, to_w] = [0, 1, 2, 3].map(|i| case[i] as usize);
        assert_eq!(smart_resize(h, w, &ImageConfig::default()).unwrap(), (to_h, to_w), "{h} x {w}");
    }
}

#[test]
fn resized_sides_are_always_usable() {
    for sides in
        [(1, 1), (1, 200), (200, 1), (16, 16), (48, 48), (11_585, 11_585), (400, 65_535), (65_535, 328)]
    {
        let (h, w) = smart_resize(sides.0, sides.1, &ImageConfig::default()).unwrap();
        assert!(h > 0 && w > 0 && h % 32 == 0 && w % 32 == 0, "{sides:?} to {h} x {w}");
        assert!((3136..=12_845_056).contains(&(h * w)), "{sides:?} to {h} x {w}");
    }
    for sides in [(0, 5), (5, 0), (1, 201), (1, 400), (65_535, 1), (1, usize::MAX), (0, 0)] {
        let error = smart_resize(sides.0, sides.1, &ImageConfig::default()).unwrap_err().to_string();
        assert!(error.contains("200"), "{error}");
    }
}

#[test]
fn resized_pictures_are_those_of_torchvision_byte_for_byte() {
    let file = Tensors::open("resize/torchvision_bicubic.safetensors");
    for case in 0..6 {
        let (input, output) =
            (image(file.u8(&format!("{case}.input"))), image(file.u8(&format!("{case}.output"))));
        assert_eq!(resize(&input, output.height, output.width), output, "case {case}");
    }
}

#[test]
fn one_pixel_fills_a_picture() {
    let dot = Image::from_rgb(1, 1, vec![10, 20, 30]).unwrap();
    let large = resize(&dot, 64, 64);
    assert!(large.rgb.chunks(3).all(|p| p == [10, 20, 30]));
    assert_eq!(prepare(&dot, &ImageConfig::default()).unwrap().grid, [1, 4, 4]);
}

#[test]
fn every_format_is_told_by_content_and_turned_upright() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["quarters_exif6.jpg", "quarters.webp", "quarters_transparent.png"] {
        let disguised = folder.path().join("picture.txt");
        fs::copy(path("media").join(name), &disguised).unwrap();
        let picture = Image::open(&disguised).unwrap();
        assert_eq!((picture.width, picture.height), (24, 40), "{name}");
        for ((x, y), colour) in [((5, 9), RED), ((18, 9), GREEN), ((5, 30), BLUE), ((18, 30), WHITE)] {
            let found = pixel(&picture, x, y);
            let near = found.iter().zip(colour).all(|(a, b)| a.abs_diff(b) < 6);
            assert!(near, "{name}: {found:?} at {x}, {y}");
        }
    }
    let gray = Image::open(&path("media/quarters_gray.png")).unwrap();
    assert_eq!((pixel(&gray, 5, 9), pixel(&gray, 5, 30)), (WHITE, [0; 3]));
}

#[test]
fn pictures_that_cannot_be_used_are_refused_with_a_reason() {
    assert!(Image::from_rgb(0, 4, vec![]).is_err());
    assert!(Image::from_rgb(2, 2, vec![0; 11]).is_err());
    assert!(Image::from_rgb(usize::MAX, usize::MAX, vec![]).is_err());
    let broken = Image { width: 64, height: 64, rgb: vec![0; 5] };
    assert!(prepare(&broken, &ImageConfig::default()).is_err());
    let narrow = Image::from_rgb(400, 1, vec![0; 1200]).unwrap();
    assert!(prepare(&narrow, &ImageConfig::default()).unwrap_err().to_string().contains("too narrow"));

    let bomb = Image::open(&path("media/bomb.png")).unwrap_err().to_string();
    assert!(bomb.contains("bomb.png") && bomb.contains("65535 x 65535"), "{bomb}");
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [
        ("text.png", &b"not a picture at all"[..]),
        ("empty.jpg", b""),
        ("anim.gif", b"GIF89a\x01\x00\x01\x00"),
    ] {
        let file = folder.path().join(name);
        fs::write(&file, bytes).unwrap();
        let error = Image::open(&file).unwrap_err();
        assert!(matches!(error, Error::Input(_)) && error.to_string().contains(name), "{error}");
    }
    assert!(matches!(Image::open(folder.path()), Err(Error::Input(_))));
    assert!(matches!(Image::open(&folder.path().join("missing.png")), Err(Error::Io { .. })));
}

#[test]
fn cut_pictures_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["media/quarters_exif6.jpg", "media/quarters.webp", &format!("{GOLDENS}/image1.png")] {
        let bytes = fs::read(path(name)).unwrap();
        for part in 0..20 {
            let file = folder.path().join("cut");
            fs::write(&file, &bytes[..bytes.len() * part / 20]).unwrap();
            assert!(Image::open(&file).is_err(), "{part}/20 of {name}");
        }
    }
}

#[test]
fn damaged_pictures_are_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("damaged");
    let mut state = 3u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for name in ["quarters_exif6.jpg", "quarters.webp", "quarters_transparent.png"] {
        let bytes = fs::read(path("media").join(name)).unwrap();
        for _ in 0..100 {
            let mut damaged = bytes.clone();
            damaged[random(bytes.len())] = random(256) as u8;
            fs::write(&file, damaged).unwrap();
            // Either is right; a panic is not.
            let _ = Image::open(&file);
        }
    }
}

#[test]
fn frames_that_do_not_fit_are_refused() {
    let config = ImageConfig::default();
    let frame = |w, h| Image::from_rgb(w, h, vec![0; w * h * 3]).unwrap();
    assert!(patches(&[], &config).is_err());
    assert!(patches(&[frame(32, 48)], &config).unwrap_err().to_string().contains("multiples of 32"));
    assert!(patches(&[frame(32, 32), frame(64, 32)], &config).unwrap_err().to_string().contains("frame 1"));
    let zero = ImageConfig { merge_size: 0, ..config };
    assert!(patches(&[frame(32, 32)], &zero).is_err());
}

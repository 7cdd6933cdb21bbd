//! The first start: from nothing to a spoken answer by one click, and never again.

use super::*;

/// The talk button's colour in the dark theme, which the page's button has too.
const ACCENT: Rgb<u8> = Rgb([111, 184, 180]);

/// The middle of what has the accent's colour above the composer.
fn button(picture: &RgbImage) -> Option<(u32, u32)> {
    let found: Vec<_> = picture
        .enumerate_pixels()
        .filter(|(_, y, pixel)| (150..480).contains(y) && is_near(pixel, ACCENT))
        .map(|(x, y, _)| (x, y))
        .collect();
    let middle = |values: Vec<u32>| values.iter().sum::<u32>() / values.len() as u32;
    // A page without the button has only thin lines of that colour.
    (found.len() > 3000).then(|| {
        (middle(found.iter().map(|(x, _)| *x).collect()), middle(found.iter().map(|(_, y)| *y).collect()))
    })
}

#[test]
fn one_click_leads_from_nothing_to_a_spoken_answer() {
    let _turn = ONE_AT_A_TIME.lock();
    let desktop = Desktop::start("first-run", true);
    let log = kept("first-run.log");
    let window = desktop.start_colloquy(binary(), &["--greedy"].map(OsStr::new), &log);
    let file = kept("first-run.png");
    let mut place = None;
    wait_for("the page of the first start", 60, || {
        place = button(&desktop.screenshot(&file));
        place.is_some()
    });
    let (x, y) = place.unwrap();
    desktop.run("xdotool", ["mousemove", &x.to_string(), &y.to_string(), "click", "1"]);
    wait_for_log(&log, "turn=1 stage=Listening", 0, 60);
    let question = model().join("samples/03_question.wav");
    desktop.run("paplay", [OsStr::new("-d"), OsStr::new("mouth"), question.as_os_str()]);
    sleep(Duration::from_millis(200));
    desktop.run("xdotool", ["key", "Return"]);
    wait_for_log(&log, "turn=1 stage=Speaking", 0, 60);
    let answer = wait_for_log(&log, "answer turn=1", 0, 60);
    assert!(answer.contains("Paris"), "{answer}");
    wait_for_log(&log, "speech ended", 0, 60);
    sleep(Duration::from_millis(500));
    desktop.screenshot(&kept("first-run-offer.png"));
    let settings = desktop.path(".config/colloquy/settings.toml");
    wait_for("the settings to be kept", 10, || {
        std::fs::read_to_string(&settings).is_ok_and(|text| text.contains("first_run_done = true"))
    });
    drop(window);

    // The next start begins with an empty conversation.
    let log = kept("second-run.log");
    let _window = desktop.start_colloquy(binary(), &["--greedy"].map(OsStr::new), &log);
    sleep(Duration::from_millis(500));
    assert_eq!(button(&desktop.screenshot(&kept("second-run.png"))), None);
}

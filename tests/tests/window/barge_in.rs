//! How soon a press silences the speech, as a listener at the speaker would measure it.

use std::io::Read;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use super::*;

/// Presses that are measured.
const PRESSES: usize = 20;
/// Longest time from a press to silence.
const BOUND: Duration = Duration::from_millis(100);
/// Quieter than this is silence.
const SILENCE: f32 = 1e-3;

/// What the speaker gives, with the time at which each piece of it was read.
struct Listener {
    recorder: Child,
    pieces: Arc<Mutex<Vec<(Instant, f32)>>>,
    reader: Option<JoinHandle<()>>,
}

impl Listener {
    fn start(desktop: &Desktop) -> Listener {
        let mut command = desktop.command("parec");
        command.args(["-d", "speaker.monitor", "--rate=48000", "--format=float32le", "--channels=1"]);
        let mut recorder = command.arg("--latency-msec=5").stdout(Stdio::piped()).spawn().unwrap();
        let mut stream = recorder.stdout.take().unwrap();
        let pieces = Arc::new(Mutex::new(vec![]));
        let into = pieces.clone();
        let reader = std::thread::spawn(move || {
            let (mut buffer, mut held) = ([0; 4096], 0);
            while let Ok(read @ 1..) = stream.read(&mut buffer[held..]) {
                let now = Instant::now();
                let whole = (held + read) / 4 * 4;
                let samples = buffer[..whole].chunks_exact(4);
                let peak =
                    samples.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]).abs()).fold(0.0, f32::max);
                into.lock().unwrap().push((now, peak));
                buffer.copy_within(whole..held + read, 0);
                held = held + read - whole;
            }
        });
        Listener { recorder, pieces, reader: Some(reader) }
    }

    /// Whether it was silent in the last `time`.
    fn is_silent_for(&self, time: Duration) -> bool {
        let pieces = self.pieces.lock().unwrap();
        let mut late = pieces.iter().rev().take_while(|(at, _)| at.elapsed() < time).peekable();
        late.peek().is_some() && late.all(|(_, peak)| *peak < SILENCE)
    }

    /// Waits for a moment at which it speaks, and not between two words.
    fn wait_for_speech(&self) {
        let recent = Duration::from_millis(25);
        let end = Instant::now() + Duration::from_secs(5);
        let is_loud = |(at, peak): &(Instant, f32)| at.elapsed() < recent && *peak > 0.02;
        while !self.pieces.lock().unwrap().last().is_some_and(is_loud) {
            assert!(Instant::now() < end, "it does not speak");
            sleep(Duration::from_millis(1));
        }
    }

    /// When the last sound came in.
    fn last_sound(&self) -> Instant {
        let pieces = self.pieces.lock().unwrap();
        pieces.iter().rev().find(|(_, peak)| *peak >= SILENCE).unwrap().0
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.recorder.kill();
        let _ = self.recorder.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// The time counts from before the program starts that presses the key, to when the recorder hands over the last sound: all that
/// the measuring itself takes is in it, so that the true time is shorter.
#[test]
fn twenty_presses_silence_the_speech_within_a_tenth_of_a_second() {
    let _turn = ONE_AT_A_TIME.lock();
    let desktop = Desktop::start("barge-in", true);
    let log = kept("barge-in.log");
    let model = model();
    let arguments = ["--greedy", "--device", "cpu", "--model"].map(OsStr::new);
    let arguments = [&arguments[..], &[model.as_os_str()]].concat();
    let mut colloquy = desktop.start_colloquy(binary(), &arguments, &log);
    let listener = Listener::start(&desktop);
    let mut times = vec![];
    for press in 0..PRESSES {
        let before = log_length(&log);
        write(&desktop, "count to ten");
        wait_for_log(&log, "stage=Speaking", before, 60);
        desktop.run("xdotool", ["mousemove", "500", "300", "click", "1"]);
        // Not always at the same place of the speech, nor of the device's blocks.
        sleep(Duration::from_millis(300 + 37 * press as u64 % 90));
        listener.wait_for_speech();
        let before = log_length(&log);
        let pressed = Instant::now();
        desktop.run("xdotool", ["keydown", "space"]);
        wait_for_log(&log, "stage=Listening", before, 10);
        wait_for("silence", 5, || listener.is_silent_for(Duration::from_millis(500)));
        times.push(listener.last_sound().saturating_duration_since(pressed));
        desktop.run("xdotool", ["keyup", "space"]);
        wait_for_log(&log, "stage=Idle", before, 30);
    }
    let ms: Vec<_> = times.iter().map(|time| time.as_millis()).collect();
    // Seen with --nocapture.
    println!("from press to silence, in ms: {ms:?}");
    assert!(colloquy.is_alive());
    let late = times.iter().filter(|time| **time > BOUND).count();
    assert_eq!(late, 0, "{late} of {PRESSES} presses took longer than {BOUND:?}: {ms:?}");
}

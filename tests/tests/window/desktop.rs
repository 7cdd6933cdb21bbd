//! A desktop of its own for a test: an X server without a screen, a window manager (without one typing is lost), and a
//! sound server whose speaker and microphone are made of nothing. All of it ends with the value.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Tools, and Debian's packages that hold them.
const TOOLS: [(&str, &str); 9] = [
    ("espeak-ng", "espeak-ng"),
    ("Xvfb", "xvfb"),
    ("openbox", "openbox"),
    ("xdotool", "xdotool"),
    ("import", "imagemagick"),
    ("pulseaudio", "pulseaudio"),
    ("pactl", "pulseaudio-utils"),
    ("paplay", "pulseaudio-utils"),
    ("parec", "pulseaudio-utils"),
];

/// A process that ends with the value.
pub struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Starts it.
    pub fn of(command: &mut Command) -> Process {
        Process(command.spawn().unwrap())
    }

    /// Waits for its end and says whether it was a success.
    pub fn wait(mut self) -> bool {
        self.0.wait().unwrap().success()
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

pub struct Desktop {
    display: String,
    folder: PathBuf,
    sound: bool,
    _processes: Vec<Process>,
}

impl Drop for Desktop {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Desktop {
    /// Starts one; with `sound` its speaker is the sink `speaker`, and what is played to the sink `mouth` is heard by the
    /// microphone.
    pub fn start(name: &str, sound: bool) -> Desktop {
        let missing: Vec<_> = TOOLS.iter().filter(|(tool, _)| !is_installed(tool)).collect();
        assert!(missing.is_empty(), "this test needs these tools (and their packages): {missing:?}");
        let folder = std::env::temp_dir().join(format!("colloquy-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();

        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1000x800x24", "-nolisten", "tcp"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut number = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
        let display = format!(":{}", number.trim());
        assert!(display.len() > 1, "Xvfb did not start");
        let mut desktop = Desktop { display, folder, sound, _processes: vec![Process(server)] };
        let manager = desktop.spawn("openbox", [""; 0]);
        desktop._processes.push(manager);
        if sound {
            desktop.start_sound();
        }
        desktop
    }

    /// Starts a sound server, which has the speaker and the microphone.
    fn start_sound(&mut self) {
        let server = self.spawn(
            "pulseaudio",
            [
                "-n",
                "--daemonize=no",
                "--exit-idle-time=-1",
                "-L",
                "module-native-protocol-unix",
                "-L",
                "module-null-sink sink_name=speaker rate=48000 format=float32le channels=2",
                "-L",
                "module-null-sink sink_name=mouth rate=48000 format=float32le channels=1",
                "-L",
                "module-remap-source master=mouth.monitor source_name=microphone",
            ],
        );
        self._processes.push(server);
        wait_for("the sound server", 20, || {
            self.command("pactl").arg("info").output().unwrap().status.success()
        });
        self.run("pactl", ["set-default-sink", "speaker"]);
        self.run("pactl", ["set-default-source", "microphone"]);
        // A null sink that nobody listens to closely works in blocks of two seconds.
        let listener = self.record("mouth.monitor", &self.path("mouth.f32"));
        self._processes.push(listener);
    }

    /// Ends the sound server, at once, and starts another one.
    pub fn restart_sound(&mut self) {
        self.run("pactl", ["exit"]);
        wait_for("the sound server to end", 10, || {
            !self.command("pactl").arg("info").output().unwrap().status.success()
        });
        self.start_sound();
    }

    /// Name of the X server.
    pub fn display(&self) -> &str {
        &self.display
    }

    /// A file in the desktop's own folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A command that sees this desktop and nothing of the person's own.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env("DISPLAY", &self.display).env("XDG_RUNTIME_DIR", &self.folder).env("HOME", &self.folder);
        for name in [
            "WAYLAND_DISPLAY",
            "XDG_CACHE_HOME",
            "XDG_CONFIG_HOME",
            "XDG_DATA_HOME",
            "PULSE_SERVER",
            "PULSE_RUNTIME_PATH",
            "PULSE_COOKIE",
            "DBUS_SESSION_BUS_ADDRESS",
        ] {
            command.env_remove(name);
        }
        if !self.sound {
            // No sound card of the machine either.
            command.env("ALSA_CONFIG_PATH", "/dev/null");
        }
        // The tests read what is answered.
        command.env("COLLOQUY_LOG", "conversation=debug");
        command.env("NO_COLOR", "1").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Starts a program.
    pub fn spawn<S: AsRef<OsStr>>(&self, program: &str, arguments: impl IntoIterator<Item = S>) -> Process {
        Process(self.command(program).args(arguments).spawn().unwrap_or_else(|e| panic!("{program}: {e}")))
    }

    /// Runs a program to its end, which must be a success.
    pub fn run<S: AsRef<OsStr>>(&self, program: &str, arguments: impl IntoIterator<Item = S>) {
        assert!(self.spawn(program, arguments).wait(), "{program} failed");
    }

    /// Starts Colloquy's window; its log goes to `log`. It is returned when a model is ready and it has the keyboard.
    pub fn start_colloquy(&self, binary: &Path, arguments: &[&OsStr], log: &Path) -> Process {
        let process = self.open_colloquy(binary, arguments, log);
        wait_for_log(log, "model waits=false", 0, 120);
        process
    }

    /// The same as soon as it has the keyboard, while the model is still being loaded.
    pub fn open_colloquy(&self, binary: &Path, arguments: &[&OsStr], log: &Path) -> Process {
        let mut command = self.command(binary);
        command.args(arguments).stderr(File::create(log).unwrap());
        let process = Process(command.spawn().unwrap());
        wait_for_log(log, "model waits=true", 0, 120);
        self.run("xdotool", ["search", "--sync", "--name", "^Colloquy$", "windowactivate", "--sync"]);
        process
    }

    /// Records a source of sound into a file of 48 kHz mono floats.
    pub fn record(&self, source: &str, file: &Path) -> Process {
        let mut command = self.command("parec");
        command.args([
            "-d",
            source,
            "--rate=48000",
            "--format=float32le",
            "--channels=1",
            "--latency-msec=10",
        ]);
        Process(command.stdout(File::create(file).unwrap()).spawn().unwrap())
    }

    /// A picture of the screen, kept at `file`.
    pub fn screenshot(&self, file: &Path) -> image::RgbImage {
        self.run("import", [OsStr::new("-window"), OsStr::new("root"), file.as_os_str()]);
        image::open(file).unwrap().to_rgb8()
    }
}

fn is_installed(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(tool).is_file())
}

/// Waits until `is_so`, and fails after `seconds`.
pub fn wait_for(what: &str, seconds: u64, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(seconds);
    while !is_so() {
        assert!(Instant::now() < end, "waited {seconds} s in vain for {what}");
        sleep(Duration::from_millis(20));
    }
}

/// Waits for a line of the log after its first `after` bytes, and returns the line.
pub fn wait_for_log(log: &Path, words: &str, after: usize, seconds: u64) -> String {
    let mut found = None;
    let end = Instant::now() + Duration::from_secs(seconds);
    while found.is_none() {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        assert!(Instant::now() < end, "waited {seconds} s in vain for {words:?} in the log:\n{text}");
        found = text
            .get(after..)
            .unwrap_or_default()
            .lines()
            .find(|line| line.contains(words))
            .map(str::to_owned);
        sleep(Duration::from_millis(10));
    }
    found.unwrap()
}

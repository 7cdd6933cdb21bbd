//! The window: `logic` takes in events and commands and does what follows, `ui` only draws.

mod device;
mod examining;
mod fetching;
mod files;
mod frames;
mod keys;
mod living;
mod open;
mod remote;
mod talk_key;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use crossbeam_channel::{Receiver, Sender, unbounded};
use eframe::egui::{Context, RawInput, Ui};
use engine::{Cancel, Host, SharedDevice};

use frames::Frames;
pub(crate) use open::{is_loss, run};
use talk_key::TalkKey;

use crate::audio::{self, Level, Order};
use crate::cli::{ModelOptions, WindowOptions};
use crate::command::Command;
use crate::diagnosis::Surroundings;
use crate::event::{Event, Events};
use crate::folders;
use crate::fonts;
use crate::keeper::{Keeper, Places};
use crate::language::{self, t};
use crate::live::Live;
use crate::preferences::{Deed, Preferences, Stored};
use crate::record::Recorder;
use crate::remote::Seat;
use crate::state::{Action, Attachment, State};
use crate::theme;
use crate::views;
use crate::worker::{self, Job};

/// How often a meter that moves is drawn.
const METER_FRAME: Duration = Duration::from_millis(50);
/// How long it takes at most until a lost device is known to be.
const LOSS_IS_KNOWN: Duration = Duration::from_secs(2);
/// A dialog that ends sooner without a choice was never shown.
const UNSEEN: Duration = Duration::from_millis(700);

struct Window {
    state: State,
    started: Instant,
    commands: Receiver<Command>,
    commands_out: Sender<Command>,
    events: Receiver<Event>,
    jobs: Sender<Job>,
    orders: Sender<Order>,
    live: Live,
    /// Stops a loading.
    loading: Cancel,
    /// Stops the loaded model's work.
    cancel: Option<Cancel>,
    held: keys::Held,
    frames: Frames,
    /// What the worker and the devices' thread wake.
    awake: Awake,
    /// The device that the window draws with, where the engine can use it.
    device: Option<SharedDevice>,
    keeper: Keeper,
    /// For what the window finds out by itself.
    reports: Events,
    options: WindowOptions,
    /// The talk key that works wherever the keyboard is.
    talk_key: TalkKey,
    /// Pictures from the clipboard.
    pasted: files::Pasted,
    /// What the window is drawn with, in words.
    drawing: String,
    living: living::Living,
    fetcher: fetching::Fetcher,
    examiner: examining::Examiner,
    /// What other programs are told.
    deafness: remote::Deafness,
}

/// The interface of the window that is open now.
type Awake = Arc<Mutex<Context>>;

impl Window {
    /// The window in `slot`, made at the first call and taken over to another device by later ones. `lost` is set when that device
    /// is lost.
    fn shown<'a>(
        slot: &'a mut Option<Window>,
        context: &eframe::CreationContext<'_>,
        options: &WindowOptions,
        stored: &Stored,
        seat: Option<&Seat>,
        lost: &Arc<AtomicBool>,
    ) -> Result<Shown<'a>> {
        fonts::install(&context.egui_ctx);
        let device = device::lend(context).inspect_err(|reason| {
            tracing::info!(reason, "the engine cannot share the window's graphics processor");
        });
        if let Ok(device) = &device {
            let (lost, context) = (lost.clone(), context.egui_ctx.clone());
            device.on_loss(move || {
                lost.store(true, Ordering::Relaxed);
                context.request_repaint();
            });
        }
        let window = match slot {
            Some(window) => {
                window.reopened(context.egui_ctx.clone(), device.ok());
                window
            }
            None => {
                let window = slot.insert(Window::new(&context.egui_ctx, options, stored, device.ok())?);
                seat.map_or(Ok(()), |seat| window.serve(seat))?;
                window
            }
        };
        theme::dress(&context.egui_ctx, &window.state.preferences.look);
        window.drawing = device::describe(context);
        if window.state.living.is_hidden {
            living::hide(&context.egui_ctx);
        }
        Ok(Shown(window))
    }

    /// Goes on in a window that was opened anew.
    fn reopened(&mut self, context: Context, device: Option<SharedDevice>) {
        *self.awake.lock().unwrap_or_else(PoisonError::into_inner) = context;
        self.let_go();
        if let (Some(old), Some(new)) = (&self.device, &device) {
            old.replace(new);
        }
        self.give(Job::Rebuild);
    }

    fn new(
        context: &Context,
        options: &WindowOptions,
        stored: &Stored,
        device: Option<SharedDevice>,
    ) -> Result<Window> {
        let preferences = &stored.preferences;
        let awake = Awake::new(Mutex::new(context.clone()));
        let wake = awake.clone();
        let (sender, events) = unbounded();
        let reports = Events::new(sender, move || {
            wake.lock().unwrap_or_else(PoisonError::into_inner).request_repaint();
        });
        let (commands_out, commands) = unbounded();
        let (live, level) = (Live::default(), Level::default());
        let settings = preferences.settings(options);
        let recorder = options.record_dir.as_deref().map(Recorder::new).transpose()?;
        let mut state = State::new(settings.clone(), level.clone());
        let ends = audio::start(
            reports.clone(),
            live.clone(),
            level,
            state.clips.clone(),
            preferences.sound.clone(),
        )?;
        let loading = Cancel::new();
        let jobs = worker::start(worker::Start {
            events: reports.clone(),
            live: live.clone(),
            hearing: ends.hearing,
            speech: ends.speech,
            options: preferences.model.options(options),
            host: Host { device: device.clone(), cancel: loading.clone(), ..Host::default() },
            settings,
            recorder,
            free_after: preferences.memory.free_after(),
            lose_device_after: options.lose_device_after,
            load_after: options.load_after.clone(),
        })?;
        state.preferences = preferences.clone();
        state.placed = preferences.model.clone();
        state.given = Preferences::given(options);
        state.untold = stored.fault.clone();
        let chose = preferences.model.folder.is_some() || options.model.model.is_some();
        if stored.is_new && !preferences.welcome.first_run_done && !chose {
            state.welcome();
        }
        state.history.off = options.no_history;
        let conversations = folders::data().filter(|_| !options.no_history);
        let places = Places {
            preferences: stored.path.clone(),
            conversations: conversations.map(|folder| folder.join("conversations.db")),
        };
        let mut window = Window {
            state,
            started: Instant::now(),
            commands,
            commands_out,
            events,
            jobs,
            orders: ends.orders,
            live,
            loading,
            cancel: None,
            held: keys::Held::default(),
            frames: Frames::default(),
            awake,
            device,
            keeper: Keeper::start(places, preferences.keeping, reports.clone())?,
            reports,
            options: options.clone(),
            talk_key: TalkKey::wanted(options.talk_key, preferences.keys.of(Deed::TalkAnywhere)),
            pasted: files::Pasted::default(),
            drawing: String::new(),
            living: living::Living::default(),
            fetcher: fetching::Fetcher::default(),
            examiner: examining::Examiner::default(),
            deafness: remote::Deafness::default(),
        };
        let given = options.model.model.clone();
        window.state.living.is_hidden = options.hidden || preferences.desktop.start_hidden;
        window.use_tray(preferences.desktop.tray);
        window.load(given.or_else(|| preferences.model.folder.clone()), context);
        Ok(window)
    }

    /// Whether drawing failed because the device was lost, which may be known only a moment later.
    fn has_lost_its_device(&self) -> bool {
        let end = Instant::now() + LOSS_IS_KNOWN;
        let known = || self.device.as_ref().is_some_and(|device| device.loss().is_some());
        while !known() && Instant::now() < end {
            std::thread::sleep(METER_FRAME);
        }
        known()
    }

    /// Takes in everything that came, in order.
    fn drain(&mut self, context: &Context) {
        loop {
            let now = self.started.elapsed();
            let actions = if let Ok(event) = self.events.try_recv() {
                if let Event::Loaded(_, cancel) = &event {
                    self.cancel = Some(cancel.clone());
                    self.take_talk_key();
                }
                self.state.apply(event, now)
            } else if let Ok(command) = self.commands.try_recv() {
                self.state.handle(command, now)
            } else {
                return;
            };
            for action in actions {
                self.act(action, context);
            }
        }
    }

    fn act(&mut self, action: Action, context: &Context) {
        match action {
            Action::Load(folder) => {
                self.silence();
                // One that is under way is of no more use.
                self.loading.fire();
                self.give(Job::Load(folder));
            }
            Action::Listen { turn, parts, aside } => {
                self.live.set(turn);
                if !aside {
                    self.give(Job::Begin { turn, parts });
                }
                self.order(Order::Listen { turn, aside });
            }
            Action::Wake => self.give(Job::Wake),
            Action::Close { turn, keep } => {
                if !keep {
                    self.silence();
                }
                self.order(Order::Close { turn, keep });
            }
            Action::Ask { turn, parts } => {
                self.live.set(turn);
                self.give(Job::Ask { turn, parts });
            }
            Action::Silence => self.silence(),
            Action::Reset => self.give(Job::Reset),
            Action::Settings(settings) => self.give(Job::Settings(settings)),
            Action::Inspect(path) => {
                self.aside(context, move || Command::Attach(Attachment::open(&path)));
            }
            Action::PickFile => self.aside(context, || {
                pick(|| {
                    let dialog = rfd::FileDialog::new().set_title(t!("Add a picture or a sound"));
                    dialog.add_filter(t!("Pictures and sounds"), &EXTENSIONS).pick_file()
                })
            }),
            Action::PickModel => self.aside(context, || {
                pick(|| rfd::FileDialog::new().set_title(t!("Choose the folder of a model")).pick_folder())
            }),
            Action::Show => remote::show(context),
            Action::Keep(keep) => self.keeper.give(keep),
            Action::Resume(turns) => self.give(Job::Resume(turns)),
            Action::Look(look) => {
                theme::dress(context, &look);
                language::choose(look.language.as_deref());
            }
            Action::Again { turn } => {
                self.live.set(turn);
                self.give(Job::Again { turn });
            }
            Action::Replay { turn, of, side } => {
                self.live.set(turn);
                self.order(Order::Replay { turn, of, side });
            }
            Action::SaveSpeech(turn) => {
                let clips = self.state.clips.clone();
                self.aside(context, move || files::save_speech(&clips, turn));
            }
            Action::Export { model, exchanges } => {
                let clips = self.state.clips.clone();
                self.aside(context, move || files::export(&model, &exchanges, &clips));
            }
            Action::FindGpus => self.aside(context, || Command::Gpus(engine::graphics_processors())),
            Action::FreeAfter(time) => self.give(Job::FreeAfter(time)),
            Action::Enlarge(path) => self.aside(context, move || {
                let picture = Attachment::enlarge(&path);
                Command::Enlarged(path, picture)
            }),
            Action::Place { folder, placing } => {
                self.give(Job::Options(Box::new(placing.options(&self.options))));
                self.load(folder, context);
            }
            Action::TalkKey(chord) => self.change_talk_key(chord),
            Action::Diagnose => {
                let drawing = self.drawing.clone();
                self.aside(context, || Command::Diagnosed(Box::new(Surroundings::find(drawing))));
            }
            Action::Copy(text) => context.copy_text(text),
            Action::Order(order) => self.order(order),
            Action::Models(errand) => self.run_errand(errand),
            Action::Examine => self.examine(),
            Action::StopExamining => self.stop_examining(),
            Action::SaveExamination(report) => self.aside(context, move || examining::save(&report)),
            Action::Hide => living::hide(context),
            Action::Minimize => living::minimize(context),
            Action::Quit => living::quit(context),
            Action::Tray(wanted) => self.use_tray(wanted),
            Action::Notify(words) => self.tell(words, context),
        }
    }

    /// Loads the model in this folder, or the small one that ships with the program.
    fn load(&mut self, folder: Option<PathBuf>, context: &Context) {
        match folder.map_or_else(|| ModelOptions::default().folder(), Ok) {
            Ok(folder) => self.act(Action::Load(folder), context),
            Err(error) => self.reports.send(Event::LoadFailed(error.to_string())),
        }
    }

    /// No turn is alive: the worker stops within a step, the speaker within a block.
    fn silence(&self) {
        self.live.set(0);
        if let Some(cancel) = &self.cancel {
            cancel.fire();
        }
    }

    fn give(&mut self, job: Job) {
        if self.jobs.try_send(job).is_err() {
            self.refuse();
        }
    }

    fn order(&mut self, order: Order) {
        if self.orders.try_send(order).is_err() {
            self.refuse();
        }
    }

    fn refuse(&mut self) {
        let message = t!("The engine is too busy to take this. Wait a moment and try again.").into();
        let event = Event::Failed { turn: self.state.turn.number, message };
        // What follows is only that the turn stops, which it does by being refused.
        drop(self.state.apply(event, self.started.elapsed()));
        self.silence();
    }

    /// Does something slow on a thread of its own; its command comes back.
    fn aside(&self, context: &Context, work: impl FnOnce() -> Command + Send + 'static) {
        let (commands, context) = (self.commands_out.clone(), context.clone());
        let spawned = std::thread::Builder::new().name("files".into()).spawn(move || {
            // A window that is closing takes no commands.
            let _ = commands.send(work());
            context.request_repaint();
        });
        if let Err(error) = spawned {
            tracing::error!(%error, "no thread for a dialog or a file");
        }
    }

    fn wish(&self, command: Command) {
        // The receiver is this window's own.
        let _ = self.commands_out.send(command);
    }
}

/// Extensions of files that can go with a question.
const EXTENSIONS: [&str; 8] = ["png", "jpg", "jpeg", "webp", "wav", "flac", "mp3", "ogg"];

fn pick(dialog: impl FnOnce() -> Option<PathBuf>) -> Command {
    let shown = Instant::now();
    match dialog() {
        Some(path) => Command::Open(path),
        None => Command::PickedNothing { at_once: shown.elapsed() < UNSEEN },
    }
}

/// The window as its library draws it.
struct Shown<'a>(&'a mut Window);

impl eframe::App for Shown<'_> {
    /// Takes the program's own keys before any widget does.
    fn raw_input_hook(&mut self, context: &Context, raw_input: &mut RawInput) {
        self.0.take_keys(context, raw_input);
    }

    fn logic(&mut self, context: &Context, _frame: &mut eframe::Frame) {
        let window = &mut *self.0;
        let dropped = context.input(|input| input.raw.dropped_files.clone());
        for file in dropped {
            let path: &Path = file.path();
            window.wish(Command::Open(path.to_path_buf()));
        }
        for picture in files::pasted_pictures(context) {
            match window.pasted.next() {
                Ok(path) => window.aside(context, move || files::paste(&picture, &path)),
                Err(message) => window.wish(Command::Attach(Err(message))),
            }
        }
        window.close_or_hide(context);
        window.drain(context);
        window.show_face();
        window.deafness.follow(&window.state);
        let is_tested = window.state.sounding.trial.is_some();
        let is_heard = window.state.is_holding() || window.state.is_waiting() || is_tested;
        if is_heard || window.state.is_answering() {
            context.request_repaint_after(METER_FRAME);
        }
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        let window = &mut *self.0;
        if let Some(times) = window.frames.note(Instant::now(), window.state.is_answering()) {
            let ms = |time: Duration| time.as_secs_f64() * 1e3;
            tracing::info!(
                frames = times.frames,
                median_ms = ms(times.median),
                p95_ms = ms(times.p95),
                longest_ms = ms(times.longest),
                "frame times"
            );
        }
        views::window_ui(ui, &window.state, &window.commands_out);
        if !window.commands.is_empty() {
            ui.ctx().request_repaint();
        }
    }

    fn on_exit(&mut self) {
        self.0.silence();
    }
}

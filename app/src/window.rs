//! The window: `logic` takes in events and commands and does what follows, `ui` only draws.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use crossbeam_channel::{Receiver, Sender, unbounded};
use eframe::egui::{self, Context, Key, RawInput, Ui, ViewportBuilder};
use engine::Cancel;

use crate::audio::{self, Level, Order};
use crate::cli::WindowOptions;
use crate::command::Command;
use crate::event::{Event, Events};
use crate::live::Live;
use crate::record::Recorder;
use crate::state::{Action, Attachment, State};
use crate::views::{self, theme};
use crate::worker::{self, Job};

/// How often a meter that moves is drawn.
const METER_FRAME: Duration = Duration::from_millis(50);
/// A dialog that ends sooner without a choice was never shown.
const UNSEEN: Duration = Duration::from_millis(700);

/// Opens the window and runs until it is closed.
///
/// # Errors
/// A sentence: there is no display, or nothing to draw with.
pub(crate) fn run(options: WindowOptions) -> Result<()> {
    let icon = eframe::icon_data::from_png_bytes(include_bytes!("../../assets/icons/colloquy.png"))?;
    let native = eframe::NativeOptions {
        viewport: ViewportBuilder::default()
            .with_title("Colloquy")
            .with_icon(icon)
            .with_app_id("colloquy")
            .with_inner_size([820.0, 720.0])
            .with_min_inner_size([520.0, 440.0])
            .with_drag_and_drop(true),
        ..eframe::NativeOptions::default()
    };
    eframe::run_native("Colloquy", native, Box::new(|context| Ok(Box::new(Window::new(context, &options)?))))
        .map_err(|error| {
            anyhow!("the window cannot be opened: {error}. Without a display, use: colloquy talk")
        })
}

struct Window {
    state: State,
    started: Instant,
    commands: Receiver<Command>,
    commands_out: Sender<Command>,
    events: Receiver<Event>,
    jobs: Sender<Job>,
    orders: Sender<Order>,
    live: Live,
    /// Stops the loaded model's work.
    cancel: Option<Cancel>,
    /// The Space bar is down and was taken as the talk key.
    space_is_held: bool,
}

impl Window {
    fn new(context: &eframe::CreationContext<'_>, options: &WindowOptions) -> Result<Window> {
        theme::install(&context.egui_ctx);
        let repaint = context.egui_ctx.clone();
        let (sender, events) = unbounded();
        let reports = Events::new(sender, move || repaint.request_repaint());
        let (commands_out, commands) = unbounded();
        let (live, level) = (Live::default(), Level::default());
        let settings = options.answer.settings();
        let recorder = options.record_dir.as_deref().map(Recorder::new).transpose()?;
        let ends = audio::start(reports.clone(), live.clone(), level.clone())?;
        let jobs = worker::start(worker::Start {
            events: reports.clone(),
            live: live.clone(),
            hearing: ends.hearing,
            speech: ends.speech,
            options: options.model.engine(),
            settings: settings.clone(),
            recorder,
        })?;
        let mut window = Window {
            state: State::new(settings, level),
            started: Instant::now(),
            commands,
            commands_out,
            events,
            jobs,
            orders: ends.orders,
            live,
            cancel: None,
            space_is_held: false,
        };
        match options.model.folder() {
            Ok(folder) => window.act(Action::Load(folder), &context.egui_ctx),
            Err(error) => reports.send(Event::LoadFailed(error.to_string())),
        }
        Ok(window)
    }

    /// Takes in everything that came, in order.
    fn drain(&mut self, context: &Context) {
        loop {
            let now = self.started.elapsed();
            let actions = if let Ok(event) = self.events.try_recv() {
                if let Event::Loaded(_, cancel) = &event {
                    self.cancel = Some(cancel.clone());
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
                self.give(Job::Load(folder));
            }
            Action::Listen { turn, parts } => {
                self.live.set(turn);
                self.give(Job::Begin { turn, parts });
                self.order(Order::Listen(turn));
            }
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
                    let dialog = rfd::FileDialog::new().set_title("Add a picture or a sound");
                    dialog.add_filter("Pictures and sounds", &EXTENSIONS).pick_file()
                })
            }),
            Action::PickModel => self.aside(context, || {
                pick(|| rfd::FileDialog::new().set_title("Choose the folder of a model").pick_folder())
            }),
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
        let message = "The engine is too busy to take this. Wait a moment and try again.".into();
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

fn pick(dialog: impl FnOnce() -> Option<std::path::PathBuf>) -> Command {
    let shown = Instant::now();
    match dialog() {
        Some(path) => Command::Open(path),
        None => Command::PickedNothing { at_once: shown.elapsed() < UNSEEN },
    }
}

impl eframe::App for Window {
    /// Takes the talk key and Escape before any widget does, wherever the keyboard's focus is, except for Space in the
    /// text field.
    fn raw_input_hook(&mut self, context: &Context, raw_input: &mut RawInput) {
        let is_typing = context.memory(|memory| memory.focused()) == Some(*views::DRAFT_ID);
        let mut events = std::mem::take(&mut raw_input.events);
        events.retain(|event| match event {
            egui::Event::Key { key: Key::Space, pressed: true, modifiers, .. }
                if !is_typing && modifiers.is_none() =>
            {
                if !std::mem::replace(&mut self.space_is_held, true) {
                    self.wish(Command::Press);
                }
                false
            }
            egui::Event::Key { key: Key::Space, pressed: false, .. } if self.space_is_held => {
                self.space_is_held = false;
                self.wish(Command::Release);
                false
            }
            egui::Event::Text(text) if text == " " && !is_typing => false,
            egui::Event::Key { key: Key::Escape, pressed, .. }
                if self.state.is_answering() || self.state.is_holding() =>
            {
                if *pressed {
                    self.wish(Command::Stop);
                }
                false
            }
            egui::Event::WindowFocused(false) => {
                self.space_is_held = false;
                self.wish(Command::Release);
                true
            }
            _ => true,
        });
        raw_input.events = events;
    }

    fn logic(&mut self, context: &Context, _frame: &mut eframe::Frame) {
        let dropped = context.input(|input| input.raw.dropped_files.clone());
        for file in dropped {
            let path: &Path = file.path();
            self.wish(Command::Open(path.to_path_buf()));
        }
        self.drain(context);
        if self.state.is_holding() || self.state.is_answering() {
            context.request_repaint_after(METER_FRAME);
        }
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        views::window_ui(ui, &self.state, &self.commands_out);
        if !self.commands.is_empty() {
            ui.ctx().request_repaint();
        }
    }

    fn on_exit(&mut self) {
        self.silence();
    }
}

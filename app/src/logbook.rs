//! The last lines of the program's log, kept in memory to be looked at and to be reported. What is said and answered never comes
//! in here: it is logged under a name of its own, which only `COLLOQUY_LOG` turns on, and only on the standard error.

use std::collections::VecDeque;
use std::fmt::{Debug, Display, Formatter, Write};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jiff::Zoned;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, SubscriberExt};

/// What people say and are answered is logged under this name, and nothing else is.
pub(crate) const CONVERSATION: &str = "conversation";
/// Says what is logged on the standard error: a level, or names with levels, such as `info,conversation=debug`.
const VARIABLE: &str = "COLLOQUY_LOG";
/// So many lines are kept.
const MOST_LINES: usize = 1000;

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// When it was logged, by the clock on the wall.
    at: Zoned,
    /// How grave it is.
    pub(crate) level: Level,
    /// What happened, and its figures.
    text: String,
}

impl Display for Line {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:5} {}", self.at.strftime("%H:%M:%S"), self.level.as_str(), self.text)
    }
}

/// The lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Logbook(Arc<Mutex<VecDeque<Line>>>);

impl Logbook {
    /// The program's own: there is one log for all of it.
    pub(crate) fn of_program() -> Logbook {
        static OF_PROGRAM: LazyLock<Logbook> = LazyLock::new(Logbook::default);
        OF_PROGRAM.clone()
    }

    /// The lines that are as grave as `level` or graver, the oldest first.
    pub(crate) fn lines(&self, level: Level) -> Vec<Line> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Graver levels are smaller.
        lines.iter().filter(|line| line.level <= level).cloned().collect()
    }

    fn add(&self, line: Line) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == MOST_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// Takes in what is logged.
    pub(crate) fn layer<S: Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>>(
        &self,
    ) -> impl Layer<S> {
        let all_but_speech =
            Targets::new().with_default(LevelFilter::INFO).with_target(CONVERSATION, LevelFilter::OFF);
        Writer(self.clone()).with_filter(all_but_speech)
    }
}

struct Writer(Logbook);

impl<S: Subscriber> Layer<S> for Writer {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut words = Words::default();
        event.record(&mut words);
        let text = words.message + &words.figures;
        self.0.add(Line { at: Zoned::now(), level: *event.metadata().level(), text });
    }
}

/// An event's message and what else it tells.
#[derive(Default)]
struct Words {
    message: String,
    figures: String,
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.figures, " {name}={value:?}"),
        };
    }
}

/// Logs to the standard error, down to `level` where `COLLOQUY_LOG` says nothing else, and into the program's logbook.
pub(crate) fn start(level: LevelFilter) {
    let wanted = std::env::var(VARIABLE).unwrap_or_default();
    let shown = shown(&wanted, level).unwrap_or_else(|error| {
        eprintln!("colloquy: {VARIABLE} is not understood: {error}");
        Targets::new().with_default(level)
    });
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_filter(shown);
    let subscriber = tracing_subscriber::registry().with(lines).with(Logbook::of_program().layer());
    if let Err(error) = tracing::subscriber::set_global_default(subscriber) {
        eprintln!("colloquy: there is no log: {error}");
    }
}

/// What is shown where this is wanted.
fn shown(wanted: &str, level: LevelFilter) -> Result<Targets, tracing_subscriber::filter::ParseError> {
    let targets: Targets = if wanted.is_empty() { Targets::new() } else { wanted.parse()? };
    Ok(if targets.default_level().is_none() { targets.with_default(level) } else { targets })
}

#[cfg(test)]
pub(crate) mod tests {
    use tracing::Dispatch;
    use tracing::dispatcher::with_default;
    use tracing_subscriber::registry;

    use super::*;

    impl Logbook {
        /// Keeps what `work` logs.
        pub(crate) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
            // Where there is one subscriber alone, a line that another test's thread is the first to come to is silent for all
            // threads from then on, because that thread has no subscriber.
            static ANOTHER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(registry()));
            LazyLock::force(&ANOTHER);
            with_default(&Dispatch::new(registry().with(self.layer())), work)
        }
    }

    /// What is kept of what `work` logs.
    fn kept(work: impl FnOnce()) -> Vec<String> {
        let logbook = Logbook::default();
        logbook.during(work);
        logbook.lines(Level::INFO).iter().map(Line::to_string).collect()
    }

    #[test]
    fn lines_are_kept_without_what_was_said() {
        let lines = kept(|| {
            tracing::info!(turn = 3, stage = ?Some(1), name = "x", "stage");
            tracing::debug!("small");
            tracing::info!(target: CONVERSATION, text = "my secret", "answer");
            tracing::error!(target: CONVERSATION, "my secret");
            tracing::warn!("The talk key {} is taken.", "F9");
        });
        let [first, second] = &lines[..] else { panic!("{lines:?}") };
        assert!(first.ends_with("INFO  stage turn=3 stage=Some(1) name=\"x\""), "{first}");
        assert!(second.ends_with("WARN  The talk key F9 is taken."), "{second}");
    }

    #[test]
    fn the_oldest_lines_go_first() {
        let lines = kept(|| (0..MOST_LINES + 5).for_each(|i| tracing::info!("line {i}")));
        assert_eq!(lines.len(), MOST_LINES);
        assert!(lines[0].ends_with("line 5"), "{}", lines[0]);
    }

    #[test]
    fn graver_lines_alone_can_be_had() {
        let logbook = Logbook::default();
        for (level, text) in [(Level::INFO, "a"), (Level::ERROR, "b"), (Level::WARN, "c")] {
            logbook.add(Line { at: Zoned::now(), level, text: text.into() });
        }
        let texts = |level| logbook.lines(level).into_iter().map(|line| line.text).collect::<String>();
        assert_eq!([Level::INFO, Level::WARN, Level::ERROR].map(texts), ["abc", "bc", "b"]);
    }

    #[test]
    fn speech_is_shown_only_where_it_is_asked_for() {
        let shows = |wanted: &str| {
            shown(wanted, LevelFilter::INFO).unwrap().would_enable(CONVERSATION, &Level::DEBUG)
        };
        assert!(!shows("") && !shows("warn") && !shows("engine=trace"));
        assert!(shows("conversation=debug"));
        let both = shown("conversation=debug", LevelFilter::INFO).unwrap();
        assert!(both.would_enable("colloquy", &Level::INFO) && !both.would_enable("colloquy", &Level::DEBUG));
        assert!(shown("engine=loud", LevelFilter::INFO).is_err());
    }
}

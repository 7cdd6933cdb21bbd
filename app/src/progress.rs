//! How far a model's loading is, in words: for the window and for a terminal.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use engine::{Host, Progress};

use crate::language::t;

/// As `1.2 of 63.4 GB, 2.10 GB/s`; nothing before the first weight is in place.
fn words(progress: &Progress) -> Option<String> {
    let gb = |bytes: u64| bytes as f64 / 1e9;
    (progress.bytes > 0).then(|| {
        let (bytes, total, rate) = (gb(progress.bytes), gb(progress.total_bytes), progress.rate() / 1e9);
        let [bytes, total, rate] = [format!("{bytes:.1}"), format!("{total:.1}"), format!("{rate:.2}")];
        t!("%{bytes} of %{total} GB, %{rate} GB/s", bytes = bytes, total = total, rate = rate).into()
    })
}

/// How far the loading of the model `name` is.
pub(crate) fn loading(name: &str, progress: &Progress) -> String {
    match words(progress) {
        Some(words) => t!("Loading %{name}: %{words}", name = name, words = words).into(),
        None => t!("Loading %{name}…", name = name).into(),
    }
}

/// Lends the engine nothing, and tells on a terminal how far `name` is.
pub(crate) fn on_terminal(name: String) -> Host {
    let tell = move |progress: Progress| {
        let Some(words) = words(&progress) else { return };
        let end = if progress.bytes >= progress.total_bytes { "\n" } else { "" };
        // A terminal that is gone needs none.
        let _ = write!(std::io::stderr(), "\rloading {name}: {words}, {:.1} s{end}", progress.seconds);
    };
    let progress = std::io::stderr().is_terminal().then(|| Arc::new(tell) as Arc<_>);
    Host { progress, ..Host::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_with_bytes_and_rate() {
        let progress = Progress { bytes: 1_250_000_000, total_bytes: 63_400_000_000, seconds: 0.5 };
        assert_eq!(words(&progress).as_deref(), Some("1.2 of 63.4 GB, 2.50 GB/s"));
        assert_eq!(words(&Progress::default()), None);
    }
}

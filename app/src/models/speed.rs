//! How fast it comes, and how long it still takes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Bytes over the last seconds.
#[derive(Debug, Default)]
pub(super) struct Speed {
    seen: VecDeque<(Instant, u64)>,
}

impl Speed {
    const WINDOW: Duration = Duration::from_secs(10);

    /// Bytes a second, after `bytes` have come in all.
    pub(super) fn at(&mut self, now: Instant, bytes: u64) -> f64 {
        if self.seen.back().is_some_and(|(_, before)| bytes < *before) {
            self.seen.clear();
        }
        self.seen.push_back((now, bytes));
        while self.seen.len() > 2 && now - self.seen[0].0 > Self::WINDOW {
            self.seen.pop_front();
        }
        let (then, before) = self.seen[0];
        let seconds = (now - then).as_secs_f64();
        if seconds > 0.0 { (bytes - before) as f64 / seconds } else { 0.0 }
    }
}

/// A number of bytes, for people.
pub(crate) fn bytes(count: u64) -> String {
    let count = count as f64;
    match count {
        1e9.. => format!("{:.1} GB", count / 1e9),
        1e6.. => format!("{:.1} MB", count / 1e6),
        _ => format!("{:.1} kB", count / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let (mut speed, start) = (Speed::default(), Instant::now());
        let mut rate = 0.0;
        for second in 0..20 {
            rate = speed
                .at(start + Duration::from_secs(second), if second < 10 { 0 } else { (second - 9) * 100 });
        }
        assert!((rate - 100.0).abs() < 1.0, "{rate}");
        // A file that is begun anew is no negative rate.
        assert!(speed.at(start + Duration::from_secs(20), 5) >= 0.0);
    }
}

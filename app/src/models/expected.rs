//! How a model would do on this machine in each format: the doctor's forecast, as far as a person needs it to choose.

use engine::Format;

use crate::doctor::{self, FORMATS, Fit, Report};

/// Tokens a second below which an answer is slower than one speaks.
const SLOW: f64 = 12.0;

/// Tokens a second from which it is faster than one reads.
const FAST: f64 = 40.0;

/// Words of a token, about.
const WORDS: f64 = 0.75;

/// What is to be expected of a format.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Expected {
    /// Which.
    pub(crate) format: Format,
    /// Bytes of memory that it needs.
    pub(crate) memory: u64,
    /// Whether there is so much memory.
    pub(crate) fit: Fit,
    /// How fast it answers; `None` where nothing was measured.
    pub(crate) speed: Option<Pace>,
    /// Whether it is the one to take.
    pub(crate) is_recommended: bool,
}

/// How fast a model answers, in words a second.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Pace {
    /// Faster than one reads.
    Fast(u32),
    /// Fast enough to talk with.
    Fluent(u32),
    /// Speech would stop now and then, or text is tiring to wait for.
    Slow(u32),
}

/// Finds out what is to be expected of each format. Blocks, with `measure` for some ten seconds.
///
/// # Errors
/// The processor cannot be measured.
pub(crate) fn expected(measure: bool) -> engine::Result<Vec<Expected>> {
    let Some(facts) = doctor::look(measure, None, |_| true)? else { return Ok(Vec::new()) };
    Ok(of(&doctor::report(facts, &doctor::asks()?, None)))
}

/// Of each format where the recommended one would run, or else where there is most to say.
fn of(report: &Report) -> Vec<Expected> {
    let place = report.recommendation.map(|choice| choice.place);
    let forecast = |format: Format| {
        let of_format = || report.forecast.iter().filter(move |forecast| forecast.format == format.name());
        let forecast = of_format().find(|forecast| Some(forecast.place) == place).or(of_format().next())?;
        let is_recommended = report.recommendation.is_some_and(|choice| choice.format == format.name());
        let speed = forecast.tokens_per_s.map(|tokens| pace(tokens, forecast.real_time_factor));
        Some(Expected { format, memory: forecast.memory, fit: forecast.fit, speed, is_recommended })
    };
    FORMATS.into_iter().filter_map(forecast).collect()
}

fn pace(tokens: f64, real_time_factor: Option<f64>) -> Pace {
    let words = (tokens * WORDS).round() as u32;
    match tokens {
        ..SLOW => Pace::Slow(words),
        _ if real_time_factor.is_some_and(|factor| factor > 0.9) => Pace::Slow(words),
        FAST.. => Pace::Fast(words),
        _ => Pace::Fluent(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_told_in_words_a_second() {
        assert_eq!(pace(60.0, Some(0.3)), Pace::Fast(45));
        assert_eq!(pace(20.0, Some(0.3)), Pace::Fluent(15));
        assert_eq!(pace(60.0, Some(1.2)), Pace::Slow(45));
        assert_eq!(pace(8.0, None), Pace::Slow(6));
    }

    #[test]
    fn of_this_machine_every_format_is_told_and_one_at_most_recommended() {
        let all = expected(false).unwrap();
        assert_eq!(all.iter().map(|expected| expected.format).collect::<Vec<_>>(), FORMATS);
        assert!(all.iter().filter(|expected| expected.is_recommended).count() <= 1);
        assert!(all.iter().all(|expected| expected.memory > 10_000_000_000 && expected.speed.is_none()));
    }
}

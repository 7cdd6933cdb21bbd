//! Looks at this machine: what it has, what holds it back, and how fast the large model would be. It changes nothing.

pub(crate) mod facts;
mod findings;
mod fixes;
mod forecast;
mod report;
mod rows;
mod session;
mod strix_halo;
mod system;
#[cfg(test)]
pub(crate) mod tests;
mod words;

use std::path::{Path, PathBuf};

use engine::{Device, Format, Options};
use serde::Serialize;

use facts::Facts;
use findings::examine;
pub(crate) use findings::{Finding, Severity, gib};
use forecast::{Ask, Choice, Forecast, forecast, recommend};
pub(crate) use forecast::{FORMATS, Fit, Place};
pub(crate) use report::text;
pub(crate) use rows::rows;
pub(crate) use system::identity;
pub(crate) use words::Words;

/// Everything there is to tell.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// What was found.
    pub(crate) facts: Facts,
    /// What holds the machine back, the worst first.
    pub(crate) findings: Vec<Finding>,
    /// How fast the large model would be.
    pub(crate) forecast: Vec<Forecast>,
    /// What to take of that.
    pub(crate) recommendation: Option<Choice>,
}

impl Report {
    /// What is told of the forecast: what the processor would do is of interest where nothing else is there, or nothing else has
    /// room.
    pub(crate) fn told(&self) -> impl Iterator<Item = &Forecast> {
        let chosen = self.recommendation;
        self.forecast.iter().filter(move |f| {
            f.place == Place::Graphics
                || self.facts.graphics().is_none()
                || chosen.is_none_or(|choice| choice.place == Place::Processor)
        })
    }

    /// As one JSON object, with a line's end.
    ///
    /// # Errors
    /// None for what a machine can be.
    pub(crate) fn json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

/// What is being found out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// What there is.
    Looking,
    /// How fast the processor is.
    Processor,
    /// How fast the graphics processor is.
    Graphics,
}

/// Finds out what this machine is. Blocks, with `measure` for some ten seconds at most. `models` is where models are to be kept.
/// `begins` is told before each phase, and ends all by `false`: `None` then.
///
/// # Errors
/// The processor cannot be measured.
pub(crate) fn look(
    measure: bool,
    models: Option<PathBuf>,
    mut begins: impl FnMut(Phase) -> bool,
) -> engine::Result<Option<Facts>> {
    if !begins(Phase::Looking) {
        return Ok(None);
    }
    let mut facts = Facts {
        system: system::read(Path::new("/")),
        adapters: engine::adapters(),
        instruction_sets: engine::instruction_sets(),
        threads: std::thread::available_parallelism().map_or(0, usize::from),
        session: session::find(models),
        ..Facts::default()
    };
    if measure {
        let speed = |device| engine::speed(&Options { device, ..Options::default() });
        if !begins(Phase::Processor) {
            return Ok(None);
        }
        facts.processor_speed = Some(speed(Device::Cpu)?);
        if facts.graphics().is_some() {
            if !begins(Phase::Graphics) {
                return Ok(None);
            }
            match speed(Device::Auto) {
                Ok(speed) => facts.graphics_speed = Some(speed),
                Err(error) => facts.graphics_fault = Some(error.to_string()),
            }
        }
    }
    Ok(Some(facts))
}

/// What follows from the facts, for the format that is wanted or else the one that is recommended.
pub(crate) fn report(facts: Facts, asks: &[Ask], wanted: Option<Format>) -> Report {
    let forecast = forecast(&facts, asks);
    let recommendation = recommend(&forecast);
    let aim = aim(&forecast, recommendation, wanted);
    let findings = examine(&facts, aim);
    Report { facts, findings, forecast, recommendation }
}

/// What each format of the large model asks of a machine.
///
/// # Errors
/// None for the model that this program knows.
pub(crate) fn asks() -> engine::Result<Vec<Ask>> {
    Ask::all()
}

/// The forecast that the findings are to make true: of the wanted format at the place that has most room for it.
fn aim(forecasts: &[Forecast], choice: Option<Choice>, wanted: Option<Format>) -> Option<&Forecast> {
    let place = choice.map(|choice| choice.place);
    let format = wanted.map(Format::name).or(choice.map(|choice| choice.format))?;
    let of_format = || forecasts.iter().filter(|f| f.format == format);
    of_format().find(|f| Some(f.place) == place).or_else(|| of_format().next())
}

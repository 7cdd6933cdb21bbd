//! How fast the large model would be in each format, and which format to take: sums over what was measured.

use engine::{Demand, Format, Speed, Work};
use serde::Serialize;

use super::facts::{AMD, Facts};

/// The model that is forecast.
pub(crate) const SHAPE: &str = "omni-30b-a3b";

/// Formats from the most precise to the smallest.
pub(crate) const FORMATS: [Format; 3] = [Format::Bf16, Format::Q8_0, Format::Q4];

/// Seconds that a run of a shader takes besides reading its weights, as measured on an H200: there a token takes 3.1 ms in Q8_0,
/// 3.6 in BF16 and 2.9 in Q4, of which reading 3.2, 6.1 and 2.1 GB at 4.0 TB/s is 0.8, 1.5 and 0.5; 2.1 to 2.4 ms are left for 440
/// runs. Other graphics processors are taken to need as long.
const TOKEN_DISPATCH: f64 = 5.2e-6;

/// The same for speech, whose runs wait for each other more often: a frame takes 7.0 ms in Q8_0 and 8.0 in BF16, of which reading is
/// 0.5 and 0.8, for 902 runs.
const FRAME_DISPATCH: f64 = 7.4e-6;

/// The share of its bandwidth at which a processor reads weights: 0.90 in decode on a server of the Sapphire Rapids generation.
const CPU_SHARE: f64 = 0.9;

/// Floating-point operations of a frame's sound, summed over the published sizes of its convolutions.
const SOUND_OPERATIONS: f64 = 4.8e9;

/// Seconds of speech in a frame.
const FRAME_SECONDS: f64 = 0.08;

/// Memory that the system and other programs keep.
pub(crate) const RESERVE: u64 = 6 << 30;

/// What of a carve-out suffices.
pub(crate) const CARVE_OUT: u64 = 512 << 20;

/// Tokens a second from which BF16's precision is worth its time.
const AMPLE_TOKENS: f64 = 60.0;

/// Tokens a second below which an answer is tiring.
const FEWEST_TOKENS: f64 = 12.0;

/// Seconds of work for a second of speech above which speech would stop now and then.
const SLOWEST_SPEECH: f64 = 0.9;

/// What a format of the model asks of a device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    /// The format.
    pub(crate) format: Format,
    /// What it asks.
    pub(crate) demand: Demand,
}

/// Where the model would run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Place {
    /// On the graphics processor.
    Graphics,
    /// On the processor.
    Processor,
}

/// Whether the model has room.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Fit {
    /// As the machine is now.
    Now,
    /// Once something is changed: settings, or programs that take memory.
    Later,
    /// Never.
    Never,
    /// The memory is not known.
    Unknown,
}

/// How the model would do in one format at one place.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Forecast {
    /// Where.
    pub(crate) place: Place,
    /// The format.
    pub(crate) format: &'static str,
    /// Bytes that it needs.
    pub(crate) memory: u64,
    /// Whether there is room for them.
    pub(crate) fit: Fit,
    /// Tokens of text a second; `None` where nothing was measured.
    pub(crate) tokens_per_s: Option<f64>,
    /// Seconds of work for a second of speech.
    pub(crate) real_time_factor: Option<f64>,
}

/// What to take.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Choice {
    /// Where the model should run.
    pub(crate) place: Place,
    /// In which format, by the command line's name.
    pub(crate) format: &'static str,
}

/// Bytes that a model could take: now, and at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// As the machine is now.
    pub(crate) now: u64,
    /// Once everything is changed that could be.
    pub(crate) most: u64,
}

impl Ask {
    /// What each format of the model asks.
    ///
    /// # Errors
    /// None for a shape that the engine knows.
    pub(crate) fn all() -> engine::Result<Vec<Ask>> {
        FORMATS.into_iter().map(|format| Ok(Ask { format, demand: engine::demand(SHAPE, format)? })).collect()
    }
}

/// Every format at every place that this machine has, the most precise first.
pub(crate) fn forecast(facts: &Facts, asks: &[Ask]) -> Vec<Forecast> {
    let mut all = Vec::new();
    for place in [Place::Graphics, Place::Processor] {
        if place == Place::Graphics && facts.graphics().is_none() {
            continue;
        }
        let room = room(facts, place);
        for Ask { format, demand } in asks {
            let fit = match room {
                None => Fit::Unknown,
                Some(room) if demand.memory <= room.now => Fit::Now,
                Some(room) if demand.memory <= room.most => Fit::Later,
                Some(_) => Fit::Never,
            };
            let speed = match place {
                Place::Graphics => facts.graphics_speed.as_ref(),
                Place::Processor => facts.processor_speed.as_ref(),
            };
            let seconds =
                |work: &Work, dispatch| speed.map(|speed| work_seconds(place, speed, work, dispatch));
            let frame = demand.frame.as_ref().zip(speed).and_then(|(work, speed)| {
                Some(seconds(work, FRAME_DISPATCH)? + SOUND_OPERATIONS / speed.matrix_rate)
            });
            all.push(Forecast {
                place,
                format: format.name(),
                memory: demand.memory,
                fit,
                tokens_per_s: seconds(&demand.token, TOKEN_DISPATCH).map(|seconds| 1.0 / seconds),
                real_time_factor: frame.map(|seconds| seconds / FRAME_SECONDS),
            });
        }
    }
    all
}

fn work_seconds(place: Place, speed: &Speed, work: &Work, dispatch: f64) -> f64 {
    let bytes = work.bytes as f64;
    match place {
        Place::Graphics => bytes / speed.bandwidth + work.dispatches as f64 * dispatch,
        Place::Processor => bytes / (CPU_SHARE * speed.bandwidth),
    }
}

/// Room for a model; `None` where the system does not tell.
pub(crate) fn room(facts: &Facts, place: Place) -> Option<Room> {
    let memory = facts.system.memory;
    let system = (memory.total > 0).then(|| Room {
        now: memory.available,
        most: memory.total.saturating_sub(RESERVE).max(memory.available),
    });
    let unified = facts.is_unified();
    if place == Place::Processor {
        // What the firmware sets aside for graphics can be given back.
        let most = facts.all_memory().saturating_sub(RESERVE);
        return system.map(|room| Room { most: room.most.max(most), ..room });
    }
    let adapter = facts.graphics()?;
    let card = facts.card().filter(|card| card.vendor == AMD);
    let free = |total: Option<u64>, used: Option<u64>| Some(total?.saturating_sub(used.unwrap_or(0)));
    let own = card.and_then(|card| free(card.vram_total, card.vram_used));
    match (unified, own) {
        (true, Some(own)) => {
            let used = card.and_then(|card| card.gtt_used).unwrap_or(0);
            let lent = facts.gtt_limit()?.saturating_sub(used).min(memory.available);
            let most = facts.all_memory().saturating_sub(RESERVE + CARVE_OUT);
            Some(Room { now: own + lent, most: most.max(own + lent) })
        }
        (true, None) => system,
        (false, Some(own)) => Some(Room { now: own, most: card?.vram_total? }),
        (false, None) => {
            let local = adapter.heaps.iter().filter(|heap| heap.device_local).map(|heap| heap.bytes);
            let largest = local.max()?;
            Some(Room { now: largest, most: largest })
        }
    }
}

/// The format and place to take: the most precise that is fast enough to talk with and has room, or could have it. Eight bits are
/// close enough to sixteen that only ample speed speaks for those. A graphics processor goes first. `None` where no format has room.
pub(crate) fn recommend(forecasts: &[Forecast]) -> Option<Choice> {
    let has_room = |f: &&Forecast| matches!(f.fit, Fit::Now | Fit::Later);
    let is_lively = |f: &&Forecast| {
        let fewest = if f.format == Format::Bf16.name() { AMPLE_TOKENS } else { FEWEST_TOKENS };
        match (f.tokens_per_s, f.real_time_factor) {
            (Some(tokens), Some(speech)) => tokens >= fewest && speech <= SLOWEST_SPEECH,
            // Nothing was measured: what most machines do well with.
            _ => f.format != Format::Bf16.name(),
        }
    };
    let fits = || forecasts.iter().filter(has_room);
    // Where nothing is fast enough, the fastest.
    let fastest =
        || fits().max_by(|a, b| a.tokens_per_s.unwrap_or(0.0).total_cmp(&b.tokens_per_s.unwrap_or(0.0)));
    let chosen = fits().find(is_lively).or_else(fastest)?;
    Some(Choice { place: chosen.place, format: chosen.format })
}

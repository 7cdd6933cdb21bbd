//! The JSON object that `talk --json` prints.

use engine::{Ending, Info, Summary};
use serde::Serialize;

/// What came beside the summary.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    /// Speech `[time]`.
    pub(crate) samples: Vec<f32>,
    /// The model's reasoning.
    pub(crate) reasoning: String,
    /// Function calls, JSON.
    pub(crate) tool_calls: Vec<String>,
}

/// The whole report.
#[derive(Serialize, Debug)]
pub(crate) struct Report<'a> {
    text: &'a str,
    text_tokens: &'a [u32],
    /// `[frames][groups]`.
    codes: &'a [Vec<u32>],
    samples: usize,
    sample_rate: u32,
    device: &'a str,
    timing: Timing,
    text_tokens_per_s: Option<f64>,
    real_time_factor: Option<f64>,
    ending: &'static str,
    reasoning: &'a str,
    tool_calls: Vec<serde_json::Value>,
}

/// Milliseconds; null where there was no such thing.
#[derive(Serialize, Debug)]
struct Timing {
    load: f64,
    mel: Option<f64>,
    audio_encoder: Option<f64>,
    vision_encoder: Option<f64>,
    prefill: f64,
    first_text: Option<f64>,
    first_audio: Option<f64>,
    last_text: Option<f64>,
    total: f64,
}

impl<'a> Report<'a> {
    /// The report on one answer.
    pub(crate) fn new(info: &'a Info, summary: &'a Summary, said: &'a Said) -> Report<'a> {
        let timing = &summary.timing;
        let some = |ms: f64| (ms > 0.0).then_some(ms);
        Report {
            text: &summary.text,
            text_tokens: &summary.text_tokens,
            codes: &summary.codes,
            samples: said.samples.len(),
            sample_rate: info.sample_rate_hz,
            device: &info.device,
            timing: Timing {
                load: info.load_ms,
                mel: some(timing.mel_ms),
                audio_encoder: some(timing.audio_encoder_ms),
                vision_encoder: some(timing.vision_encoder_ms),
                prefill: timing.prefill_ms,
                first_text: timing.first_text_ms,
                first_audio: timing.first_audio_ms,
                last_text: timing.last_text_ms,
                total: timing.total_ms,
            },
            text_tokens_per_s: tokens_per_second(summary),
            real_time_factor: real_time_factor(summary, info.sample_rate_hz),
            ending: match summary.ending {
                Ending::Stop => "stop",
                Ending::Limit => "limit",
                Ending::Cancelled => "cancelled",
            },
            reasoning: &said.reasoning,
            tool_calls: said.tool_calls.iter().map(|call| as_json(call)).collect(),
        }
    }
}

/// A call as JSON, or as a string where the model wrote something else.
fn as_json(call: &str) -> serde_json::Value {
    serde_json::from_str(call).unwrap_or_else(|_| serde_json::Value::String(call.into()))
}

/// Text tokens a second of the thinker's own work.
pub(crate) fn tokens_per_second(summary: &Summary) -> Option<f64> {
    let decode_ms = summary.timing.decode_ms;
    (decode_ms > 0.0 && !summary.text_tokens.is_empty())
        .then(|| summary.text_tokens.len() as f64 * 1000.0 / decode_ms)
}

/// Seconds of work for a second of speech.
pub(crate) fn real_time_factor(summary: &Summary, sample_rate_hz: u32) -> Option<f64> {
    let work_seconds = (summary.timing.talker_ms + summary.timing.code2wav_ms) / 1000.0;
    (summary.samples > 0 && sample_rate_hz > 0)
        .then(|| work_seconds * f64::from(sample_rate_hz) / summary.samples as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::Timing;

    #[test]
    fn what_was_not_done_is_null_and_not_zero() {
        let info = Info {
            name: "m".into(),
            device: "cpu".into(),
            fallback: None,
            voices: vec![],
            hears: true,
            sees: false,
            sample_rate_hz: 24_000,
            weight_bytes: 1,
            context_tokens: 8,
            load_ms: 5.0,
            load_times: engine::LoadTimes::default(),
        };
        let mut summary = Summary {
            text: "é".into(),
            text_tokens: vec![1, 2],
            codes: vec![vec![3, 4]],
            samples: 0,
            ending: Ending::Stop,
            timing: Timing { decode_ms: 4.0, mel_ms: 2.0, ..Timing::default() },
        };
        let said = Said { tool_calls: vec![r#"{"name":"f"}"#.into(), "broken".into()], ..Said::default() };
        let json = serde_json::to_value(Report::new(&info, &summary, &said)).unwrap();
        assert_eq!(json["timing"]["mel"], 2.0);
        assert!(json["timing"]["audio_encoder"].is_null() && json["timing"]["first_audio"].is_null());
        assert!(json["real_time_factor"].is_null());
        assert_eq!(json["text_tokens_per_s"], 500.0);
        assert_eq!(json["tool_calls"][0]["name"], "f");
        assert_eq!(json["tool_calls"][1], "broken");
        assert_eq!(json["ending"], "stop");

        summary.samples = 48_000;
        summary.timing.talker_ms = 400.0;
        summary.timing.code2wav_ms = 100.0;
        assert_eq!(real_time_factor(&summary, 24_000), Some(0.25));
    }
}

//! A hands-free conversation: its microphone stays open, a voice begins a question, or interrupts an answer, and a pause asks it.

use super::{Ear, Effect, Input, Stage, Turn, by_key};

/// What `input` does in or to a hands-free conversation; `None` where it is nothing special there.
pub(super) fn step(turn: Turn, input: Input) -> Option<(Turn, Vec<Effect>)> {
    let Turn { number, stage, ear, .. } = turn;
    let close = |keep| Effect::Close { number, keep };
    let attend = turn.begins(Stage::Attending);
    Some(match (stage, input) {
        (Stage::Absent, _) => return None,

        (Stage::Idle | Stage::Thinking | Stage::Speaking, Input::HandsFree(true)) if !ear.is_wanted() => {
            let opening = ear.number() + 1;
            (Turn { ear: Ear::Opening(opening), ..turn }, vec![Effect::OpenEar(opening)])
        }
        (_, Input::EarOpened(n)) if ear == Ear::Opening(n) => (Turn { ear: Ear::Open(n), ..turn }, vec![]),

        (_, Input::Stop | Input::Unloaded) if ear.is_wanted() => end(turn, input),
        (_, Input::Coming) if ear.is_wanted() && !turn.waits => end(turn, input),
        (_, Input::HandsFree(false)) if ear.is_wanted() => end(turn, input),
        (_, Input::EarFailed(n)) if ear.is_wanted() && n == ear.number() => end(turn, input),

        (Stage::Idle, Input::VoiceBegan { ear: n, .. }) if ear == Ear::Open(n) => {
            (attend, vec![Effect::Listen(number + 1)])
        }
        (Stage::Thinking | Stage::Speaking, Input::VoiceBegan { ear: n, interrupts: true })
            if ear == Ear::Open(n) =>
        {
            (attend, vec![Effect::Silence(number), Effect::Listen(number + 1)])
        }

        (Stage::Attending, Input::VoiceEnded(n)) if n == ear.number() => (turn.asked(), vec![close(true)]),
        (Stage::Attending, Input::Press(_) | Input::Finish(_)) => (turn.asked(), vec![close(true)]),
        _ => return None,
    })
}

/// The end of the conversation: the microphone is closed, and what was being said is forgotten. An answer goes on, unless it is
/// that which is stopped.
fn end(turn: Turn, input: Input) -> (Turn, Vec<Effect>) {
    let closed = Turn { ear: Ear::Closed(turn.ear.number()), ..turn };
    let records = matches!(turn.stage, Stage::Opening { .. } | Stage::Listening { .. } | Stage::Attending);
    let (after, mut effects) = match input {
        Input::Stop | Input::Unloaded | Input::Coming => by_key(closed, input),
        _ if records => by_key(closed, Input::Stop),
        _ => (closed, vec![]),
    };
    effects.push(Effect::CloseEar);
    (after, effects)
}

#[cfg(test)]
mod tests;

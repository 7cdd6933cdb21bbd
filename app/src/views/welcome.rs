//! The page of the first start, and the offer of a larger model that follows the first answer.

use crossbeam_channel::Sender;
use eframe::egui::{
    Align, Button, CornerRadius, Frame, Label, Layout, Margin, RichText, ScrollArea, Ui, vec2,
};

use super::{send, settings, theme};
use crate::command::Command;
use crate::language::t;
use crate::state::{ModelWish, State};

/// Widest that the page's text runs.
const WIDTH: f32 = 620.0;

/// The page.
pub(super) fn welcome_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    let palette = theme::palette(ui);
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        let width = WIDTH.min(ui.available_width());
        ui.vertical_centered(|ui| {
            ui.set_max_width(width);
            ui.add_space(ui.available_height() * 0.06);
            let title = t!("Welcome to Colloquy");
            ui.label(RichText::new(title).size(theme::size::GREETING).color(palette.text));
            ui.add_space(theme::space::TIGHT);
            ui.label(t!(
                "A voice assistant that runs on this machine alone: you ask, and it answers aloud. You can type, \
                 too, and ask about pictures and sounds."
            ));
            ui.add_space(theme::space::TIGHT);
            ui.label(t!("Everything stays on this machine. Recordings are not kept unless you turn that on."));
            ui.add_space(theme::space::WIDE);
            start_ui(ui, state, commands);
            let hint = t!(
                "Your microphone is open only while you talk. If nothing is heard, see that it is plugged in and not \
                 muted."
            );
            ui.add(Label::new(RichText::new(hint).small().color(palette.weak)).wrap());
            ui.add_space(theme::space::WIDE);
            larger_ui(ui, commands);
        });
    });
}

/// The one button that leads to a spoken answer.
fn start_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    let palette = theme::palette(ui);
    let text = RichText::new(t!("Start talking")).size(theme::size::HEADING).color(palette.on_accent);
    let button = Button::new(text).fill(palette.accent).corner_radius(CornerRadius::same(26));
    if ui.add_enabled(state.can_start_talking(), button.min_size(vec2(220.0, 52.0))).clicked() {
        send(commands, Command::Start);
    }
}

/// What follows the first answer.
pub(super) fn offer_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    if state.offers_larger() {
        larger_ui(ui, commands);
    }
}

/// Offers the large model.
fn larger_ui(ui: &mut Ui, commands: &Sender<Command>) {
    let palette = theme::palette(ui);
    let card = Frame::new()
        .fill(palette.bar)
        .corner_radius(CornerRadius::same(theme::ROUNDER))
        .inner_margin(Margin::symmetric(16, 12));
    card.show(ui, |ui| {
        let text = t!(
            "The small model that ships with Colloquy knows little, and only English. Qwen3-Omni-30B-A3B knows \
             far more, in many languages, and sees pictures; it needs a machine with 128 GB of memory or a large \
             graphics processor. It can be downloaded, or chosen where it is already:"
        );
        ui.with_layout(Layout::top_down(Align::LEFT), |ui| {
            ui.add(Label::new(RichText::new(text).color(palette.weak)).wrap());
            ui.horizontal_wrapped(|ui| {
                if ui.button(t!("Get the large model…")).clicked() {
                    settings::seek(ui.ctx(), settings::Target::Models);
                    send(commands, Command::ShowSettings(true));
                    send(commands, Command::Models(ModelWish::Show(true)));
                }
                if ui.button(t!("Choose the large model…")).clicked() {
                    send(commands, Command::PickModel);
                }
            });
        });
    });
}

#[cfg(test)]
mod tests {
    use egui_kittest::kittest::Queryable;
    use engine::{Cancel, Settings};

    use super::*;
    use crate::audio::Level;
    use crate::event::Event;
    use crate::state::End;
    use crate::views::tests::{ms, ready, shown};

    fn first() -> State {
        let mut state = State::new(Settings::default(), Level::default());
        state.welcome();
        state.apply(Event::Loading("pocket".into()), ms(0));
        state
    }

    #[test]
    fn the_first_start_says_what_this_is_and_leads_to_listening_by_one_click() {
        let (mut harness, commands) = shown(first());
        harness.run_steps(3);
        harness.check_accessibility();
        harness.get_by_label(
            "Everything stays on this machine. Recordings are not kept unless you turn that on.",
        );
        harness.get_by_label("Start talking").click();
        harness.run_steps(2);
        assert!(matches!(commands.try_iter().collect::<Vec<_>>()[..], [Command::Start]));
        harness.state_mut().handle(Command::Start, ms(1));
        let info = ready().info().unwrap().clone();
        harness.state_mut().apply(Event::Loaded(info.into(), Cancel::new()), ms(2));
        harness.run_steps(2);
        harness.get_by_label("I am listening");
        assert!(harness.query_by_label("Welcome to Colloquy").is_none());
    }

    #[test]
    fn the_large_model_is_offered_on_the_page_and_after_the_first_answer_alone() {
        let (mut harness, commands) = shown(first());
        harness.run_steps(3);
        harness.get_by_label("Choose the large model…").click_accesskit();
        harness.run_steps(2);
        assert!(matches!(commands.try_iter().collect::<Vec<_>>()[..], [Command::PickModel]));

        let mut state = first();
        state.apply(Event::Loaded(ready().info().unwrap().clone().into(), Cancel::new()), ms(0));
        state.handle(Command::Draft("hi".into()), ms(0));
        state.handle(Command::Submit, ms(0));
        state.apply(Event::Text { turn: 1, piece: "Hello.".into() }, ms(1));
        state.exchanges[0].answer.end = Some(End::Complete);
        state.handle(Command::Stop, ms(2));
        let (mut harness, _commands) = shown(state);
        harness.run_steps(3);
        harness.get_by_label("Choose the large model…");
        harness.state_mut().handle(Command::Draft("and".into()), ms(3));
        harness.state_mut().handle(Command::Submit, ms(3));
        harness.run_steps(3);
        assert!(harness.query_by_label("Choose the large model…").is_none());
    }
}

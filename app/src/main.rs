//! Colloquy: a desktop voice assistant that runs wholly on your own machine.

mod audio;
mod cli;
mod clips;
mod command;
mod diagnosis;
mod doctor;
mod event;
mod export;
mod folders;
mod fonts;
mod keeper;
mod language;
mod live;
mod logbook;
mod models;
mod notices;
#[cfg(target_os = "linux")]
mod portal;
mod preferences;
mod progress;
mod record;
mod remote;
mod state;
mod store;
mod theme;
mod tray;
mod turn;
mod views;
mod wav;
mod window;
mod worker;

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::filter::LevelFilter;

use cli::{Cli, Command};

rust_i18n::i18n!("../assets/languages");

fn main() -> ExitCode {
    let cli = Cli::parse();
    // The window's log tells what happens; a subcommand's errors are told by its own sentence.
    let level = if cli.command.is_some() { LevelFilter::ERROR } else { LevelFilter::INFO };
    logbook::start(level);
    explain_panics();
    let result = match cli.command {
        Some(Command::Talk(options)) => cli::talk::run(&options),
        Some(Command::Bench(options)) => cli::bench::run(&options),
        Some(Command::Verify(options)) => cli::verify::run(&options),
        Some(Command::Doctor(options)) => cli::doctor::run(&options),
        Some(Command::Models(options)) => cli::models::run(&options),
        Some(Command::Remote(options)) => cli::remote::run(&options),
        None => window::run(&cli.window),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("colloquy: {}", sentence(&error));
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes in one line; a cause that an error above it tells already is left out.
fn sentence(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |told, cause| {
        let cause = cause.to_string();
        match told.as_str() {
            "" => cause,
            _ if told.contains(&cause) => told,
            _ => format!("{told}: {cause}"),
        }
    })
}

/// Says a sentence where a fault of the program would otherwise print its insides alone.
fn explain_panics() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload_as_str().is_some_and(window::is_loss) {
            // Caught, and told where it is.
            return;
        }
        eprintln!("colloquy: this is a fault of the program, please report it with the lines below.");
        default(info);
    }));
}

//! Writes a Qwen3-Omni of random weights in the published layout, and says how long opening it takes.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use clap::Parser;
use colloquy_tests::checkpoints::omni;
use colloquy_tests::synthetic::{SHARD_BYTES, Sizes, write};
use engine::{Device, Engine, Options};

/// Writes a Qwen3-Omni of random weights in the published layout: of the published sizes, 70.5 GB, unless told otherwise
#[derive(Parser)]
struct Arguments {
    /// Folder to write to
    folder: PathBuf,
    /// About how large: all layers, narrower and with fewer experts where that is needed
    #[arg(long, conflicts_with_all = ["divide", "layers", "experts"])]
    gigabytes: Option<f64>,
    /// By what to divide all widths; 32 keeps every tensor's name in 80 MB
    #[arg(long, default_value = "1", value_parser = ["1", "2", "4", "8", "16", "32"])]
    divide: String,
    /// Layers of the thinker
    #[arg(long, default_value_t = 48, value_parser = clap::value_parser!(u16).range(25..=48))]
    layers: u16,
    /// Experts of a layer
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..=128))]
    experts: u16,
    /// Folder of the Qwen3-Omni whose tokenizer, template and configs it takes
    #[arg(long, default_value_os_t = omni())]
    like: PathBuf,
    /// Bytes of a shard
    #[arg(long, default_value_t = SHARD_BYTES)]
    shard_bytes: u64,
    /// Shards that are written at once; the processor's threads unless given
    #[arg(long)]
    threads: Option<usize>,
    /// Write nothing; only open what is in the folder
    #[arg(long)]
    open: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let sizes = match arguments.gigabytes {
        Some(gigabytes) => Sizes::of_bytes((gigabytes * 1e9) as u64),
        None => Sizes {
            divisor: arguments.divide.parse()?,
            layers: arguments.layers.into(),
            experts: arguments.experts.into(),
        },
    };
    let folder = &arguments.folder;
    if !arguments.open {
        let threads = match arguments.threads {
            Some(threads) => threads,
            None => std::thread::available_parallelism()?.get(),
        };
        let (begun, gigabytes) = (Instant::now(), sizes.bytes() as f64 / 1e9);
        write(&sizes, &arguments.like, folder, arguments.shard_bytes, threads)
            .with_context(|| format!("{} cannot be written", folder.display()))?;
        let seconds = begun.elapsed().as_secs_f64();
        println!("wrote {sizes:?}: {gigabytes:.2} GB in {seconds:.1} s, {:.2} GB/s", gigabytes / seconds);
    }
    let begun = Instant::now();
    let options = Options { device: Device::Cpu, ..Options::default() };
    let engine = Engine::load(folder, &options)?;
    let (seconds, info) = (begun.elapsed().as_secs_f64(), engine.info());
    println!("opened {} in {seconds:.2} s on {}", info.name, info.device);
    Ok(())
}

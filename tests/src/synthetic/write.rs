//! Writes random weights as fast as the disk takes them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Error, Result, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Map, Value, json};

use super::{Sizes, tensors};

/// About how large the published shards are.
pub const SHARD_BYTES: u64 = 5_000_000_000;

/// Bytes that are made and written at a time.
const PIECE: usize = 8 << 20;

/// The bits of two numbers in each 32 that are random: signs, mantissas and the lowest two bits of exponents.
const RANDOM: u64 = 0x81ff_81ff_81ff_81ff;

/// The bits that all numbers have: magnitudes from 2⁻⁷ up to 2⁻³, so that activations stay finite over all layers.
const EXPONENT: u64 = 0x3c00_3c00_3c00_3c00;

type Tensor = (String, Vec<usize>);

/// Writes a checkpoint of these sizes to `folder`, which is made, in shards of about `shard_bytes`, on `threads` threads; its other
/// files are those of the Qwen3-Omni in `like`. The same sizes give the same bytes.
///
/// # Errors
/// Those of the file system.
pub fn write(sizes: &Sizes, like: &Path, folder: &Path, shard_bytes: u64, threads: usize) -> Result<()> {
    fs::create_dir_all(folder)?;
    copy_small_files(sizes, like, folder)?;
    let shards = shards(sizes, shard_bytes);
    let name = |i: usize| format!("model-{:05}-of-{:05}.safetensors", i + 1, shards.len());
    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some(shard) = shards.get(i) else { return Ok(()) };
            write_shard(&folder.join(name(i)), shard, i as u64)?;
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|_| Err(Error::other("a thread failed"))))
    })?;
    let mut weight_map = Map::new();
    for (i, shard) in shards.iter().enumerate() {
        weight_map.extend(shard.iter().map(|(tensor, _)| (tensor.clone(), json!(name(i)))));
    }
    let index = json!({"metadata": {"total_size": sizes.bytes()}, "weight_map": weight_map});
    fs::write(folder.join("model.safetensors.index.json"), serde_json::to_vec(&index)?)
}

/// Tokenizer, template and configs, the config with these sizes.
fn copy_small_files(sizes: &Sizes, like: &Path, folder: &Path) -> Result<()> {
    for entry in fs::read_dir(like)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if name == "config.json" {
            let mut config: Value = serde_json::from_slice(&fs::read(&path)?)?;
            sizes.put_in(&mut config);
            fs::write(folder.join(name), serde_json::to_vec_pretty(&config)?)?;
        } else if !name.contains(".safetensors") {
            fs::copy(&path, folder.join(name))?;
        }
    }
    Ok(())
}

/// The tensors, shared out to files in order.
fn shards(sizes: &Sizes, shard_bytes: u64) -> Vec<Vec<Tensor>> {
    let (mut shards, mut size) = (vec![Vec::new()], 0);
    for tensor in tensors(sizes) {
        let bytes = bytes(&tensor);
        if size > 0 && size + bytes > shard_bytes {
            shards.push(Vec::new());
            size = 0;
        }
        size += bytes;
        if let Some(last) = shards.last_mut() {
            last.push(tensor);
        }
    }
    shards
}

fn bytes((_, shape): &Tensor) -> u64 {
    2 * shape.iter().product::<usize>() as u64
}

fn write_shard(path: &Path, tensors: &[Tensor], seed: u64) -> Result<()> {
    let (mut header, mut end) = (BTreeMap::new(), 0);
    for tensor in tensors {
        let start = end;
        end += bytes(tensor);
        let entry = json!({"dtype": "BF16", "shape": tensor.1, "data_offsets": [start, end]});
        header.insert(&tensor.0, entry);
    }
    let mut header = serde_json::to_vec(&header)?;
    header.resize(header.len().next_multiple_of(8), b' ');

    let unfinished = path.with_extension("unfinished");
    let mut file = File::create(&unfinished)?;
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(&header)?;
    let (mut state, mut piece) = (seed.wrapping_mul(2).wrapping_add(1), vec![0; PIECE]);
    while end > 0 {
        let piece = &mut piece[..end.min(PIECE as u64) as usize];
        for word in piece.chunks_mut(8) {
            let bits = (next(&mut state) & RANDOM | EXPONENT).to_le_bytes();
            word.copy_from_slice(&bits[..word.len()]);
        }
        file.write_all(piece)?;
        end -= piece.len() as u64;
    }
    drop(file);
    fs::rename(unfinished, path)
}

/// The splitmix64 generator.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

//! The shards of a checkpoint as one table of tensors, and scopes that ask it by name and shape.

use std::{
    collections::HashMap,
    io::ErrorKind,
    ops::Range,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use super::{
    ahead::{Piece, ReadAhead, Reading},
    coded::{Code, Coded},
    index::{INDEX, Index},
    packed::Packed,
    packs::{Matrix, Scheme},
    shard::{Encoding, Shard, ShardTensor},
    source::{import_first, refuse_gguf},
    tensor::{Part, Tensor, blocks, ranges},
};
use crate::{
    cancel::Cancel,
    error::{Error, Result},
    files::{damaged, io_error, read_json_optional},
    quant::Quant,
    settings::Format,
    shape::Bytes,
};

pub(super) const SINGLE: &str = "model.safetensors";

/// Bytes of what counts as no matrix.
const SMALL: usize = 64 << 10;

/// How many names a report lists before it only counts.
const LISTED: usize = 5;

/// The open shards of a checkpoint.
pub(crate) struct Checkpoint {
    dir: PathBuf,
    shards: Vec<Shard>,
    tensors: HashMap<String, Entry>,
    /// What is had of its tensors.
    reach: Reach,
    /// How it was quantised, where it is to be imported and was.
    pub(super) scheme: Option<Scheme>,
    /// What to do where a tensor is missing.
    pub(super) cure: &'static str,
    /// How many tensors a model part has asked for.
    asked: AtomicUsize,
    ahead: OnceLock<ReadAhead>,
    spent: Mutex<Spent>,
}

/// What the time of a loader went to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    /// Waiting for the disk.
    pub(crate) read: Duration,
    /// Bringing weights to the type that they are held in.
    pub(crate) convert: Duration,
    /// Placing them in the device's memory.
    pub(crate) place: Duration,
}

/// What is had of a checkpoint's tensors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reach {
    /// Values.
    Values,
    /// The places of those that hold elements one by one, and the values of others: an import takes them file by file.
    Places,
    /// The places alone, by the headers: what is behind them need not be there.
    Headers,
}

/// A matrix or a stack of them as the files have it.
pub(super) enum Stored {
    /// Elements one by one.
    Plain(Tensor),
    /// Blocks that are held as they are, in parts.
    Blocks(Quant, Vec<Bytes>),
    /// Rows in another program's code.
    Coded(Coded),
}

/// Where a tensor lies, and when a model part has first asked for it.
struct Entry {
    shard: usize,
    tensor: usize,
    /// Counted from 1 on; 0 where none has, and the last number where none needs to.
    asked: AtomicUsize,
}

impl Checkpoint {
    /// Maps every shard that `model.safetensors.index.json` names, or the single `model.safetensors`, and checks the
    /// headers against the files, the index and each other. Reads no weight yet.
    ///
    /// # Errors
    /// `Error::Io` when a file cannot be read; `Error::Checkpoint` when a shard is missing or damaged;
    /// `Error::Tensor` when a tensor is listed twice, out of place, of an unknown type or outside its file.
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        Self::read_plain(dir, Reach::Values)
    }

    /// The same, of headers alone: shards may be cut behind them, and tensors have places, but no values.
    ///
    /// # Errors
    /// Those of [`Checkpoint::open`], but for cut shards.
    pub(crate) fn outline(dir: &Path) -> Result<Self> {
        Self::read_plain(dir, Reach::Headers)
    }

    fn read_plain(dir: &Path, reach: Reach) -> Result<Self> {
        refuse_gguf(dir, reach)?;
        let checkpoint = Self::read(dir, reach)?;
        let mut tensors = checkpoint.shards.iter().flat_map(|shard| &shard.tensors);
        if let Some(words) = tensors.find(|tensor| matches!(tensor.encoding, Encoding::Words(_))) {
            let reason = format!("{} holds weights in another program's quants", words.name);
            return Err(import_first(dir, reach, &reason));
        }
        Ok(checkpoint)
    }

    /// A checkpoint without tensors.
    pub(super) fn empty(dir: &Path, reach: Reach) -> Self {
        Self {
            dir: dir.to_owned(),
            shards: Vec::new(),
            tensors: HashMap::new(),
            reach,
            scheme: None,
            cure: "",
            asked: AtomicUsize::new(0),
            ahead: OnceLock::new(),
            spent: Mutex::default(),
        }
    }

    /// As [`Checkpoint::open`], also where only an import understands the weights.
    pub(super) fn read(dir: &Path, reach: Reach) -> Result<Self> {
        std::fs::metadata(dir).map_err(|source| io_error(dir, source))?;
        let mut checkpoint = Self::empty(dir, reach);
        let index_path = dir.join(INDEX);
        if let Some(index) = read_json_optional(&index_path)? {
            let index = Index::parse(&index_path, &index)?;
            for file in &index.files {
                checkpoint.add(open_shard(&dir.join(file), reach, &format!("{INDEX} names it"))?)?;
            }
            index.check(&checkpoint)?;
        } else {
            let expected = format!("expected here or {INDEX} beside it");
            checkpoint.add(open_shard(&dir.join(SINGLE), reach, &expected)?)?;
        }
        checkpoint.check_packed()?;
        Ok(checkpoint)
    }

    /// Either no shard is imported, or all are from one import.
    fn check_packed(&self) -> Result<()> {
        match self.shards.iter().find(|shard| shard.packed != self.shards[0].packed) {
            None => Ok(()),
            Some(other) => {
                let first = self.shards[0].path.file_name().unwrap_or_default().display();
                Err(damaged(
                    &other.path,
                    format!(
                        "expected a shard of the same import as {first}, found another; import the checkpoint again"
                    ),
                ))
            }
        }
    }

    fn packed(&self) -> Option<Packed> {
        self.shards.first().and_then(|shard| shard.packed)
    }

    /// The format that it was imported in, where it was imported.
    pub(crate) fn imported(&self) -> Option<Format> {
        self.packed().map(|packed| packed.format)
    }

    /// Refuses a `format` that the weights cannot be brought to any more.
    ///
    /// # Errors
    /// `Error::Input` for another format than that of an imported checkpoint of few bits.
    pub(crate) fn check_format(&self, format: Option<Format>) -> Result<()> {
        match (self.imported().filter(|imported| imported.is_quantised()), format) {
            (Some(imported), Some(wanted)) if imported != wanted => Err(Error::Input(format!(
                "{} was imported as {imported}, which cannot be held as {}; choose {imported} or as stored, or import the published \
                 checkpoint again",
                self.dir.display(),
                wanted.name(),
                imported = imported.name(),
            ))),
            _ => Ok(()),
        }
    }

    /// The shards.
    pub(crate) fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// The tensors whose names start with `prefix` and a dot; all of them where it is empty.
    pub(crate) fn scope(&self, prefix: &str) -> Scope<'_> {
        Scope { checkpoint: self, prefix: prefix.to_owned() }
    }

    /// Whether there is a tensor of this full name. Does not count as asking for it.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Size of all tensors together, in bytes as stored.
    pub(crate) fn total_bytes(&self) -> usize {
        self.shards.iter().flat_map(|shard| &shard.tensors).map(|t| t.range.len()).sum()
    }

    /// Whether all tensors are stored in f32, or were before they were imported.
    pub(crate) fn is_f32(&self) -> bool {
        let f32 = Encoding::Plain(super::DType::F32);
        self.packed().map_or_else(
            || self.shards.iter().flat_map(|shard| &shard.tensors).all(|t| t.encoding == f32),
            |packed| packed.source_is_f32,
        )
    }

    /// Names of the tensors that nothing has asked for, sorted.
    pub(crate) fn unused(&self) -> Vec<String> {
        let unused = self.tensors.iter().filter(|(_, entry)| entry.asked.load(Ordering::Relaxed) == 0);
        let mut names: Vec<String> = unused.map(|(name, _)| name.clone()).collect();
        names.sort_unstable();
        names
    }

    /// Call after the whole model is loaded: every tensor must have been used.
    ///
    /// # Errors
    /// `Error::Tensor` with the first unused tensors and their file: the checkpoint does not fit its config.
    pub(crate) fn finish(&self) -> Result<()> {
        let unused = self.unused();
        let Some(first) = unused.first() else { return Ok(()) };
        let (shard, _) = self.locate(&self.tensors[first]);
        let listed = unused.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
        Err(Error::Tensor {
            name: first.clone(),
            path: shard.path.clone(),
            expected: "only tensors that config.json calls for".into(),
            found: format!("{} extra: {listed}", unused.len())
                + if unused.len() > LISTED { ", …" } else { "" },
        })
    }

    /// Whether there are tensors whose names start so.
    pub(crate) fn has_any(&self, prefix: &str) -> bool {
        self.tensors.keys().any(|name| name.starts_with(prefix))
    }

    /// Adds the tensors of `shard` that this checkpoint has not; they need not be used.
    pub(super) fn fill_up(&mut self, shard: Shard) {
        let is_new = |name: &str| !(self.contains(name) || self.has_otherwise(name));
        let new: Vec<_> = shard.tensors.iter().enumerate().filter(|(_, t)| is_new(&t.name)).collect();
        let index = self.shards.len();
        let entry = |tensor| Entry { shard: index, tensor, asked: AtomicUsize::new(usize::MAX) };
        let new: Vec<_> = new.into_iter().map(|(i, tensor)| (tensor.name.clone(), entry(i))).collect();
        if !new.is_empty() {
            self.tensors.extend(new);
            self.shards.push(shard);
        }
    }

    /// Whether a tensor of a published checkpoint is in this one in another form.
    fn has_otherwise(&self, name: &str) -> bool {
        let stacked = name.split_once(".experts.").and_then(|(scope, rest)| {
            let (_, rest) = rest.split_once('.')?;
            Some(format!("{scope}.experts.{rest}"))
        });
        stacked.is_some_and(|name| self.contains(&name))
            || self.contains(&format!("{name}.0"))
            || self.matrix(name).is_some()
    }

    /// The tensors that the matrix `name` is made of, where it was quantised by another program.
    fn matrix<'a>(&'a self, name: &'a str) -> Option<Matrix<'a>> {
        Matrix::find(self.scheme?, name, |name| {
            self.tensors.get(name).map(|entry| (entry.shard, self.locate(entry)))
        })
    }

    pub(super) fn add(&mut self, shard: Shard) -> Result<()> {
        let index = self.shards.len();
        for (tensor, stored) in shard.tensors.iter().enumerate() {
            let entry = Entry { shard: index, tensor, asked: AtomicUsize::new(0) };
            if let Some(other) = self.tensors.insert(stored.name.clone(), entry) {
                return Err(Error::Tensor {
                    name: stored.name.clone(),
                    path: shard.path,
                    expected: "each tensor in one shard".into(),
                    found: format!("it in {} also", self.shards[other.shard].path.display()),
                });
            }
        }
        self.shards.push(shard);
        Ok(())
    }

    fn locate(&self, entry: &Entry) -> (&Shard, &ShardTensor) {
        let shard = &self.shards[entry.shard];
        (shard, &shard.tensors[entry.tensor])
    }

    fn get(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        match self.stored(name, shape, 1)? {
            Stored::Plain(tensor) => Ok(tensor),
            Stored::Blocks(quant, _) => Err(Error::Tensor {
                name: name.to_owned(),
                path: self.dir.clone(),
                expected: "F32, F16 or BF16".into(),
                found: format!("{} blocks; import the checkpoint again", quant.name()),
            }),
            Stored::Coded(coded) => Err(coded.fault("a vector, which is held in F32, F16 or BF16".into())),
        }
    }

    /// Takes note that a model part wants a tensor.
    fn note(&self, entry: &Entry) {
        let known = entry.asked.load(Ordering::Relaxed);
        if known == 0 {
            entry.asked.store(self.asked.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        } else if let Some(ahead) = self.ahead.get() {
            ahead.ask(known - 1);
        }
    }

    /// Begins to read what has been asked for so far, in that order, on threads of its own: who goes through the model once without
    /// reading has it read while going through it again. `cancel` ends the loading.
    pub(crate) fn read_ahead(&self, reading: Reading, cancel: &Cancel) {
        let paths: Vec<Arc<Path>> = self.shards.iter().map(|shard| shard.path.as_path().into()).collect();
        let mut asked: Vec<(usize, &Entry)> = self
            .tensors
            .values()
            .map(|entry| (entry.asked.load(Ordering::Relaxed), entry))
            .filter(|(asked, _)| *asked > 0)
            .collect();
        // A loader that leaves matrices where they are wants the small ones at once.
        let is_late = |entry: &Entry| {
            matches!(reading, Reading::InPlace(_)) && self.locate(entry).1.range.len() > SMALL
        };
        asked.sort_unstable_by_key(|(asked, entry)| (is_late(entry), *asked));
        let piece = |(_, entry): (usize, &Entry)| {
            let (shard, tensor) = self.locate(entry);
            Piece { path: paths[entry.shard].clone(), map: shard.map.clone(), range: tensor.range.clone() }
        };
        let pieces = asked.into_iter().map(piece).collect();
        self.ahead.get_or_init(|| ReadAhead::start(pieces, reading, cancel.clone()));
    }

    fn spend(&self, add: impl FnOnce(&mut Spent)) {
        add(&mut self.spent.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What the loader's time went to so far.
    pub(crate) fn spent(&self) -> Spent {
        *self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The threads that read, to be kept where reading is to go on.
    pub(crate) fn take_ahead(&mut self) -> Option<ReadAhead> {
        self.ahead.take()
    }

    /// A tensor of this shape as the file has it, in `count` parts.
    fn stored(&self, name: &str, shape: &[usize], count: usize) -> Result<Stored> {
        let Some(entry) = self.tensors.get(name) else {
            let coded = match self.matrix(name) {
                Some(matrix) => {
                    matrix.names().for_each(|name| self.ask(name));
                    Some(matrix.coded(shape)?)
                }
                None => self.frames(name, shape)?,
            };
            return coded.map(Stored::Coded).ok_or_else(|| Error::Tensor {
                name: name.to_owned(),
                path: self.dir.clone(),
                expected: format!("shape {shape:?}"),
                found: format!("no such tensor{}", self.cure),
            });
        };
        let (shard, stored) = self.locate(entry);
        if stored.shape != shape {
            return Err(Error::Tensor {
                name: name.to_owned(),
                path: shard.path.clone(),
                expected: format!("shape {shape:?}"),
                found: format!("{:?}", stored.shape),
            });
        }
        self.note(entry);
        let range = stored.range.clone();
        Ok(match stored.encoding {
            Encoding::Plain(dtype) if self.reach == Reach::Values => {
                Stored::Plain(Tensor::from_map(name, shape, dtype, &shard.map, range, count))
            }
            Encoding::Plain(dtype) => {
                Stored::Plain(Tensor::placed(name, shape, dtype, (entry.shard, range), count))
            }
            Encoding::Blocks(quant) if self.reach == Reach::Values => {
                Stored::Blocks(quant, blocks(&shard.map, range, count))
            }
            Encoding::Blocks(quant) => Stored::Blocks(quant, Vec::new()),
            Encoding::Ggml(ggml) => {
                let code = |range: Range<usize>| {
                    let part = Part::mapped(&shard.map, range.clone(), 1);
                    ((entry.shard, range), Code::Ggml(ggml, part))
                };
                let parts = ranges(range, count).map(code).collect();
                Stored::Coded(Coded::new(name, &shard.path, shape, parts))
            }
            Encoding::Words(_) => {
                return Err(Error::Tensor {
                    name: name.to_owned(),
                    path: shard.path.clone(),
                    expected: "F32, F16 or BF16".into(),
                    found: stored.encoding.to_string(),
                });
            }
        })
    }

    /// The patches' weights, which may be stored in two halves, one for each frame.
    fn frames(&self, name: &str, shape: &[usize]) -> Result<Option<Coded>> {
        let &[out, colours, 2, height, width] = shape else { return Ok(None) };
        let half = [out, colours, height, width];
        let names = [0, 1].map(|i| format!("{name}.{i}"));
        let [Some(first), Some(second)] = [0, 1].map(|i| self.tensors.get(&names[i])) else {
            return Ok(None);
        };
        if self.reach == Reach::Headers {
            return Ok(None);
        }
        let dtypes = [self.get(&names[0], &half)?.dtype, self.get(&names[1], &half)?.dtype];
        let (shard, stored) = self.locate(first);
        if dtypes[0] != dtypes[1] {
            return Err(Error::Tensor {
                name: names[1].clone(),
                path: shard.path.clone(),
                expected: format!("the type of its other half, {}", dtypes[0]),
                found: dtypes[1].to_string(),
            });
        }
        let halves = [first, second].map(|entry| {
            let (shard, stored) = self.locate(entry);
            Part::mapped(&shard.map, stored.range.clone(), dtypes[0].size())
        });
        let code = Code::Frames { dtype: dtypes[0], run: height * width, halves };
        let parts = vec![((first.shard, stored.range.clone()), code)];
        Ok(Some(Coded::new(name, &shard.path, shape, parts)))
    }

    /// Takes note that a tensor was asked for.
    fn ask(&self, name: &str) {
        if let Some(entry) = self.tensors.get(name) {
            self.note(entry);
        }
    }
}

pub(super) fn open_shard(path: &Path, reach: Reach, why: &str) -> Result<Shard> {
    match if reach == Reach::Headers { Shard::outline(path) } else { Shard::open(path) } {
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
            Err(damaged(path, format!("{why}, but there is no such file; download the checkpoint again")))
        }
        opened => opened,
    }
}

/// The tensors below a dotted prefix.
#[derive(Clone)]
pub(crate) struct Scope<'a> {
    checkpoint: &'a Checkpoint,
    prefix: String,
}

impl<'a> Scope<'a> {
    /// The tensors one name further down, as in `layers.scope("0")`.
    pub(crate) fn scope(&self, suffix: &str) -> Scope<'a> {
        Scope { checkpoint: self.checkpoint, prefix: self.path(suffix) }
    }

    /// The full name of a tensor in this scope.
    pub(crate) fn path(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}.{name}", self.prefix) }
    }

    /// Whether there is such a tensor. Does not count as asking for it.
    #[cfg(test)]
    pub(crate) fn has(&self, name: &str) -> bool {
        self.checkpoint.contains(&self.path(name))
    }

    /// The tensor of this name, which must have this shape.
    ///
    /// # Errors
    /// `Error::Tensor` where it is missing or has another shape.
    pub(crate) fn get(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        self.checkpoint.get(&self.path(name), shape)
    }

    /// Waits until what was asked for is in memory, where it is read ahead to be copied.
    ///
    /// # Errors
    /// `Error::Cancelled`.
    pub(super) fn wait(&self) -> Result<()> {
        let begun = Instant::now();
        self.checkpoint.ahead.get().map_or(Ok(()), ReadAhead::wait)?;
        self.checkpoint.spend(|spent| spent.read += begun.elapsed());
        Ok(())
    }

    /// Takes note that what was asked for is in place, and of the time that it took.
    pub(super) fn passed(&self, converted: Duration, placed: Duration) {
        self.checkpoint.spend(|spent| {
            spent.convert += converted;
            spent.place += placed;
        });
        if let Some(ahead) = self.checkpoint.ahead.get() {
            ahead.passed();
        }
    }

    /// The matrix of this name and shape, in whatever form it is stored.
    ///
    /// # Errors
    /// `Error::Tensor` where it is missing or has another shape.
    pub(super) fn matrix(&self, name: &str, shape: &[usize]) -> Result<Stored> {
        self.checkpoint.stored(&self.path(name), shape, 1)
    }

    /// `count` matrices `{i}.{name}` of shape `shape_each` as one of shape `[count, ...shape_each]`, without copying them. Some
    /// checkpoints have them as one, called `name`.
    ///
    /// # Errors
    /// `Error::Tensor` where one is missing or has another shape or type than the others.
    pub(super) fn stack(&self, count: usize, name: &str, shape_each: &[usize]) -> Result<Stored> {
        let whole = self.path(name);
        if self.checkpoint.imported().is_some() || self.checkpoint.contains(&whole) {
            return self.checkpoint.stored(&whole, &[&[count], shape_each].concat(), count);
        }
        let (mut tensors, mut coded) = (Vec::new(), Vec::new());
        for i in 0..count {
            match self.matrix(&format!("{i}.{name}"), shape_each)? {
                Stored::Plain(tensor) => tensors.push(tensor),
                Stored::Coded(matrix) => coded.push(matrix),
                Stored::Blocks(..) => (),
            }
        }
        let is_mixed = !tensors.is_empty() && !coded.is_empty();
        let stacked = Tensor::stack(&tensors).map(Stored::Plain);
        let stacked = stacked.or_else(|| Coded::stack(coded).map(Stored::Coded)).filter(|_| !is_mixed);
        stacked.ok_or_else(|| Error::Tensor {
            name: self.path(&format!("0.{name}")),
            path: self.checkpoint.dir.clone(),
            expected: format!("{count} tensors of one element type to stack"),
            found: match is_mixed {
                true => "some quantised and some not".into(),
                false => format!("{:?}", tensors.iter().map(|t| t.dtype).collect::<Vec<_>>()),
            },
        })
    }
}

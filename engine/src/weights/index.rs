//! `model.safetensors.index.json`: which shard holds each tensor.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use serde_json::{Map, Value};

use super::checkpoint::Checkpoint;
use super::shard::ShardTensor;
use crate::error::{Error, Result};
use crate::files::damaged;

/// The file's name.
pub(super) const INDEX: &str = "model.safetensors.index.json";

/// What it says.
pub(super) struct Index<'a> {
    path: &'a Path,
    weight_map: &'a Map<String, Value>,
    /// Names of the shards.
    pub(super) files: BTreeSet<&'a str>,
}

impl<'a> Index<'a> {
    /// Reads it.
    ///
    /// # Errors
    /// `Error::Checkpoint` where it is no index, or names files elsewhere.
    pub(super) fn parse(path: &'a Path, json: &'a Value) -> Result<Self> {
        let weight_map = json.get("weight_map").and_then(Value::as_object).filter(|map| !map.is_empty());
        let weight_map = weight_map.ok_or_else(|| {
            damaged(path, "expected weight_map with a shard for each tensor, found none".into())
        })?;
        let mut files = BTreeSet::new();
        for (name, file) in weight_map {
            let file = file.as_str().filter(|file| is_plain_name(file)).ok_or_else(|| {
                damaged(
                    path,
                    format!("weight_map: {name}: expected the name of a file beside it, found {file}"),
                )
            })?;
            files.insert(file);
        }
        Ok(Self { path, weight_map, files })
    }

    /// The shards hold what the index says, and nothing else.
    ///
    /// # Errors
    /// `Error::Tensor` with the first that is elsewhere.
    pub(super) fn check(&self, checkpoint: &Checkpoint) -> Result<()> {
        for (name, file) in self.weight_map {
            if !checkpoint.contains(name) {
                return Err(Error::Tensor {
                    name: name.clone(),
                    path: self.path.to_owned(),
                    expected: format!("it in {}", file.as_str().unwrap_or_default()),
                    found: "it in no shard".into(),
                });
            }
        }
        for shard in checkpoint.shards() {
            let found = shard.path.file_name().and_then(|name| name.to_str());
            for ShardTensor { name, .. } in &shard.tensors {
                let stated = self.weight_map.get(name).and_then(Value::as_str);
                if found != stated {
                    return Err(Error::Tensor {
                        name: name.clone(),
                        path: shard.path.clone(),
                        expected: match stated {
                            Some(stated) => format!("it in {stated} as {INDEX} says"),
                            None => format!("only tensors that {INDEX} lists"),
                        },
                        found: "it in this shard".into(),
                    });
                }
            }
        }
        Ok(())
    }
}

/// Whether the name stays in its folder.
fn is_plain_name(file: &str) -> bool {
    let mut components = Path::new(file).components();
    matches!((components.next(), components.next()), (Some(Component::Normal(name)), None) if name == file)
}

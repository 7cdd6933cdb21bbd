//! Reads single values out of a JSON config, with errors that name the file, the dotted key and the range.

use std::{
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use crate::error::{Error, Result};

// Limits far above any published model. Products of a few of them still fit 64 bits, so that sizes computed from a
// checked config cannot overflow.

/// Width of a layer.
pub(super) const WIDTH: RangeInclusive<usize> = 1..=1 << 17;
/// Rows of an embedding table.
pub(super) const VOCAB: RangeInclusive<usize> = 1..=1 << 22;
/// Layers of a stack.
pub(super) const LAYERS: RangeInclusive<usize> = 1..=1 << 10;
/// Attention heads, code groups, windows and the like.
pub(super) const COUNT: RangeInclusive<usize> = 1..=1 << 12;
/// Positions that a model was made for.
pub(super) const POSITIONS: RangeInclusive<usize> = 1..=1 << 24;

/// An object of a config file, with the way to it.
#[derive(Clone)]
pub(super) struct Fields<'a> {
    path: &'a Path,
    prefix: String,
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// The top of the file.
    pub(super) fn root(path: &'a Path, json: &'a Value) -> Result<Self> {
        let map = json.as_object().ok_or_else(|| Error::Config {
            path: path.to_owned(),
            key: "(top level)".into(),
            reason: format!("expected an object, found {}", shown(json)),
        })?;
        Ok(Self { path, prefix: String::new(), map })
    }

    /// The value of a key; `None` where it is missing or null.
    fn value(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// Whether the key has a value other than null.
    pub(super) fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// The spelling that this file uses: `newer` where it has it, else `older`.
    pub(super) fn either(&self, newer: &'static str, older: &'static str) -> &'static str {
        if self.has(newer) { newer } else { older }
    }

    /// An error about a key: what was expected and what was found.
    pub(super) fn error(&self, key: &str, expected: &str, found: &str) -> Error {
        let key = if self.prefix.is_empty() { key.to_owned() } else { format!("{}.{key}", self.prefix) };
        let reason = format!("expected {expected}, found {found}");
        Error::Config { path: PathBuf::from(self.path), key, reason }
    }

    /// Reads a key by `read`, which gives `None` where the value is not as `expected` says.
    fn take<T>(&self, key: &str, expected: &str, read: impl Fn(&'a Value) -> Option<T>) -> Result<T> {
        let value = self.value(key).ok_or_else(|| self.error(key, expected, "nothing"))?;
        read(value).ok_or_else(|| self.error(key, expected, &shown(value)))
    }

    /// A read of the key where it has a value, else `default`.
    pub(super) fn or<T>(
        &self,
        key: &str,
        default: T,
        read: impl FnOnce(&Self, &str) -> Result<T>,
    ) -> Result<T> {
        if self.has(key) { read(self, key) } else { Ok(default) }
    }

    /// The object under a key.
    pub(super) fn object(&self, key: &str) -> Result<Fields<'a>> {
        let map = self.take(key, "an object", Value::as_object)?;
        let prefix = if self.prefix.is_empty() { key.to_owned() } else { format!("{}.{key}", self.prefix) };
        Ok(Fields { path: self.path, prefix, map })
    }

    /// The object under a key; `None` where it is missing or null.
    pub(super) fn optional_object(&self, key: &str) -> Result<Option<Fields<'a>>> {
        self.has(key).then(|| self.object(key)).transpose()
    }

    /// Keys and values of this object.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.map.iter()
    }

    /// A whole number in a range.
    pub(super) fn size(&self, key: &str, range: RangeInclusive<usize>) -> Result<usize> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        self.take(key, &expected, |value| whole(value, &range))
    }

    /// Whole numbers in a range.
    pub(super) fn sizes(&self, key: &str, range: RangeInclusive<usize>) -> Result<Vec<usize>> {
        let expected = format!("a list of whole numbers from {} to {}", range.start(), range.end());
        self.take(key, &expected, |value| value.as_array()?.iter().map(|v| whole(v, &range)).collect())
    }

    /// A row number below `limit` of an embedding table.
    pub(super) fn id(&self, key: &str, limit: usize) -> Result<u32> {
        let expected = format!("a token id below {limit}");
        self.take(key, &expected, |value| id(value, limit))
    }

    /// One row number below `limit`, or a list of them.
    pub(super) fn ids(&self, key: &str, limit: usize) -> Result<Vec<u32>> {
        let expected = format!("token ids below {limit}");
        self.take(key, &expected, |value| match value.as_array() {
            Some(list) => list.iter().map(|v| id(v, limit)).collect(),
            None => Some(vec![id(value, limit)?]),
        })
    }

    /// A finite number in a range.
    pub(super) fn number(&self, key: &str, range: RangeInclusive<f64>) -> Result<f64> {
        let expected = format!("a number from {} to {}", range.start(), range.end());
        self.take(key, &expected, |value| value.as_f64().filter(|v| range.contains(v)))
    }

    /// Three finite numbers in a range, one for each colour.
    pub(super) fn colour(&self, key: &str, range: RangeInclusive<f64>) -> Result<[f32; 3]> {
        let expected = format!("three numbers from {} to {}", range.start(), range.end());
        self.take(key, &expected, |value| {
            let read = |v: &Value| v.as_f64().filter(|v| range.contains(v)).map(|v| v as f32);
            let [r, g, b] = value.as_array()?.as_slice() else { return None };
            Some([read(r)?, read(g)?, read(b)?])
        })
    }

    /// A truth value.
    pub(super) fn flag(&self, key: &str) -> Result<bool> {
        self.take(key, "true or false", Value::as_bool)
    }

    /// A value that the engine supports in one form only: missing, null or this.
    pub(super) fn only(&self, key: &str, supported: &Value) -> Result<()> {
        match self.value(key) {
            Some(value) if value != supported => {
                let expected = format!("{}, all that is supported", shown(supported));
                Err(self.error(key, &expected, &shown(value)))
            }
            _ => Ok(()),
        }
    }
}

fn whole(value: &Value, range: &RangeInclusive<usize>) -> Option<usize> {
    value.as_u64().and_then(|v| usize::try_from(v).ok()).filter(|v| range.contains(v))
}

fn id(value: &Value, limit: usize) -> Option<u32> {
    value.as_u64().filter(|&v| v < limit as u64).and_then(|v| u32::try_from(v).ok())
}

/// The value as JSON, cut to a length that fits a message.
pub(super) fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

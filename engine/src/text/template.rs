//! The checkpoint's chat template: Jinja as Hugging Face transformers sets it up.
//!
//! Beyond Jinja2 itself that means `trim_blocks`, `lstrip_blocks`, loop controls, methods of Python's strings and
//! dictionaries, `tojson` without HTML escapes, `raise_exception` and `strftime_now`. A list or dictionary that is
//! printed as such, without `tojson`, looks other than in Python.

use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

use minijinja::{
    Environment, Value, context,
    syntax::SyntaxConfig,
    value::{Serde, merge_maps},
};
use serde_json::Value as Json;

use super::filters;
use super::guarded::{self, Guarded};
use super::python;
use crate::{
    error::{Error, Result},
    files::{damaged, read_json_optional, read_optional, to_text},
};

/// Plain ChatML, for checkpoints that bring no template.
const FALLBACK: &str = include_str!("chatml.jinja");

/// Steps that a rendering may take: far more than any conversation needs, so that a template cannot run for ever.
const MAX_STEPS: u64 = 5_000_000;

/// The key of a checkpoint's JSON files under which a template stands.
const KEY: &str = "chat_template";

/// Lays out a conversation as the text that the model was trained on.
pub(crate) struct ChatTemplate {
    source: String,
    syntax: SyntaxConfig,
    environment: Environment<'static>,
    /// Where the template stands, for errors.
    path: PathBuf,
    /// Texts of special tokens, such as `eos_token`.
    special_tokens: Value,
}

impl ChatTemplate {
    /// Reads the template in the checkpoint's folder: `chat_template.jinja`, else `chat_template.json`, else
    /// `chat_template` in `tokenizer_config.json` (the one named `default` where it lists several), else plain ChatML
    /// with placeholders for sound, pictures and video.
    ///
    /// # Errors
    /// `Error::Io` or `Error::Checkpoint` where a file cannot be read, `Error::Checkpoint` with the line where the
    /// template is no Jinja.
    pub(crate) fn load(dir: &Path) -> Result<Self> {
        let config_path = dir.join("tokenizer_config.json");
        let config = read_json_optional(&config_path)?.unwrap_or_default();
        let special_tokens = special_tokens(&config);
        let jinja_path = dir.join("chat_template.jinja");
        if let Some(bytes) = read_optional(&jinja_path)? {
            let source = to_text(&jinja_path, bytes)?;
            return Self::compile(jinja_path, source, special_tokens);
        }
        let json_path = dir.join("chat_template.json");
        if let Some(json) = read_json_optional(&json_path)? {
            let source = source_in(&json_path, &json)?;
            let source = source
                .ok_or_else(|| damaged(&json_path, format!("expected a template under {KEY}, found none")))?;
            return Self::compile(json_path, source, special_tokens);
        }
        match source_in(&config_path, &config)? {
            Some(source) => Self::compile(config_path, source, special_tokens),
            None => {
                Self::compile(PathBuf::from("built-in ChatML template"), FALLBACK.to_owned(), special_tokens)
            }
        }
    }

    /// From a template's source, which stands in `path`. Errors as [`ChatTemplate::load`].
    pub(crate) fn compile(path: PathBuf, source: String, special_tokens: Value) -> Result<Self> {
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        let syntax = syntax.map_err(|e| fault(&path, &e))?;
        Guarded::compile(KEY, &source, &syntax).map_err(|e| fault(&path, &e))?;
        let mut environment = Environment::new();
        environment.set_fuel(Some(MAX_STEPS));
        environment.set_formatter(python::print);
        environment.add_filter("tojson", python::to_json);
        environment.add_function("strftime_now", python::strftime_now);
        environment.add_function("raise_exception", python::raise_exception);
        filters::add(&mut environment);
        guarded::add(&mut environment);
        Ok(Self { source, syntax, environment, path, special_tokens })
    }

    /// The text of a conversation.
    ///
    /// `messages` is a list of objects with `role` and `content`, a text or a list of typed parts; `tools` a list of
    /// function descriptions. `add_generation_prompt` begins the assistant's answer. `enable_thinking` is known to
    /// the template only where it is given.
    ///
    /// # Errors
    /// `Error::Checkpoint` with the template's line where it cannot lay out these messages.
    pub(crate) fn render(
        &self,
        messages: &Json,
        tools: Option<&Json>,
        add_generation_prompt: bool,
        enable_thinking: Option<bool>,
    ) -> Result<String> {
        let common = context! {
            messages => Value::from(Serde(messages)),
            tools => tools.map(|tools| Value::from(Serde(tools))),
            documents => (),
            add_generation_prompt,
        };
        let thinking =
            enable_thinking.map_or_else(|| context! {}, |enable_thinking| context! { enable_thinking });
        let context = merge_maps([common, thinking, self.special_tokens.clone()]);
        let run = || Guarded::compile(KEY, &self.source, &self.syntax)?.run(&self.environment, context);
        // The library has faults that a template can reach, such as a slice of a list backwards from behind its end.
        let text = panic::catch_unwind(AssertUnwindSafe(run)).map_err(|_| {
            damaged(
                &self.path,
                "the chat template cannot be used here: the library that runs it has failed".into(),
            )
        })?;
        text.map_err(|e| fault(&self.path, &e))
    }
}

/// The template under `chat_template`: a text, or the default of a list of named ones.
fn source_in(path: &Path, json: &Json) -> Result<Option<String>> {
    let found = match &json[KEY] {
        Json::Null => return Ok(None),
        Json::Array(list) => {
            let default = list.iter().find(|entry| entry["name"] == "default");
            default.and_then(|entry| entry["template"].as_str())
        }
        other => other.as_str(),
    };
    let found = found.ok_or_else(|| {
        let expected = "expected a template or a list with one named default, found neither";
        damaged(path, format!("{KEY}: {expected}"))
    })?;
    Ok(Some(found.to_owned()))
}

/// `bos_token`, `eos_token` and the like: texts, or objects that hold one.
fn special_tokens(config: &Json) -> Value {
    let entries = config.as_object().into_iter().flatten().filter(|(key, _)| key.ends_with("_token"));
    Value::from_pairs(entries.filter_map(|(key, value)| {
        let text = value.as_str().or_else(|| value["content"].as_str())?;
        Some((key.as_str(), text))
    }))
}

fn fault(path: &Path, error: &minijinja::Error) -> Error {
    let line = error.line().map(|line| format!("line {line}: ")).unwrap_or_default();
    let reason = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    damaged(path, format!("{line}the chat template cannot be used here: {reason}"))
}

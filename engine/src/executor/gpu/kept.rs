//! What a driver has compiled, kept on disk from one start of the program to the next. No fault of it is an error: shaders are
//! compiled again then.

use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::context::{Context, guard};
use crate::error::Result;
use crate::files;

/// A driver's cache of pipelines, and its file.
pub(super) struct Kept {
    file: PathBuf,
    cache: wgpu::PipelineCache,
    /// Whether the cache was used since it was last written.
    used: AtomicBool,
    /// Checksum of what the file holds.
    written: Mutex<Option<u64>>,
}

impl Kept {
    /// That of `context`'s device, with what `folder` holds for it. None where its driver gives nothing out.
    pub(super) fn open(context: &Context, folder: &Path) -> Option<Kept> {
        let name = wgpu::util::pipeline_cache_key(&context.info)?;
        if !context.device.features().contains(wgpu::Features::PIPELINE_CACHE) {
            return None;
        }
        let file = folder.join(name);
        let data = read(&file).unwrap_or_else(|error| {
            tracing::warn!(%error, "compiled shaders cannot be read; they are made anew");
            None
        });
        let written = data.as_deref().map(checksum);
        let cache = data.and_then(|data| cache(context, Some(&data))).or_else(|| cache(context, None))?;
        Some(Kept { file, cache, used: AtomicBool::new(false), written: Mutex::new(written) })
    }

    /// The cache, for a pipeline to be made.
    pub(super) fn cache(&self) -> &wgpu::PipelineCache {
        self.used.store(true, Ordering::Relaxed);
        &self.cache
    }

    /// Writes the file, unless it holds the same already.
    pub(super) fn save(&self) {
        let mut written = guard(&self.written);
        if !self.used.swap(false, Ordering::Relaxed) {
            return;
        }
        let Some(data) = self.cache.get_data() else { return };
        let sum = checksum(&data);
        if *written == Some(sum) {
            return;
        }
        match files::write(&self.file, &[&sum.to_le_bytes(), &data[..]].concat()) {
            Ok(()) => *written = Some(sum),
            Err(error) => {
                tracing::warn!(file = %self.file.display(), %error, "compiled shaders cannot be kept");
            }
        }
    }
}

/// A cache that begins with `data`. None where the device refuses that, which is logged.
fn cache(context: &Context, data: Option<&[u8]>) -> Option<wgpu::PipelineCache> {
    let descriptor = wgpu::PipelineCacheDescriptor { label: None, data, fallback: true };
    // SAFETY: the data is what a driver gave out, as its checksum says; whether it was this driver, in this version, is checked by
    // the header that wgpu writes before it.
    let make = || unsafe { context.device.create_pipeline_cache(&descriptor) };
    let made = context.accepted("the compiled shaders that were kept", make);
    made.inspect_err(|error| tracing::warn!(%error, "shaders are compiled anew")).ok()
}

/// What [`Kept::save`] wrote; none where there is no file, or where it is damaged.
fn read(file: &Path) -> Result<Option<Vec<u8>>> {
    let Some(bytes) = files::read_optional(file)? else { return Ok(None) };
    match bytes.split_first_chunk() {
        Some((sum, data)) if u64::from_le_bytes(*sum) == checksum(data) => Ok(Some(data.to_vec())),
        _ => Err(files::damaged(file, "its checksum does not fit".into())),
    }
}

fn checksum(data: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(data);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cancel::Cancel;
    use crate::executor::Executor;
    use crate::kernels::advance;
    use crate::recording::Recording;
    use crate::settings::{Device, Options};
    use crate::shape::Element;

    /// Makes a pipeline and runs it, with what `folder` holds, and keeps it there.
    fn run(folder: &Path) {
        let pipelines = Some(folder.to_owned());
        let options = Options { device: Device::Gpu, pipelines, ..Options::default() };
        let mut executor =
            Executor::open(&options, None).expect("a Vulkan driver, such as Mesa's lavapipe").0;
        let counter = executor.memory().allocate([4].into(), Element::F32).unwrap();
        let mut rec = Recording::new();
        advance::advance_f32(&mut rec, counter, 1).unwrap();
        let mut program = executor.prepare(rec).unwrap();
        executor.run(&mut program, &Cancel::new()).unwrap();
        assert_eq!(executor.memory().read_f32(counter).unwrap(), [1.0; 4]);
    }

    fn only_file(folder: &Path) -> PathBuf {
        let [file] = std::fs::read_dir(folder).unwrap().collect::<Vec<_>>().try_into().unwrap();
        file.unwrap().path()
    }

    #[test]
    fn what_was_compiled_is_kept_and_written_only_where_it_is_new() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("made/anew");
        run(&folder);
        let file = only_file(&folder);
        let kept = read(&file).unwrap().unwrap();
        assert!(kept.starts_with(b"WGPUPLCH"));
        let written = std::fs::metadata(&file).unwrap().modified().unwrap();
        run(&folder);
        assert_eq!(std::fs::metadata(only_file(&folder)).unwrap().modified().unwrap(), written);
    }

    #[test]
    fn a_damaged_file_does_no_harm_and_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        run(dir.path());
        let file = only_file(dir.path());
        let (whole, data) = (std::fs::read(&file).unwrap(), read(&file).unwrap().unwrap());
        let summed = |data: &[u8]| [&checksum(data).to_le_bytes(), data].concat();
        let changed = |at: usize| [&data[..at], &[data[at] ^ 1], &data[at + 1..]].concat();
        let damaged = [
            Vec::new(),
            vec![7; 3],
            vec![7; 4096],
            whole[..whole.len() - 1].to_vec(),
            [&whole[..40], &[whole[40] ^ 1], &whole[41..]].concat(),
            // With the right checksum: no header, half of one, less than it says, another device's, another driver's.
            summed(&[7; 4096]),
            summed(&data[..30]),
            summed(&data[..data.len() - 1]),
            summed(&changed(20)),
            summed(&changed(40)),
        ];
        for (i, bytes) in damaged.iter().enumerate() {
            std::fs::write(&file, bytes).unwrap();
            assert_eq!(read(&file).is_err(), i < 5, "damage {i}");
            run(dir.path());
            assert!(read(&only_file(dir.path())).unwrap().unwrap().starts_with(b"WGPUPLCH"), "damage {i}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_no_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "mine").unwrap();
        run(&file);
        assert_eq!(std::fs::read(&file).unwrap(), b"mine");
    }
}

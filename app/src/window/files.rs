//! What the window writes to files that the person chose, and pictures that come from the clipboard. All of it runs beside the window's
//! thread.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use eframe::egui::{ColorImage, Context, Event};
use image::RgbaImage;
use tempfile::TempDir;

use super::UNSEEN;
use crate::clips::{Clips, Side};
use crate::command::Command;
use crate::export;
use crate::language::t;
use crate::state::{Attachment, Exchange};
use crate::wav;

/// Asks for a file and writes the answer of `turn` to it.
pub(super) fn save_speech(clips: &Clips, turn: u64) -> Command {
    let Some(clip) = clips.get(turn, Side::Answer) else {
        return Command::Wrote(Err(t!("This sound is not kept any more: newer ones took its place.").into()));
    };
    let dialog = rfd::FileDialog::new().set_title(t!("Save what was said")).set_file_name(t!("answer.wav"));
    choose(
        || dialog.add_filter("WAV", &["wav"]).save_file(),
        |path| wav::write_i16(path, &clip.samples, clip.rate_hz).map(|()| path.to_path_buf()),
    )
}

/// Asks for a folder and writes the conversation to a new folder in it.
pub(super) fn export(model: &str, exchanges: &[Exchange], clips: &Clips) -> Command {
    let dialog = rfd::FileDialog::new().set_title(t!("Choose where the conversation is written to"));
    choose(|| dialog.pick_folder(), |path| export::write(path, model, exchanges, clips))
}

/// Asks where something is written to, and writes it.
pub(super) fn choose(
    dialog: impl FnOnce() -> Option<PathBuf>,
    write: impl FnOnce(&Path) -> anyhow::Result<PathBuf>,
) -> Command {
    let shown = Instant::now();
    let Some(path) = dialog() else {
        return Command::PickedNothing { at_once: shown.elapsed() < UNSEEN };
    };
    Command::Wrote(match write(&path) {
        Ok(written) => Ok(t!("Written to %{file}.", file = written.display()).into()),
        Err(error) => Err(t!("%{error}. Choose another place.", error = format!("{error:#}")).into()),
    })
}

/// Pictures that were pasted in this frame.
pub(super) fn pasted_pictures(context: &Context) -> Vec<Arc<ColorImage>> {
    let picture = |event: &Event| match event {
        Event::PasteImage(picture) => Some(picture.clone()),
        _ => None,
    };
    context.input(|input| input.events.iter().filter_map(picture).collect())
}

/// Writes a pasted picture to `path`, to go with the next question.
pub(super) fn paste(picture: &ColorImage, path: &Path) -> Command {
    let [width, height] = picture.size.map(|side| side as u32);
    let pixels = picture.pixels.iter().flat_map(|pixel| pixel.to_srgba_unmultiplied()).collect();
    let saved = RgbaImage::from_raw(width, height, pixels)
        .ok_or_else(|| t!("The picture on the clipboard is broken. Copy it again.").into_owned())
        .and_then(|picture| {
            picture.save(path).map_err(|e| {
                t!("The picture on the clipboard cannot be kept: %{error}.", error = e).into_owned()
            })
        });
    Command::Attach(saved.and_then(|()| Attachment::open(path)))
}

/// A folder of pictures from the clipboard, made with the first of them. It goes with the window.
#[derive(Default)]
pub(super) struct Pasted {
    folder: Option<TempDir>,
    pictures: usize,
}

impl Pasted {
    /// Where the next picture is written to.
    ///
    /// # Errors
    /// A sentence: the folder cannot be made.
    pub(super) fn next(&mut self) -> Result<PathBuf, String> {
        let folder = match self.folder.take() {
            Some(folder) => folder,
            None => tempfile::Builder::new().prefix("colloquy-").tempdir().map_err(|e| {
                t!("There is no room for the picture on the clipboard: %{error}.", error = e).into_owned()
            })?,
        };
        self.pictures += 1;
        let path = folder.path().join(format!("pasted-{}.png", self.pictures));
        self.folder = Some(folder);
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eframe::egui::Color32;

    #[test]
    fn a_pasted_picture_becomes_an_attachment_and_goes_with_the_window() {
        let mut pasted = Pasted::default();
        let (first, second) = (pasted.next().unwrap(), pasted.next().unwrap());
        assert_ne!(first, second);
        let picture = ColorImage::filled([3, 2], Color32::RED);
        let Command::Attach(Ok(attachment)) = paste(&picture, &first) else { panic!() };
        let thumbnail = attachment.thumbnail.unwrap();
        assert_eq!((thumbnail.width(), thumbnail.height()), (3, 2));
        assert_eq!(thumbnail.get_pixel(0, 0).0, [255, 0, 0, 255]);
        drop(pasted);
        assert!(!first.exists());
        let Command::Attach(Err(message)) = paste(&picture, &first) else { panic!() };
        assert!(message.contains("clipboard"), "{message}");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let written = choose(
            || Some("no/such/folder/a.wav".into()),
            |path| wav::write_i16(path, &[0.0], 24_000).map(|()| path.to_path_buf()),
        );
        let Command::Wrote(Err(message)) = written else { panic!("{written:?}") };
        assert!(message.contains("no/such/folder/a.wav"), "{message}");
    }
}

//! Sound.
/// A clip.
#[derive(Clone, Debug)]
pub struct Audio {
    /// Mono, 16 kHz.
    pub samples: Vec<f32>,
}
impl Audio {
    /// Opens.
    pub fn open(_path: &std::path::Path) -> crate::Result<Audio> {
        todo!()
    }
}

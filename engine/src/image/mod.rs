//! Pictures.
/// A picture.
#[derive(Clone, Debug)]
pub struct Image {}
/// Frames.
#[derive(Clone, Debug)]
pub struct Video {}
impl Image {
    /// Opens.
    pub fn open(_path: &std::path::Path) -> crate::Result<Image> {
        todo!()
    }
}
impl Video {
    /// Opens.
    pub fn open(_path: &std::path::Path, _fps: Option<f32>) -> crate::Result<Video> {
        todo!()
    }
}

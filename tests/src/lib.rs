pub mod checkpoints;
pub mod talks;

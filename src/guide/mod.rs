//! Chapters for those who use the layers, and for those who write one.

pub mod backend;
pub mod browser;
pub mod items;
pub mod logs;
pub mod order;
pub mod privacy;
pub mod sampling;
pub mod segments;
pub mod shutdown;
pub mod upgrade;

mod frame;

pub use self::frame::{CodeContext, Frame};

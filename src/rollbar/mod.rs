//! Rollbar: every failure once, with its request, its user and its stack.

mod causes;
mod class;
mod draft;
mod item;
mod lines;
mod name;
mod panic;
mod path;
mod place;
mod project;
mod shown;
mod stack;
mod symbol;
mod trim;

pub use self::item::*;
pub use self::panic::{Panic, PanicHook};
pub use self::place::Place;
pub use self::project::Project;
pub use self::stack::Stack;

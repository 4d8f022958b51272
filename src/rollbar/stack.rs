use std::{
    fmt,
    ptr::with_exposed_provenance_mut,
    sync::{PoisonError, RwLock, RwLockReadGuard, TryLockError},
};

use super::{
    shown,
    symbol::Symbol,
    trim::{Top, trim},
};

/// The functions that were running, as addresses: captured where it happened, in a few microseconds and one allocation, and
/// given names later, on a thread that may block.
///
/// It keeps the most recent 128 functions; what was inlined into them comes on top of that.
///
/// ```
/// use belvedere::rollbar::{Place, Project, Stack};
///
/// #[track_caller]
/// fn here() -> (Stack, Place) {
///     (Stack::capture(), Place::here())
/// }
///
/// let (stack, place) = here();
/// let frames = Project::new("/app").frames(Some(&stack), Some(&place), Some("GET /carts/{id}"));
/// assert_eq!(frames.first().and_then(|frame| frame.method.as_deref()), Some("GET /carts/{id}"));
/// assert_eq!(frames.last().and_then(|frame| frame.lineno), Some(place.line()));
/// ```
///
/// # What it costs
///
/// Capturing takes 1 µs where the stack is flat, 3 µs with 20 functions, 10 µs with 128 and more, and one allocation of at
/// most 1 KiB; in a panic that comes on top of the 2 µs of the panic itself. Names are looked up in the program's own debug information:
/// some 20 to 500 µs each time, and the first time in a process 1 to 130 ms, because all of it has to be read.
///
/// # What it shows
///
/// | `[profile.release]` | |
/// |---|---|
/// | as it is by default | names without files; what was inlined, as most handlers are, is not there |
/// | `debug = "line-tables-only"` | files and lines, names without their modules |
/// | `debug = "limited"` | all of it |
/// | `strip = "symbols"` | nothing |
pub struct Stack {
    captured: Captured,
    top: Top,
}

enum Captured {
    Addresses(Box<[usize]>),
    /// Boxed, as it is rare.
    Std(Box<std::backtrace::Backtrace>),
    Text(Box<str>),
}

// ===== impl Stack =====

impl Stack {
    /// The functions that are running.
    ///
    /// It never waits for a stack that is given its names meanwhile.
    #[inline(never)]
    #[must_use]
    pub fn capture() -> Self {
        Self { captured: Captured::now(), top: Top::Call }
    }

    /// The same, in a panic hook.
    #[inline(never)]
    pub(super) fn of_panic() -> Self {
        Self { captured: Captured::now(), top: Top::Panic }
    }

    /// A stack that is known as text: what `{}` shows of the backtrace that an error of anyhow or eyre carries.
    ///
    /// To make that text may take as long as to give a stack its names. A backtrace of one's own is better handed over whole,
    /// by [`From`].
    #[must_use]
    pub fn shown(backtrace: impl fmt::Display) -> Self {
        let mut text = Text(String::new());
        // It is an error if there is more to show than is read.
        let _ = fmt::write(&mut text, format_args!("{backtrace}"));
        Self { captured: Captured::Text(text.0.into()), top: Top::Call }
    }

    /// About how many bytes it takes, in memory and as frames in JSON. Rather too large.
    pub(super) fn size(&self) -> usize {
        match &self.captured {
            Captured::Addresses(addresses) => addresses.len() * FRAME,
            Captured::Std(_) => DEEPEST * FRAME,
            Captured::Text(text) => text.len() * 2,
        }
    }

    /// The functions that say where it happened, the most recent first. It may take long.
    pub(super) fn symbols(&self) -> Vec<Symbol> {
        trim(self.captured.symbols(), self.top)
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack").field("top", &self.top).finish_non_exhaustive()
    }
}

/// A backtrace of the standard library; its names are looked up later.
impl From<std::backtrace::Backtrace> for Stack {
    fn from(backtrace: std::backtrace::Backtrace) -> Self {
        Self { captured: Captured::Std(backtrace.into()), top: Top::Call }
    }
}

// ===== impl Captured =====

impl Captured {
    // The crate has one lock for capturing and for looking up, and the standard library has another. So that nobody who
    // captures waits for a lookup, which may take 100 ms, whichever lock is free is taken.
    #[inline(never)]
    fn now() -> Self {
        match reading() {
            Some(_reading) => Self::Addresses(addresses()),
            None => Self::Std(std::backtrace::Backtrace::force_capture().into()),
        }
    }

    fn symbols(&self) -> Vec<Symbol> {
        match self {
            Self::Addresses(addresses) => {
                let _writing = LOOKUP.write().unwrap_or_else(PoisonError::into_inner);
                addresses.iter().flat_map(|address| lookup(*address)).collect()
            }
            // The long form has whole paths.
            Self::Std(backtrace) => shown::symbols(&format!("{backtrace:#}")),
            Self::Text(text) => shown::symbols(text),
        }
    }
}

/// The beginning of a text.
struct Text(String);

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = LONGEST.saturating_sub(self.0.len());
        self.0.push_str(&text[..text.floor_char_boundary(room)]);
        if text.len() > room { Err(fmt::Error) } else { Ok(()) }
    }
}

fn reading() -> Option<RwLockReadGuard<'static, ()>> {
    match LOOKUP.try_read() {
        Ok(reading) => Some(reading),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

#[inline(never)]
fn addresses() -> Box<[usize]> {
    let (mut addresses, mut count) = ([0; DEEPEST], 0);
    backtrace::trace(|frame| {
        addresses[count] = frame.ip().expose_provenance();
        count += 1;
        count < DEEPEST
    });
    addresses[..count].into()
}

/// The function at an address, after those that were inlined into it.
fn lookup(address: usize) -> Vec<Symbol> {
    let mut symbols = Vec::new();
    backtrace::resolve(with_exposed_provenance_mut(address), |symbol| symbols.extend(Symbol::of(symbol)));
    symbols
}

/// Held while names are looked up.
static LOOKUP: RwLock<()> = RwLock::new(());

/// How many functions are kept of a stack.
pub(super) const DEEPEST: usize = 128;

/// How many bytes are read of a stack that is known as text.
const LONGEST: usize = 256 * 1024;

/// What a frame takes in JSON, with the lines around it.
const FRAME: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[inline(never)]
    fn deep(depth: usize) -> Captured {
        let captured = if depth == 0 { Captured::now() } else { deep(depth - 1) };
        std::hint::black_box(&captured);
        captured
    }

    fn names(captured: &Captured) -> Vec<String> {
        captured.symbols().into_iter().map(|symbol| symbol.name).collect()
    }

    #[test]
    fn a_stack_has_at_most_128_functions() {
        let Captured::Addresses(addresses) = deep(500) else { unreachable!("nothing is looked up") };
        assert_eq!(addresses.len(), DEEPEST);
    }

    #[test]
    fn a_stack_is_captured_while_another_is_given_its_names() {
        let looking_up = LOOKUP.write().unwrap();
        let captured = deep(0);
        drop(looking_up);
        assert!(matches!(captured, Captured::Std(_)));
        assert!(names(&captured).iter().any(|name| name.ends_with("stack::tests::deep")));
    }

    #[test]
    fn names_are_the_same_whichever_library_captured_them() {
        let ours = names(&deep(2));
        let looking_up = LOOKUP.write().unwrap();
        let theirs = deep(2);
        drop(looking_up);
        let from = |names: &[String]| {
            names.iter().skip_while(|name| !name.ends_with("deep")).cloned().collect::<Vec<_>>()
        };
        assert_eq!(from(&ours)[..3], from(&names(&theirs))[..3]);
    }

    #[test]
    fn a_text_is_read_as_far_as_its_bounds() {
        let Captured::Text(text) = Stack::shown("é".repeat(LONGEST)).captured else { unreachable!() };
        assert!(text.len() <= LONGEST);
    }

    #[test]
    fn a_stack_goes_to_another_thread() {
        fn sent<T: Send + Sync + 'static>() {}
        sent::<Stack>();
    }
}

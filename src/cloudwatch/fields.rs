use std::{
    cell::Cell,
    error::Error,
    fmt::{self, Write as _},
    ops::Range,
    sync::Arc,
};

use tracing::field::{Field, Visit};

use crate::{exchange, observe::quietly};

/// The fields of an event or of a span, as they were when they were recorded: numbers are copied, texts are written. Clones
/// share them.
///
/// They lie one behind the other: a tag, the place of the field's name in its metadata, the value. Nothing is escaped
/// and nothing is scrubbed yet.
#[derive(Clone, Default)]
pub(super) struct Fields {
    bytes: Arc<[u8]>,
    weight: usize,
}

/// What a field says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Text { text: &'a str, is_cut: bool },
    Int(i64),
    Uint(u64),
    Wide(i128),
    WideUint(u128),
    Float(f64),
    Bool(bool),
}

/// Records fields, into a buffer that a thread has once. While a thread holds its pen, it gets no second one: what logs
/// while it is logged is not logged.
pub(super) struct Pen {
    bytes: Vec<u8>,
    weight: usize,
    room: usize,
    is_borrowed: bool,
}

/// A text that ends where its room does.
struct Bounded<'a> {
    bytes: &'a mut Vec<u8>,
    room: usize,
    is_cut: bool,
}

thread_local! {
    static BUFFER: Cell<Option<Vec<u8>>> = const { Cell::new(Some(Vec::new())) };
}

// ===== impl Fields =====

impl Fields {
    /// At least how many bytes they are as members of a JSON object, unless there are secrets among them.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    /// Where they lie: at the same place, while there are any, there are no others.
    pub(super) fn address(&self) -> usize {
        self.bytes.as_ptr().addr()
    }

    /// The values, each with the place of its name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, Value<'_>)> {
        self.parts().map(|(index, value, _)| (index.into(), value))
    }

    /// The value of the field of this place.
    pub(super) fn find(&self, place: usize) -> Option<Value<'_>> {
        self.iter().find_map(|(at, value)| (at == place).then_some(value))
    }

    fn parts(&self) -> impl Iterator<Item = (u8, Value<'_>, Range<usize>)> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let start = at;
            let (index, value, rest) = read(self.bytes.get(at..)?)?;
            at = self.bytes.len() - rest;
            Some((index, value, start..at))
        })
    }
}

/// The first field, and how many bytes come after it.
fn read(bytes: &[u8]) -> Option<(u8, Value<'_>, usize)> {
    let (&[tag, index], rest) = bytes.split_first_chunk()?;
    let (value, rest) = match tag {
        TEXT | CUT => {
            let (length, rest) = rest.split_first_chunk()?;
            let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            let text = std::str::from_utf8(text).ok()?;
            (Value::Text { text, is_cut: tag == CUT }, rest)
        }
        INT => rest.split_first_chunk().map(|(int, rest)| (Value::Int(i64::from_le_bytes(*int)), rest))?,
        UINT => rest.split_first_chunk().map(|(int, rest)| (Value::Uint(u64::from_le_bytes(*int)), rest))?,
        WIDE => rest.split_first_chunk().map(|(int, rest)| (Value::Wide(i128::from_le_bytes(*int)), rest))?,
        WIDE_UINT => {
            rest.split_first_chunk().map(|(int, rest)| (Value::WideUint(u128::from_le_bytes(*int)), rest))?
        }
        FLOAT => {
            rest.split_first_chunk().map(|(float, rest)| (Value::Float(f64::from_le_bytes(*float)), rest))?
        }
        _ => rest.split_first().map(|(bool, rest)| (Value::Bool(*bool != 0), rest))?,
    };
    Some((index, value, rest.len()))
}

// ===== impl Value =====

impl Value<'_> {
    fn weight(self) -> usize {
        match self {
            Self::Text { text, .. } => ROUNDING + weight(text),
            Self::Wide(_) | Self::WideUint(_) => WIDEST,
            _ => LARGEST_NUMBER,
        }
    }
}

// ===== impl Pen =====

impl Pen {
    /// The thread's, unless it is in use.
    pub(super) fn take() -> Option<Self> {
        match BUFFER.try_with(Cell::take) {
            Ok(bytes) => Some(Self::new(bytes?, true)),
            // The thread is ending.
            Err(_) => Some(Self::new(Vec::new(), false)),
        }
    }

    fn new(bytes: Vec<u8>, is_borrowed: bool) -> Self {
        Self { bytes, weight: 0, room: 0, is_borrowed }
    }

    /// What `write` records, of at most this weight.
    pub(super) fn fields(&mut self, most: usize, write: impl FnOnce(&mut dyn Visit)) -> Fields {
        self.begin(most, write);
        self.end()
    }

    /// What has been recorded since it [began](Self::begin), and of what was there before what that does not replace.
    pub(super) fn end_after(&mut self, earlier: &Fields) -> Fields {
        let later = self.bytes.len();
        for (index, value, range) in earlier.parts() {
            if !self.has(index, later) && self.admits(value.weight()) {
                self.bytes.extend_from_slice(&earlier.bytes[range]);
            }
        }
        self.end()
    }

    /// Records what `write` does, of at most this weight.
    pub(super) fn begin(&mut self, most: usize, write: impl FnOnce(&mut dyn Visit)) {
        self.bytes.clear();
        (self.weight, self.room) = (0, most);
        write(self);
    }

    fn end(&mut self) -> Fields {
        if self.bytes.is_empty() {
            return Fields::default();
        }
        Fields { bytes: Arc::from(&*self.bytes), weight: self.weight }
    }

    /// Whether a field is among the first bytes.
    fn has(&self, index: u8, before: usize) -> bool {
        let mut rest = &self.bytes[..before];
        while let Some((other, _, left)) = read(rest) {
            if other == index {
                return true;
            }
            rest = &rest[rest.len() - left..];
        }
        false
    }

    fn admits(&mut self, weight: usize) -> bool {
        let room = self.room.checked_sub(weight);
        if let Some(room) = room {
            (self.weight, self.room) = (self.weight + weight, room);
        }
        room.is_some()
    }

    /// Begins a field, unless there is no room for it.
    fn open(&mut self, tag: u8, field: &Field, value: usize) -> bool {
        let Ok(index) = u8::try_from(field.index()) else { return false };
        let opens = self.admits(MEMBER + weight(field.name()) + value);
        if opens {
            self.bytes.extend_from_slice(&[tag, index]);
        }
        opens
    }

    fn number<const N: usize>(&mut self, tag: u8, field: &Field, bytes: [u8; N], value: usize) {
        if self.open(tag, field, value) {
            self.bytes.extend_from_slice(&bytes);
        }
    }

    fn text(&mut self, field: &Field, write: impl FnOnce(&mut Bounded<'_>)) {
        let start = self.bytes.len();
        if !self.open(TEXT, field, ROUNDING) {
            return;
        }
        self.bytes.extend_from_slice(&[0; 4]);
        let room = self.room.min(LONGEST);
        let mut bounded = Bounded { bytes: &mut self.bytes, room, is_cut: false };
        write(&mut bounded);
        let (left, is_cut) = (bounded.room, bounded.is_cut);
        self.admits(room - left);
        let length = self.bytes.len() - start - 6;
        #[allow(clippy::cast_possible_truncation, reason = "it is shorter than its room")]
        self.bytes[start + 2..start + 6].copy_from_slice(&(length as u32).to_le_bytes());
        if is_cut {
            self.bytes[start] = CUT;
        }
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        if self.is_borrowed {
            let bytes = std::mem::take(&mut self.bytes);
            // One long event must not keep its memory for good.
            let kept = if bytes.capacity() > KEPT { Vec::new() } else { bytes };
            let _ = BUFFER.try_with(|buffer| buffer.set(Some(kept)));
        }
    }
}

impl Visit for Pen {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // It fails where there is no more room, which is no reason not to keep the beginning; nor is a panic.
        self.text(field, |text| {
            if quietly(|| text.write_fmt(format_args!("{value:?}"))).is_none() {
                text.is_cut = true;
            }
        });
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, |text| _ = text.write_str(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.text(field, |text| match quietly(|| exchange::messages(value)) {
            Some(messages) => _ = text.write_str(&messages),
            None => text.is_cut = true,
        });
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.number(INT, field, value.to_le_bytes(), LARGEST_NUMBER);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(UINT, field, value.to_le_bytes(), LARGEST_NUMBER);
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.number(WIDE, field, value.to_le_bytes(), WIDEST);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.number(WIDE_UINT, field, value.to_le_bytes(), WIDEST);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.number(FLOAT, field, value.to_le_bytes(), LARGEST_NUMBER);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.number(BOOL, field, [value.into()], LARGEST_NUMBER);
    }
}

// ===== impl Bounded =====

impl fmt::Write for Bounded<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let weight = weight(text);
        if let Some(room) = self.room.checked_sub(weight) {
            self.room = room;
            self.bytes.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        let mut beginning = 0;
        for letter in text.chars() {
            let Some(room) = self.room.checked_sub(self::weight(letter.encode_utf8(&mut [0; 4]))) else {
                break;
            };
            self.room = room;
            beginning += letter.len_utf8();
        }
        self.bytes.extend_from_slice(&text.as_bytes()[..beginning]);
        self.is_cut = true;
        Err(fmt::Error)
    }
}

/// At least how many bytes a text is between the quotes of JSON.
pub(super) fn weight(text: &str) -> usize {
    text.bytes().map(|byte| usize::from(WEIGHTS[usize::from(byte)])).sum()
}

/// How many bytes one is at most.
static WEIGHTS: [u8; 256] = {
    let mut weights = [1; 256];
    let mut byte = 0;
    while byte < b' ' {
        weights[byte as usize] = 6;
        byte += 1;
    }
    weights[DELETE as usize] = 6;
    weights[b'"' as usize] = 2;
    weights[b'\\' as usize] = 2;
    weights[C1 as usize] = 5;
    weights[SEPARATORS as usize] = 4;
    weights
};

const DELETE: u8 = 0x7f;
/// What UTF-8 begins the further control characters with, and some letters.
const C1: u8 = 0xc2;
/// What it begins U+2028 and U+2029 with, what turns the direction of writing, and much else.
const SEPARATORS: u8 = 0xe2;

const TEXT: u8 = 0;
/// A text that is not all that was said.
const CUT: u8 = 1;
const INT: u8 = 2;
const UINT: u8 = 3;
const WIDE: u8 = 4;
const WIDE_UINT: u8 = 5;
const FLOAT: u8 = 6;
const BOOL: u8 = 7;

/// How much of a text is kept, as JSON.
pub(super) const LONGEST: usize = 32 * 1024;

/// Quotes, a colon and a comma, around and behind a name.
const MEMBER: usize = 4;

/// A text's quotes, and a mark where it was cut; or what stands for it, if it is a secret.
const ROUNDING: usize = 10;

const LARGEST_NUMBER: usize = 25;
const WIDEST: usize = 42;

/// How large a buffer a thread keeps.
const KEPT: usize = 16 * 1024;

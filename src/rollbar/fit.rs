//! Items that are too large for Rollbar, made smaller.

use std::io::{self, Write};

use serde::Serialize as _;
use serde_json::{Map, Serializer, Value};

use super::item::{Content, Custom, Data, Frame, Item, Levels, Notifier, TOO_DEEP, beginning, shorten};

/// The item as JSON in at most `most` bytes, or in [`LEAST`] if that is less than those.
///
/// An item that is larger loses what is missed the least, step by step, and notes it: `notifier.diagnostic.truncation`.
/// It always keeps its uuid, level, environment, fingerprint and time, of an error its class, the beginning of what it
/// says, and the oldest and the newest frame, and of a message its beginning.
pub(super) fn fit(item: &mut Item, most: usize) -> Vec<u8> {
    let most = most.max(LEAST);
    let mut steps = STEPS.iter();
    loop {
        match written(item, most) {
            Ok(json) => return json,
            Err(Excess::Levels) => note(item, flatten),
            Err(Excess::Bytes) => match steps.next() {
                Some(step) => note(item, |item| step.take(item)),
                None => return least(item, most),
            },
        }
    }
}

/// What may go, the least missed first.
enum Step {
    /// All but the oldest and the newest 50 of each stack.
    Frames,
    /// All but the newest breadcrumbs.
    Telemetry,
    /// All but so many characters of each text.
    Texts(usize),
    /// The request's body, form and headers.
    Request,
    /// All of the body but what an item is known by.
    Body,
}

/// Why an item cannot be written as it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Excess {
    Bytes,
    Levels,
}

/// Takes so many bytes and no more.
struct Room {
    bytes: Vec<u8>,
    most: usize,
}

// ===== impl Step =====

impl Step {
    /// Makes the item smaller, and says how.
    fn take(&self, item: &mut Item) -> Option<String> {
        match *self {
            Self::Frames => frames(item),
            Self::Telemetry => telemetry(item),
            Self::Texts(characters) => texts(item, characters),
            Self::Request => request(item),
            Self::Body => body(item),
        }
    }
}

// ===== impl Room =====

impl Write for Room {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.most - self.bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn written(item: &Item, most: usize) -> Result<Vec<u8>, Excess> {
    let (mut room, mut levels) = (Room { bytes: Vec::new(), most }, Levels::new(DEEPEST));
    match item.serialize(&mut Serializer::with_formatter(&mut room, &mut levels)) {
        Ok(()) => Ok(room.bytes),
        Err(_) if levels.is_too_deep() => Err(Excess::Levels),
        Err(_) => Err(Excess::Bytes),
    }
}

/// Takes something away, and has the item say so.
fn note(item: &mut Item, take: impl FnOnce(&mut Item) -> Option<String>) {
    let Some(note) = take(item) else { return };
    let notifier = item.data.notifier.get_or_insert_with(Notifier::belvedere);
    let notes = notifier.diagnostic.entry(TRUNCATION).or_insert_with(|| Value::Array(Vec::new()));
    match notes {
        Value::Array(notes) => notes.push(note.into()),
        other => *other = Value::Array(vec![note.into()]),
    }
}

/// Cuts off what is nested too deep to be read again.
fn flatten(item: &mut Item) -> Option<String> {
    let mut cut = 0;
    let mut visit = |value: &mut Value| cut += cut_levels(value, DEEPEST / 2);
    item.data.request.iter_mut().flat_map(|request| &mut request.body).for_each(&mut visit);
    item.maps_mut().into_iter().flat_map(Map::values_mut).for_each(&mut visit);
    let notifier = item.data.notifier.iter_mut();
    notifier.flat_map(|notifier| notifier.diagnostic.values_mut()).for_each(&mut visit);
    (cut > 0).then(|| format!("levels: {cut} values are nested too deep"))
}

fn cut_levels(value: &mut Value, levels: usize) -> usize {
    match value {
        Value::Array(_) | Value::Object(_) if levels == 0 => {
            *value = TOO_DEEP.into();
            1
        }
        Value::Array(values) => values.iter_mut().map(|value| cut_levels(value, levels - 1)).sum(),
        Value::Object(map) => map.values_mut().map(|value| cut_levels(value, levels - 1)).sum(),
        _ => 0,
    }
}

fn frames(item: &mut Item) -> Option<String> {
    let traces = item.data.body.content.traces_mut();
    let cut: usize = traces.iter_mut().map(|trace| cut_frames(&mut trace.frames, FRAMES)).sum();
    (cut > 0).then(|| format!("frames: {cut} are left out"))
}

/// Keeps so many of the oldest and of the newest.
fn cut_frames(frames: &mut Vec<Frame>, most: usize) -> usize {
    let cut = frames.len().saturating_sub(2 * most);
    if cut > 0 {
        frames.drain(most..most + cut);
    }
    cut
}

fn telemetry(item: &mut Item) -> Option<String> {
    let telemetry = &mut item.data.body.telemetry;
    let cut = telemetry.len().saturating_sub(TELEMETRY);
    telemetry.drain(..cut);
    (cut > 0).then(|| format!("telemetry: {cut} are left out"))
}

fn texts(item: &mut Item, characters: usize) -> Option<String> {
    let mut cut = 0;
    for text in item.texts_mut() {
        cut += usize::from(shorten(text, characters));
    }
    for map in item.maps_mut() {
        cut += cut_map(map, characters);
    }
    if let Some(body) = item.data.request.as_mut().and_then(|request| request.body.as_mut()) {
        cut += cut_texts(body, characters);
    }
    for frame in item.data.body.content.traces_mut().iter_mut().flat_map(|trace| &mut trace.frames) {
        cut += cut_frame(frame, characters);
    }
    (cut > 0).then(|| format!("texts: {cut} have {characters} characters"))
}

fn cut_texts(value: &mut Value, characters: usize) -> usize {
    match value {
        Value::String(text) => usize::from(shorten(text, characters)),
        Value::Array(values) => values.iter_mut().map(|value| cut_texts(value, characters)).sum(),
        Value::Object(map) => cut_map(map, characters),
        _ => 0,
    }
}

/// The names, too.
fn cut_map(map: &mut Map<String, Value>, characters: usize) -> usize {
    let mut cut = map.values_mut().map(|value| cut_texts(value, characters)).sum();
    if map.keys().any(|key| beginning(key, characters).len() < key.len()) {
        let fields = std::mem::take(map).into_iter().map(|(mut key, value)| {
            cut += usize::from(shorten(&mut key, characters));
            (key, value)
        });
        *map = fields.collect();
    }
    cut
}

/// Items are told apart by their files and functions, so these stay what they are as long as possible.
fn cut_frame(frame: &mut Frame, characters: usize) -> usize {
    let Frame { filename, method, code, context, .. } = frame;
    let names = [Some(filename), method.as_mut()].into_iter().flatten();
    let names: usize = names.map(|name| usize::from(shorten(name, characters.max(NAME)))).sum();
    let around = context.iter_mut().flat_map(|context| context.pre.iter_mut().chain(&mut context.post));
    names + code.iter_mut().chain(around).map(|line| usize::from(shorten(line, characters))).sum::<usize>()
}

fn request(item: &mut Item) -> Option<String> {
    let request = item.data.request.as_mut()?;
    let is_there = request.body.take().is_some();
    let maps = [&mut request.headers, &mut request.post, &mut request.extra.0];
    let left_out: usize = maps.into_iter().map(|map| std::mem::take(map).len()).sum();
    let left_out = left_out + usize::from(is_there);
    (left_out > 0).then(|| format!("request: {left_out} headers and parts of the body are left out"))
}

fn body(item: &mut Item) -> Option<String> {
    let body = &mut item.data.body;
    body.telemetry.clear();
    if let Content::TraceChain(chain) = &mut body.content {
        chain.truncate(1);
    }
    for trace in body.content.traces_mut() {
        trace.extra.0.clear();
        trace.exception.description = None;
        cut_frames(&mut trace.frames, 1);
        for frame in &mut trace.frames {
            (frame.code, frame.context) = (None, None);
            cut_frame(frame, NAME);
        }
    }
    if let Content::Message(message) = &mut body.content {
        message.extra.0.clear();
    }
    for text in item.texts_mut() {
        shorten(text, NAME);
    }
    item.data.notifier.as_mut().map(notifier);
    Some("body: only its beginning is left".to_owned())
}

/// Keeps what is noted of it here.
fn notifier(notifier: &mut Notifier) {
    notifier.extra.0.clear();
    notifier.name = beginning(&notifier.name, WORD).to_owned().into();
    notifier.version = notifier.version.take().map(|version| beginning(&version, WORD).to_owned().into());
    let notes = notifier.diagnostic.remove(TRUNCATION);
    notifier.diagnostic.clear();
    if let Some(Value::Array(mut notes)) = notes {
        notes.drain(..notes.len().saturating_sub(NOTES));
        for note in &mut notes {
            cut_levels(note, 0);
            cut_texts(note, NAME);
        }
        notifier.diagnostic.insert(TRUNCATION.to_owned(), notes.into());
    }
}

/// Without its largest fields. What is left then has limits of its own, or has been cut.
fn least(item: &mut Item, most: usize) -> Vec<u8> {
    note(item, flatten);
    note(item, |item| fields(&mut item.data, most));
    written(item, most).unwrap_or_default()
}

/// Leaves out the largest fields, until the others have room.
fn fields(data: &mut Data, most: usize) -> Option<String> {
    let Ok(Value::Object(all)) = serde_json::to_value(&*data) else { return None };
    let mut sizes: Vec<_> = all.iter().map(|(name, value)| (size(value) + name.len(), name)).collect();
    sizes.sort_unstable_by_key(|(size, _)| std::cmp::Reverse(*size));
    let mut excess = (size(&all) + NOTE).saturating_sub(most);
    let mut left_out = Vec::new();
    for (size, name) in sizes {
        if excess > 0 && !KEPT.contains(&&**name) {
            forget(data, name);
            excess = excess.saturating_sub(size);
            left_out.push(format!("{} ({size} bytes)", beginning(name, WORD)));
        }
    }
    let others = left_out.len().saturating_sub(NOTES);
    left_out.truncate(NOTES);
    if others > 0 {
        left_out.push(format!("{others} others"));
    }
    (!left_out.is_empty()).then(|| format!("fields: {} are left out", left_out.join(", ")))
}

fn forget(data: &mut Data, name: &str) {
    match name {
        "code_version" => data.code_version = None,
        "platform" => data.platform = None,
        "language" => data.language = None,
        "framework" => data.framework = None,
        "context" => data.context = None,
        "request" => data.request = None,
        "person" => data.person = None,
        "server" => data.server = None,
        "project_package_paths" => data.project_package_paths.clear(),
        "client" => data.client = None,
        "custom" => data.custom = Custom::default(),
        "title" => data.title = None,
        "attributes" => data.attributes.clear(),
        other => drop(data.extra.0.remove(other)),
    }
}

/// How many bytes it takes.
fn size(value: &impl serde::Serialize) -> usize {
    serde_json::to_vec(value).map_or(0, |json| json.len())
}

const STEPS: [Step; 8] = [
    Step::Frames,
    Step::Telemetry,
    Step::Texts(1024),
    Step::Texts(512),
    Step::Texts(256),
    Step::Texts(128),
    Step::Request,
    Step::Body,
];

/// What an item is known by.
const KEPT: [&str; 7] = ["environment", "body", "level", "timestamp", "fingerprint", "uuid", "notifier"];

/// How many frames stay at either end of a stack.
const FRAMES: usize = 50;

/// How many breadcrumbs stay.
const TELEMETRY: usize = 10;

/// How many characters of a file's or a function's name stay, or of a message when little else does.
const NAME: usize = 255;

/// How many characters of a name stay where it is only told.
const WORD: usize = 40;

/// How many of the things that were left out are told.
const NOTES: usize = 12;

/// What such a note takes.
const NOTE: usize = 4 * 1024;

/// Others read no more than 128 levels.
const DEEPEST: usize = 64;

/// What is left of the largest item has room in it, whatever characters it is of.
pub(super) const LEAST: usize = 24 * 1024;

const TRUNCATION: &str = "truncation";

#[cfg(test)]
mod tests;

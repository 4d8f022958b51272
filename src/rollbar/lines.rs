use std::{
    collections::HashMap,
    fs,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use super::{CodeContext, Frame};

/// Source files that frames are in, as far as they are there to be read.
///
/// It reads at most 64 files of at most 1 MiB, each once.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines(Arc<Mutex<HashMap<PathBuf, Option<Source>>>>);

/// The lines of a file.
type Source = Arc<[Box<str>]>;

// ===== impl Lines =====

impl Lines {
    /// Puts the line of a frame onto it, and the four before and after it, from the first of the files that is there.
    pub(super) fn onto(&self, frame: &mut Frame, files: impl IntoIterator<Item = PathBuf>) {
        let Some(line) = frame.lineno.and_then(|line| (line as usize).checked_sub(1)) else { return };
        let Some(source) = files.into_iter().find_map(|file| self.source(file)) else { return };
        let Some(code) = source.get(line) else { return };
        frame.code = Some(code.to_string());
        let texts = |lines: &[Box<str>]| lines.iter().map(ToString::to_string).collect();
        let end = (line + 1 + AROUND).min(source.len());
        frame.context = Some(CodeContext {
            pre: texts(&source[line.saturating_sub(AROUND)..line]),
            post: texts(&source[line + 1..end]),
        });
    }

    fn source(&self, file: PathBuf) -> Option<Source> {
        let mut sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = sources.get(&file) {
            return source.clone();
        }
        if sources.len() >= MOST {
            return None;
        }
        let source = read(&file);
        sources.insert(file, source.clone());
        source
    }
}

/// A file of Rust, unless it is too large. What is no file, such as a pipe, is not opened.
fn read(file: &PathBuf) -> Option<Source> {
    let is_source = file.extension().is_some_and(|extension| extension == "rs");
    let facts = fs::metadata(file).ok().filter(|facts| is_source && facts.is_file())?;
    if facts.len() > LARGEST {
        return None;
    }
    let text = fs::read_to_string(file).ok()?;
    Some(text.lines().map(|line| line[..line.floor_char_boundary(LONGEST)].into()).collect())
}

/// How many lines are shown before and after.
const AROUND: usize = 4;

const MOST: usize = 64;

const LARGEST: u64 = 1 << 20;

/// How many bytes are shown of a line.
const LONGEST: usize = 500;

#[cfg(test)]
mod tests {
    use std::{env, process};

    use std::path::Path;

    use super::*;

    fn file(name: &str, text: &str) -> PathBuf {
        let file = env::temp_dir().join(format!("belvedere-lines-{}-{name}", process::id()));
        fs::write(&file, text).unwrap();
        file
    }

    fn frame(line: u32, file: &Path) -> Frame {
        let mut frame = Frame { lineno: Some(line), ..Frame::new("a.rs") };
        Lines::default().onto(&mut frame, [PathBuf::from("/nowhere.rs"), file.to_owned()]);
        frame
    }

    #[test]
    fn a_frame_has_its_line_and_those_around_it() {
        let file = file("ten.rs", &(1..=10).map(|line| format!("line {line}\n")).collect::<String>());
        let context = |line| frame(line, &file).context.unwrap();
        assert_eq!(frame(6, &file).code.as_deref(), Some("line 6"));
        assert_eq!(context(6).pre, ["line 2", "line 3", "line 4", "line 5"]);
        assert_eq!(context(9).post, ["line 10"]);
        assert_eq!(context(1).pre, [""; 0]);
        for line in [0, 11, u32::MAX] {
            assert_eq!(frame(line, &file).code, None, "{line}");
        }
        fs::remove_file(file).unwrap();
    }

    #[test]
    fn what_is_too_large_or_no_source_is_not_read() {
        let large = file("large.rs", &"x\n".repeat(1 << 20));
        let secret = file("secret.env", "hunter2");
        for file in [large, secret] {
            assert_eq!(frame(1, &file).code, None);
            fs::remove_file(file).unwrap();
        }
        assert_eq!(frame(1, &env::temp_dir()).code, None);
    }

    #[test]
    fn a_file_is_read_once_and_at_most_64_are() {
        let lines = Lines::default();
        let kept = file("kept.rs", "once");
        let show = || {
            let mut frame = Frame { lineno: Some(1), ..Frame::new("a.rs") };
            lines.onto(&mut frame, [kept.clone()]);
            frame.code
        };
        assert_eq!(show().as_deref(), Some("once"));
        fs::remove_file(&kept).unwrap();
        for at in 0..100 {
            lines.source(PathBuf::from(format!("/nowhere/{at}.rs")));
        }
        assert_eq!((show().as_deref(), lines.0.lock().unwrap().len()), (Some("once"), MOST));
    }
}

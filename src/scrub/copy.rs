use std::{borrow::Cow, ops::Range};

/// A text of which parts are replaced, from the front to the back. It is copied with the first of them, or not at all.
pub(super) struct Copy<'a> {
    text: &'a str,
    copy: String,
    /// Up to where it is copied.
    done: usize,
}

// ===== impl Copy =====

impl<'a> Copy<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, copy: String::new(), done: 0 }
    }

    pub(super) fn replace(&mut self, range: Range<usize>, with: &str) {
        let Range { start, end } = range;
        if self.text[start..end] == *with {
            return;
        }
        self.copy.push_str(&self.text[self.done..start]);
        self.copy.push_str(with);
        self.done = end;
    }

    pub(super) fn finish(self) -> Cow<'a, str> {
        let Self { text, mut copy, done } = self;
        if done == 0 && copy.is_empty() {
            return Cow::Borrowed(text);
        }
        copy.push_str(&text[done..]);
        Cow::Owned(copy)
    }
}

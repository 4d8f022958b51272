use super::{
    annotations::{self, Annotations},
    cause::{Cause, Exception},
    entity::{Alone, Node},
    losses::Losses,
    text::Texts,
};

/// Writes a node without its subsegments at the end of `into`, in at most `most` bytes.
///
/// `indexed` is how many annotations may stay such; those that do are taken from it.
pub(super) fn write<N: Node>(node: &N, indexed: &mut usize, most: usize, into: &mut Vec<u8>) -> Losses {
    let start = into.len();
    let room = *indexed;
    *indexed = room.saturating_sub(node.entity().annotations.len());
    if node.entity().annotations.len() <= room && node.losses().is_none() {
        json(node, into);
        if into.len() - start <= most {
            return Losses::default();
        }
    }
    let mut fit = Fit { node: node.alone(), losses: Losses::default() };
    fit.index(room);
    let mut steps = STEPS.iter();
    loop {
        into.truncate(start);
        fit.note();
        json(&fit.node, into);
        let excess = (into.len() - start).saturating_sub(most);
        let Some(step) = steps.next().filter(|_| excess > 0) else { return fit.all() };
        fit.cut(step, excess);
    }
}

/// A node that is being made smaller.
struct Fit<N> {
    node: N,
    losses: Losses,
}

/// What may go, the least missed first.
enum Step {
    Metadata,
    /// How many frames stay.
    Stacks(usize),
    /// How many characters of a text stay.
    Annotations(usize),
    /// How many exceptions, links and names stay.
    Lists(usize),
    /// How many characters stay.
    Texts(usize),
    Everything,
}

// ===== impl Fit =====

impl<N: Node> Fit<N> {
    /// Moves annotations into the metadata, if there are more than may stay.
    fn index(&mut self, room: usize) {
        let entity = self.node.entity_mut();
        for (key, value) in entity.annotations.split_off(room) {
            self.losses.moved += 1;
            entity.metadata.insert(Annotations::NAMESPACE, key, annotations::json(&value));
        }
    }

    fn cut(&mut self, step: &Step, excess: usize) {
        let entity = self.node.entity_mut();
        match *step {
            Step::Metadata => {
                let most = entity.metadata.size().saturating_sub(excess + NOTE);
                self.losses += entity.metadata.shrink(most);
            }
            Step::Stacks(frames) => {
                let exceptions = entity.cause.as_mut().and_then(Cause::exceptions_mut);
                self.losses.dropped += exceptions.map_or(0, |exceptions| stacks(exceptions, frames));
            }
            Step::Annotations(characters) => self.losses.shortened += entity.annotations.shorten(characters),
            Step::Lists(most) => {
                self.losses.dropped += entity.shorten_lists(most);
                self.losses.dropped += self.node.shorten_own(most);
            }
            Step::Texts(characters) => {
                entity.each_mut(&mut |text| text.shorten(characters));
                self.node.each_own_mut(&mut |text| text.shorten(characters));
            }
            Step::Everything => {
                self.losses = self.all();
                self.losses.dropped += self.node.entity_mut().strip();
                self.losses.dropped += self.node.shorten_own(0);
            }
        }
    }

    /// Notes in the metadata what was lost.
    fn note(&mut self) {
        let Losses { shortened, moved, dropped } = self.all();
        let metadata = &mut self.node.entity_mut().metadata;
        for (key, count) in [("shortened", shortened), ("moved", moved), ("dropped", dropped)] {
            if count > 0 {
                metadata.insert(Losses::NAMESPACE, key, count);
            }
        }
    }

    fn all(&self) -> Losses {
        self.losses + self.node.losses()
    }
}

fn stacks(exceptions: &mut [Exception], frames: usize) -> u64 {
    let mut dropped = 0;
    for exception in exceptions {
        let before = exception.truncated;
        exception.truncate(frames);
        dropped += exception.truncated - before;
    }
    dropped
}

fn json(node: &impl Node, into: &mut Vec<u8>) {
    serde_json::to_writer(into, &Alone(node)).expect("keys are texts, and a vector takes all bytes");
}

const STEPS: [Step; 12] = [
    Step::Metadata,
    // What was lost first takes a few bytes itself.
    Step::Metadata,
    Step::Stacks(8),
    Step::Stacks(0),
    Step::Annotations(250),
    Step::Annotations(50),
    Step::Lists(20),
    Step::Texts(100),
    Step::Lists(4),
    Step::Annotations(16),
    Step::Texts(16),
    Step::Everything,
];

/// What the note of what was lost may take.
const NOTE: usize = 100;

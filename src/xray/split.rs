use std::{cmp::Reverse, ops::Range};

use super::{
    annotations::Annotations,
    document::{Independent, Split},
    entity::Node,
    fit,
    losses::Losses,
    segment::Segment,
    subsegment::{Subsegment, Subsegments},
};
use crate::trace::{SpanId, TraceId};

/// Documents of a segment and its subsegments.
pub(super) fn segment(segment: &Segment, most: usize) -> Split {
    let mut tree = Tree::new(segment.trace_id, most);
    tree.branch(segment, None, most);
    tree.branches(&segment.subsegments, segment.entity.id);
    tree.split(most, None)
}

/// Documents of a subsegment by itself.
pub(super) fn independent(independent: &Independent, most: usize) -> Split {
    let Independent { trace_id, parent_id, subsegment } = independent;
    let mut tree = Tree::new(*trace_id, most);
    tree.branch(subsegment, None, tree.room);
    tree.branches(&subsegment.subsegments, subsegment.entity.id);
    let room = tree.room;
    tree.split(room, Some(*parent_id))
}

/// A segment or subsegment and those in it, each as the JSON of itself alone, the outer before the inner.
struct Tree {
    trace_id: TraceId,
    /// What a subsegment may take that has a document of its own.
    room: usize,
    /// How many more annotations may stay such.
    indexed: usize,
    json: Vec<u8>,
    branches: Vec<Branch>,
    losses: Losses,
}

/// One segment or subsegment in the tree.
struct Branch {
    /// Where its JSON is.
    json: Range<usize>,
    parent: Option<Parent>,
    is_open: bool,
    /// Those in it that stay in it.
    kept: Vec<usize>,
    /// How many bytes and levels it takes with those.
    len: usize,
    levels: usize,
    /// Whether it has a document of its own.
    is_alone: bool,
}

/// Where a branch grows.
#[derive(Clone, Copy)]
struct Parent {
    at: usize,
    id: SpanId,
}

// ===== impl Tree =====

impl Tree {
    fn new(trace_id: TraceId, most: usize) -> Self {
        // The head stands where the JSON has its first bracket.
        let head = Independent::head(trace_id, SpanId::generate()).len() - 1;
        Self {
            trace_id,
            room: most.saturating_sub(head),
            indexed: Annotations::INDEXED,
            json: Vec::new(),
            branches: Vec::new(),
            losses: Losses::default(),
        }
    }

    fn branches(&mut self, subsegments: &Subsegments, id: SpanId) {
        let mut rest: Vec<(&Subsegment, Parent)> = Vec::new();
        rest.extend(subsegments.iter().rev().map(|child| (child, Parent { at: 0, id })));
        while let Some((next, parent)) = rest.pop() {
            let own = Parent { at: self.branches.len(), id: next.entity.id };
            self.branch(next, Some(parent), self.room);
            rest.extend(next.subsegments.iter().rev().map(|child| (child, own)));
        }
    }

    fn branch(&mut self, node: &impl Node, parent: Option<Parent>, most: usize) {
        let start = self.json.len();
        self.losses += fit::write(node, &mut self.indexed, most, &mut self.json);
        let json = start..self.json.len();
        if let Some(parent) = parent {
            let at = self.branches.len();
            self.branches[parent.at].kept.push(at);
        }
        self.branches.push(Branch {
            len: json.len(),
            json,
            parent,
            is_open: node.entity().is_in_progress(),
            kept: Vec::new(),
            levels: 1,
            is_alone: parent.is_none(),
        });
    }

    /// Decides, from the innermost out, what stays where it is.
    fn split(mut self, most: usize, parent_id: Option<SpanId>) -> Split {
        for at in (0..self.branches.len()).rev() {
            self.cut_off(at, if at == 0 { most } else { self.room });
        }
        let alone = (0..self.branches.len()).filter(|at| self.branches[*at].is_alone);
        let documents = alone.map(|at| self.document(at, parent_id)).collect();
        Split { documents, losses: self.losses }
    }

    /// Gives branches documents of their own until the rest is short enough: the largest that are over first.
    fn cut_off(&mut self, at: usize, most: usize) {
        let mut kept = std::mem::take(&mut self.branches[at].kept);
        for &child in &kept {
            self.branches[child].is_alone = self.branches[child].levels == LEVELS;
        }
        let lens = kept.iter().map(|child| &self.branches[*child]).filter(|child| !child.is_alone);
        let mut len = self.branches[at].len + AROUND + lens.map(|child| child.len + 1).sum::<usize>();
        if len > most {
            kept.sort_by_key(|child| (self.branches[*child].is_open, Reverse(self.branches[*child].len)));
            for child in &kept {
                let child = &mut self.branches[*child];
                if len > most && !child.is_alone {
                    len -= child.len + 1;
                    child.is_alone = true;
                }
            }
            kept.sort_unstable();
        }
        kept.retain(|child| !self.branches[*child].is_alone);
        let levels = kept.iter().map(|child| self.branches[*child].levels).max().unwrap_or_default();
        let branch = &mut self.branches[at];
        if !kept.is_empty() {
            branch.len = len;
        }
        branch.levels = levels + 1;
        branch.kept = kept;
    }

    fn document(&self, at: usize, parent_id: Option<SpanId>) -> Vec<u8> {
        let branch = &self.branches[at];
        let mut document = Vec::with_capacity(branch.len + HEAD);
        match branch.parent.map(|parent| parent.id).or(parent_id) {
            Some(parent_id) => {
                document.extend_from_slice(Independent::head(self.trace_id, parent_id).as_bytes());
                self.write(at, 1, &mut document);
            }
            None => self.write(at, 0, &mut document),
        }
        document
    }

    /// Writes a branch from its `from`-th byte on. It calls itself for as many levels as may stay together.
    fn write(&self, at: usize, from: usize, into: &mut Vec<u8>) {
        let branch = &self.branches[at];
        let json = &self.json[branch.json.clone()];
        let Some((first, others)) = branch.kept.split_first() else {
            return into.extend_from_slice(&json[from..]);
        };
        into.extend_from_slice(&json[from..json.len() - 1]);
        into.extend_from_slice(BEFORE);
        self.write(*first, 0, into);
        for other in others {
            into.push(b',');
            self.write(*other, 0, into);
        }
        into.extend_from_slice(AFTER);
    }
}

const BEFORE: &[u8] = br#","subsegments":["#;

const AFTER: &[u8] = b"]}";

/// What a list of subsegments takes besides them and their commas: one bracket was there before, and one comma is none.
const AROUND: usize = BEFORE.len() + AFTER.len() - 2;

/// What the head of a subsegment's own document takes, and some more.
const HEAD: usize = 128;

/// How many levels stay together: a lenient reader takes about 60 before it gives up on a document.
const LEVELS: usize = 32;

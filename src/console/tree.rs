//! The order in which a waterfall has spans or segments.

use crate::console::trace::{Span, Trace};

/// A place in the tree.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Node {
    /// Which of the spans or segments it is.
    pub(super) place: usize,
    pub(super) depth: usize,
    /// Whether no sibling comes after it.
    pub(super) last: bool,
    /// The levels above, as bits, at which siblings of an ancestor still follow.
    pub(super) open: u32,
}

/// What has a place in a tree: from when to when it went, and where its parent is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) parent: Option<usize>,
}

/// The spans of a trace.
pub(super) fn walk(trace: &Trace) -> Vec<Node> {
    let member = |span: &Span| {
        let data = &span.data;
        let (start, end) = (data.start_time_unix_nano, data.end_time_unix_nano);
        Member { start, end, parent: trace.parent(span) }
    };
    arrange(&trace.spans().iter().map(member).collect::<Vec<_>>())
}

/// Parents before children, siblings by their start. Every member is there once, also where parents are missing or
/// claim each other.
pub(super) fn arrange(members: &[Member]) -> Vec<Node> {
    let (mut tops, children) = family(members);
    let mut nodes = Vec::with_capacity(members.len());
    let mut seen = vec![false; members.len()];
    descend(&tops, &children, &mut seen, &mut nodes);
    // Whatever is left hangs on a circle.
    tops.clear();
    for place in 0..seen.len() {
        if !seen[place] {
            descend(&[place], &children, &mut seen, &mut nodes);
        }
    }
    nodes
}

fn family(members: &[Member]) -> (Vec<usize>, Vec<Vec<usize>>) {
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by_key(|&place| (members[place].start, std::cmp::Reverse(members[place].end)));
    let (mut tops, mut children) = (Vec::new(), vec![Vec::new(); members.len()]);
    for place in order {
        match members[place].parent {
            Some(parent) => children[parent].push(place),
            None => tops.push(place),
        }
    }
    (tops, children)
}

fn descend(tops: &[usize], children: &[Vec<usize>], seen: &mut [bool], nodes: &mut Vec<Node>) {
    let mut ahead = Vec::new();
    push(&mut ahead, tops, 0, 0);
    while let Some(node) = ahead.pop() {
        if std::mem::replace(&mut seen[node.place], true) {
            continue;
        }
        let bit = if node.last { 0 } else { 1_u32.checked_shl(node.depth as u32).unwrap_or(0) };
        push(&mut ahead, &children[node.place], node.depth + 1, node.open | bit);
        nodes.push(node);
    }
}

fn push(ahead: &mut Vec<Node>, siblings: &[usize], depth: usize, open: u32) {
    let node = |(rank, &place)| Node { place, depth, last: rank + 1 == siblings.len(), open };
    ahead.extend(siblings.iter().enumerate().map(node).rev());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use opentelemetry_proto::tonic::trace::v1 as otlp;

    use super::*;
    use crate::console::id::TraceId;
    use crate::console::trace::{Source, Span};

    fn trace(spans: &[(u8, u8, u64)]) -> Trace {
        let mut trace = Trace::new(TraceId::from_bytes(&[1; 16]).expect("an id"), 0);
        for &(id, parent, start) in spans {
            let parent_span_id = if parent == 0 { Vec::new() } else { vec![parent; 8] };
            let data = otlp::Span {
                span_id: vec![id; 8],
                parent_span_id,
                start_time_unix_nano: start,
                ..otlp::Span::default()
            };
            trace.insert(Span::new(Arc::new(Source::default()), data), usize::MAX);
        }
        trace
    }

    fn shape(spans: &[(u8, u8, u64)]) -> Vec<(u8, usize, bool)> {
        let trace = trace(spans);
        let shown = |node: Node| (trace.spans()[node.place].data.span_id[0], node.depth, node.last);
        walk(&trace).into_iter().map(shown).collect()
    }

    #[test]
    fn children_that_came_first_stand_below_their_parent() {
        let spans = [(3, 2, 30), (4, 1, 20), (2, 1, 10), (1, 0, 0)];
        assert_eq!(shape(&spans), [(1, 0, true), (2, 1, false), (3, 2, true), (4, 1, true)]);
    }

    #[test]
    fn orphans_and_circles_are_shown() {
        let spans = [(1, 9, 5), (2, 3, 0), (3, 2, 1), (4, 4, 2)];
        assert_eq!(shape(&spans), [(1, 0, true), (2, 0, true), (3, 1, true), (4, 0, true)]);
    }
}

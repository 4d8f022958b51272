//! The documents of a trace, in whatever order they came.

use std::collections::HashMap;

use crate::console::segment::Document;

#[derive(Debug, Default)]
pub(super) struct Segments {
    documents: Vec<Document>,
    places: HashMap<u64, usize>,
    /// How many bytes their texts have.
    bytes: usize,
}

// ===== impl Segments =====

impl Segments {
    /// How many bytes they would take more with this one, if there is room.
    pub(super) fn room_for(&self, document: &Document) -> Option<isize> {
        let known = self.known(document);
        let (freed, weight) = known.map_or((0, 0), |known| (known.text().len(), known.weight()));
        let is_full = self.bytes - freed + document.text().len() > BYTES;
        (!is_full).then(|| document.weight() as isize - weight as isize)
    }

    /// Whether the one that is there says more: it is complete, and this one is in progress.
    pub(super) fn is_stale(&self, document: &Document) -> bool {
        self.known(document).is_some_and(|known| known.head.end.is_some() && document.head.end.is_none())
    }

    /// Adds a document, in place of an earlier one of the same id.
    pub(super) fn insert(&mut self, document: Document) {
        self.bytes += document.text().len();
        match self.places.get(&document.head.id) {
            Some(&place) => {
                self.bytes -= self.documents[place].text().len();
                self.documents[place] = document;
            }
            None => {
                self.places.insert(document.head.id, self.documents.len());
                self.documents.push(document);
            }
        }
    }

    pub(super) fn documents(&self) -> &[Document] {
        &self.documents
    }

    pub(super) fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// How many segments there are, without the subsegments that came by themselves.
    pub(super) fn count(&self) -> usize {
        self.documents.iter().filter(|document| document.head.is_segment).count()
    }

    /// The segment whose caller did not arrive, and of these the earliest; a subsegment where there is no segment.
    pub(super) fn root(&self) -> Option<&Document> {
        let rank = |document: &&Document| {
            let head = &document.head;
            let has_caller = head.parent.is_some_and(|parent| self.places.contains_key(&parent));
            (!head.is_segment, has_caller, head.parent.is_some(), head.start)
        };
        self.documents.iter().min_by_key(rank)
    }

    fn known(&self, document: &Document) -> Option<&Document> {
        self.places.get(&document.head.id).map(|place| &self.documents[*place])
    }
}

/// X-Ray itself keeps 500 kB of a trace.
const BYTES: usize = 1 << 20;

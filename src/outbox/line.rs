//! Records in the order in which they came.

use std::{collections::VecDeque, mem};

/// What waits, in pieces: many that came together are taken over as they lie, and none of them is moved. What waits takes
/// three times its room at most, and mostly its own.
#[derive(Debug)]
pub(super) struct Line<T> {
    front: VecDeque<T>,
    /// None of them is empty.
    pieces: VecDeque<Vec<T>>,
    len: usize,
    /// Room that is used again.
    spare: Vec<Vec<T>>,
}

// ===== impl Line =====

impl<T> Line<T> {
    pub(super) const fn new() -> Self {
        Self { front: VecDeque::new(), pieces: VecDeque::new(), len: 0, spare: Vec::new() }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn push_back(&mut self, item: T) {
        self.len += 1;
        match self.pieces.back_mut() {
            Some(piece) if piece.len() < piece.capacity() => piece.push(item),
            _ => {
                let mut piece = Vec::with_capacity(PIECE);
                piece.push(item);
                self.pieces.push_back(piece);
            }
        }
    }

    #[cfg_attr(not(feature = "spool"), allow(dead_code, reason = "only a spool puts back what it was given"))]
    pub(super) fn push_front(&mut self, item: T) {
        self.len += 1;
        self.front.push_front(item);
    }

    /// Takes all of them; `items` has as much room as before.
    pub(super) fn append(&mut self, items: &mut Vec<T>) {
        if items.len() < PIECE || items.len() < items.capacity() / 2 {
            return items.drain(..).for_each(|item| self.push_back(item));
        }
        self.len += items.len();
        let mut room = self.spare.pop().unwrap_or_default();
        room.reserve_exact(items.capacity());
        self.pieces.push_back(mem::replace(items, room));
    }

    pub(super) fn pop_front(&mut self) -> Option<T> {
        if self.front.is_empty() {
            let next = self.pieces.pop_front()?;
            self.spare(next.into());
        }
        self.len -= 1;
        self.front.pop_front()
    }

    /// Goes on with another front.
    fn spare(&mut self, next: VecDeque<T>) {
        let spent = Vec::from(mem::replace(&mut self.front, next));
        if (PIECE..=SPARE).contains(&spent.capacity()) && self.spare.len() < SPARES {
            self.spare.push(spent);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.front.iter().chain(self.pieces.iter().flatten())
    }
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Iterator for Line<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.pop_front()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len, Some(self.len))
    }
}

/// How many of those that come one by one lie together.
const PIECE: usize = 16;

/// The most that is used again has room for, which is as much as those that come together take.
const SPARE: usize = 64;

/// As many as a batch is made of, mostly.
const SPARES: usize = 8;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Act {
        PushBack,
        PushFront,
        Append { items: usize, room: usize },
        PopFront { items: usize },
    }

    proptest! {
        #[test]
        fn it_does_what_a_deque_does_and_takes_little_more_room(acts in acts()) {
            let (mut line, mut deque) = (Line::new(), VecDeque::new());
            for (number, act) in (0_u32..).zip(acts) {
                match act {
                    Act::PushBack => {
                        line.push_back(number);
                        deque.push_back(number);
                    }
                    Act::PushFront => {
                        line.push_front(number);
                        deque.push_front(number);
                    }
                    Act::Append { items, room } => {
                        let mut coming = Vec::with_capacity(items + room);
                        coming.resize(items, number);
                        deque.extend(&coming);
                        let room = coming.capacity();
                        line.append(&mut coming);
                        prop_assert_eq!(coming.len(), 0);
                        prop_assert!((room..=room.max(SPARE)).contains(&coming.capacity()));
                    }
                    Act::PopFront { items } => {
                        for _ in 0..items {
                            prop_assert_eq!(line.pop_front(), deque.pop_front());
                        }
                    }
                }
                prop_assert_eq!((line.len(), line.is_empty()), (deque.len(), deque.is_empty()));
                prop_assert!(line.iter().eq(&deque));
                prop_assert!(line.spare.iter().all(|spare| spare.capacity() <= SPARE));
                let room: usize = line.pieces.iter().map(Vec::capacity).sum();
                let held: usize = line.pieces.iter().map(Vec::len).sum();
                prop_assert!(room <= 3 * held + PIECE + line.pieces.len(), "{room} for {held}");
            }
            prop_assert!(line.eq(deque));
        }
    }

    #[test]
    fn room_is_used_again() {
        let (mut coming, mut line) = (vec![0; 2 * PIECE], Line::new());
        let place = coming.as_ptr();
        line.append(&mut coming);
        line.push_back(1);
        assert_eq!(line.by_ref().count(), 2 * PIECE + 1);
        coming.resize(2 * PIECE, 0);
        line.append(&mut coming);
        assert_eq!(coming.as_ptr(), place);
    }

    #[test]
    fn room_for_more_than_comes_together_is_given_back() {
        let mut line = Line::new();
        (0..1_000).for_each(|item| line.push_front(item));
        line.push_back(0);
        assert_eq!(line.by_ref().count(), 1_001);
        assert!(line.spare.is_empty(), "{:?}", line.spare);
    }

    #[test]
    fn what_came_together_stays_where_it_lies() {
        let mut coming = vec![0; PIECE];
        let (place, mut line) = (coming.as_ptr(), Line::new());
        line.append(&mut coming);
        assert_eq!(line.iter().next().map(std::ptr::from_ref), Some(place));
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let act = prop_oneof![
            4 => Just(Act::PushBack),
            1 => Just(Act::PushFront),
            2 => (0..40_usize, 0..60_usize).prop_map(|(items, room)| Act::Append { items, room }),
            2 => (0..30_usize).prop_map(|items| Act::PopFront { items }),
        ];
        proptest::collection::vec(act, 0..100)
    }
}

use std::sync::Arc;

use super::{Code, Names};

/// The methods of gRPC that a service has, as far as its answers tell: a stranger can call any.
#[derive(Debug)]
pub(crate) struct Calls {
    /// Those that went well once.
    known: Names,
    /// Those that never went well: nobody knows whether they exist.
    refused: Names,
}

// ===== impl Calls =====

impl Calls {
    /// A method that was answered with this code, if it may be believed to exist.
    pub(crate) fn answered(&self, method: &str, code: Code) -> Option<Arc<str>> {
        match code {
            Code::UNIMPLEMENTED => None,
            Code::OK => self.known.admit(method),
            _ => self.failed(method),
        }
    }

    /// A method that failed, or is not over, if it may be believed to exist.
    pub(crate) fn failed(&self, method: &str) -> Option<Arc<str>> {
        self.known.find(method).or_else(|| self.refused.admit(method))
    }
}

impl Default for Calls {
    fn default() -> Self {
        Self { known: Names::new(MANY), refused: Names::new(FEW) }
    }
}

/// More than services have, and less than hurts.
const MANY: usize = 1_000;
const FEW: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_that_went_well_needs_no_room_among_those_that_did_not() {
        let (calls, refused) = (Calls::default(), Code::INTERNAL);
        assert!(calls.answered("a.B/C", Code::OK).is_some());
        let believed = |n: usize| calls.answered(&format!("by.A/Stranger{n}"), refused).is_some();
        assert_eq!((0..1_000).filter(|n| believed(*n)).count(), FEW);
        assert!(calls.answered("a.B/C", refused).is_some());
        assert!(calls.answered("a.B/D", refused).is_none());
        assert!(calls.answered("a.B/D", Code::OK).is_some());
        assert!(calls.answered("a.B/D", refused).is_some());
        assert!(calls.answered("a.B/D", Code::UNIMPLEMENTED).is_none());
    }
}

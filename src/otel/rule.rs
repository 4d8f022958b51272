use std::any::Any;

use opentelemetry::trace::{SpanContext, TraceId, TraceState};
use opentelemetry_sdk::trace::Sampler;

use super::{
    Ratio,
    sampler::{Mark, ParentBased, Undecided, Weighted, handed_on, weight},
};

/// What a sampler does that looks at nothing but the parent and the trace's id.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    root: Root,
    is_parent_based: bool,
    is_undecided: bool,
    is_weighted: bool,
}

#[derive(Clone, Copy, Debug)]
enum Root {
    All,
    Nothing,
    Share(Ratio),
}

/// What it says of a span.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) is_sampled: bool,
    pub(super) state: TraceState,
    /// How many spans it stands for, if that is to be told.
    pub(super) weight: Option<i64>,
}

/// A sampler that may be such a one.
trait Ruled: 'static {
    fn rule(&self) -> Option<Rule>;
}

// ===== impl Rule =====

impl Rule {
    /// The rule that a sampler goes by, where it is one that is known.
    pub(super) fn of(sampler: &dyn Any) -> Option<Self> {
        wrapped::<Ratio>(sampler)
            .or_else(|| wrapped::<ParentBased<Ratio>>(sampler))
            .or_else(|| wrapped::<Sampler>(sampler))
            .or_else(|| wrapped::<ParentBased<Sampler>>(sampler))
    }

    /// What the sampler says where it is asked with this parent, which is invalid where there is none.
    #[inline]
    pub(super) fn judge(&self, parent: &SpanContext, mark: Option<Mark>, trace_id: TraceId) -> Verdict {
        let (is_sampled, state) = match mark.filter(|_| self.is_undecided) {
            None => self.ask(parent, trace_id),
            Some(mark) => {
                let (is_sampled, written) = self.ask(&mark.parent(trace_id), trace_id);
                (is_sampled, handed_on(parent.trace_state(), is_sampled, written))
            }
        };
        // It is the state that tells it.
        let is_told = self.is_weighted && state != TraceState::NONE;
        let weight = is_told.then(|| weight(is_sampled, &state, trace_id)).flatten();
        Verdict { is_sampled, state, weight }
    }

    #[inline]
    fn ask(&self, parent: &SpanContext, trace_id: TraceId) -> (bool, TraceState) {
        let state = parent.trace_state().clone();
        if self.is_parent_based && parent.is_valid() {
            return (parent.is_sampled(), state);
        }
        match self.root {
            Root::All => (true, state),
            Root::Nothing => (false, state),
            Root::Share(ratio) => ratio.decide(trace_id, state),
        }
    }

    fn root(root: Root) -> Self {
        Self { root, is_parent_based: false, is_undecided: false, is_weighted: false }
    }
}

fn wrapped<S: Ruled>(sampler: &dyn Any) -> Option<Rule> {
    known::<S>(sampler)
        .or_else(|| known::<Undecided<S>>(sampler))
        .or_else(|| known::<Weighted<S>>(sampler))
        .or_else(|| known::<Weighted<Undecided<S>>>(sampler))
}

fn known<S: Ruled>(sampler: &dyn Any) -> Option<Rule> {
    sampler.downcast_ref::<S>()?.rule()
}

impl Ruled for Ratio {
    fn rule(&self) -> Option<Rule> {
        Some(Rule::root(Root::Share(*self)))
    }
}

impl Ruled for Sampler {
    fn rule(&self) -> Option<Rule> {
        match self {
            Self::AlwaysOn => Some(Rule::root(Root::All)),
            Self::AlwaysOff => Some(Rule::root(Root::Nothing)),
            _ => None,
        }
    }
}

impl<S: Ruled> Ruled for ParentBased<S> {
    fn rule(&self) -> Option<Rule> {
        Some(Rule { is_parent_based: true, ..self.0.rule()? })
    }
}

impl<S: Ruled> Ruled for Undecided<S> {
    fn rule(&self) -> Option<Rule> {
        Some(Rule { is_undecided: true, ..self.0.rule()? })
    }
}

impl<S: Ruled> Ruled for Weighted<S> {
    fn rule(&self) -> Option<Rule> {
        Some(Rule { is_weighted: true, ..self.0.rule()? })
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::{
        Context, KeyValue,
        trace::{SpanId, SpanKind, TraceContextExt as _, TraceFlags},
    };
    use opentelemetry_sdk::trace::{SamplingDecision, ShouldSample};
    use proptest::prelude::*;

    use super::*;

    /// What the sampler itself says, as the SDK asks it.
    fn asked(sampler: &dyn ShouldSample, parent: &SpanContext, mark: Option<Mark>, id: TraceId) -> Verdict {
        let mut context = Context::new();
        if parent.is_valid() {
            context = context.with_remote_span_context(parent.clone());
        }
        if let Some(mark) = mark {
            context = context.with_value(mark);
        }
        let result = sampler.should_sample(Some(&context), id, "GET", &SpanKind::Server, &[], &[]);
        let weight = result.attributes.first().map(|KeyValue { value, .. }| match value {
            opentelemetry::Value::I64(weight) => *weight,
            other => panic!("{other}"),
        });
        let is_sampled = result.decision == SamplingDecision::RecordAndSample;
        Verdict { is_sampled, state: result.trace_state, weight }
    }

    fn agree<S>(
        sampler: S,
        parent: &SpanContext,
        mark: Option<Mark>,
        id: TraceId,
    ) -> Result<(), TestCaseError>
    where
        S: ShouldSample + Clone + Ruled,
    {
        fn one<S: ShouldSample + 'static>(
            sampler: S,
            parent: &SpanContext,
            mark: Option<Mark>,
            id: TraceId,
        ) -> Result<(), TestCaseError> {
            let rule = Rule::of(&sampler).expect("it is known");
            let (ours, theirs) = (rule.judge(parent, mark, id), asked(&sampler, parent, mark, id));
            prop_assert_eq!(format!("{ours:?}"), format!("{theirs:?}"), "{:?}", sampler);
            Ok(())
        }
        one(sampler.clone(), parent, mark, id)?;
        one(Undecided(sampler.clone()), parent, mark, id)?;
        one(Weighted(sampler.clone()), parent, mark, id)?;
        one(Weighted(Undecided(sampler)), parent, mark, id)
    }

    #[test]
    fn what_looks_at_more_is_no_rule() {
        let nested = Sampler::ParentBased(Box::new(Sampler::AlwaysOn));
        assert!(Rule::of(&nested).is_none());
        assert!(Rule::of(&Sampler::TraceIdRatioBased(0.5)).is_none());
        assert!(Rule::of(&ParentBased(Sampler::TraceIdRatioBased(0.5))).is_none());
        let boxed: Box<dyn ShouldSample> = Box::new(Sampler::AlwaysOn);
        assert!(Rule::of(&boxed).is_none());
    }

    proptest! {
        #[test]
        fn a_rule_says_what_its_sampler_says(
            (trace, span) in (1_u128.., 0_u64..3),
            flags in 0_u8..4,
            is_remote: bool,
            header in proptest::sample::select(&["", "a=1", "ot=th:8", "ot=th:c;rv:80000000000000,b=2", "ot=x:1"][..]),
            mark in proptest::sample::select(&[None, Some(Mark::Open), Some(Mark::Decided(true)), Some(Mark::Decided(false))][..]),
            share in proptest::sample::select(&[0.0, 0.01, 0.5, 1.0][..]),
        ) {
            let (id, state) = (TraceId::from(trace), header.parse().unwrap());
            let parent = SpanContext::new(id, SpanId::from(span), TraceFlags::new(flags), is_remote, state);
            let parent = if span == 0 { SpanContext::NONE } else { parent };
            agree(Ratio::new(share), &parent, mark, id)?;
            agree(ParentBased(Ratio::new(share)), &parent, mark, id)?;
            agree(Sampler::AlwaysOn, &parent, mark, id)?;
            agree(Sampler::AlwaysOff, &parent, mark, id)?;
            agree(ParentBased(Sampler::AlwaysOn), &parent, mark, id)?;
        }
    }
}

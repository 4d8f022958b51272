use std::{
    borrow::Cow,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use opentelemetry::{
    KeyValue,
    trace::{Event, Link, SpanContext, Status},
};
use opentelemetry_sdk::trace::SpanLimits;

use super::size;
use crate::trace::Known;

/// What code inside of an exchange has told its span, by the SDK's rules.
#[derive(Debug)]
pub(super) struct Written {
    limits: SpanLimits,
    pub(super) attributes: Vec<KeyValue>,
    pub(super) events: Vec<Event>,
    pub(super) links: Vec<Link>,
    pub(super) name: Option<Cow<'static, str>>,
    pub(super) status: Status,
    /// When the span was ended by hand.
    pub(super) ended: Option<SystemTime>,
    /// How many of the attributes were there before the response.
    pub(super) early: Option<usize>,
    pub(super) dropped_attributes: usize,
    pub(super) dropped_events: usize,
    pub(super) dropped_links: usize,
}

/// The same, as long as more may be told.
#[derive(Debug)]
pub(super) struct Writing {
    /// None once the exchange is over.
    written: Mutex<Option<Written>>,
}

// ===== impl Written =====

impl Written {
    fn new(limits: SpanLimits) -> Self {
        Self {
            limits,
            attributes: Vec::new(),
            events: Vec::new(),
            links: Vec::new(),
            name: None,
            status: Status::Unset,
            ended: None,
            early: None,
            dropped_attributes: 0,
            dropped_events: 0,
            dropped_links: 0,
        }
    }

    pub(super) fn attribute(&mut self, attribute: KeyValue) {
        if self.attributes.len() < self.limits.max_attributes_per_span as usize {
            self.attributes.push(attribute);
        } else {
            self.dropped_attributes += 1;
        }
    }

    pub(super) fn event(&mut self, name: Cow<'static, str>, at: SystemTime, attributes: Vec<KeyValue>) {
        if self.events.len() < self.limits.max_events_per_span as usize {
            let (attributes, dropped) = cut(attributes, self.limits.max_attributes_per_event);
            self.events.push(Event::new(name, at, attributes, dropped));
        } else {
            self.dropped_events += 1;
        }
    }

    pub(super) fn link(&mut self, to: SpanContext, attributes: Vec<KeyValue>) {
        if self.links.len() < self.limits.max_links_per_span as usize {
            let (attributes, dropped) = cut(attributes, self.limits.max_attributes_per_link);
            self.links.push(Link::new(to, attributes, dropped));
        } else {
            self.dropped_links += 1;
        }
    }

    /// `Ok` is final, and an error goes before none.
    pub(super) fn status(&mut self, status: Status) {
        if status > self.status {
            self.status = status;
        }
    }

    /// All of its attributes are late if there was a response and no mark was set then.
    pub(super) fn marked(self, is_answered: bool) -> Self {
        Self { early: self.early.or_else(|| is_answered.then_some(0)), ..self }
    }

    /// About how many bytes it takes.
    pub(super) fn size(&self) -> usize {
        size::attached(&self.attributes, &self.events, &self.links) + size_of::<Self>()
    }
}

// ===== impl Writing =====

impl Writing {
    /// The one of an exchange.
    pub(super) fn of(known: &Known, limits: SpanLimits) -> Arc<Self> {
        known.make(|| Arc::new(Self { written: Mutex::new(Some(Written::new(limits))) }))
    }

    /// The one of an exchange, if its span was told anything.
    pub(super) fn known(known: &Known) -> Option<Arc<Self>> {
        known.made()
    }

    pub(super) fn edit(&self, edit: impl FnOnce(&mut Written)) {
        if let Some(written) = self.lock().as_mut().filter(|written| written.ended.is_none()) {
            edit(written);
        }
    }

    /// Whether nothing more is taken.
    pub(super) fn is_over(&self) -> bool {
        self.lock().as_ref().is_none_or(|written| written.ended.is_some())
    }

    /// All of it, and the end of it.
    pub(super) fn take(&self) -> Option<Written> {
        mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Written>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As many of the attributes as there may be, and how many there are besides.
pub(super) fn cut(mut attributes: Vec<KeyValue>, most: u32) -> (Vec<KeyValue>, u32) {
    let dropped = attributes.len().saturating_sub(most as usize);
    attributes.truncate(most as usize);
    (attributes, u32::try_from(dropped).unwrap_or(u32::MAX))
}

use std::{fmt, sync::Arc, time::SystemTime};

use opentelemetry::Context;
use tracing::{
    Event, Level, Metadata,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{layer, registry::LookupSpan};

use super::{
    LogLane, StreamName,
    app_event::{AppEvent, Style},
    fields::Pen,
    spans::{Recorded, Spans},
};
use crate::{
    Error,
    observe::quietly,
    scrub::Scrubber,
    trace::{Scope, SpanId, TraceId},
};

/// A layer for `tracing` that ships the application's own events to CloudWatch Logs, each with the trace that it is of.
/// Made by [`subscriber`].
///
/// It goes onto a subscriber, beside those that write the log elsewhere.
///
/// ```no_run
/// use belvedere::{cloudwatch::{self, CloudWatchLayer}, outbox::Outbox};
/// use tracing_subscriber::prelude::*;
///
/// let outbox = Outbox::builder().start()?;
/// let layer = CloudWatchLayer::new("/shop/checkout", &outbox)?;
/// let events = cloudwatch::subscriber(layer.lane()).stream("{hostname}/events")?;
/// tracing_subscriber::registry().with(tracing_subscriber::fmt::layer()).with(events).init();
/// # Ok::<_, belvedere::Error>(())
/// ```
///
/// # What an event looks like
///
/// ```json
/// {
///   "timestamp": "2026-11-20T12:26:03.25Z", "level": "INFO", "target": "shop::cart", "message": "paid",
///   "fields": { "items": 3 },
///   "span": { "name": "checkout", "cart": 7 },
///   "spans": [{ "name": "request", "method": "GET" }, { "name": "checkout", "cart": 7 }],
///   "file": "src/cart.rs", "line": 17,
///   "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7",
///   "xray_trace_id": "1-4bf92f35-77b34da6a3ce929d0e0e4736"
/// }
/// ```
///
/// What means the same as in an [`AccessRecord`](super::AccessRecord) has its name, so that one query finds both. The
/// others are those of `tracing_subscriber`'s JSON, for the sake of queries that there are, but that the message stands at the
/// top: `fields.items` and `span.cart` is what CloudWatch Logs Insights calls what it discovers in there, and no field of an
/// event can take the place of a member. What there is not is left out. A span's own field `name` is `name_`.
///
/// Numbers stay numbers, unless they have 128 bits or are not finite; an error is its message and those of its causes;
/// all else is text, as `Debug` or `Display` has it. What a span records later is on the events after that.
///
/// The ids are those of the exchange that it is logged in; the span is that which is active in OpenTelemetry's context, where
/// one was begun. Tasks and threads have them [in scope](crate::trace::InScope).
///
/// # What is not shipped
///
/// - Events below [`level`](Self::level).
/// - Events of this crate, and whatever is logged where OpenTelemetry's telemetry is suppressed, as it is wherever records are
///   on their way out: what a transport says about shipping would have to be shipped. What hyper or h2 say of the
///   application's own connections is shipped, if the level lets it.
/// - What a field logs while it is written, and what comes when the lane has ended, which is counted as `closed`.
/// - Secrets, by name or by looks, as [`scrub`](crate::scrub) describes.
///
/// # How large it is
///
/// As JSON, a text is 32 KiB at most, all fields of an event 64 KiB, those of a span 4 KiB; what is longer ends with `…`, and
/// fields for which there is no room are left out. The innermost 32 spans are shown.
///
/// # What it costs
///
/// On the thread that logs: the fields are written once, into a buffer that the thread keeps, and copied from there. That is
/// two allocations, however many fields and spans there are; a span costs two when it begins, if it has fields. Names, escapes, secrets
/// and JSON are left to the outbox's thread. An event that is not shipped costs a look at its level and its target.
///
/// Four fields in two spans are 3,800 instructions and 3 allocations, the third for the event that gives way where the queue is
/// full (`cargo bench --bench instructions`); `tracing_subscriber`'s own JSON takes 37,300 and 16 for them. The outbox's threads
/// write, compress, sign and send such an event for some 16,000; a span that another event of the batch is in is written once.
#[derive(Clone)]
pub struct Subscriber {
    lane: LogLane,
    level: Level,
    style: Arc<Style>,
}

/// A layer for `tracing` that ships the application's own events by this lane.
pub fn subscriber(lane: &LogLane) -> Subscriber {
    let style = Style { scrubber: Scrubber::default(), location: true, all_spans: true, text: false };
    Subscriber { lane: lane.clone(), level: Level::INFO, style: Arc::new(style) }
}

// ===== impl Subscriber =====

impl Subscriber {
    /// Ships events of this level and above, and shows spans of this level and above. Default: `INFO`.
    ///
    /// It decides for this layer alone; what others log they decide themselves. `.with_filter(..)` of `tracing_subscriber` may
    /// decide more finely, and spares what no layer wants its whole cost.
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// The stream that events go into: a name, or a pattern as [`StreamName`] describes. Default: the lane's.
    ///
    /// # Errors
    ///
    /// When CloudWatch would not take the name, or the pattern has a word in it that is not known.
    pub fn stream(mut self, name: impl AsRef<str>) -> Result<Self, Error> {
        let stream: StreamName = name.as_ref().parse()?;
        self.lane = self.lane.stream(stream);
        Ok(self)
    }

    /// What keeps secrets in. Default: [`Scrubber::default`], whose lists are wide.
    #[must_use]
    pub fn scrubber(mut self, scrubber: Scrubber) -> Self {
        self.style_mut().scrubber = scrubber;
        self
    }

    /// Whether `file` and `line` are told. Default: yes.
    #[must_use]
    pub fn location(mut self, is_told: bool) -> Self {
        self.style_mut().location = is_told;
        self
    }

    /// Whether all spans around an event are told, in `spans`, or in `span` the innermost alone. Default: all.
    ///
    /// Every byte is billed, and of an event deep in spans they are most of it.
    #[must_use]
    pub fn all_spans(mut self, are_told: bool) -> Self {
        self.style_mut().all_spans = are_told;
        self
    }

    /// Writes each event as a line of text, in which CloudWatch finds no fields:
    /// `2026-11-20T12:26:03.25Z  INFO checkout{cart=7}: shop::cart: paid items=3 xray_trace_id=1-4bf92f35-77b34da6a3ce929d0e0e4736`.
    #[must_use]
    pub fn text(mut self) -> Self {
        self.style_mut().text = true;
        self
    }

    fn style_mut(&mut self) -> &mut Style {
        Arc::make_mut(&mut self.style)
    }

    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level
    }

    fn ship<S>(&self, event: &Event<'_>, context: &layer::Context<'_, S>)
    where
        S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    {
        let Some(ids) = ids() else { return };
        // Held until it is pushed: what that logs is not shipped either.
        let Some(mut pen) = Pen::take() else { return };
        let event = self.note(event, context, ids, &mut pen);
        if !is_own(event.target()) {
            self.lane.share(Arc::new(event));
        }
    }

    fn note<S>(
        &self,
        event: &Event<'_>,
        context: &layer::Context<'_, S>,
        ids: Option<(TraceId, SpanId)>,
        pen: &mut Pen,
    ) -> AppEvent
    where
        S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    {
        let (at, metadata) = (SystemTime::now(), event.metadata());
        let fields = pen.fields(MOST, |visit| event.record(visit));
        let spans = Spans::around(event, context, |metadata| self.wants(metadata));
        let size = AppEvent::measure(metadata, &fields, &spans);
        AppEvent { at, metadata, ids, fields, spans, style: self.style.clone(), size }
    }
}

// Whether an event is shipped is not told by `enabled`, which would silence it for all other layers.
impl<S> layer::Layer<S> for Subscriber
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: layer::Context<'_, S>) {
        if !self.wants(attributes.metadata()) || attributes.is_empty() {
            return;
        }
        let (Some(span), Some(mut pen)) = (context.span(id), Pen::take()) else { return };
        let fields = pen.fields(MOST_OF_A_SPAN, |visit| attributes.record(visit));
        // Another one like this may have been there before.
        span.extensions_mut().replace(Recorded(fields));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: layer::Context<'_, S>) {
        let Some(span) = context.span(id).filter(|span| self.wants(span.metadata())) else { return };
        let Some(mut pen) = Pen::take() else { return };
        // Not under the registry's lock: what writes a field may look at its span. But what another thread records
        // meanwhile must not be lost.
        pen.begin(MOST_OF_A_SPAN, |visit| values.record(visit));
        let mut extensions = span.extensions_mut();
        let earlier = extensions.remove::<Recorded>().map(|recorded| recorded.0).unwrap_or_default();
        extensions.insert(Recorded(pen.end_after(&earlier)));
    }

    fn on_event(&self, event: &Event<'_>, context: layer::Context<'_, S>) {
        if self.wants(event.metadata()) && !is_own(event.metadata().target()) {
            quietly(|| self.ship(event, &context));
        }
    }
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lane, level, style } = self;
        f.debug_struct("Subscriber").field("lane", lane).field("level", level).field("style", style).finish()
    }
}

/// The trace and the span that this code runs in, if it does; none at all where telemetry is suppressed.
fn ids() -> Option<Option<(TraceId, SpanId)>> {
    Context::map_current(|context| (!context.is_telemetry_suppressed()).then(|| Scope::ids(context)))
}

/// Whether a target is this crate's.
fn is_own(target: &str) -> bool {
    target.strip_prefix("belvedere").is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// How much an event's own fields are as JSON.
const MOST: usize = 64 * 1024;

/// How much a span's fields are.
const MOST_OF_A_SPAN: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Mutex, PoisonError},
    };

    use proptest::prelude::*;
    use serde_json::{Value, json};
    use tracing_subscriber::{prelude::*, registry::Registry};

    use super::*;
    use crate::{
        cloudwatch::{
            draft::Draft as _,
            message::{Message, Repeats},
        },
        outbox::Outbox,
        trace::{SpanId, TraceId},
    };

    /// Writes events instead of shipping them.
    struct Writer {
        subscriber: Subscriber,
        written: Arc<Mutex<Written>>,
    }

    #[derive(Default)]
    struct Written {
        lines: Vec<String>,
        /// The same events, as a request has them.
        events: Vec<AppEvent>,
        batch: Vec<u8>,
        repeats: Repeats,
    }

    impl Written {
        fn add(&mut self, event: AppEvent, message: String) {
            let start = self.batch.len();
            self.batch.push(b'"');
            let mut nested = Message::nested(&mut self.batch).repeating(&mut self.repeats);
            event.write(&mut nested);
            assert_eq!(nested.len(), message.len());
            self.batch.push(b'"');
            assert_eq!(serde_json::from_slice::<String>(&self.batch[start..]).unwrap(), message);
            self.lines.push(message);
            self.events.push(event);
        }
    }

    impl layer::Layer<Registry> for Writer {
        fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: layer::Context<'_, Registry>) {
            self.subscriber.on_new_span(attributes, id, context);
        }

        fn on_record(&self, id: &Id, values: &Record<'_>, context: layer::Context<'_, Registry>) {
            self.subscriber.on_record(id, values, context);
        }

        fn on_event(&self, event: &Event<'_>, context: layer::Context<'_, Registry>) {
            let Some(mut pen) = Pen::take() else { return };
            let ids = TraceId::new(TRACE).zip(SpanId::new(0x00f0_67aa_0ba9_02b7));
            let event = self.subscriber.note(event, &context, ids, &mut pen);
            let mut message = Vec::new();
            event.write(&mut Message::plain(&mut message));
            let message = String::from_utf8(message).unwrap();
            assert!(event.size() >= message.len(), "{} < {}: {message}", event.size(), message.len());
            self.written.lock().unwrap_or_else(PoisonError::into_inner).add(event, message);
        }
    }

    const TRACE: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;

    fn lines(style: impl FnOnce(Subscriber) -> Subscriber, log: impl FnOnce()) -> Vec<String> {
        let outbox = Outbox::builder().start().unwrap();
        let subscriber = style(subscriber(&LogLane::stdout(&outbox)));
        let written = Arc::<Mutex<Written>>::default();
        let writer = Writer { subscriber, written: Arc::clone(&written) };
        tracing::subscriber::with_default(Registry::default().with(writer), log);
        std::mem::take(&mut written.lock().unwrap().lines)
    }

    fn objects(log: impl FnOnce()) -> Vec<Value> {
        let lines = lines(|subscriber| subscriber, log);
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn fields(log: impl FnOnce()) -> Value {
        objects(log).remove(0)["fields"].take()
    }

    #[test]
    fn an_event_has_its_members_and_no_other() {
        let mut object = objects(|| {
            let _outer = tracing::info_span!("request", cart = 7).entered();
            let _inner = tracing::info_span!("checkout", user = "worf", name = "a till").entered();
            tracing::warn!(target: "shop::cart", items = 3, price = 0.5, is_gift = true, "paid {}", "all");
        })
        .remove(0);
        assert!(object["timestamp"].take().as_str().unwrap().ends_with('Z'));
        assert!(object["line"].take().as_u64() > Some(100));
        let (outer, inner) = (
            json!({ "name": "request", "cart": 7 }),
            json!({ "name": "checkout", "user": "worf", "name_": "a till" }),
        );
        let expected = json!({
            "timestamp": null, "level": "WARN", "target": "shop::cart", "message": "paid all",
            "fields": { "items": 3, "price": 0.5, "is_gift": true },
            "span": inner, "spans": [outer, inner],
            "file": file!(), "line": null,
            "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7",
            "xray_trace_id": "1-4bf92f35-77b34da6a3ce929d0e0e4736",
        });
        assert_eq!(object, expected);
    }

    #[test]
    fn events_of_one_span_show_it_as_it_was_for_each() {
        let objects = objects(|| {
            let outer = tracing::info_span!("request", user = "nobody").entered();
            for cart in 0..3 {
                let _inner = tracing::info_span!("checkout", cart).entered();
                tracing::info!("first");
                tracing::info!("second");
                outer.record("user", format!("\"worf\" {cart}"));
            }
        });
        let shown: Vec<_> = objects.iter().map(|object| object["spans"].to_string()).collect();
        let spans = |user: &str, cart: u64| {
            let spans = json!([{ "name": "request", "user": user }, { "name": "checkout", "cart": cart }]);
            spans.to_string()
        };
        let (first, second, third) = (spans("nobody", 0), spans("\"worf\" 0", 1), spans("\"worf\" 1", 2));
        assert_eq!(shown.iter().collect::<Vec<_>>(), [&first, &first, &second, &second, &third, &third]);
    }

    #[test]
    fn numbers_that_json_has_not_are_texts() {
        let fields = fields(|| {
            let (low, high) = (i128::MIN, u128::MAX);
            tracing::info!(
                nan = f64::NAN,
                endless = f64::NEG_INFINITY,
                low,
                high,
                least = i64::MIN,
                most = u64::MAX
            );
        });
        let expected = json!({
            "nan": "NaN", "endless": "-inf", "low": i128::MIN.to_string(), "high": u128::MAX.to_string(),
            "least": i64::MIN, "most": u64::MAX,
        });
        assert_eq!(fields, expected);
    }

    #[test]
    fn an_error_says_what_caused_it() {
        #[derive(Debug)]
        struct Outer(io::Error);
        impl fmt::Display for Outer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("no cart")
            }
        }
        impl std::error::Error for Outer {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                Some(&self.0)
            }
        }
        let error = Outer(io::Error::other("the disk is gone"));
        let fields = fields(|| {
            tracing::error!(error = &error as &(dyn std::error::Error + 'static), shown = %error);
        });
        assert_eq!(fields, json!({ "error": "no cart: the disk is gone", "shown": "no cart" }));
    }

    #[test]
    fn secrets_stay_where_they_are() {
        let object = objects(|| {
            let _span =
                tracing::info_span!("login", password = "canary", pin = 1701, has_token = true).entered();
            tracing::info!(api_key = ?Some("canary"), pin = 1701, "as https://me:canary@bank.example/");
        });
        let text = object[0].to_string();
        assert!(!text.contains("canary") && !text.contains("1701"), "{text}");
        assert_eq!(object[0]["span"]["password"], "REDACTED");
        assert_eq!(object[0]["fields"]["pin"], "REDACTED");
    }

    #[test]
    fn what_panics_while_it_is_written_costs_itself() {
        struct Burning;
        impl fmt::Debug for Burning {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("so far")?;
                panic!("the till is on fire")
            }
        }
        let before = crate::observe::panics();
        let fields = fields(|| tracing::info!(before = 1, till = ?Burning, after = 2, "still open"));
        assert_eq!(fields, json!({ "before": 1, "till": "so far\u{2026}", "after": 2 }));
        assert!(crate::observe::panics() > before);
    }

    #[test]
    fn what_a_field_logs_while_it_is_written_is_left_out() {
        struct Chatty;
        impl fmt::Debug for Chatty {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let _span = tracing::info_span!("within", secret_of = "the pen").entered();
                tracing::info!(again = ?Self, "inside");
                f.write_str("chatty")
            }
        }
        let objects = objects(|| {
            tracing::info!(who = ?Chatty, "outside");
            tracing::info!("and on");
        });
        let messages: Vec<_> = objects.iter().map(|object| &object["message"]).collect();
        assert_eq!(messages, ["outside", "and on"]);
        assert_eq!(objects[0]["fields"], json!({ "who": "chatty" }));
    }

    #[test]
    fn what_a_span_says_later_replaces_what_it_said() {
        let objects = objects(|| {
            let span =
                tracing::info_span!("request", status = tracing::field::Empty, user = "nobody", id = 7);
            span.in_scope(|| tracing::info!("1"));
            span.record("status", 200);
            span.record("user", "worf");
            span.in_scope(|| tracing::info_span!("inner").in_scope(|| tracing::info!("2")));
        });
        assert_eq!(objects[0]["span"], json!({ "name": "request", "user": "nobody", "id": 7 }));
        let expected =
            json!([{ "name": "request", "status": 200, "user": "worf", "id": 7 }, { "name": "inner" }]);
        assert_eq!(objects[1]["spans"], expected);
    }

    #[test]
    fn what_two_threads_record_at_once_is_all_there() {
        struct Slow<'a>(&'a tracing::Span);
        impl fmt::Debug for Slow<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                std::thread::scope(|scope| scope.spawn(|| _ = self.0.record("user", "worf")).join()).unwrap();
                f.write_str("slow")
            }
        }
        let objects = objects(|| {
            let (first, second) = (tracing::field::Empty, tracing::field::Empty);
            let span = tracing::info_span!("request", status = first, user = second);
            span.record("status", tracing::field::debug(Slow(&span)));
            span.in_scope(|| tracing::info!("1"));
        });
        assert_eq!(objects[0]["span"], json!({ "name": "request", "status": "slow", "user": "worf" }));
    }

    #[test]
    fn a_record_of_the_crate_log_keeps_its_target_and_its_place() {
        let object = objects(|| {
            tracing::event!(
                target: "log",
                Level::INFO,
                log.target = "shop::till", log.module_path = "shop", log.file = "src/till.rs", log.line = 7_u64,
                "open"
            );
        })
        .remove(0);
        let shown = ["target", "message", "file", "line", "fields"].map(|name| object[name].clone());
        assert_eq!(shown, [json!("shop::till"), json!("open"), json!("src/till.rs"), json!(7), Value::Null]);
    }

    #[test]
    fn an_event_is_bounded_however_much_is_said() {
        let long = "\u{e9}\n\"".repeat(50_000);
        let written = lines(
            |subscriber| subscriber,
            || {
                let spans: Vec<_> =
                    (0..100).map(|depth| tracing::info_span!("deep", depth, long).entered()).collect();
                tracing::info!(a = long, b = long, c = long, d = 1, "{long}");
                spans.into_iter().rev().for_each(drop);
                tracing::info!(d = 1, "{long}");
            },
        );
        assert!(written[0].len() < 256 * 1024, "{}", written[0].len());
        let object: Value = serde_json::from_str(&written[0]).unwrap();
        let spans = object["spans"].as_array().unwrap();
        assert_eq!((spans.len(), &spans[0]["depth"], &spans[31]["depth"]), (32, &json!(68), &json!(99)));
        let object: Value = serde_json::from_str(&written[1]).unwrap();
        let message = object["message"].as_str().unwrap();
        assert!(message.starts_with("\u{e9}\n\"") && message.ends_with('\u{2026}') && message.len() > 10_000);
        assert_eq!(object["fields"]["d"], 1);
    }

    #[test]
    fn a_thread_does_not_keep_what_a_long_event_took() {
        lines(|subscriber| subscriber, || tracing::info!("{}", "x".repeat(30_000)));
        let mut pen = Pen::take().unwrap();
        let long = allocation_counter::measure(|| {
            let _ = pen.fields(MOST, |_| ());
        });
        assert_eq!(long.bytes_total, 0);
    }

    #[test]
    fn a_line_of_text_is_one_line() {
        let log = || {
            let _outer = tracing::info_span!("request").entered();
            let _inner = tracing::info_span!("checkout", cart = 7).entered();
            tracing::info!(target: "shop", items = 3, "paid\nGET /forged");
        };
        let text = |subscriber: Subscriber| subscriber.text().location(false);
        let end = "shop: paid\\nGET /forged items=3 xray_trace_id=1-4bf92f35-77b34da6a3ce929d0e0e4736";
        let line = lines(text, log).remove(0);
        assert_eq!(line.split_once("Z ").unwrap().1, format!(" INFO request:checkout{{cart=7}}: {end}"));
        let line = lines(|subscriber| text(subscriber).all_spans(false), log).remove(0);
        assert_eq!(line.split_once("Z ").unwrap().1, format!(" INFO checkout{{cart=7}}: {end}"));
    }

    proptest! {
        #[test]
        fn whatever_is_said_is_said_by_the_json_and_no_larger_than_its_size(
            message in "[^=:%]*", text: String, flag: bool, int: i64, float: f64, name in "\\PC*"
        ) {
            let scrubbed = |text: &str| Scrubber::default().text(text).into_owned();
            let object = objects(|| {
                let _span = tracing::info_span!("around", text, name).entered();
                tracing::info!(text, flag, int, float, "{message}");
            }).remove(0);
            prop_assert_eq!(&object["message"], &json!(scrubbed(&message)));
            prop_assert_eq!(&object["fields"]["text"], &json!(scrubbed(&text)));
            prop_assert_eq!(&object["fields"]["int"], &json!(int));
            prop_assert_eq!(&object["fields"]["flag"], &json!(flag));
            prop_assert_eq!(&object["span"]["name_"], &json!(scrubbed(&name)));
        }
    }
}

//! `X-Amzn-Trace-Id`, the header of AWS X-Ray, of AWS load balancers and of Lambda.
//!
//! ```text
//! X-Amzn-Trace-Id: Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1;Lineage=a87bd80c:1
//! ```
//!
//! A service reads it, answers, and passes it on with a segment of its own as the parent:
//!
//! ```
//! use belvedere::trace::{SpanId, TraceId, amzn};
//! use http::HeaderMap;
//!
//! let mut headers = HeaderMap::new();
//! headers.insert(&amzn::NAME, "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Sampled=?".parse()?);
//!
//! let mut header = amzn::Header::read(&headers).unwrap_or_default();
//! let root = header.root.unwrap_or_else(TraceId::generate);
//! assert_eq!(header.answer(root, true), "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Sampled=1");
//!
//! header.root = Some(root);
//! header.parent = Some(SpanId::generate());
//! header.sampled = Some(amzn::Decision::Yes);
//! header.inject(&mut headers);
//! # Ok::<_, http::header::InvalidHeaderValue>(())
//! ```
//!
//! # What is read
//!
//! Reading is lenient, because the senders of [the header] differ: fields come in any order, their names in any case,
//! with white space around `;` and `=`. What has no `=` is skipped, a field that cannot be read is as if it were not
//! there, and of a field that comes twice the first that can be read counts. If the header is repeated, the first
//! that has a root counts, else the first that says anything.
//!
//! Ids that are all zero stand for "not traced" and are read as no id; `Sampled` beside them is honoured.
//!
//! # What is passed on
//!
//! Every field that is not known, `Lineage` with which Lambda stops loops among them, up to 256 bytes of them; those
//! that do not fit and those that are not ASCII are dropped. `Self`, which [a load balancer] adds for itself, is
//! dropped too.
//!
//! [the header]: https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
//! [a load balancer]: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Amzn, SpanId, TraceId, hex};

/// The name of the header, in requests and in responses.
pub static NAME: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// What `X-Amzn-Trace-Id` says.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Header {
    /// The trace that the caller is in. It is kept whether the trace is sampled or not.
    pub root: Option<TraceId>,
    /// The caller's segment or subsegment. A load balancer sends none.
    pub parent: Option<SpanId>,
    /// Whether the trace is recorded. A load balancer leaves it to the first service.
    pub sampled: Option<Decision>,
    others: String,
}

/// Whether a trace is recorded.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Decision {
    /// `Sampled=1`: it is.
    Yes,
    /// `Sampled=0`: it is not.
    No,
    /// `Sampled=?`: the callee is to decide and to say so in its answer.
    Ask,
}

// ===== impl Header =====

impl Header {
    /// Reads the header; none if there is none, or nothing in it that can be used.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let mut first = None;
        for value in headers.get_all(&NAME) {
            let header = Self::parse(value);
            if header.root.is_some() {
                return Some(header);
            }
            first = first.or_else(|| header.says_anything().then_some(header));
        }
        first
    }

    /// The fields that are neither root, parent nor decision: names as they came, and values.
    pub fn others(&self) -> impl Iterator<Item = (&str, &str)> {
        self.others.split(';').filter_map(|field| field.split_once('='))
    }

    /// The header to be sent on: root, parent and decision, then the others.
    pub fn to_value(&self) -> HeaderValue {
        let Self { root, parent, sampled, others } = self;
        let mut line = Line::with_capacity(KNOWN + others.len());
        line.root(*root);
        line.parent(*parent);
        line.sampled(*sampled);
        line.field(others.as_bytes());
        line.into_value()
    }

    /// Writes the header that is sent on in the place of whatever was there; none if there is nothing to say.
    pub fn inject(&self, headers: &mut HeaderMap) {
        if self.says_anything() {
            // A map that is full refuses; telemetry does without, rather than panic.
            let _ = headers.try_insert(NAME.clone(), self.to_value());
        } else {
            headers.remove(&NAME);
        }
    }

    /// The header of the response: the caller's root, and the decision if the caller asked for it.
    ///
    /// `own` is the root if the caller gave none.
    pub fn answer(&self, own: TraceId, is_sampled: bool) -> HeaderValue {
        let is_asked = self.sampled == Some(Decision::Ask);
        answer(self.root.unwrap_or(own), is_asked.then_some(is_sampled.into()))
    }

    /// Reads a header that is the only one of its name.
    pub(super) fn of(value: &HeaderValue) -> Option<Self> {
        let header = Self::parse(value);
        header.says_anything().then_some(header)
    }

    fn parse(value: &HeaderValue) -> Self {
        Self::usual(value.as_bytes()).unwrap_or_else(|| Self::any(value.as_bytes()))
    }

    /// Reads the order and the spelling of nearly all senders: the root, and after it a parent, a decision or both.
    fn usual(value: &[u8]) -> Option<Self> {
        let (root, rest) = value.strip_prefix(b"Root=")?.split_first_chunk()?;
        let root = Some(Amzn::read(root)?);
        let (parent, rest) = match rest.strip_prefix(b";Parent=") {
            Some(rest) => {
                let (digits, rest) = rest.split_at_checked(16)?;
                (Some(read_parent(digits)?), rest)
            }
            None => (None, rest),
        };
        let sampled = match rest.strip_prefix(b";Sampled=") {
            Some(decision) => Some(Decision::read(decision)?),
            None if rest.is_empty() => None,
            None => return None,
        };
        Some(Self { root, parent, sampled, others: String::new() })
    }

    /// Reads all that a sender may write.
    fn any(value: &[u8]) -> Self {
        let mut header = Self::default();
        for part in value.split(|&byte| byte == b';') {
            let Some(equals) = part.iter().position(|&byte| byte == b'=') else { continue };
            header.take(part[..equals].trim_ascii(), part[equals + 1..].trim_ascii());
        }
        header
    }

    fn take(&mut self, name: &[u8], value: &[u8]) {
        let Self { root, parent, sampled, others } = self;
        if name.eq_ignore_ascii_case(b"Root") {
            *root = root.or_else(|| Amzn::read(value.try_into().ok()?));
        } else if name.eq_ignore_ascii_case(b"Parent") {
            *parent = parent.or_else(|| read_parent(value));
        } else if name.eq_ignore_ascii_case(b"Sampled") {
            *sampled = sampled.or_else(|| Decision::read(value));
        } else if !name.is_empty() && !name.eq_ignore_ascii_case(b"Self") {
            keep(others, name, value);
        }
    }

    fn says_anything(&self) -> bool {
        *self != Self::default()
    }
}

/// The header of a response: the caller's root, or ours, and the decision if the caller asked for it.
pub(super) fn answer(root: TraceId, sampled: Option<Decision>) -> HeaderValue {
    let mut line = Line::with_capacity(KNOWN);
    line.root(Some(root));
    line.sampled(sampled);
    line.into_value()
}

fn read_parent(value: &[u8]) -> Option<SpanId> {
    SpanId::new(hex::read::<16>(value.try_into().ok()?)?)
}

/// Adds a field to the `others`, if it is text and there is room.
fn keep(others: &mut String, name: &[u8], value: &[u8]) {
    let (Some(name), Some(value)) = (ascii(name), ascii(value)) else { return };
    let separator = if others.is_empty() { "" } else { ";" };
    if others.len() + separator.len() + name.len() + 1 + value.len() > MAX_OTHERS {
        return;
    }
    for part in [separator, name, "=", value] {
        others.push_str(part);
    }
}

fn ascii(bytes: &[u8]) -> Option<&str> {
    bytes.is_ascii().then(|| std::str::from_utf8(bytes).ok())?
}

// ===== impl Decision =====

impl Decision {
    /// Yes or no, where it is decided.
    pub const fn is_sampled(self) -> Option<bool> {
        match self {
            Self::Yes => Some(true),
            Self::No => Some(false),
            Self::Ask => None,
        }
    }

    const fn read(value: &[u8]) -> Option<Self> {
        match value {
            b"1" => Some(Self::Yes),
            b"0" => Some(Self::No),
            b"?" => Some(Self::Ask),
            _ => None,
        }
    }

    const fn field(self) -> &'static [u8] {
        match self {
            Self::Yes => b"Sampled=1",
            Self::No => b"Sampled=0",
            Self::Ask => b"Sampled=?",
        }
    }
}

impl From<bool> for Decision {
    fn from(is_sampled: bool) -> Self {
        if is_sampled { Self::Yes } else { Self::No }
    }
}

// ===== impl Line =====

/// A header being written.
struct Line(Vec<u8>);

impl Line {
    fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    fn root(&mut self, root: Option<TraceId>) {
        let Some(root) = root else { return };
        let mut id = [0; Amzn::LEN];
        root.amzn().write(&mut id);
        self.field(b"Root=");
        self.0.extend_from_slice(&id);
    }

    fn parent(&mut self, parent: Option<SpanId>) {
        let Some(parent) = parent else { return };
        let mut id = [0; 16];
        hex::write(parent.to_u64().into(), &mut id);
        self.field(b"Parent=");
        self.0.extend_from_slice(&id);
    }

    fn sampled(&mut self, sampled: Option<Decision>) {
        self.field(sampled.map_or(b"", Decision::field));
    }

    fn field(&mut self, text: &[u8]) {
        if !self.0.is_empty() && !text.is_empty() {
            self.0.push(b';');
        }
        self.0.extend_from_slice(text);
    }

    fn into_value(self) -> HeaderValue {
        let Self(line) = self;
        // The others came out of a header, so they may go into one.
        HeaderValue::try_from(line).expect("only what headers may hold is kept")
    }
}

/// The longest that root, parent and decision get.
const KNOWN: usize = "Root=;Parent=;Sampled=?;".len() + Amzn::LEN + 16;

const MAX_OTHERS: usize = 256;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROOT: &str = "1-4bf92f35-77b34da6a3ce929d0e0e4736";
    const ALL: &str = "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1";

    fn headers(values: &[&str]) -> HeaderMap {
        let value = |value: &&str| (NAME.clone(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        values.iter().map(value).collect()
    }

    fn read(values: &[&str]) -> Option<Header> {
        Header::read(&headers(values))
    }

    /// What is sent on after `value` was read.
    fn sent(value: &str) -> String {
        read(&[value]).unwrap_or_default().to_value().to_str().unwrap().to_owned()
    }

    fn own() -> TraceId {
        TraceId::new(1).unwrap()
    }

    #[test]
    fn all_three_fields_are_read() {
        let header = read(&[ALL]).unwrap();
        assert_eq!(header.root, ROOT.parse().ok());
        assert_eq!(header.parent, SpanId::new(0x00f0_67aa_0ba9_02b7));
        assert_eq!(header.sampled, Some(Decision::Yes));
        assert_eq!(header.others().count(), 0);
    }

    #[test]
    fn the_headers_of_x_ray_and_of_load_balancers_are_read_straight() {
        let root = format!("Root={ROOT}");
        for value in [ALL, &*format!("{root};Sampled=?"), &*root, ALL.strip_suffix(";Sampled=1").unwrap()] {
            assert_eq!(Header::usual(value.as_bytes()), Some(Header::any(value.as_bytes())), "{value}");
        }
    }

    #[test]
    fn order_case_and_spacing_do_not_matter() {
        for value in [
            "Sampled=1;Parent=00f067aa0ba902b7;Root=1-4bf92f35-77b34da6a3ce929d0e0e4736",
            "root=1-4bf92f35-77b34da6a3ce929d0e0e4736;PARENT=00f067aa0ba902b7;sampled=1",
            "Root=1-4BF92F35-77B34DA6A3CE929D0E0E4736;Parent=00F067AA0BA902B7;Sampled=1",
            " Root = 1-4bf92f35-77b34da6a3ce929d0e0e4736 ;\tParent\t=\t00f067aa0ba902b7; Sampled =1 ",
            "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736; Parent=00f067aa0ba902b7; Sampled=1;",
            ";;Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;;junk;Parent=00f067aa0ba902b7;Sampled=1;=x;",
        ] {
            assert_eq!(sent(value), ALL, "{value}");
        }
    }

    #[test]
    fn a_load_balancers_note_to_itself_is_dropped() {
        let value = "Self=1-67891234-12456789abcdef0123456789;Root=1-4bf92f35-77b34da6a3ce929d0e0e4736";
        assert_eq!(sent(value), format!("Root={ROOT}"));
        assert_eq!(read(&["self=1-67891234-12456789abcdef0123456789"]), None);
    }

    #[test]
    fn other_fields_are_passed_on_as_they_came() {
        let others = "Lineage=a87bd80c:1|68fd508a:5|c512fbe3:2;CalledFrom=app;q=a=b;empty=";
        assert_eq!(sent(&format!("{others};{ALL}")), format!("{ALL};{others}"));
        let header = read(&[others]).unwrap();
        assert_eq!(
            header.others().collect::<Vec<_>>(),
            [
                ("Lineage", "a87bd80c:1|68fd508a:5|c512fbe3:2"),
                ("CalledFrom", "app"),
                ("q", "a=b"),
                ("empty", "")
            ]
        );
    }

    #[test]
    fn other_fields_are_bounded_and_whole() {
        let long = format!("a={};b={};c=1;{ALL}", "x".repeat(200), "y".repeat(100));
        assert_eq!(sent(&long), format!("{ALL};a={};c=1", "x".repeat(200)));
        let full = format!("a={}", "x".repeat(MAX_OTHERS - 2));
        assert_eq!(sent(&full), full);
        assert_eq!(read(&[&format!("{full}x")]), None);
    }

    #[test]
    fn ids_that_are_all_zero_are_no_ids_but_their_decision_counts() {
        let value = "Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0";
        let header = read(&[value]).unwrap();
        assert_eq!(header, Header { sampled: Some(Decision::No), ..Header::default() });
    }

    #[test]
    fn a_field_that_cannot_be_read_does_not_spoil_the_others() {
        for root in ["", "abc", "1-4bf92f35-77b34da6a3ce929d0e0e473", "2-4bf92f35-77b34da6a3ce929d0e0e4736"] {
            assert_eq!(sent(&format!("Root={root};Sampled=1")), "Sampled=1", "{root}");
        }
        for parent in ["", "0f067aa0ba902b7", "000f067aa0ba902b7", "00f067aa0ba902bg"] {
            assert_eq!(sent(&format!("Root={ROOT};Parent={parent}")), format!("Root={ROOT}"), "{parent}");
        }
        for sampled in ["", "2", "true", "??"] {
            assert_eq!(sent(&format!("Root={ROOT};Sampled={sampled}")), format!("Root={ROOT}"), "{sampled}");
        }
    }

    #[test]
    fn of_a_field_that_comes_twice_the_first_readable_one_counts() {
        assert_eq!(sent("Sampled=x;Sampled=0;Sampled=1"), "Sampled=0");
    }

    #[test]
    fn of_repeated_headers_the_first_with_a_root_counts() {
        let header = read(&["junk", "Sampled=0", ALL, "Root=1-ffffffff-77b34da6a3ce929d0e0e4736"]).unwrap();
        assert_eq!(header, read(&[ALL]).unwrap());
        assert_eq!(read(&["junk", "Sampled=0", "Sampled=1"]).unwrap().sampled, Some(Decision::No));
        assert_eq!(read(&["junk", ""]), None);
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn the_answer_has_the_callers_root_and_the_decision_if_asked() {
        for (value, is_sampled, expected) in [
            (ALL, true, format!("Root={ROOT}")),
            (ALL, false, format!("Root={ROOT}")),
            ("Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Sampled=?", true, format!("Root={ROOT};Sampled=1")),
            ("Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Sampled=?", false, format!("Root={ROOT};Sampled=0")),
            ("Sampled=?;Lineage=a:1", true, "Root=1-00000000-000000000000000000000001;Sampled=1".to_owned()),
            ("", true, "Root=1-00000000-000000000000000000000001".to_owned()),
        ] {
            let answer = read(&[value]).unwrap_or_default().answer(own(), is_sampled);
            assert_eq!(answer, expected, "{value}");
        }
    }

    #[test]
    fn injecting_replaces_what_was_there() {
        let mut headers = headers(&["Root=x", "Root=y"]);
        read(&[ALL]).unwrap().inject(&mut headers);
        assert_eq!(headers.get_all(&NAME).iter().collect::<Vec<_>>(), [ALL]);
        Header::default().inject(&mut headers);
        assert!(headers.is_empty());
    }

    #[test]
    fn bytes_beyond_ascii_are_dropped_with_their_field() {
        let value = HeaderValue::from_bytes(b"\xff=1;a=\xe9;Sampled=1;b=2").unwrap();
        let header = Header::read(&HeaderMap::from_iter([(NAME.clone(), value)])).unwrap();
        assert_eq!(header.to_value(), "Sampled=1;b=2");
    }

    /// Fields of distinct names, in a known order.
    fn fields() -> impl Strategy<Value = Vec<(String, String)>> {
        let id = (1..=u128::MAX).prop_map(|bits| TraceId::new(bits).unwrap().amzn().to_string());
        let parent = (1..=u64::MAX).prop_map(|bits| SpanId::new(bits).unwrap().to_string());
        (id, parent, "[01?]", "[a-z:|=]{0,20}").prop_map(|(root, parent, sampled, lineage)| {
            let pairs = [("Root", root), ("Parent", parent), ("Sampled", sampled), ("Lineage", lineage)];
            pairs.map(|(name, value)| (name.to_owned(), value)).to_vec()
        })
    }

    fn join(fields: &[(String, String)]) -> String {
        fields.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(";")
    }

    /// The same field as another sender may write it.
    fn disguise((name, value): &(String, String), flips: u32, spaces: &[String]) -> String {
        let flip = |(at, letter): (usize, char)| match flips >> at & 1 {
            0 => letter.to_ascii_lowercase(),
            _ => letter.to_ascii_uppercase(),
        };
        // The name of a field that is not known is passed on as it came.
        let name =
            if name == "Lineage" { name.clone() } else { name.chars().enumerate().map(flip).collect() };
        format!("{}{name}{}={}{value}{}", spaces[0], spaces[1], spaces[2], spaces[3])
    }

    proptest! {
        #[test]
        fn the_usual_form_is_read_as_any_other(
            root in "(1-[0-9a-fA-F]{8}-[0-9a-f]{24}|1-0{8}-0{24}|[-0-9a-g]{34,36})",
            parent in "(;[Pp]arent=([0-9a-fA-F]{15,17}|0{16}|[0-9a-g]{16}))?",
            sampled in "(; ?Sampled=[01?2 ]{0,2})?",
            more in "(;|;Lineage=a:1|;Self=1)?",
        ) {
            let text = format!("Root={root}{parent}{sampled}{more}");
            if let Some(header) = Header::usual(text.as_bytes()) {
                prop_assert_eq!(header, Header::any(text.as_bytes()), "{}", text);
            }
        }

        #[test]
        fn what_is_written_reads_back(fields in fields()) {
            prop_assert_eq!(sent(&join(&fields)), join(&fields));
        }

        #[test]
        fn reading_does_not_depend_on_order_case_or_spacing(
            fields in fields(),
            order in Just([0, 1, 2, 3]).prop_shuffle(),
            flips: u32,
            spaces in prop::array::uniform4("[ \t]{0,3}"),
            trailing in "[; ]{0,3}",
        ) {
            let parts = order.map(|at| disguise(&fields[at], flips, &spaces));
            prop_assert_eq!(sent(&(parts.join(";") + &trailing)), join(&fields));
        }

        #[test]
        fn nothing_between_the_fields_and_no_repetition_costs_context(
            fields in fields(),
            strangers in prop::collection::btree_map("[A-QT-Z][a-z]{0,5}x", "[!-:<-~]{0,12}", 0..6),
            order in Just((0..9).collect::<Vec<_>>()).prop_shuffle(),
            junk in prop::collection::vec(
                prop_oneof![
                    "[a-z ]{0,4}",
                    "=[a-z]{0,4}",
                    "Self=.{0,9}",
                    prop::sample::select(vec!["Root=?", "parent=0", "SAMPLED=yes"]).prop_map(str::to_owned),
                ],
                10,
            ),
            flips: u32,
            spaces in prop::array::uniform4("[ \t]{0,2}"),
            again: bool,
        ) {
            let known = &fields[..3];
            let strangers: Vec<_> = strangers.into_iter().collect();
            let mut all: Vec<_> = known.iter().map(|field| disguise(field, flips, &spaces)).collect();
            let spaced = |(name, value): &(String, String)| format!("{}{name}={value}{}", spaces[1], spaces[2]);
            all.extend(strangers.iter().map(spaced));
            let mut parts: Vec<_> = order.iter().filter_map(|at| all.get(*at).cloned()).collect();
            if again {
                // Whoever repeats a field says another thing.
                let other = "Root=1-ffffffff-ffffffffffffffffffffffff;Parent=ffffffffffffffff;Sampled=?";
                parts.extend(other.split(';').map(str::to_owned));
            }
            let pairs = parts.iter().zip(junk.iter().cycle());
            let text: String = pairs.map(|(part, junk)| format!("{junk};{part};")).collect();
            let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) else { return Ok(()) };
            let header = Header::read(&HeaderMap::from_iter([(NAME.clone(), value)])).unwrap();
            let mut found: Vec<_> = header.others().collect();
            found.sort_unstable();
            let strangers: Vec<_> = strangers.iter().map(|(name, value)| (&**name, &**value)).collect();
            prop_assert_eq!(found, strangers, "{}", text);
            let written = Header { others: String::new(), ..header }.to_value();
            prop_assert_eq!(written, join(known), "{}", text);
        }

        #[test]
        fn no_bytes_make_it_panic(
            bytes in prop::collection::vec(prop_oneof![
                Just(b"Root=".to_vec()), Just(b"Parent=".to_vec()), Just(b"Sampled=".to_vec()),
                Just(b";".to_vec()), Just(ROOT.into()), prop::collection::vec(any::<u8>(), 0..40),
            ], 0..12),
        ) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes.concat()) {
                let headers = HeaderMap::from_iter([(NAME.clone(), value)]);
                let header = Header::read(&headers).unwrap_or_default();
                let value = header.to_value();
                prop_assert!(value.len() <= KNOWN + MAX_OTHERS);
                prop_assert!(header.answer(own(), true).len() <= KNOWN);
                let again = Header::read(&HeaderMap::from_iter([(NAME.clone(), value)])).unwrap_or_default();
                prop_assert_eq!(again, header);
            }
        }
    }
}

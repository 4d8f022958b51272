//! The way to the standard output.

use std::{
    borrow::Cow,
    io::{self, Write},
    time::Duration,
};

use super::{
    lane::Entry,
    line::line,
    message::{IS_TEXT, Message},
};
use crate::outbox::{Batch, Destination, Limits, Press, Reason, SendError};

/// Prints each event as a line, in one write, on a thread of its own. Whatever an event has in it, it is one line.
#[derive(Debug)]
pub(super) struct Stdout {
    press: Press<Entry>,
}

// ===== impl Stdout =====

impl Stdout {
    pub(super) fn new() -> Self {
        Self::on(io::stdout())
    }

    fn on(out: impl Write + Send + 'static) -> Self {
        Self { press: Press::new(out, bytes) }
    }
}

impl Destination for Stdout {
    type Record = Entry;

    fn limits(&self) -> Limits {
        Limits::default().age(Duration::ZERO).in_flight(1)
    }

    fn size(&self, entry: &Entry) -> usize {
        entry.size()
    }

    async fn send(&self, batch: Batch<Entry>) -> Result<(), SendError<Entry>> {
        self.press.print(Entry::in_order(batch).into()).await
    }
}

fn bytes(entry: &Entry) -> Result<Vec<u8>, Reason> {
    let mut text = Vec::new();
    entry.write(&mut Message::plain(&mut text));
    if text.is_empty() {
        return Err(Reason::new("empty"));
    }
    Ok(match line(str::from_utf8(&text).expect(IS_TEXT)) {
        Cow::Borrowed(_) => text,
        Cow::Owned(line) => line.into_bytes(),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::cloudwatch::lane::Source;
    use crate::{
        cloudwatch::{LogEvent, draft::Draft},
        outbox::{Outbox, Report},
    };

    /// Keeps each write apart.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<String>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().push(String::from_utf8(bytes.to_vec()).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Broken;

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Panics when it is written.
    struct Panicking;

    impl Draft for Panicking {
        fn at(&self) -> std::time::SystemTime {
            std::time::UNIX_EPOCH
        }

        fn size(&self) -> usize {
            0
        }

        fn write(&self, message: &mut Message<'_>) {
            message.push("half");
            panic!("a format");
        }
    }

    fn print(out: impl Write + Send + 'static, drafts: Vec<Arc<dyn Draft>>) -> Report {
        let outbox = Outbox::builder().start().unwrap();
        let lane = outbox.lane("stdout", Stdout::on(out));
        let stream = Arc::default();
        drafts.into_iter().for_each(|draft| {
            lane.push(Entry { draft: Source::Shared(draft), stream: Arc::clone(&stream), weight: 1 })
        });
        outbox.shutdown_blocking(Duration::from_secs(60))
    }

    fn event(message: &str) -> Arc<dyn Draft> {
        Arc::new(LogEvent { timestamp: 0, message: message.to_owned() })
    }

    #[test]
    fn an_event_is_one_line_in_one_write_whatever_is_in_it() {
        let out = Kept::default();
        let report =
            print(out.clone(), vec![event(r#"{"a":"b"}"#), event("a\r\n2026 forged \u{1b}[31m\u{2028}")]);
        assert_eq!(*out.0.lock().unwrap(), ["{\"a\":\"b\"}\n", "a\\r\\n2026 forged \\u001b[31m\\u2028\n"]);
        assert_eq!(report.lanes[0].delivered, 2);
    }

    #[test]
    fn lines_of_one_batch_are_in_the_order_of_time() {
        let out = Kept::default();
        let at = |timestamp, message: &str| -> Arc<dyn Draft> {
            Arc::new(LogEvent { timestamp, message: message.to_owned() })
        };
        let stdout = Stdout::on(out.clone());
        let entry = |draft| Entry { draft: Source::Shared(draft), stream: Arc::default(), weight: 1 };
        let drafts = [at(2, "refused"), at(1, "charging"), at(2, "told")];
        let batch = drafts.into_iter().map(entry).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(stdout.send(batch)).unwrap();
        assert_eq!(*out.0.lock().unwrap(), ["charging\n", "refused\n", "told\n"]);
    }

    #[test]
    fn what_cannot_be_written_costs_itself_alone() {
        let out = Kept::default();
        let report = print(out.clone(), vec![event("a"), Arc::new(Panicking), event(""), event("b")]);
        assert_eq!(*out.0.lock().unwrap(), ["a\n", "b\n"]);
        let lane = &report.lanes[0];
        assert_eq!((lane.delivered, lane.lost["panic"], lane.lost["empty"]), (2, 1, 1), "{lane}");
    }

    #[test]
    fn a_broken_pipe_is_a_rejection_with_a_reason() {
        let report = print(Broken, vec![event("a"), event("b")]);
        assert_eq!((report.lanes[0].delivered, report.lanes[0].lost["output"]), (0, 2));
    }
}

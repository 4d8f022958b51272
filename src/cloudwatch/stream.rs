use std::{fmt, str::FromStr, time::SystemTime};

use super::{date::Date, place::Place};
use crate::Error;

/// What a log stream is called: a name, or a pattern such as `{hostname}/{pid}`.
///
/// ```
/// use belvedere::cloudwatch::StreamName;
///
/// let stream: StreamName = "web/{date}/{ecs_task}".parse()?;
/// assert!("web/{day}".parse::<StreamName>().is_err());
/// # Ok::<_, belvedere::Error>(())
/// ```
///
/// | word | what it stands for | where it is not known |
/// |---|---|---|
/// | `{hostname}` | the host's name: in a container its own, which is most often its id | `unknown` |
/// | `{pid}` | the number of the process | |
/// | `{date}` | the day of the event in UTC: `2026-11-20` | |
/// | `{ecs_task}` | the id of the task, by `ECS_CONTAINER_METADATA_URI_V4` | `unknown` |
/// | `{instance_id}` | the instance of EC2, by its metadata (IMDSv2) | `unknown` |
///
/// What has to be asked for is asked once, for 2 s at most, off the threads of requests and before the first event that needs
/// it is sent, or written to the disk; neither the start nor a request waits. That something is not known is said in the
/// log. In place of the characters `:` and `*` and of control characters, which CloudWatch does not take, a value has `-`; a
/// name ends after 512 characters.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct StreamName {
    text: Box<str>,
    parts: Box<[Part]>,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum Part {
    Text(Box<str>),
    Word(Word),
}

/// What is put in when an event is sent.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Word {
    Hostname,
    Pid,
    Date,
    EcsTask,
    InstanceId,
}

// ===== impl StreamName =====

impl StreamName {
    /// One name, whatever is in it.
    #[cfg(feature = "spool")]
    pub(super) fn exact(name: &str) -> Self {
        Self { text: name.into(), parts: [Part::Text(name.into())].into() }
    }

    /// The name of the stream that an event of this time goes into.
    pub(super) fn at(&self, time: SystemTime, place: &Place) -> String {
        let mut name = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => name.push_str(text),
                Part::Word(Word::Date) => name.push_str(Date::of(time).day()),
                Part::Word(word) => name.extend(place.value(*word).chars().map(taken)),
            }
        }
        match name.char_indices().nth(LONGEST) {
            Some((end, _)) => name[..end].to_owned(),
            None => name,
        }
    }

    pub(super) fn words(&self) -> impl Iterator<Item = Word> + '_ {
        self.parts.iter().filter_map(|part| if let Part::Word(word) = part { Some(*word) } else { None })
    }

    /// Whether each day has a stream of its own.
    pub(super) fn has_date(&self) -> bool {
        self.words().any(|word| word == Word::Date)
    }
}

impl Default for StreamName {
    /// `{hostname}/{pid}`.
    fn default() -> Self {
        "{hostname}/{pid}".parse().expect("it is a pattern")
    }
}

impl FromStr for StreamName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let is_refused = |letter: char| taken(letter) != letter;
        if text.is_empty() || text.chars().count() > LONGEST || text.contains(is_refused) {
            return Err(Error::invalid("log stream", text, ADVICE));
        }
        let parts = parts(text).ok_or_else(|| Error::invalid("log stream", text, words()))?;
        Ok(Self { text: text.into(), parts: parts.into() })
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

// ===== impl Word =====

impl Word {
    pub(super) const ALL: [Self; 5] =
        [Self::Hostname, Self::Pid, Self::Date, Self::EcsTask, Self::InstanceId];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Hostname => "hostname",
            Self::Pid => "pid",
            Self::Date => "date",
            Self::EcsTask => "ecs_task",
            Self::InstanceId => "instance_id",
        }
    }
}

/// `None`: a brace without its other one, or a word that is none.
fn parts(mut text: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    while let Some((before, after)) = text.split_once('{') {
        let (name, rest) = after.split_once('}')?;
        parts.extend(plain(before)?);
        parts.push(Part::Word(Word::ALL.into_iter().find(|word| word.name() == name)?));
        text = rest;
    }
    parts.extend(plain(text)?);
    Some(parts)
}

fn plain(text: &str) -> Option<Option<Part>> {
    (!text.contains('}')).then(|| (!text.is_empty()).then(|| Part::Text(text.into())))
}

fn taken(letter: char) -> char {
    if matches!(letter, ':' | '*') || letter.is_control() { '-' } else { letter }
}

fn words() -> String {
    let words: Vec<_> = Word::ALL.iter().map(|word| format!("{{{}}}", word.name())).collect();
    format!("the words that can stand in braces are {}", words.join(", "))
}

const LONGEST: usize = 512;
const ADVICE: &str = "use up to 512 characters other than : and *, as in web-1 or {hostname}/{pid}";

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn name(pattern: &str, seconds: u64) -> String {
        let place =
            Place::of([(Word::Hostname, "a:b*c\n"), (Word::EcsTask, "158d1c80"), (Word::InstanceId, "i-1")]);
        let pattern: StreamName = pattern.parse().unwrap();
        pattern.at(UNIX_EPOCH + Duration::from_secs(seconds), &place)
    }

    #[test]
    fn words_are_put_in_as_cloudwatch_takes_them() {
        assert_eq!(name("{hostname}/{ecs_task}-{instance_id}", 0), "a-b-c-/158d1c80-i-1");
        assert_eq!(name("web-1", 0), "web-1");
        assert_eq!(name("{pid}", 0), std::process::id().to_string());
        assert_eq!(StreamName::default().to_string(), "{hostname}/{pid}");
    }

    #[test]
    fn the_day_is_that_of_the_event_in_utc() {
        assert_eq!(name("x/{date}", 86_399), "x/1970-01-01");
        assert_eq!(name("x/{date}", 86_400), "x/1970-01-02");
    }

    #[test]
    fn a_name_is_never_too_long() {
        let pattern = format!("{}{{date}}", "\u{fc}".repeat(506));
        assert_eq!(name(&pattern, 0).chars().count(), 512);
    }

    #[test]
    fn a_pattern_is_refused_with_the_words_that_there_are() {
        for text in ["{day}", "{hostname", "pid}", "{}", "{{pid}}", "}{", "a{hostname}}"] {
            let refused = text.parse::<StreamName>().unwrap_err().to_string();
            assert!(
                refused.contains("{hostname}, {pid}, {date}, {ecs_task}, {instance_id}"),
                "{text}: {refused}"
            );
        }
        for text in ["", "a:b", "a*", "a\nb", &"a".repeat(513)] {
            assert!(text.parse::<StreamName>().unwrap_err().to_string().contains("512 characters"), "{text}");
        }
        assert!("\u{fc}".repeat(512).parse::<StreamName>().is_ok());
    }
}

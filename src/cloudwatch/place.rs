//! Where the process runs.

use std::{fmt, process, sync::Arc};

use serde::Deserialize;
use tokio::sync::OnceCell;

use super::{StreamName, lane::Entry, stream::Word};
use crate::{
    Error,
    aws::{EcsMetadata, Imds, Machine, Variables},
};

/// What the words of a stream's name stand for, each asked for once, when it is first needed.
pub(super) struct Place {
    sources: Option<Sources>,
    pid: String,
    hostname: OnceCell<Box<str>>,
    ecs_task: OnceCell<Box<str>>,
    instance_id: OnceCell<Box<str>>,
}

/// Whom to ask. Clones share connections.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    machine: Machine,
    ecs: Option<EcsMetadata>,
    imds: Option<Imds>,
}

/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-response.html>
#[derive(Deserialize)]
struct Task {
    #[serde(rename = "TaskARN")]
    arn: String,
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html>
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    instance_id: String,
}

// ===== impl Place =====

impl Place {
    pub(super) fn new(sources: Option<Sources>) -> Self {
        let pid = process::id().to_string();
        let (hostname, ecs_task, instance_id) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { sources, pid, hostname, ecs_task, instance_id }
    }

    #[cfg(test)]
    pub(super) fn of<'a>(values: impl IntoIterator<Item = (Word, &'a str)>) -> Self {
        let place = Self::new(None);
        for (word, value) in values {
            place.cell(word).unwrap().set(value.into()).unwrap();
        }
        place
    }

    /// Asks for what the streams of these events need, and is not known yet.
    pub(super) async fn learn(&self, entries: &[Entry]) {
        let mut last: Option<&Arc<StreamName>> = None;
        for Entry { stream, .. } in entries {
            if last.is_some_and(|last| Arc::ptr_eq(last, stream)) {
                continue;
            }
            last = Some(stream);
            for word in stream.words() {
                if let Some(cell) = self.cell(word) {
                    cell.get_or_init(|| self.find(word)).await;
                }
            }
        }
    }

    /// Whether nothing is to be asked for a word any more.
    #[cfg(feature = "spool")]
    pub(super) fn knows(&self, word: Word) -> bool {
        self.cell(word).is_none_or(OnceCell::initialized)
    }

    /// What a word stands for. A day is that of an event, and not known here.
    pub(super) fn value(&self, word: Word) -> &str {
        if word == Word::Pid {
            return &self.pid;
        }
        self.cell(word).and_then(OnceCell::get).map_or(UNKNOWN, |value| value)
    }

    fn cell(&self, word: Word) -> Option<&OnceCell<Box<str>>> {
        match word {
            Word::Hostname => Some(&self.hostname),
            Word::EcsTask => Some(&self.ecs_task),
            Word::InstanceId => Some(&self.instance_id),
            Word::Pid | Word::Date => None,
        }
    }

    async fn find(&self, word: Word) -> Box<str> {
        let found = match &self.sources {
            Some(sources) => sources.find(word).await,
            None => None,
        };
        found.filter(|found| !found.is_empty()).map_or_else(
            || {
                let word = word.name();
                tracing::warn!(
                    target: "belvedere::cloudwatch",
                    "what {{{word}}} stands for in the names of log streams cannot be found out; it is {UNKNOWN}"
                );
                UNKNOWN.into()
            },
            String::into_boxed_str,
        )
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sources, pid: _, hostname, ecs_task, instance_id } = self;
        f.debug_struct("Place")
            .field("sources", sources)
            .field("hostname", &hostname.get())
            .field("ecs_task", &ecs_task.get())
            .field("instance_id", &instance_id.get())
            .finish()
    }
}

// ===== impl Sources =====

impl Sources {
    pub(super) fn new(variables: Variables<'_>) -> Result<Self, Error> {
        let machine = Machine::new(variables);
        Ok(Self { machine, ecs: EcsMetadata::new(variables)?, imds: Imds::new(variables)? })
    }

    async fn find(&self, word: Word) -> Option<String> {
        let Self { machine, ecs, imds } = self;
        match word {
            Word::Hostname => machine.name().await,
            Word::EcsTask => {
                let Task { arn } = serde_json::from_slice(&ecs.as_ref()?.get("/task").await?).ok()?;
                arn.rsplit_once('/').map(|(_, id)| id.to_owned())
            }
            Word::InstanceId => {
                let identity = imds.as_ref()?.identity().await.ok()?;
                let Identity { instance_id } = serde_json::from_slice(&identity).ok()?;
                Some(instance_id)
            }
            Word::Pid | Word::Date => None,
        }
    }
}

const UNKNOWN: &str = "unknown";

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Content, Data};

/// What Rollbar takes in one request: an occurrence of an item.
///
/// ```
/// use belvedere::rollbar::{Data, Item, Level, Message};
///
/// let mut data = Data::new("production", Message::new("Hello World!"));
/// data.level = Some(Level::Warning);
/// let json = serde_json::to_value(Item::from(data))?;
/// assert_eq!(json["data"]["body"]["message"]["body"], "Hello World!");
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// The [fields](https://docs.rollbar.com/reference/create-item) are the vendor's, and what has a limit is cut at it, in
/// characters, and never refused. What other SDKs write is read too: fields without a place here are kept as `extra`
/// where the vendor allows for any, and ignored elsewhere. An access token in the document is never kept.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Item {
    /// All of it.
    pub data: Data,
}

// ===== impl Item =====

impl Item {
    /// Every part that has a name and any value. A request's body may have more of them in it.
    pub(in crate::rollbar) fn maps_mut(&mut self) -> Vec<&mut Map<String, Value>> {
        let Data { extra, body, request, person, server, client, custom, notifier, .. } = &mut self.data;
        let mut maps = vec![&mut extra.0, &mut custom.0];
        if let Some(request) = request {
            let request = &mut **request;
            maps.extend([&mut request.extra.0, &mut request.headers, &mut request.params]);
            maps.extend([&mut request.get, &mut request.post]);
        }
        maps.extend(person.as_mut().map(|person| &mut person.extra.0));
        maps.extend(server.as_mut().map(|server| &mut server.extra.0));
        maps.extend(client.as_mut().map(|client| &mut client.extra.0));
        maps.extend(notifier.as_mut().map(|notifier| &mut notifier.extra.0));
        for crumb in &mut body.telemetry {
            maps.extend([&mut crumb.extra.0, &mut crumb.body]);
        }
        match &mut body.content {
            Content::Message(message) => maps.push(&mut message.extra.0),
            content => maps.extend(content.traces_mut().iter_mut().map(|trace| &mut trace.extra.0)),
        }
        maps
    }

    /// Every text that has no limit of its own, but those of frames.
    pub(in crate::rollbar) fn texts_mut(&mut self) -> Vec<&mut String> {
        let Data { body, request, server, project_package_paths, attributes, .. } = &mut self.data;
        let mut texts: Vec<_> = project_package_paths.iter_mut().collect();
        if let Some(request) = request {
            let request = &mut **request;
            texts.extend(&mut request.url);
            texts.extend(&mut request.method);
            texts.extend(&mut request.query_string);
            texts.extend(&mut request.user_ip);
        }
        texts.extend(server.iter_mut().flat_map(|server| &mut server.root));
        texts.extend(attributes.iter_mut().flat_map(|attribute| [&mut attribute.key, &mut attribute.value]));
        match &mut body.content {
            Content::Message(message) => texts.push(&mut message.body),
            Content::CrashReport(report) => texts.push(&mut report.raw),
            content => {
                for trace in content.traces_mut() {
                    texts.extend(&mut trace.exception.message);
                    texts.extend(&mut trace.exception.description);
                }
            }
        }
        texts
    }
}

impl From<Data> for Item {
    fn from(data: Data) -> Self {
        Self { data }
    }
}

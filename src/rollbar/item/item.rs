use serde::{Deserialize, Serialize};

use super::Data;

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

impl From<Data> for Item {
    fn from(data: Data) -> Self {
        Self { data }
    }
}

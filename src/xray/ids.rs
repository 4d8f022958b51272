//! Ids as X-Ray writes them, for `#[serde(with = ..)]`.

use serde::Deserialize;

use crate::trace::{SpanId, TraceId};

macro_rules! spelled {
    ($name:ident, $id:ty, $write:expr) => {
        pub(in crate::xray) mod $name {
            use std::borrow::Cow;

            use serde::{Deserialize, Deserializer, Serializer, de::Error};

            use super::*;

            #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
            pub(in crate::xray) fn serialize<S: Serializer>(
                id: &$id,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&$write(*id))
            }

            pub(in crate::xray) fn deserialize<'de, D: Deserializer<'de>>(
                deserializer: D,
            ) -> Result<$id, D::Error> {
                Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    };
}

spelled!(trace, TraceId, TraceId::amzn);
spelled!(span, SpanId, std::convert::identity::<SpanId>);

/// An id among others.
#[derive(Deserialize)]
struct Id(#[serde(with = "span")] SpanId);

pub(in crate::xray) mod optional {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Id, SpanId, span};

    #[allow(clippy::ref_option, reason = "serde asks for a reference")]
    pub(in crate::xray) fn serialize<S: Serializer>(
        id: &Option<SpanId>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match id {
            Some(id) => span::serialize(id, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(in crate::xray) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SpanId>, D::Error> {
        Ok(Option::<Id>::deserialize(deserializer)?.map(|Id(id)| id))
    }
}

pub(in crate::xray) mod list {
    use serde::{Deserialize, Deserializer};

    use super::{Id, SpanId};

    pub(in crate::xray) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<SpanId>, D::Error> {
        Ok(Vec::<Id>::deserialize(deserializer)?.into_iter().map(|Id(id)| id).collect())
    }
}

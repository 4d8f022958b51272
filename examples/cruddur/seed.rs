//! What is there before anybody has written anything: always as old as now, so that it never runs out.

use time::{Duration, OffsetDateTime};
use uuid::{Uuid, uuid};

use crate::{
    activity::{Counted, Crud, Message, Reply},
    user::{USERS, User},
};

/// Five cruds, one of each user. The last two have expired.
pub(crate) fn cruds(now: OffsetDateTime) -> Vec<Counted<Crud>> {
    let crud = |seed: &Seed| Counted {
        of: Crud { message: seed.message(now), expires_at: now + seed.left },
        likes_count: seed.likes,
        replies_count: 0,
        reposts_count: seed.likes / 3,
    };
    CRUDS.iter().map(crud).collect()
}

/// What was answered to the first of them.
pub(crate) fn replies(now: OffsetDateTime) -> Vec<Reply> {
    vec![Reply { message: REPLY.message(now), reply_to_activity_uuid: CRUDS[0].uuid }]
}

/// What two people told each other: first `one`, then `other`.
pub(crate) fn messages(one: User, other: User, now: OffsetDateTime) -> [Message; 2] {
    let said = |uuid, by: User, text: &str, ago| Message {
        uuid,
        handle: by.handle,
        display_name: by.display_name,
        message: text.to_owned(),
        created_at: now - ago,
    };
    [
        said(MESSAGES[0], one, "Did the trace from this morning tell you anything?", Duration::hours(3)),
        said(MESSAGES[1], other, "It did. It was the network, as it always is.", Duration::hours(2)),
    ]
}

struct Seed {
    uuid: Uuid,
    by: User,
    text: &'static str,
    age: Duration,
    left: Duration,
    likes: usize,
}

// ===== impl Seed =====

impl Seed {
    fn message(&self, now: OffsetDateTime) -> Message {
        let User { handle, display_name } = self.by;
        let (uuid, message, created_at) = (self.uuid, self.text.to_owned(), now - self.age);
        Message { uuid, display_name, handle, message, created_at }
    }
}

const CRUDS: [Seed; 5] = [
    Seed {
        uuid: uuid!("0a7c3a52-4f0e-4c57-9a51-6f1f6d2f8b01"),
        by: USERS[0],
        text: "Day one in the cloud, and I can already see everything from up here.",
        age: Duration::hours(30),
        left: Duration::days(5),
        likes: 6,
    },
    Seed {
        uuid: uuid!("1b8d4b63-5a1f-4d68-8b62-7a2a7e3a9c02"),
        by: USERS[1],
        text: "A warrior does not guess where the time went. A warrior reads the trace.",
        age: Duration::days(2),
        left: Duration::days(3),
        likes: 12,
    },
    Seed {
        uuid: uuid!("2c9e5c74-6b2a-4e79-9c73-8b3b8f4bad03"),
        by: USERS[2],
        text: "I hem trousers, nothing more. Do ask me how I knew about the outage.",
        age: Duration::days(3),
        left: Duration::hours(12),
        likes: 3,
    },
    Seed {
        uuid: uuid!("3daf6d85-7c3b-4f8a-ad84-9c4c9a5cbe04"),
        by: USERS[3],
        text: "In my youth an outage was an occasion, with music.",
        age: Duration::days(9),
        left: Duration::days(-2),
        likes: 1,
    },
    Seed {
        uuid: uuid!("4eba7e96-8d4c-4a9b-be95-ad5dab6dcf05"),
        by: USERS[4],
        text: "I have drawn the whole cloud on one whiteboard. I need another whiteboard.",
        age: Duration::days(12),
        left: Duration::days(-5),
        likes: 2,
    },
];

const REPLY: Seed = Seed {
    uuid: uuid!("5fcb8fa7-9e5d-4bac-8fa6-be6ebc7ed006"),
    by: USERS[1],
    text: "See further. Look at the slowest one in a hundred.",
    age: Duration::hours(26),
    left: Duration::ZERO,
    likes: 0,
};

const MESSAGES: [Uuid; 2] =
    [uuid!("60dc90b8-af6e-4cbd-90b7-cf7fcd8fe107"), uuid!("71eda1c9-ba7f-4dce-a1c8-da8ade9af208")];

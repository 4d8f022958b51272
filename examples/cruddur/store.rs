use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    activity::{Activity, Counted, Crud, Message, Reply},
    seed,
    user::User,
};

/// What was written since the start. It is bounded: the oldest goes first.
#[derive(Debug, Default)]
pub(crate) struct Store {
    written: Mutex<Written>,
}

#[derive(Debug, Default)]
struct Written {
    cruds: VecDeque<Crud>,
    replies: VecDeque<Reply>,
    messages: VecDeque<(&'static str, Message)>,
}

// ===== impl Store =====

impl Store {
    /// All cruds, also those that have expired, newest first.
    pub(crate) fn activities(&self, now: OffsetDateTime) -> Vec<Activity> {
        let Written { cruds, replies, messages: _ } = &*self.lock();
        let written = cruds.iter().cloned().map(Counted::new);
        let replies: Vec<_> = seed::replies(now).into_iter().chain(replies.iter().cloned()).collect();
        let activity = |crud| with_replies(crud, &replies);
        let mut activities: Vec<_> = seed::cruds(now).into_iter().chain(written).map(activity).collect();
        activities.sort_by_key(|activity| std::cmp::Reverse(activity.message().created_at));
        activities
    }

    /// The cruds that have not expired, newest first.
    pub(crate) fn current(&self, now: OffsetDateTime) -> Vec<Activity> {
        let mut activities = self.activities(now);
        activities.retain(|activity| activity.crud().expires_at > now);
        activities
    }

    pub(crate) fn find(&self, uuid: Uuid) -> Option<Activity> {
        let activities = self.activities(OffsetDateTime::now_utc());
        activities.into_iter().find(|activity| activity.message().uuid == uuid)
    }

    /// What two people told each other, oldest first.
    pub(crate) fn conversation(&self, one: User, other: User) -> Vec<Message> {
        let between =
            |to: &str, by: &str| [(one.handle, other.handle), (other.handle, one.handle)].contains(&(by, to));
        let written = self.lock();
        let written = written.messages.iter().filter(|(to, message)| between(to, message.handle));
        let seeds = seed::messages(one, other, OffsetDateTime::now_utc());
        seeds.into_iter().chain(written.map(|(_, message)| message.clone())).collect()
    }

    pub(crate) fn add_crud(&self, crud: Crud) {
        keep(&mut self.lock().cruds, crud, CRUDS);
    }

    pub(crate) fn add_reply(&self, reply: Reply) {
        keep(&mut self.lock().replies, reply, REPLIES);
    }

    pub(crate) fn add_message(&self, to: User, message: Message) {
        keep(&mut self.lock().messages, (to.handle, message), MESSAGES);
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn with_replies(crud: Counted<Crud>, replies: &[Reply]) -> Activity {
    let uuid = crud.of.message.uuid;
    let replies = replies.iter().filter(|reply| reply.reply_to_activity_uuid == uuid);
    Activity::new(crud, replies.cloned().map(Counted::new).collect())
}

fn keep<T>(list: &mut VecDeque<T>, item: T, most: usize) {
    if list.len() == most {
        list.pop_front();
    }
    list.push_back(item);
}

const CRUDS: usize = 50;
const REPLIES: usize = 200;
const MESSAGES: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user::USERS;

    #[test]
    fn the_oldest_crud_makes_room() {
        let (store, now) = (Store::default(), OffsetDateTime::now_utc());
        let crud =
            |text| Crud { message: Message::new(USERS[0], text), expires_at: now + time::Duration::DAY };
        (0..=CRUDS).for_each(|index| store.add_crud(crud(index.to_string())));
        let activities = store.activities(now);
        assert_eq!(activities.len(), CRUDS + seed::cruds(now).len());
        assert!(activities.iter().all(|activity| activity.message().message != "0"));
        assert_eq!(activities[0].message().message, CRUDS.to_string(), "the newest is the first");
    }

    #[test]
    fn what_has_expired_is_in_no_feed_and_still_there() {
        let (store, now) = (Store::default(), OffsetDateTime::now_utc());
        assert_eq!((store.current(now).len(), store.activities(now).len()), (3, 5));
    }
}

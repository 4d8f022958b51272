//! How often a lane may ask.

use super::*;

/// One that has been quiet for long enough to be full.
fn requests(month: u64) -> (Requests, SystemTime) {
    let pace = Pace::new(Allowance::month(month), 1, true);
    let account = Account::new(Unit::LOG_REQUESTS, pace, None, november());
    (Requests::new(Arc::new(account)), november() + hours(60))
}

#[test]
fn requests_without_an_end_settle_where_as_many_go_as_trickle_in() {
    let (requests, start) = requests(1_000_000);
    let (mut now, end, mut times) = (start, start + hours(72), Vec::new());
    while now < end {
        match requests.next(now) {
            Ok(()) => times.push(now),
            Err(wait) => now += wait,
        }
    }
    let burst = times.iter().take_while(|time| **time == start).count();
    assert_eq!(burst, 16_667, "one half goes at once");
    let last_day = times.iter().filter(|time| **time >= end - hours(24)).count();
    // (1,000,000 - 33,333) / 31.
    assert!((30_700..=31_700).contains(&last_day), "{last_day}");
    let left = requests.next(now + Duration::from_secs(3));
    assert_eq!(left, Ok(()), "a shutdown has something to go with");
}

#[test]
fn a_wait_is_never_longer_than_a_minute_nor_none() {
    let (requests, mut now) = requests(30);
    for _ in 0..1_000 {
        if let Err(wait) = requests.next(now) {
            assert!((Duration::from_millis(1)..=Duration::from_secs(60)).contains(&wait), "{wait:?}");
            now += wait;
        }
    }
}

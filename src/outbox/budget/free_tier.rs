use super::{Allowance, Unit};

/// What the vendors gave for nothing in November 2026, a month and account. The one place for it.
///
/// | units | vendor's page |
/// |---|---|
/// | 20,000,000 events | <https://www.honeycomb.io/pricing> |
/// | 100,000 traces recorded | <https://aws.amazon.com/xray/pricing/> |
/// | 5,000 occurrences | <https://rollbar.com/pricing/> |
/// | 5 GB of logs, 1,000,000 requests, 10 custom metrics | <https://aws.amazon.com/cloudwatch/pricing/> |
///
/// AWS counts what its queries read, and what is kept in archives, to the same 5 GB.
pub(super) const FREE_TIER: [(Unit, Allowance); 6] = [
    (Unit::SPANS, Allowance::month(20_000_000)),
    (Unit::TRACES, Allowance::month(100_000)),
    (Unit::ITEMS, Allowance::month(5_000)),
    (Unit::LOG_BYTES, Allowance::month(5_000_000_000)),
    (Unit::LOG_REQUESTS, Allowance::month(1_000_000)),
    (Unit::METRICS, Allowance::month(10)),
];

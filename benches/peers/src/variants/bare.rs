use tower::service_fn;

use super::Variant;
use crate::{exchange::handle, records::Records, running::Running};

pub const VARIANT: Variant = Variant {
    name: "bare",
    title: "bare",
    records: Records::NONE,
    notes: "",
    start: |_| Running::new(service_fn(handle)),
};

//! Not more than a backend gives for what one wants to pay.
//!
//! ```text
//!  Budget ──► Bank ──► Account ◄──► Till          an account for each unit; a till is a file that processes share
//!                        ▲   ▲
//!       Meter, of a lane ┘   └ Requests           what a batch costs, when there may be a request
//!       by a Tariff: Price, Worth
//! ```
//!
//! [`Budget`] says what is thinned, and how.

mod account;
mod allowance;
mod bank;
mod bucket;
#[expect(clippy::module_inception, reason = "a file has the name of its noun")]
mod budget;
mod clock;
mod free_tier;
mod meter;
mod month;
mod price;
mod requests;
mod seen;
mod tariff;
#[cfg(test)]
mod tests;
mod thinning;
mod till;
mod unit;
mod worth;

pub use self::{allowance::Allowance, budget::Budget, price::Price, tariff::Tariff, unit::Unit};
pub(crate) use self::{
    bank::Bank,
    clock::Clock,
    meter::{Admitted, Meter},
    requests::Requests,
    thinning::Thinning,
};

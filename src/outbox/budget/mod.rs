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

pub(crate) use self::{
    account::Errand,
    bank::Bank,
    clock::Clock,
    meter::{Admitted, Meter, Priced},
    requests::Requests,
    thinning::Thinning,
};
pub use self::{allowance::Allowance, budget::Budget, price::Price, tariff::Tariff, unit::Unit};

//! What is measured: a file for each variant.

mod axum_tracing_opentelemetry;
mod bare;
mod belvedere;
mod best;
mod floor;
mod opentelemetry_instrumentation_tower;
mod provider;
mod raw;
mod reporting;
mod tower_http;
mod tower_otel;
mod usual;

use crate::{records::Records, running::Running, sinks::Sinks};

/// One line of the table.
#[derive(Debug)]
pub struct Variant {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it is called in the table, where `{crate}` stands for a crate and its version.
    pub title: &'static str,
    /// What it records of an exchange, so that nobody is measured who loses it.
    pub records: Records,
    /// What it does less than all four layers of this crate, or otherwise, by its source.
    pub notes: &'static str,
    pub start: fn(&Sinks) -> Running,
}

/// All of them. The first is what the others are compared with.
pub const VARIANTS: &[Variant] = &[
    bare::VARIANT,
    opentelemetry_instrumentation_tower::VARIANT,
    axum_tracing_opentelemetry::VARIANT,
    tower_otel::VARIANT,
    reporting::VARIANT,
    tower_http::VARIANT,
    raw::VARIANT,
    best::VARIANT,
    usual::VARIANT,
    floor::VARIANT,
    belvedere::SPANS,
    belvedere::ONE_PASS,
    belvedere::STACKED,
];

/// How many exchanges a variant serves before its records are sent: a batch of the SDK's.
pub const BURST: usize = 512;

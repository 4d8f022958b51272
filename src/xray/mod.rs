//! AWS X-Ray: segments and subsegments of every exchange, their samplers, and their way to a daemon or to the service.

mod document;
pub mod sampler;

pub use sampler::Sampler;

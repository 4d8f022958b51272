//! placeholder, replaced on merge
mod identity;
mod in_scope;
mod propagation;
mod scope;

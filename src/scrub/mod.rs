//! Secrets, and how they are kept from leaving the process.

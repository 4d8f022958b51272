//! What talking to AWS takes: a region, credentials, and requests that are signed with them.

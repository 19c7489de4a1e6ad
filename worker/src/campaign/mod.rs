//! Campaigns on Restate.

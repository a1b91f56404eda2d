//! Bios and requests: timelines of both, and each tracker by itself.

mod attempts;
mod batches;
mod bio_ends;
mod bio_tracker;
mod bios;
mod derived_bios;
mod failures;
mod flush;
mod flushes;
mod insertions;
mod merges;
mod operations;
mod outcomes;
mod request_tracker;
mod requests;
mod single_queue;
mod stacked;
mod ways;

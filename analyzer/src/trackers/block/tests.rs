//! Bios and requests: timelines of both, and each tracker by itself.

mod bios;
mod flush;
mod merges;
mod requests;
mod single_queue;
mod ways;

//! Whole guests. One program, so that tests share recordings, and two guests run at a time to the end.

mod ask;
mod boots;
mod brought;
mod changes;
mod choice;
mod debugger;
mod devices;
mod exports;
mod failures;
mod faults;
mod guests;
mod hostile;
mod images;
mod install;
mod kernels;
mod kill;
mod live;
mod past;
mod paths;
mod plugin;
mod processors;
mod recordings;
mod stacked;
mod standstill;
mod threads;
mod truth;

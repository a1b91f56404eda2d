//! `libiotrace.so`: the QEMU TCG plugin that writes traces.
//!
//! In: a guest being run or replayed, a kernel profile. Out: a trace.
//!
//! - `qemu`: the edge to QEMU. All `unsafe` code and every difference between API versions is there.
//! - `args`: the plugin's arguments.
//! - `budget`: what may be kept because of the guest.
//! - `choice`: from which event on and of which task is recorded.
//! - `window`: between which moments is recorded.
//! - `clock`: the instructions that the guest has executed.
//! - `past`: notices that the guest has gone back to an earlier moment.
//! - `blocks`: what translated blocks count in advance.
//! - `session`: the states of the session: searching, armed, recording, stopped.
//! - `site`: what can be attached to an instruction.
//! - `follow`: reads what the profile describes from guest memory, when a probe is hit.
//! - `guest`: finds the kernel and its modules in guest memory.
//! - `instrument`: decides, when QEMU translates an instruction, what is attached to it.
//! - `layout`: how records lie in a buffer.
//! - `pending`: tells returns from jumps.
//! - `record`: what happens when such an instruction executes: a fixed-size record in a buffer.
//! - `state`: what is known of the guest at a moment, in a file, to go on from a snapshot of that moment.
//! - `writer`: the thread that encodes and compresses full buffers.
//! - `tracer`: puts these together.

mod args;
mod blocks;
mod budget;
mod choice;
mod clock;
mod follow;
mod guest;
mod instrument;
mod layout;
mod past;
mod pending;
mod qemu;
mod record;
mod session;
mod site;
mod state;
mod tracer;
mod window;
mod writer;

//! How a trace ends.
//!
//! In: the kernel's end, its mark, its way back to an earlier moment, QEMU's end. Out: notes of what the trace lacks, the last records.

use super::Tracer;
use crate::clock::GoneBack;
use crate::guest::{self, hex};
use crate::qemu::{self, Cpu};
use crate::record::Recorder;
use crate::session::SessionState;
use iotrace_format::definition::Severity;
use iotrace_format::event::{self, MARK_OVER, ShutdownReason};
use std::sync::atomic::Ordering;

/// What is said where events may be of another vCPU than they say.
pub(super) const MIXED: &str =
    "the vCPUs share a thread and this QEMU does not report the executing one: vCPU numbers are unknown";

impl Tracer {
    /// The kernel ends, and with it the trace: what runs on this machine afterwards is another boot.
    pub(super) fn shutdown(&self, cpu: &Cpu, clock: u64, reason: ShutdownReason) {
        self.record(cpu, |r| r.builtin(cpu, clock, event::SHUTDOWN, &[reason as u64]));
        self.end();
        _ = self.shut_down.set((cpu.index(), reason));
    }

    /// The kernel has ended by itself.
    pub(super) fn has_shut_down(&self) -> bool {
        self.shut_down.get().is_some()
    }

    /// There is another kernel, or the same one again: unless this one has ended by itself, the machine was reset, some time
    /// after the last event.
    pub(super) fn was_reset(&self) {
        if !self.session.is_active() {
            return;
        }
        let clock = self.last_event();
        self.recorders.with(0, |r| r.end(clock, ShutdownReason::Reset));
        self.end();
    }

    /// A task begins, or the kernel panics, on this vCPU. If the kernel has ended there before that, its end was none.
    pub(super) fn goes_on(&self, cpu: &Cpu) {
        let Some((ended_on, reason)) = self.shut_down.get().copied() else { return };
        let is_news = cpu.index() == ended_on && reason != ShutdownReason::Panic;
        if is_news && !self.went_on.swap(true, Ordering::Relaxed) {
            let text = format!(
                "the kernel went on after its {}: what it did then is not in the trace",
                reason.name()
            );
            qemu::report(&text);
            self.note(Severity::Warning, "went-on", &text);
        }
    }

    /// Stops and says why, if the kernel was not found yet.
    pub(super) fn wrong_kernel(&self, other: &str) {
        if !self.session.give_up() {
            return;
        }
        let text = format!(
            "the guest's kernel is {other}, but kernel={} is {} with build-id {}: not tracing; specify the \
             vmlinux of the guest's kernel",
            self.args.kernel.display(),
            guest::version(&self.profile.banner),
            hex(&self.profile.build_id),
        );
        qemu::report(&text);
        self.define_trace(0, None);
        self.note(Severity::Error, "wrong-kernel", &text);
    }

    /// What the kernel was moved by, in bytes.
    pub(super) fn slide(&self) -> Option<u64> {
        self.placement.lock().ok().map(|placement| placement.slide())
    }

    pub(super) fn marked(&self, code: u64, clock: u64) {
        if self.window.mark(code, clock) {
            self.pending.clear();
        }
        if code == MARK_OVER {
            self.end();
        }
    }

    /// The trace ends here; the guest runs on.
    pub(super) fn end(&self) {
        self.session.stop();
        self.flush();
    }

    pub(super) fn flush(&self) {
        self.recorders.indices().for_each(|vcpu| _ = self.recorders.with(vcpu, Recorder::flush));
    }

    /// QEMU ends. `broken`: the tracing stopped in a panic.
    pub(super) fn finish(&self, broken: bool) {
        if broken {
            self.note(Severity::Error, "internal-error", "tracing stopped by an internal error");
            self.session.stop();
        } else if self.session.state() == SessionState::Searching {
            self.wrong_kernel("none: the guest ended before it started a kernel");
        } else if self.session.stop() {
            if self.args.save_state.is_some() {
                self.save_state();
            } else {
                let text = "the trace is truncated: QEMU exited before the guest's kernel ended";
                self.note(Severity::Warning, "no-power-off", text);
            }
        }
        self.close();
    }

    /// The guest is at an earlier moment than it was: what follows was, or would have been, recorded already.
    pub(super) fn end_in_the_past(&self, back: GoneBack) {
        if !self.session.stop() {
            return;
        }
        let GoneBack { from, to } = back;
        let to = to.map_or_else(|| "an earlier one".to_owned(), |to| to.to_string());
        let text = format!(
            "the guest went back from instruction {from} to {to} (snapshot loaded or reverse debugging): the trace \
             ends, the guest continues"
        );
        qemu::report(&text);
        self.note(Severity::Warning, "went-back", &text);
        self.close();
    }

    /// Clock of the latest event of all vCPUs.
    pub(super) fn last_event(&self) -> u64 {
        let last = |vcpu| self.recorders.with(vcpu, |recorder| recorder.last());
        self.recorders.indices().filter_map(last).max().unwrap_or(0)
    }

    /// Says once that the guest has made the plugin keep as much as it may.
    pub(super) fn tell_of_memory(&self) {
        if self.budget.has_news() {
            let text = format!(
                "memory limit of {} MiB (memory=) reached: some module functions and device accesses are \
                 not traced from now on; the trace has their number",
                self.budget.mebibytes()
            );
            qemu::report(&text);
            self.note(Severity::Warning, "memory", &text);
        }
    }

    /// Says once of each thing that is read in QEMU's own objects that the plugin API does not agree with it.
    pub(super) fn tell_of_fallbacks(&self) {
        for what in qemu::take_fallbacks() {
            if self.fallbacks.fetch_or(what as u8, Ordering::Relaxed) & what as u8 == 0 {
                qemu::report(what.fallback());
                self.note(Severity::Warning, "plugin-api", what.fallback());
            }
        }
    }

    /// Writes the trace to its end, once.
    fn close(&self) {
        if self.closed.swap(true, Ordering::Relaxed) {
            return;
        }
        self.tell_of_fallbacks();
        self.shortcomings();
        // What another vCPU still recorded while the trace was being ended is not left behind.
        self.flush();
        self.writer.finish();
        if self.writer.failed() {
            let path = self.args.out.display();
            qemu::report(&format!("the trace {path} is incomplete: a write failed (see above)"));
        }
    }

    /// What the trace has not, though it was asked for.
    fn shortcomings(&self) {
        let never_begun = self.session.furthest() == SessionState::Armed;
        if let Some(from) = self.args.capture.from.as_ref().filter(|_| never_begun) {
            let text = format!("no event of the guest matched from={from}: nothing recorded");
            qemu::report(&text);
            self.note(Severity::Warning, "from", &text);
        }
        if let Some(window) =
            self.args.capture.window.as_ref().filter(|_| self.window.is_ahead(self.clock.end()))
        {
            let text = format!("the guest did not reach window={window}: nothing recorded");
            qemu::report(&text);
            self.note(Severity::Warning, "window", &text);
        }
        if let Some(left_out) = self.budget.left_out() {
            self.note(
                Severity::Warning,
                "memory",
                &format!(
                    "not traced because of the memory limit: \
                                                             {left_out}"
                ),
            );
        }
        let unreadable = self.unreadable.load(Ordering::Relaxed);
        if unreadable != 0 {
            let text = format!("unreadable symbols of loaded modules: {unreadable} times");
            self.note(Severity::Warning, "module", &text);
        }
        let missing = self.missing.load(Ordering::Relaxed);
        if missing != 0 {
            let text = format!("{missing} events missing: unknown vCPU");
            qemu::report(&text);
            self.note(Severity::Warning, "vcpus", &text);
        }
    }
}

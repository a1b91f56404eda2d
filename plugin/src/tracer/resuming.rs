//! A trace that goes on where another one of the same guest ended.
//!
//! In: the state that was saved when QEMU ended at a moment, a guest that has loaded a snapshot of that moment. Out: the
//! tracer as it was then, the context at the beginning of the trace. With what was recorded before recorded still, the
//! trace is the one that a replay from the beginning gives; otherwise it has landmarks and the open calls up to there.

use super::Tracer;
use crate::guest;
use crate::pending::SavedCalls;
use crate::qemu::{self, Cpu};
use crate::session::SessionState;
use crate::state::{PrefixContents, Resumed, State, StateError};
use iotrace_format::definition::{Definition, Severity};
use std::io;
use std::sync::atomic::Ordering;

impl Tracer {
    /// Goes on from the saved state, as soon as the kernel's memory can be read.
    pub(super) fn resume(&self, cpu: &Cpu) {
        let Ok(mut resumed) = self.resumed.lock() else { return };
        let Some(slide) = resumed.as_ref().map(|resumed| resumed.state.slide) else { return };
        match guest::is_kernel_at(&self.profile, slide, cpu) {
            None => return,
            Some(false) => return self.wrong_kernel("differs from that of the state in resume="),
            Some(true) => {}
        }
        if let Some(resumed) = resumed.take()
            && let Err(error) = self.go_on(resumed, cpu)
        {
            self.session.stop();
            qemu::report(&format!("not tracing: {error}"));
        }
    }

    fn go_on(&self, resumed: Resumed, cpu: &Cpu) -> io::Result<()> {
        let Resumed { mut state, mut context } = resumed;
        let icount = self.found(state.slide);
        let PrefixContents { definitions, marks } = context.known()?;
        let same = state.capture == self.captured() && state.profile == self.profile.checksum()?;
        // A probe that was defined before is not among the new ones.
        let is_known = |new: &_| !matches!(new, Definition::Probe(_)) && definitions.contains(new);
        let (Ok(mut placement), Ok(mut places)) = (self.placement.lock(), self.places.lock()) else {
            return Ok(());
        };
        let capture = &self.args.capture;
        placement.resume(definitions.clone(), &state);
        let mut new = placement.place_image(&self.profile, capture, state.slide, &mut places, cpu);
        for module in std::mem::take(&mut state.modules) {
            new.extend(placement.restore_module(&self.profile, capture, module, &mut places, cpu));
        }
        new.retain(|definition| !is_known(definition));
        for (code, clock) in marks {
            self.window.mark(code, clock);
        }
        let begins = if same { state.begun } else { capture.from.is_none() };
        if !begins || !self.window.contains(state.clock) {
            // As in a trace from the beginning: what is called outside of the window, or before it begins, is not followed.
            state.calls = SavedCalls::default();
        }
        if !same {
            context.reduce(&state.calls)?;
        }
        self.writer.resume(context);
        self.writer.define(new);
        if !same {
            let text = format!(
                "resumed from a snapshot: before instruction {} the trace has only context of later events",
                state.clock
            );
            self.note(Severity::Info, "context", &text);
        }
        self.pending.restore(&state.calls, |kind| placement.records_exit(kind));
        self.addresses.restore(&state.addresses, same);
        self.renaming.store(state.renaming, Ordering::Relaxed);
        self.begin_recorders(state.slide, icount);
        for (vcpu, last) in self.recorders.indices().zip(&state.last) {
            self.recorders.with(vcpu, |recorder| recorder.restore(*last));
        }
        self.session.found(begins);
        Ok(())
    }

    /// Saves what is known of the guest, if that is wanted.
    pub(super) fn save_state(&self) {
        let Some(path) = &self.args.save_state else { return };
        if let Err(error) = self.state().and_then(|state| state.write(path)) {
            qemu::report(&error.to_string());
        }
    }

    fn state(&self) -> Result<State, StateError> {
        let Ok(placement) = self.placement.lock() else {
            return Err(StateError::Broken);
        };
        let (modules, loaded, numbers) = placement.save();
        let saved = |vcpu| self.recorders.with(vcpu, |recorder| recorder.save());
        Ok(State {
            profile: self.profile.checksum().map_err(|source| StateError::Profile { source })?,
            capture: self.captured(),
            slide: placement.slide(),
            clock: self.clock.end(),
            begun: self.session.furthest() == SessionState::Recording,
            renaming: self.renaming.load(Ordering::Relaxed),
            last: self.recorders.indices().map(|vcpu| saved(vcpu).unwrap_or_default()).collect(),
            addresses: self.addresses.save(),
            calls: self.pending.save(),
            modules,
            loaded,
            numbers,
        })
    }

    /// What is recorded, for a comparison.
    fn captured(&self) -> String {
        format!("{:?}", self.args.capture)
    }
}

//! What a modelled timeline assumes, and how often that mattered.

/// Something that is assumed of requests, interrupts or idle time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assumption {
    /// A request's operation is not in the model.
    RecordedTime,
    /// A request was in flight when the workload began.
    InFlightAtBegin,
    /// A request's completion is not in the trace.
    NoCompletion,
    /// A command was answered by the driver, without the device.
    AnsweredByDriver,
    /// A request's interrupt came before its command was handed over.
    InterruptTooEarly,
    /// An interrupt for which the guest did not sleep comes later.
    LaterInterrupt,
    /// A request is done before the guest takes its interrupt.
    WaitsForGuest,
    /// A request is done before another one whose interrupt came first.
    OtherOrder,
    /// Requests have one interrupt together.
    SharedInterrupt,
    /// A wake-up while the guest waited for a request, after which it slept on.
    AbsorbedWakeup,
    /// An idle time that did not end with a completion.
    KeptIdle,
    /// The same while requests were in flight.
    KeptIdleInFlight,
}

impl Assumption {
    /// All, in the order in which views list them.
    pub const ALL: [Self; 12] = [
        Self::RecordedTime,
        Self::InFlightAtBegin,
        Self::NoCompletion,
        Self::AnsweredByDriver,
        Self::InterruptTooEarly,
        Self::LaterInterrupt,
        Self::WaitsForGuest,
        Self::OtherOrder,
        Self::SharedInterrupt,
        Self::AbsorbedWakeup,
        Self::KeptIdle,
        Self::KeptIdleInFlight,
    ];

    /// Short name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RecordedTime => "recorded-time",
            Self::InFlightAtBegin => "in-flight-at-begin",
            Self::NoCompletion => "no-completion",
            Self::AnsweredByDriver => "answered-by-driver",
            Self::InterruptTooEarly => "interrupt-too-early",
            Self::LaterInterrupt => "later-interrupt",
            Self::WaitsForGuest => "waits-for-guest",
            Self::OtherOrder => "other-order",
            Self::SharedInterrupt => "shared-interrupt",
            Self::AbsorbedWakeup => "absorbed-wake-up",
            Self::KeptIdle => "kept-idle",
            Self::KeptIdleInFlight => "kept-idle-in-flight",
        }
    }

    /// What was counted, and what is assumed of it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::RecordedTime => {
                "requests keep their recorded device time: their operation is not in the model"
            }
            Self::InFlightAtBegin => {
                "requests were in flight when the workload began: they complete when they did"
            }
            Self::NoCompletion => "requests have no completion in the trace: nothing waits for them",
            Self::AnsweredByDriver => {
                "requests were answered by the driver, without a device: they are left as they are"
            }
            Self::InterruptTooEarly => {
                "requests have an interrupt from before their hand-over: they are left as they are"
            }
            Self::LaterInterrupt => {
                "interrupts come later than in the recording, where the guest was busy: it sleeps until they come"
            }
            Self::WaitsForGuest => {
                "requests are done before the guest comes to their interrupt: it finds them done"
            }
            Self::OtherOrder => {
                "requests are done before others that completed first: the recorded order is kept"
            }
            Self::SharedInterrupt => {
                "requests share their interrupt with others: it comes when the last of them is done"
            }
            Self::AbsorbedWakeup => {
                "wake-ups (ticks) during waits for a request, after which the guest slept on, are part of the wait"
            }
            Self::KeptIdle => {
                "idle times ended with something else than a completion: they keep their length"
            }
            Self::KeptIdleInFlight => {
                "of these had requests in flight, which another device may complete in them, or after them"
            }
        }
    }
}

/// How often, and for how long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AssumptionCount {
    /// How often.
    pub count: u64,
    /// Virtual nanoseconds in all, where it is about time.
    pub ns: u64,
}

/// How often each assumption mattered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assumptions([AssumptionCount; Assumption::ALL.len()]);

impl Assumptions {
    /// Counts some.
    pub fn add(&mut self, assumption: Assumption, count: u64, ns: u64) {
        let tally = &mut self.0[assumption as usize];
        tally.count += count;
        tally.ns = tally.ns.saturating_add(ns);
    }

    /// How often one mattered.
    #[must_use]
    pub fn of(&self, assumption: Assumption) -> AssumptionCount {
        self.0[assumption as usize]
    }

    /// All that mattered.
    pub fn all(&self) -> impl Iterator<Item = (Assumption, AssumptionCount)> {
        Assumption::ALL.into_iter().map(|one| (one, self.of(one))).filter(|(_, tally)| tally.count > 0)
    }
}

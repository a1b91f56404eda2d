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
            Self::RecordedTime => "requests of operations without a model: recorded device time kept",
            Self::InFlightAtBegin => "requests in flight when the workload began: recorded completion kept",
            Self::NoCompletion => "requests without a completion in the trace: ignored",
            Self::AnsweredByDriver => "requests completed by the driver without the device: unchanged",
            Self::InterruptTooEarly => "requests with an interrupt before their issue: unchanged",
            Self::LaterInterrupt => {
                "interrupts later than recorded while the guest was busy: idle time added"
            }
            Self::WaitsForGuest => "requests complete before the guest takes their interrupt: no wait",
            Self::OtherOrder => "requests complete in another order: recorded order kept",
            Self::SharedInterrupt => "requests share an interrupt: raised when the last of them completes",
            Self::AbsorbedWakeup => {
                "wake-ups (ticks) while waiting for a request: counted as part of the wait"
            }
            Self::KeptIdle => "idle periods not ended by a completion: length kept",
            Self::KeptIdleInFlight => {
                "of these with requests in flight, which may complete during or after them"
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

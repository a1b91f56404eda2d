//! Between which moments is recorded.
//!
//! In: `window=` of the plugin's arguments, the guest's marks. Out: whether a moment lies between them.

use iotrace_format::event::{MARK_BEGIN, MARK_END};
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use thiserror::Error;

/// The window is none.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("window={text}: expected workload or A..B in instructions, such as 6570000000..6578000000")]
pub struct WindowError {
    /// The argument.
    text: String,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WindowRange {
    /// From one clock to before another, in instructions.
    Clock(Range<u64>),
    /// From the mark with which the workload begins to that with which it ends.
    Workload,
}

impl WindowRange {
    /// Reads the argument.
    ///
    /// # Errors
    /// [`WindowError`].
    pub fn parse(text: &str) -> Result<Self, WindowError> {
        if text == "workload" {
            return Ok(Self::Workload);
        }
        let clocks = text.split_once("..").and_then(|(from, to)| {
            let clock = |text: &str, open| if text.is_empty() { Some(open) } else { text.parse().ok() };
            Some(clock(from, 0)?..clock(to, u64::MAX)?)
        });
        let clocks = clocks.filter(|clocks| !clocks.is_empty());
        clocks.map(Self::Clock).ok_or_else(|| WindowError { text: text.to_owned() })
    }
}

impl fmt::Display for WindowRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clock(clocks) if clocks.end == u64::MAX => write!(f, "{}..", clocks.start),
            Self::Clock(clocks) => write!(f, "{}..{}", clocks.start, clocks.end),
            Self::Workload => f.write_str("workload"),
        }
    }
}

/// The window: first clock, and one past the last. All vCPUs ask it.
#[derive(Debug)]
pub struct Window {
    begin: AtomicU64,
    end: AtomicU64,
    marks: bool,
}

impl Window {
    /// As asked for; without that, always.
    pub fn new(asked: Option<&WindowRange>) -> Self {
        let (begin, end) = match asked {
            None => (0, u64::MAX),
            Some(WindowRange::Clock(clocks)) => (clocks.start, clocks.end),
            Some(WindowRange::Workload) => (u64::MAX, u64::MAX),
        };
        let marks = asked == Some(&WindowRange::Workload);
        Self { begin: AtomicU64::new(begin), end: AtomicU64::new(end), marks }
    }

    /// Whether what happens at this clock is recorded.
    pub fn contains(&self, clock: u64) -> bool {
        self.begin.load(Ordering::Relaxed) <= clock && clock < self.end.load(Ordering::Relaxed)
    }

    /// The guest sets a mark; tells whether the window opens with it.
    pub fn mark(&self, code: u64, clock: u64) -> bool {
        match code {
            MARK_BEGIN if self.marks => {
                self.end.store(u64::MAX, Ordering::Relaxed);
                self.begin.store(clock, Ordering::Relaxed);
                return true;
            }
            MARK_END if self.marks => self.end.store(clock, Ordering::Relaxed),
            _ => {}
        }
        false
    }

    /// Whether it has not begun at this clock.
    pub fn is_ahead(&self, clock: u64) -> bool {
        self.begin.load(Ordering::Relaxed) > clock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_two_clocks_or_the_workload() {
        for (text, clocks) in [("5..9", 5..9), ("5..", 5..u64::MAX), ("..9", 0..9)] {
            assert_eq!(WindowRange::parse(text), Ok(WindowRange::Clock(clocks)));
        }
        for text in ["5", "9..5", "5..5", "a..b", "demo"] {
            assert!(WindowRange::parse(text).unwrap_err().to_string().contains("expected workload or A..B"));
        }
        let window = Window::new(Some(&WindowRange::Clock(5..9)));
        assert_eq!([4, 5, 8, 9].map(|clock| window.contains(clock)), [false, true, true, false]);
        assert!(!window.mark(MARK_BEGIN, 0) && !window.contains(0));
        assert!(Window::new(None).contains(0));
    }

    #[test]
    fn marks_open_and_close_the_window_of_the_workload() {
        let window = Window::new(Some(&WindowRange::parse("workload").unwrap()));
        assert!(!window.contains(3) && window.is_ahead(3) && !window.mark(MARK_END, 4));
        assert!(window.mark(MARK_BEGIN, 5) && window.contains(5) && !window.is_ahead(9));
        assert!(!window.mark(MARK_END, 9) && !window.contains(9));
        assert!(window.mark(MARK_BEGIN, 12) && window.contains(12) && !window.contains(9));
    }
}

//! How a bio ended, and which commands failed before.

use iotrace::analysis::describe::{block_status, error_cause};
use iotrace::model::{Bio, CommandError};

/// Whether there is more to tell of a bio than that it ended.
#[must_use]
pub fn is_remarkable(bio: &Bio) -> bool {
    bio.status != 0 || bio.attempts > 1 || !bio.errors.is_empty()
}

/// The commands that failed, what was done for them, and the bio's status; - if all went well.
#[must_use]
pub fn outcome(bio: &Bio) -> String {
    if !is_remarkable(bio) {
        return "-".to_owned();
    }
    let mut parts = Vec::<(String, u32)>::new();
    for text in bio.errors.iter().map(error) {
        match parts.last_mut() {
            Some((last, times)) if *last == text => *times += 1,
            _ => parts.push((text, 1)),
        }
    }
    let status = match (bio.ended(), bio.status) {
        (None, _) => "in flight".to_owned(),
        (Some(_), 0) => "ended without error".to_owned(),
        (Some(_), status) => format!("ended with {}", block_status(status)),
    };
    let errors = parts.into_iter().map(|(text, times)| format!("{times}x {text}"));
    errors.chain([status]).collect::<Vec<_>>().join(", ")
}

fn error(error: &CommandError) -> String {
    let recovery: Vec<_> = error.recovery.iter().map(|step| step.name()).collect();
    let more = if recovery.is_empty() { String::new() } else { format!(" ({})", recovery.join(", ")) };
    error_cause(error.cause) + &more
}

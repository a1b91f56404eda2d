//! Texts: what users write on the command line, and what a guest's own tracing printed.

use iotrace::analysis::conditions::parse;
use iotrace::analysis::diff::Limit;
use iotrace::analysis::whatif::DeviceModel;
use iotrace::analysis::witness;
use iotrace_format::stage::Stage;

/// A condition, a limit or a device model: which it is depends on who asks, so it is read as each.
pub fn conditions(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for range in [parse::size(text), parse::numbers(text), parse::clocks(text), parse::time(text)] {
        match range {
            Ok(range) => assert!(!range.is_empty(), "{text:?} is an empty range"),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    let _ = (parse::op(text), parse::syscall(text), parse::layer(text));
    // Without a suggestion, which takes far longer than the rest.
    if let Some(stage) = Stage::named(text) {
        assert_eq!(Stage::named(&stage.to_string()).as_ref(), Some(&stage), "it reads as it is printed");
    }
    let _ = Limit::budget(text).map_err(|error| error.to_string());
    if let Err(error) = text.parse::<DeviceModel>() {
        assert!(!error.to_string().is_empty());
    }
}

/// What a guest's tracepoints and function_graph printed.
pub fn tracepoints(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Err(error) = witness::parse(&text) {
        assert!(!error.to_string().is_empty());
    }
}

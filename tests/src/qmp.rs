//! A QEMU that is controlled through its machine protocol (QMP; docs/interop/qmp-spec in QEMU's sources).

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

/// After so long without an answer QEMU is taken to be deadlocked.
const DEADLOCK: Duration = Duration::from_secs(120);

/// A QEMU that was started stopped, and the connection to it. It is killed when this is dropped.
#[derive(Debug)]
pub struct ControlledQemu {
    process: Child,
    answers: BufReader<UnixStream>,
}

impl ControlledQemu {
    /// Starts QEMU with further arguments, its machine stopped; the socket is made in `folder`.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(command: &mut Command, folder: &Path) -> Self {
        let socket = folder.join(format!("qmp-{}", std::process::id()));
        let _ = std::fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket).expect("the folder is writable");
        command.arg("-S").arg("-qmp").arg(format!("unix:{}", socket.display()));
        let process = command.spawn().unwrap_or_else(|e| panic!("{command:?} cannot be started: {e}"));
        let (stream, _) = listener.accept().expect("QEMU connects");
        stream.set_read_timeout(Some(DEADLOCK)).expect("a time that is not zero");
        let mut qemu = Self { process, answers: BufReader::new(stream) };
        let _greeting = qemu.message();
        qemu.run("qmp_capabilities", &json!({}));
        qemu
    }

    /// Runs a command and returns its result.
    ///
    /// # Panics
    /// If the command fails, or QEMU does not answer.
    pub fn run(&mut self, command: &str, arguments: &Value) -> Value {
        let request = json!({ "execute": command, "arguments": arguments });
        writeln!(self.answers.get_mut(), "{request}").expect("QEMU listens");
        loop {
            let answer = self.message();
            assert!(answer.get("error").is_none(), "{command}: {answer}");
            if let Some(result) = answer.get("return") {
                return result.clone();
            }
        }
    }

    /// Runs a command of the human monitor and returns what it printed.
    pub fn monitor(&mut self, command: &str) -> String {
        let printed = self.run("human-monitor-command", &json!({ "command-line": command }));
        printed.as_str().expect("a text").trim().to_owned()
    }

    /// Lets a replay run until it has executed so many instructions, and stops there.
    pub fn replay_to(&mut self, instructions: u64) {
        self.run("replay-break", &json!({ "icount": instructions }));
        self.run("cont", &json!({}));
        self.wait_for("STOP");
    }

    /// How many instructions a replay has executed.
    ///
    /// # Panics
    /// If this is no replay.
    pub fn replayed(&mut self) -> u64 {
        self.run("query-replay", &json!({}))["icount"].as_u64().expect("a replay counts instructions")
    }

    /// Waits for an event.
    pub fn wait_for(&mut self, event: &str) {
        while self.message()["event"] != event {}
    }

    /// Waits until QEMU ends because its guest does, and until its plugin has written the trace to its end.
    ///
    /// # Panics
    /// If it fails.
    pub fn wait_for_end(mut self) {
        self.wait_for("SHUTDOWN");
        let status = self.process.wait().expect("it is a child");
        assert!(status.success(), "{status}");
    }

    /// Ends QEMU, and waits until its plugin has written the trace to its end.
    ///
    /// # Panics
    /// If it fails.
    pub fn quit(mut self) {
        self.run("quit", &json!({}));
        let status = self.process.wait().expect("it is a child");
        assert!(status.success(), "{status}");
    }

    fn message(&mut self) -> Value {
        let mut line = String::new();
        let length = self.answers.read_line(&mut line).expect("QEMU answers (it is deadlocked otherwise)");
        assert!(length > 0, "QEMU ended: {:?}", self.process.wait());
        serde_json::from_str(&line).expect("QMP is JSON")
    }
}

impl Drop for ControlledQemu {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

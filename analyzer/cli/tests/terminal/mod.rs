//! Pseudo-terminals.

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command};

/// Starts a program that has a new terminal of so many columns for itself; returns it with the terminal's other side.
pub fn start(mut command: Command, width: u16) -> (Child, File) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let terminal =
        OpenOptions::new().read(true).write(true).open(OsStr::from_bytes(name.to_bytes())).unwrap();
    tcsetwinsize(&terminal, Winsize { ws_row: 50, ws_col: width, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let (out, errors) = (terminal.try_clone().unwrap(), terminal.try_clone().unwrap());
    let child = command.stdin(terminal).stdout(out).stderr(errors).spawn().unwrap();
    (child, File::from(master))
}

/// What a program prints until it ends.
pub fn printed((mut child, mut master): (Child, File)) -> String {
    let mut bytes = Vec::new();
    // A terminal that nobody has open is read with EIO, not with an end of file.
    let _ = master.read_to_end(&mut bytes);
    child.wait().unwrap();
    String::from_utf8_lossy(&bytes).replace("\r\n", "\n")
}

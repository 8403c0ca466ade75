use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::eventually;

/// A command in a terminal of its own, with somebody who reads what it shows.
pub struct Terminal {
    child: Child,
    shown: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Terminal {
    pub fn start(mut command: Command, columns: u16) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&ours).expect("is ours");
        unlockpt(&ours).expect("unlocks");
        let name = ptsname(&ours, Vec::new()).expect("has a name");
        let size = Winsize {
            ws_row: 24,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&ours, size).expect("is resized");
        let noctty = i32::try_from(OFlags::NOCTTY.bits()).expect("a flag");
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).custom_flags(noctty);
        let theirs = options.open(OsStr::from_bytes(name.to_bytes()));
        let theirs = theirs.expect("opens");
        let other = || theirs.try_clone().expect("is duplicated");
        command.stdin(other()).stdout(other()).stderr(other());
        let child = command.spawn().expect("starts");
        drop((command, theirs));
        let shown = Arc::default();
        let known = Arc::clone(&shown);
        let reader = std::thread::spawn(move || read(ours.into(), &known));
        Self {
            child,
            shown,
            reader,
        }
    }

    /// What Ctrl-C does.
    pub fn interrupt(&self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).expect("is there");
    }

    /// Waits until this is shown.
    pub fn await_shown(&self, text: &str) {
        eventually(text, || self.shown().contains(text).then_some(()));
    }

    /// Waits for the end; the exit status, and everything that was shown.
    pub fn end(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().expect("ends");
        self.reader.join().expect("reads");
        let shown = self.shown.lock().expect("is whole").clone();
        (status.code(), String::from_utf8(shown).expect("text"))
    }

    fn shown(&self) -> String {
        let shown = self.shown.lock().expect("is whole");
        String::from_utf8_lossy(&shown).into_owned()
    }
}

/// Reads what a terminal shows until nobody has it open any more, which Linux says with an error.
fn read(mut screen: File, shown: &Mutex<Vec<u8>>) {
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = screen.read(&mut piece) {
        let mut shown = shown.lock().expect("is whole");
        shown.extend_from_slice(&piece[..length]);
    }
}

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take until it listens.
const START: Duration = Duration::from_secs(60);
/// How often it is looked whether a server listens.
const POLL: Duration = Duration::from_millis(10);

/// A server that runs until this is dropped.
pub struct Process {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl Process {
    /// Starts a server that will listen on a port of the loopback interface. `command` makes its
    /// command from its folder, where it logs to `log`, and the port.
    ///
    /// # Panics
    /// When it does not listen within a minute; what it said is in the message.
    pub fn start(command: impl Fn(&Path, u16) -> Command) -> Self {
        Self::start_on(free_port(), command).unwrap_or_else(|why| panic!("{why}"))
    }

    /// The same on this port, which somebody else may have taken meanwhile.
    pub(crate) fn start_on(
        port: u16,
        command: impl Fn(&Path, u16) -> Command,
    ) -> Result<Self, String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let child = spawn(&mut command(folder.path(), port), folder.path());
        let mut process = Self {
            child,
            port,
            folder,
        };
        process.wait_until_it_listens()?;
        Ok(process)
    }

    /// Starts a server that was stopped, in its folder and on its port, as `command` says.
    ///
    /// # Panics
    /// When it does not listen within a minute; what it said is in the message.
    pub fn restart(&mut self, command: impl Fn(&Path, u16) -> Command) {
        self.kill();
        let mut command = command(self.folder.path(), self.port);
        self.child = spawn(&mut command, self.folder.path());
        let listens = self.wait_until_it_listens();
        listens.unwrap_or_else(|why| panic!("{why}"));
    }

    /// The port that it listens on, of 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its folder, which goes with it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends it at once, as `kill -9` does.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends it a signal by name: `STOP`, `CONT`, `TERM`.
    ///
    /// # Panics
    /// When it cannot be sent.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -s {name}");
    }

    fn wait_until_it_listens(&mut self) -> Result<(), String> {
        let until = Instant::now() + START;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            let ended = self.child.try_wait().ok().flatten();
            if ended.is_some() || Instant::now() > until {
                let said = std::fs::read_to_string(self.folder.path().join("log"));
                return Err(format!(
                    "a server does not listen on port {}: {ended:?}\n{}",
                    self.port,
                    said.unwrap_or_default()
                ));
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(command: &mut Command, folder: &Path) -> Child {
    let log = || -> io::Result<Stdio> {
        let file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(folder.join("log"))?;
        Ok(file.into())
    };
    command.current_dir(folder).stdin(Stdio::null());
    command
        .stdout(log().expect("a log"))
        .stderr(log().expect("a log"));
    match command.spawn() {
        Ok(child) => child,
        Err(error) => panic!("{command:?}: {error}: run ./servers/install"),
    }
}

/// A port of the loopback interface that nobody uses now.
///
/// # Panics
/// When there is none.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// A program that `./servers/install` has put into `target/servers`.
///
/// # Panics
/// When it is not there.
pub fn installed(program: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let path = target.join("servers").join(program);
    let path = path.canonicalize().unwrap_or(path);
    assert!(
        path.exists(),
        "{} is missing: run ./servers/install",
        path.display()
    );
    path
}

//! A Redis that is reached by TLS alone.

use std::time::Duration;

use russet::wire::Time;
use russet_servers::{Certificate, RedisServer, RedisVersion};
use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Ran, Site, russet};

const PASSWORD: &str = "sesame";
/// How often a worker is woken, of which most times have to be [`PROMPT`].
const TIMES: usize = 9;
/// How long a task waits at most whose worker is told of it. Whoever is not told looks by itself
/// each [`russet_backends::limits::REDIS_RECHECK`].
const PROMPT: Duration = Duration::from_millis(400);

/// A server with a password, and a configuration that reaches it by TLS.
struct Encrypted {
    server: RedisServer,
    certificate: Certificate,
    folder: TempDir,
}

impl Encrypted {
    fn start() -> Self {
        let certificate = Certificate::make();
        let arguments = ["--requirepass", PASSWORD, "--appendonly", "yes"];
        let server = RedisServer::start_with_tls(RedisVersion::Redis7, &certificate, &arguments);
        Self {
            server,
            certificate,
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    /// Writes a configuration, with or without the certificate that vouches for the server.
    fn configure(&self, is_vouched_for: bool) {
        let url = self.server.tls_url();
        let url = url.replace("://", &format!("://:{PASSWORD}@"));
        let mut text = format!(
            "[store]\nbackend = 'redis'\npartitions = 2\n[redis]\nurl = {url:?}\n\
             timeout_ms = 2000\n"
        );
        if is_vouched_for {
            text += &format!("ca_file = {:?}\n", self.certificate.file());
        }
        std::fs::write(self.folder.path().join("russet.toml"), text).expect("is written");
    }

    fn check(&self) -> Ran {
        let mut command = russet();
        command.args(["config", "check", "--config", "russet.toml"]);
        command.current_dir(self.folder.path());
        command.output().expect("runs").into()
    }

    fn serve(&self) -> Site {
        let file = self.folder.path().join("russet.toml");
        Site::with(|command| {
            command.arg("--config").arg(file);
        })
    }

    /// Those who are connected, but for whoever asks, as the server describes them.
    fn clients(&self) -> Vec<String> {
        let line = format!("AUTH {PASSWORD}\r\nCLIENT LIST");
        let listed = self.server.ask(&line).expect("it answers");
        let clients = listed.lines().filter(|line| line.contains(" laddr="));
        let others = clients.filter(|line| !line.contains("cmd=client"));
        others.map(str::to_owned).collect()
    }
}

/// How long the task was ready before a worker had it.
fn waited(task: &Value) -> Duration {
    let time = |name: &str| {
        let text = task[name]
            .as_str()
            .unwrap_or_else(|| panic!("{name}: {task}"));
        text.parse::<Time>().expect("a time").timestamp()
    };
    time("started_at").since(time("created_at")).into()
}

#[test]
fn a_task_lives_its_whole_life_over_tls_and_its_worker_is_woken() {
    let encrypted = Encrypted::start();
    encrypted.configure(false);
    let checked = encrypted.check();
    assert_eq!(checked.status, 1, "{checked:?}");
    let said = &checked.stdout;
    assert!(said.contains("BAD  store    [redis]"), "{said}");
    assert!(said.contains("certificate"), "{said}");
    assert!(!said.contains(PASSWORD), "{said}");
    encrypted.configure(true);
    encrypted.check().good();

    let (here, there) = (encrypted.serve(), encrypted.serve());
    let exec = r#"[ "$RUSSET_TYPE" = a ] || [ "$RUSSET_RETRY_COUNT" -gt 0 ] && cat"#;
    let _worker = there.worker(&["--shell", "--exec", exec]);
    let failing = ["--max-retries", "2", "--retry-delay", "100ms"];
    let again = here.submit(&[&["--type", "again", "--delay", "1s"], &failing[..]].concat());
    let once = [
        "--type",
        "a",
        "--payload",
        "1",
        "--key",
        "once",
        "--depends-on",
        &again,
    ];
    let child = here.submit(&once);
    assert_eq!(there.submit(&once), child, "its key names it on both nodes");
    here.run(&["tasks", "wait", &child]).good();
    assert_eq!(here.task(&again)["retry_count"], 1);
    assert_eq!(here.task(&child)["result"], 1);

    // The worker waits at another node than the one that is told of these.
    let mut waits: Vec<Duration> = (0..TIMES)
        .map(|n| {
            let payload = n.to_string();
            let submit = ["--json", "submit", "--wait", "--type", "a", "--payload"];
            let ran = here.run(&[&submit[..], &[&payload]].concat());
            ran.good();
            waited(&ran.json())
        })
        .collect();
    waits.sort_unstable();
    assert!(waits[TIMES / 2] < PROMPT, "woken after {waits:?}");

    let clients = encrypted.clients();
    let at_tls = format!(" laddr=127.0.0.1:{} ", encrypted.server.tls_port());
    let plain = clients.iter().find(|client| !client.contains(&at_tls));
    assert_eq!(plain, None, "it is connected without TLS");
    let told = clients.iter().filter(|client| client.contains(" sub=1 "));
    assert_eq!(told.count(), 2, "each node is told: {clients:?}");
}

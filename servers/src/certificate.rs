use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// A certificate of this machine, which vouches for itself, and its key.
pub struct Certificate {
    folder: TempDir,
}

impl Certificate {
    /// Makes one, with a key of its own.
    ///
    /// # Panics
    /// When `openssl` cannot make it.
    pub fn make() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let certificate = Self { folder };
        let [key, file] = [certificate.key(), certificate.file()];
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048"])
            .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
            .arg("-keyout")
            .arg(key)
            .arg("-out")
            .arg(file)
            .output();
        assert!(
            made.is_ok_and(|made| made.status.success()),
            "openssl makes a certificate"
        );
        certificate
    }

    /// The certificate, in PEM.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("certificate")
    }

    /// Its key, in PEM.
    pub fn key(&self) -> PathBuf {
        self.folder.path().join("key")
    }

    /// With what a Redis server shows it, and asks its clients for none.
    pub fn arguments(&self) -> Vec<String> {
        let file = self.file().to_string_lossy().into_owned();
        let key = self.key().to_string_lossy().into_owned();
        [
            ["--tls-cert-file", &file],
            ["--tls-key-file", &key],
            ["--tls-ca-cert-file", &file],
            ["--tls-auth-clients", "no"],
        ]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect()
    }
}

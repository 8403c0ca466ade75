use std::sync::LazyLock;

use redis::{Cmd, cmd};

use super::call::Args;

/// A script that runs on the server.
pub(crate) struct Script {
    body: &'static str,
    sha: LazyLock<String>,
}

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $($file:literal)+;)+) => {
        $($(#[$doc])* pub(crate) static $name: Script = Script {
            body: concat!($(include_str!(concat!("scripts/", $file))),+),
            sha: LazyLock::new(|| {
                let body = concat!($(include_str!(concat!("scripts/", $file))),+);
                redis::Script::new(body).get_hash().to_owned()
            }),
        };)+
    };
}

scripts! {
    /// Commits changes.
    COMMIT = "grow.lua" "commit.lua";
    /// Takes deliveries.
    TAKE = "grow.lua" "restore.lua" "take.lua";
    /// Looks for deliveries.
    PEEK = "grow.lua" "restore.lua" "peek.lua";
    /// Gives deliveries back.
    RELEASE = "grow.lua" "restore.lua" "release.lua";
    /// Counts deliveries.
    DEPTH = "grow.lua" "restore.lua" "depth.lua";
    /// Finds or begins an epoch.
    ENTER = "enter.lua";
    /// Tries what the scripts use.
    PROBE = "probe.lua";
}

impl Script {
    /// Runs it if the server knows it; else the answer is `NOSCRIPT`.
    pub(crate) fn by_name(&self, keys: &[Vec<u8>], args: &Args) -> Cmd {
        command("EVALSHA", &self.sha, keys, args)
    }

    /// Runs it, and makes the server know it.
    pub(crate) fn by_body(&self, keys: &[Vec<u8>], args: &Args) -> Cmd {
        command("EVAL", self.body, keys, args)
    }
}

fn command(name: &str, script: &str, keys: &[Vec<u8>], args: &Args) -> Cmd {
    let mut command = cmd(name);
    command.arg(script).arg(keys.len());
    for key in keys {
        command.arg(key.as_slice());
    }
    for arg in args.iter() {
        command.arg(arg);
    }
    command
}

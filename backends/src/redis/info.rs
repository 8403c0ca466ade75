/// What a server says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Info {
    text: String,
}

impl Info {
    pub(crate) fn read(text: &[u8]) -> Self {
        Self {
            text: String::from_utf8_lossy(text).into_owned(),
        }
    }

    /// Which process it is, and whose history it goes on with: another one after each start, and
    /// when it was a replica meanwhile. It may also be another one for no such reason.
    pub(crate) fn reign(&self) -> String {
        let field = |name| self.field(name).unwrap_or_default();
        format!("{} {}", field("run_id"), field("master_replid"))
    }

    pub(crate) fn is_replica(&self) -> bool {
        self.field("role") == Some("slave")
    }

    /// Whether it only says which server is the primary. Valkey has another name for the field.
    pub(crate) fn is_sentinel(&self) -> bool {
        let mode = self.field("redis_mode").or(self.field("server_mode"));
        mode == Some("sentinel")
    }

    /// Its policy, when that throws data away where memory is used up.
    pub(crate) fn evicts(&self) -> Option<&str> {
        let policy = self.field("maxmemory_policy");
        policy.filter(|policy| *policy != "noeviction")
    }

    /// What it is, with its version. Valkey says which Redis it is like, too.
    pub(crate) fn product(&self) -> String {
        match self.field("valkey_version") {
            Some(version) => format!("valkey {version}"),
            None => format!("redis {}", self.field("redis_version").unwrap_or("unknown")),
        }
    }

    /// Whether it has used up its memory: it takes nothing new.
    pub(crate) fn is_full(&self) -> bool {
        let bytes = |name| self.field(name).and_then(|text| text.parse::<u64>().ok());
        let uncounted = bytes("mem_not_counted_for_evict").unwrap_or(0);
        match (bytes("maxmemory"), bytes("used_memory")) {
            (Some(most), Some(used)) => most > 0 && used.saturating_sub(uncounted) > most,
            _ => false,
        }
    }

    /// Whether it writes down each change.
    pub(crate) fn is_durable(&self) -> bool {
        self.field("aof_enabled") == Some("1")
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.text.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\n\r\nrole:slave\r\nmaster_replid:def\r\n";
        let info = Info::read(text.as_bytes());
        assert_eq!(info.field("redis_version"), Some("7.0.15"));
        assert_eq!(info.field("version"), None);
        assert_eq!(info.reign(), "abc def");
        assert!(info.is_replica());
        assert_eq!(Info::default().reign(), " ");
        assert_eq!(info.product(), "redis 7.0.15");
        let valkey =
            Info::read(b"redis_version:7.2.4\r\nvalkey_version:9.1.0\r\naof_enabled:1\r\n");
        assert_eq!(valkey.product(), "valkey 9.1.0");
        assert!(valkey.is_durable() && !info.is_durable());
        assert!(!valkey.is_sentinel());
        for text in ["redis_mode:sentinel\r\n", "server_mode:sentinel\r\n"] {
            assert!(Info::read(text.as_bytes()).is_sentinel(), "{text}");
        }
        assert!(!info.is_full());
        for (most, is_full) in [(0, false), (899, true), (900, false)] {
            let text = format!(
                "used_memory:1000\r\nmaxmemory:{most}\r\nmem_not_counted_for_evict:100\r\n"
            );
            assert_eq!(Info::read(text.as_bytes()).is_full(), is_full, "{most}");
        }
    }
}

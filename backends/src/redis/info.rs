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

    /// Which process it is: another one after each start.
    pub(crate) fn run_id(&self) -> &str {
        self.field("run_id").unwrap_or_default()
    }

    pub(crate) fn is_replica(&self) -> bool {
        self.field("role") == Some("slave")
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
        let text = "# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\n\r\nrole:slave\r\n";
        let info = Info::read(text.as_bytes());
        assert_eq!(info.field("redis_version"), Some("7.0.15"));
        assert_eq!(info.field("version"), None);
        assert_eq!(info.run_id(), "abc");
        assert!(info.is_replica());
        assert_eq!(Info::default().run_id(), "");
    }
}

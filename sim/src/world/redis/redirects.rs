use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use russet_models::redis::Reply;

use crate::history::Actor;

/// The calls of nodes that were sent on to another primary.
#[derive(Default)]
pub(super) struct Redirects(Mutex<BTreeSet<Sent>>);

/// Who was sent on with which command, and whether with `ASK`.
type Sent = (Actor, bool, Vec<Vec<u8>>);

impl Redirects {
    /// Takes note of the answer to a command, which was sent behind `ASKING` or not. Says how it
    /// was sent on before, when it was and is done now: with `ASK` or not.
    pub fn answered(
        &self,
        from: Actor,
        command: &[Vec<u8>],
        asking: bool,
        reply: &Reply,
    ) -> Option<bool> {
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Reply::Error(why) = reply {
            let by_ask = why.starts_with("ASK ");
            if by_ask || why.starts_with("MOVED ") {
                sent.insert((from, by_ask, command.to_vec()));
            }
            return None;
        }
        if sent.is_empty() {
            return None;
        }
        let known = sent.remove(&(from, asking, command.to_vec()));
        known.then_some(asking)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_sent_on_when_it_is_done_as_it_was_told_to() {
        let (node, get) = (Actor::Node(0), [b"HGET".to_vec()]);
        let refused = |why: &str| Reply::Error(why.to_owned());
        let redirects = Redirects::default();
        let answered = |asking, reply| redirects.answered(node, &get, asking, &reply);
        assert_eq!(answered(false, Reply::Nil), None);
        assert_eq!(answered(false, refused("ASK 1 b:1")), None);
        assert_eq!(answered(false, Reply::Nil), None, "it was not asked");
        assert_eq!(answered(true, refused("TRYAGAIN")), None);
        assert_eq!(answered(true, Reply::Nil), Some(true));
        assert_eq!(answered(true, Reply::Nil), None, "once");
        assert_eq!(answered(false, refused("MOVED 1 b:1")), None);
        assert_eq!(answered(false, Reply::Nil), Some(false));
    }
}

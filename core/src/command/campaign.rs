use serde::{Deserialize, Serialize};

use crate::draft::{Draft, Step, wrong_record};
use crate::{Leader, Millis, NodeId, Record, RecordKey, Rejection, Reply, limits};

/// Becomes or stays the leader of a partition for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Campaign {
    /// Who wants to lead.
    pub node: NodeId,
    /// For how long.
    pub term: Millis,
}

impl Campaign {
    pub(super) fn decide(&self, draft: &mut Draft<'_>) -> Step<Reply> {
        let known = match draft.get(&RecordKey::Leader)? {
            Some(Record::Leader(leader)) => Some(*leader),
            None => None,
            Some(other) => return wrong_record("leader", other),
        };
        let epoch = match known {
            Some(leader) if leader.holder == self.node => leader.epoch,
            Some(leader) if must_respect(&leader, draft) => {
                return Err(Rejection::NotLeader {
                    holder: leader.holder,
                    until: leader.expires_at,
                }
                .into());
            }
            Some(leader) => leader.epoch + 1,
            None => 1,
        };
        let leader = Leader {
            holder: self.node,
            epoch,
            expires_at: draft.now + self.term.min(limits::LEADER_TERM_MAX),
        };
        draft.put(RecordKey::Leader, Record::Leader(leader));
        Ok(Reply::Leading(leader))
    }
}

/// Whether another node may still be at work. A term that ends later than any that could
/// begin now was written by a clock that is ahead, and is not waited for.
fn must_respect(leader: &Leader, draft: &Draft<'_>) -> bool {
    let skew = draft.view.max_clock_skew;
    let latest = draft.now + limits::LEADER_TERM_MAX + skew;
    leader.expires_at + skew > draft.now && leader.expires_at <= latest
}

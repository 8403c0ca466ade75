//! Commits: conditional writes, alone where one record changes, else in a transaction.

mod prepare;
mod send;

use futures::stream::{self, StreamExt};
use russet_core::{PartitionId, planted};
use russet_engine::{Outcome, StoreError, Transaction};

use self::prepare::prepare;
use super::Dynamo;
use crate::limits::DYNAMO_WRITES_AT_ONCE;

/// What became of one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ended {
    Committed,
    /// A record was not what was expected.
    Conflict,
    /// Nothing was changed, for want of capacity or because it was refused.
    Failed(String),
    /// Nothing was sent: DynamoDB cannot hold it.
    TooLarge(String),
    /// It may have happened or not.
    Lost(String),
}

impl Dynamo {
    pub(super) async fn write(
        &self,
        partition: PartitionId,
        batch: Vec<Transaction>,
    ) -> Result<Vec<Outcome>, StoreError> {
        let shards = super::item::listing_shards(self.partitions);
        let prepared = batch.iter().map(|t| prepare(partition, t, shards));
        let prepared: Vec<_> = prepared.collect();
        if prepared.iter().any(Result::is_ok) && !planted!(DynamoUnregistered) {
            self.register(&batch).await?;
        }
        let ended: Vec<Ended> = stream::iter(prepared)
            .map(async |prepared| match prepared {
                Ok(prepared) => self.send(prepared).await,
                Err(why) => Ended::TooLarge(why),
            })
            .buffered(DYNAMO_WRITES_AT_ONCE)
            .collect()
            .await;
        combine(ended)
    }
}

/// What the transactions of a commit came to. Those that failed, or are too large, beside others
/// that were committed count as conflicts, since nothing of them was changed: they are decided
/// again, alone, so that their error is not that of the others.
fn combine(ended: Vec<Ended>) -> Result<Vec<Outcome>, StoreError> {
    let committed = ended.contains(&Ended::Committed);
    let is_too_large = |ended: &Ended| matches!(ended, Ended::TooLarge(_));
    let all_too_large = ended.iter().all(is_too_large);
    let mut failed = None;
    let mut outcomes = Vec::with_capacity(ended.len());
    for ended in ended {
        outcomes.push(match ended {
            Ended::Committed => Outcome::Committed,
            Ended::Conflict => Outcome::Conflict,
            Ended::Lost(why) => return Err(StoreError::Indeterminate { why }),
            Ended::TooLarge(why) if all_too_large => return Err(StoreError::TooLarge { why }),
            Ended::TooLarge(_) => Outcome::Conflict,
            Ended::Failed(why) => {
                tracing::warn!(why, "a transaction failed");
                failed.get_or_insert(why);
                Outcome::Conflict
            }
        });
    }
    match failed {
        Some(why) if !committed => Err(StoreError::Unavailable { why }),
        _ => Ok(outcomes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Ended {
        Ended::Failed("why".into())
    }

    #[test]
    fn what_failed_beside_what_was_committed_is_decided_again() {
        let outcomes = combine(vec![failed(), Ended::Committed, Ended::Conflict]);
        let (done, conflict) = (Outcome::Committed, Outcome::Conflict);
        assert_eq!(outcomes, Ok(vec![conflict, done, conflict]));
    }

    #[test]
    fn an_error_is_returned_only_when_nothing_is_known_to_be_committed() {
        let why = || "why".to_owned();
        let outcomes = combine(vec![Ended::Conflict, failed()]);
        assert_eq!(outcomes, Err(StoreError::Unavailable { why: why() }));
        let outcomes = combine(vec![Ended::Committed, Ended::Lost(why()), failed()]);
        assert_eq!(outcomes, Err(StoreError::Indeterminate { why: why() }));
        assert_eq!(combine(Vec::new()), Ok(Vec::new()));
    }

    #[test]
    fn what_is_too_large_is_an_error_once_nothing_else_is_left() {
        let large = || Ended::TooLarge("why".into());
        let conflict = Outcome::Conflict;
        let outcomes = combine(vec![Ended::Conflict, large()]);
        assert_eq!(outcomes, Ok(vec![conflict, conflict]));
        let why = "why".to_owned();
        let outcomes = combine(vec![large(), large()]);
        assert_eq!(outcomes, Err(StoreError::TooLarge { why }));
    }
}

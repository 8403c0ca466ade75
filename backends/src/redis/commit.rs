use redis::Value;
use russet_core::{Epoch, planted};
use russet_engine::{Outcome, StoreError, Transaction};

use super::batch::{self, Prepared};
use super::call::{CallError, Reason, Refusal, array, integer};
use super::core::{Core, Partition};
use super::dialer::answered;
use super::link::{Link, Live};
use super::links::Route;
use super::options::Acknowledge;
use super::script;
use crate::limits::REDIS_REPLICA;

/// What a call of the commit script came to.
enum Answer {
    Committed,
    /// The numbers of the changes that conflict, from 1.
    Conflicts(Vec<usize>),
    /// Another epoch has begun.
    Epoch,
}

impl Core {
    /// Commits transactions, as [`russet_engine::Store::commit`] says.
    pub(crate) async fn commit(
        &self,
        partition: &Partition,
        batch: &[Transaction],
    ) -> Result<Vec<Outcome>, StoreError> {
        let prepared = batch::prepare(partition.id, batch)?;
        let mut outcomes = vec![Outcome::Committed; batch.len()];
        let (mut committed, mut others, mut full) = (false, false, None);
        for call in batch::calls(&prepared) {
            let mut open: Vec<usize> = call.collect();
            open.retain(|at| !batch[*at].changes.is_empty());
            while !open.is_empty() {
                let answer = self.try_commit(partition, batch, &prepared, &open).await;
                let rejected = match answer {
                    Ok(rejected) if rejected.is_empty() => {
                        committed = true;
                        break;
                    }
                    Ok(rejected) => rejected,
                    Err(error) if error.reason() == Some(Reason::Full) => {
                        full = Some(error);
                        for at in without_new_tasks(batch, &mut open) {
                            outcomes[at] = Outcome::Conflict;
                        }
                        continue;
                    }
                    Err(error) => return Err(of_part(error, committed)),
                };
                others |= !rejected.is_empty();
                for at in &rejected {
                    outcomes[*at] = Outcome::Conflict;
                }
                open.retain(|at| !rejected.contains(at));
            }
        }
        // What was left out beside others is in conflict: alone it is told why.
        match full {
            Some(error) if !committed && !others => Err(error.of_commit()),
            _ => Ok(outcomes),
        }
    }

    /// Commits the transactions, or returns those that conflict and commits none.
    async fn try_commit(
        &self,
        partition: &Partition,
        batch: &[Transaction],
        prepared: &[Prepared<'_>],
        open: &[usize],
    ) -> Result<Vec<usize>, CallError> {
        let mut route = self.commits(partition);
        loop {
            let rejected = self.commit_on(&mut route, partition, batch, prepared, open);
            let rejected = rejected.await;
            if !route.follow(&rejected) {
                return rejected;
            }
        }
    }

    async fn commit_on(
        &self,
        route: &mut Route<'_>,
        partition: &Partition,
        batch: &[Transaction],
        prepared: &[Prepared<'_>],
        open: &[usize],
    ) -> Result<Vec<usize>, CallError> {
        let _turn = route.link()?.turn().await?;
        let (live, epoch) = self.enter(partition, route).await?;
        let earlier = open.iter().filter(|at| batch[**at].epoch != epoch);
        let earlier: Vec<usize> = earlier.copied().collect();
        if !earlier.is_empty() && !planted!(RedisEpochOfBefore) {
            return Ok(earlier);
        }
        let channel = self.names.channel();
        let call = batch::call(&partition.keys, &channel, epoch, prepared, open);
        match self.send(route.link()?, &live, &call).await? {
            Answer::Committed => {
                for lane in call.lanes {
                    self.lanes.learn(lane);
                }
                Ok(Vec::new())
            }
            Answer::Conflicts(numbers) => {
                let owners = numbers.iter().filter_map(|n| call.owners.get(n - 1));
                let mut rejected: Vec<usize> = owners.map(|owner| open[*owner]).collect();
                rejected.sort_unstable();
                rejected.dedup();
                Ok(rejected)
            }
            Answer::Epoch => {
                self.enter_anew(partition, route, &live).await;
                Ok(open.to_vec())
            }
        }
    }

    /// Another node has begun an epoch: what is known of the server is no longer so, and it is
    /// asked again. Whoever decides again does so in the new epoch; if it is not learned now, it
    /// will be at the next commit.
    async fn enter_anew(&self, partition: &Partition, route: &mut Route<'_>, live: &Live) {
        partition.doubt_epoch();
        if let Ok(link) = route.link() {
            link.give_up(live);
        }
        let _ = self.enter(partition, route).await;
    }

    /// Waits until a replica has what this node has read of the partition in this epoch. A server
    /// waits for a caller's own writes only: so something is written.
    pub(crate) async fn confirm(
        &self,
        partition: &Partition,
        epoch: Epoch,
    ) -> Result<Outcome, CallError> {
        let mut route = self.commits(partition);
        loop {
            let confirmed = self.confirm_on(&mut route, partition, epoch).await;
            if !route.follow(&confirmed) {
                return confirmed;
            }
        }
    }

    async fn confirm_on(
        &self,
        route: &mut Route<'_>,
        partition: &Partition,
        epoch: Epoch,
    ) -> Result<Outcome, CallError> {
        let _turn = route.link()?.turn().await?;
        let (live, entered) = self.enter(partition, route).await?;
        if entered != epoch {
            return Ok(Outcome::Conflict);
        }
        let call = batch::confirmation(&partition.keys, &self.names.channel(), epoch);
        match self.send(route.link()?, &live, &call).await? {
            Answer::Committed => Ok(Outcome::Committed),
            Answer::Conflicts(_) | Answer::Epoch => {
                self.enter_anew(partition, route, &live).await;
                Ok(Outcome::Conflict)
            }
        }
    }

    async fn send(
        &self,
        link: &Link,
        live: &Live,
        call: &batch::Call,
    ) -> Result<Answer, CallError> {
        let by_name = script::COMMIT.by_name(&call.keys, &call.args);
        let answer = match self.acknowledge {
            Acknowledge::Primary => {
                link.script(live, &script::COMMIT, &call.keys, &call.args)
                    .await?
            }
            Acknowledge::Replica => {
                let mut both = redis::pipe();
                both.ignore_errors();
                both.add_command(by_name);
                let wait = REDIS_REPLICA.as_millis() as u64;
                both.cmd("WAIT").arg(1).arg(wait);
                let mut answers = link.pipeline(live, &both).await?;
                if is_unknown_script(&answers) {
                    let mut both = redis::pipe();
                    both.ignore_errors();
                    both.add_command(script::COMMIT.by_body(&call.keys, &call.args));
                    both.cmd("WAIT").arg(1).arg(wait);
                    answers = link.pipeline(live, &both).await?;
                }
                let waited = answers.pop().unwrap_or_default();
                // The pipeline does not look at what each answer says of the connection.
                let answer = answered(answers.pop().unwrap_or_default());
                let answer = read(link.judge(live, answer)?)?;
                if matches!(answer, Answer::Committed) && !planted!(RedisReplicaUnawaited) {
                    replicated(waited)?;
                }
                return Ok(answer);
            }
        };
        read(answer)
    }
}

/// Leaves what can be done also when memory is used up, if new tasks were in the way, and returns
/// the rest.
fn without_new_tasks(batch: &[Transaction], open: &mut Vec<usize>) -> Vec<usize> {
    let (new, rest): (Vec<_>, Vec<_>) = std::mem::take(open)
        .into_iter()
        .partition(|at| batch::makes_task(&batch[*at]));
    if new.is_empty() {
        return rest;
    }
    *open = rest;
    new
}

/// What a batch that failed with this is answered with, when a part of it was `answered` before.
fn of_part(error: CallError, answered: bool) -> StoreError {
    match answered {
        true => StoreError::Indeterminate {
            why: error.to_string(),
        },
        false => error.of_commit(),
    }
}

/// What `WAIT` says of a commit that is done. It is not undone by anything that it may say.
fn replicated(waited: Value) -> Result<(), CallError> {
    match integer(waited) {
        Ok(1..) => Ok(()),
        Ok(_) => {
            let why = format!("no replica has it within {REDIS_REPLICA:?}");
            Err(CallError::Lost(why))
        }
        Err(error) => Err(CallError::Lost(error.to_string())),
    }
}

fn is_unknown_script(answers: &[Value]) -> bool {
    matches!(answers.first(), Some(Value::ServerError(error))
        if Refusal::of(error).reason == Reason::NoScript)
}

fn read(answer: Value) -> Result<Answer, CallError> {
    match answer {
        Value::BulkString(_) | Value::SimpleString(_) => Ok(Answer::Epoch),
        other => {
            let numbers = array(other)?.into_iter().map(integer);
            let numbers = numbers.map(|n| Ok(n? as usize));
            let numbers: Vec<usize> = numbers.collect::<Result<_, CallError>>()?;
            Ok(
                match numbers.is_empty() || planted!(RedisConflictsForgotten) {
                    true => Answer::Committed,
                    false => Answer::Conflicts(numbers),
                },
            )
        }
    }
}

use russet_core::{Command, Rejection, Reply};

use crate::history::{Answer, Granted};

/// A reply as the public interface gives it.
pub(super) fn answer(command: &Command, reply: Result<Reply, Rejection>) -> Answer {
    match reply {
        Ok(Reply::Submitted {
            tasks,
            workflow,
            existing,
        }) => Answer::Submitted {
            task: tasks.first().copied(),
            workflow,
            existing,
        },
        Ok(Reply::Leased(task)) => Answer::Leased(vec![Granted {
            task: task.id,
            attempt: task.attempt,
            lease: task.lease.as_ref().expect("a lease").id,
            lasts_ms: task.lease_duration.as_millis(),
        }]),
        Ok(Reply::Extended {
            expires_at,
            cancel_requested,
        }) => Answer::Extended {
            expires_at,
            cancel_requested,
        },
        Ok(Reply::Now {
            status, attempt, ..
        }) => Answer::Now { status, attempt },
        Ok(_) => Answer::Done,
        Err(_) if matches!(command, Command::Lease(_)) => Answer::Leased(Vec::new()),
        Err(rejection) => Answer::Refused {
            code: rejection.code().to_owned(),
            status: 409,
        },
    }
}

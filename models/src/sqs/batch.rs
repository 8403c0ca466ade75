//! Requests with up to ten entries, each of which may fail alone.

use std::collections::BTreeSet;

use serde_json::json;

use super::error::{self, missing};
use super::queues::end;
use crate::aws::{Error, Fields, Json};

/// Most entries of a batch.
const MOST: usize = 10;

/// An entry of a batch.
pub(super) struct Entry<T> {
    id: String,
    what: T,
}

/// The entries of a batch, each read by `read`. Nothing else is left in the request.
pub(super) fn entries<T>(
    fields: &mut Fields,
    mut read: impl FnMut(&mut Fields) -> Result<T, Error>,
) -> Result<Vec<Entry<T>>, Error> {
    let entries = fields.list("Entries")?.unwrap_or_default();
    end(fields)?;
    if entries.is_empty() {
        let message = "There should be at least one entry in the request.";
        return Err(Error::new("EmptyBatchRequest", message));
    }
    if entries.len() > MOST {
        let message = format!("Maximum number of entries per request are {MOST}.");
        return Err(Error::new("TooManyEntriesInBatchRequest", message));
    }
    let mut found = Vec::new();
    for entry in entries {
        let mut fields = Fields::of("an entry", entry)?;
        let id = fields.text("Id")?.ok_or_else(|| missing("Id"))?;
        let what = read(&mut fields)?;
        fields.end()?;
        found.push(Entry { id, what });
    }
    check_ids(&found)?;
    Ok(found)
}

fn check_ids<T>(entries: &[Entry<T>]) -> Result<(), Error> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    let mut ids = BTreeSet::new();
    for Entry { id, .. } in entries {
        if !(1..=80).contains(&id.len()) || !id.bytes().all(known) {
            let message = "A batch entry id can only contain alphanumeric characters, hyphens and \
                           underscores. It can be at most 80 letters long.";
            return Err(Error::new("InvalidBatchEntryId", message));
        }
        if !ids.insert(id) {
            let message = format!("Id {id} repeated.");
            return Err(Error::new("BatchEntryIdsNotDistinct", message));
        }
    }
    Ok(())
}

impl<T> Entry<T> {
    pub(super) fn what(&self) -> &T {
        &self.what
    }
}

/// Carries out the entries, except those that fail by themselves.
pub(super) fn carry_out<T>(
    entries: Vec<Entry<T>>,
    failing: u16,
    mut each: impl FnMut(T) -> Result<Json, Error>,
) -> Json {
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for (at, entry) in entries.into_iter().enumerate() {
        let done = match failing >> at & 1 {
            0 => each(entry.what),
            _ => Err(internal()),
        };
        match done {
            Ok(mut done) => {
                done["Id"] = entry.id.into();
                successful.push(done);
            }
            Err(error) => failed.push(error::entry(&entry.id, &error)),
        }
    }
    json!({ "Successful": successful, "Failed": failed })
}

fn internal() -> Error {
    let message = "Internal Error occurred. Please try again.";
    Error::with_status(500, "InternalError", message)
}

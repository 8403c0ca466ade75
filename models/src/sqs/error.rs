use crate::aws::{Error, Fault, Json, Reply};

/// The service's other names for an error: that in the body, and that of the older protocol.
fn names(kind: &'static str) -> (&'static str, &'static str) {
    match kind {
        "QueueDoesNotExist" => (kind, "AWS.SimpleQueueService.NonExistentQueue"),
        "QueueNameExists" => (kind, "QueueAlreadyExists"),
        "InvalidParameterValue" => ("InvalidParameterValueException", kind),
        "MissingParameter" => ("MissingRequiredParameterException", kind),
        "EmptyBatchRequest" => (kind, "AWS.SimpleQueueService.EmptyBatchRequest"),
        "TooManyEntriesInBatchRequest" => {
            (kind, "AWS.SimpleQueueService.TooManyEntriesInBatchRequest")
        }
        "BatchEntryIdsNotDistinct" => (kind, "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"),
        "BatchRequestTooLong" => (kind, "AWS.SimpleQueueService.BatchRequestTooLong"),
        "InvalidBatchEntryId" => (kind, "AWS.SimpleQueueService.InvalidBatchEntryId"),
        "QueueDeletedRecently" => (kind, "AWS.SimpleQueueService.QueueDeletedRecently"),
        "UnsupportedOperation" => (kind, "AWS.SimpleQueueService.UnsupportedOperation"),
        _ => (kind, kind),
    }
}

pub(super) fn reply(error: &Error) -> Reply {
    let (in_body, older) = names(error.kind);
    let body = serde_json::json!({
        "__type": format!("com.amazonaws.sqs#{in_body}"),
        "message": error.message,
    });
    let whose = match error.status {
        ..500 => "Sender",
        _ => "Receiver",
    };
    let mut reply = Reply::new(error.status, &body);
    let header = format!("{older};{whose}");
    reply.headers.push(("x-amzn-query-error", header));
    reply
}

pub(super) fn of_fault(fault: Fault) -> Error {
    match fault {
        Fault::Throttled => Error::new("RequestThrottled", "Request is throttled."),
        Fault::Limited => Error::new("ThrottlingException", "Rate exceeded"),
        Fault::Unavailable => {
            Error::with_status(503, "ServiceUnavailable", "Service is unavailable")
        }
        Fault::Internal { .. } => {
            let message = "We encountered an internal error. Please try again.";
            Error::with_status(500, "InternalFailure", message)
        }
        Fault::Denied => {
            let message = "Access to the resource is denied.";
            Error::with_status(403, "AccessDenied", message)
        }
    }
}

pub(super) fn missing(name: &str) -> Error {
    let message = format!("The request must contain the parameter {name}.");
    Error::new("MissingParameter", message)
}

pub(super) fn invalid(name: &str, value: impl std::fmt::Display, why: &str) -> Error {
    let message = format!("Value {value} for parameter {name} is invalid. Reason: {why}");
    Error::new("InvalidParameterValue", message)
}

/// An entry of a batch that failed.
pub(super) fn entry(id: &str, error: &Error) -> Json {
    serde_json::json!({
        "Id": id,
        "SenderFault": error.status < 500,
        "Code": names(error.kind).1,
        "Message": error.message,
    })
}

/// A number within its limits.
pub(super) fn within(name: &str, value: i64, most: i64, least: i64) -> Result<u64, Error> {
    let why = || format!("Must be between {least} and {most}, if provided.");
    match u64::try_from(value) {
        Ok(number) if (least..=most).contains(&value) => Ok(number),
        _ => Err(invalid(name, value, &why())),
    }
}

use serde_json::json;

use crate::aws::{Error, Fault, Json, Reply};

/// What is wrong with a request.
pub(super) fn invalid(message: impl Into<String>) -> Error {
    Error::new("ValidationException", message)
}

/// What is wrong with the attributes of an item.
pub(super) fn wrong(what: impl std::fmt::Display) -> Error {
    invalid(format!("One or more parameter values were invalid: {what}"))
}

pub(super) fn missing(name: &str) -> Error {
    invalid(format!(
        "The parameter '{name}' is required but was not present in the request"
    ))
}

pub(super) fn no_table() -> Error {
    Error::new("ResourceNotFoundException", "Requested resource not found")
}

pub(super) fn reply(error: &Error) -> Reply {
    let space = match error.kind {
        "ValidationException" => "com.amazon.coral.validate",
        "ThrottlingException" => "com.amazon.coral.availability",
        _ => "com.amazonaws.dynamodb.v20120810",
    };
    let message = match error.kind {
        "TransactionCanceledException" => "Message",
        _ => "message",
    };
    let mut body = json!({ "__type": format!("{space}#{}", error.kind) });
    body[message] = Json::String(error.message.clone());
    for (name, value) in &error.more {
        body[name.as_str()] = value.clone();
    }
    Reply::new(error.status, &body)
}

pub(super) fn of_fault(fault: Fault) -> Error {
    match fault {
        Fault::Throttled => throttled(),
        Fault::Limited => Error::new("ThrottlingException", "Rate of requests exceeds the limit"),
        Fault::Unavailable => {
            let message = "The service is unavailable. Please try again.";
            Error::with_status(503, "ServiceUnavailable", message)
        }
        Fault::Internal { .. } => {
            Error::with_status(500, "InternalServerError", "Internal server error")
        }
        Fault::Denied => {
            let message = "The caller is not authorized to perform this action.";
            Error::new("AccessDeniedException", message)
        }
    }
}

pub(super) fn throttled() -> Error {
    let message = "The level of configured provisioned throughput for the table was exceeded. \
                   Consider increasing your provisioning level with the UpdateTable API.";
    Error::new("ProvisionedThroughputExceededException", message)
}

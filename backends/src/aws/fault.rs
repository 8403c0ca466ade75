//! What an error of the SDK means for what was asked.

use std::error::Error;
use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::limits::AWS_MESSAGE_BYTES;

/// Why a request did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The service had no capacity for it: nothing was done, and later it may be.
    Throttled(String),
    /// No reply, or one that does not say: it may have been done, or may still be.
    Lost(String),
    /// The service refused it: nothing was done.
    Refused {
        /// The service's name for it.
        code: String,
        /// What it said, without anything of the request.
        why: String,
    },
    /// It was not even sent.
    Unsent(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Throttled(why) | Self::Lost(why) | Self::Unsent(why) => f.write_str(why),
            Self::Refused { code, why } => write!(f, "{code}: {why}"),
        }
    }
}

impl Fault {
    /// Whether the service refused it for this reason. Names may have a prefix that ends in
    /// `.` or `#`.
    pub(crate) fn is(&self, name: &str) -> bool {
        match self {
            Self::Refused { code, .. } => code.rsplit(['.', '#']).next() == Some(name),
            _ => false,
        }
    }

    /// Whether the credentials or their permissions are the reason.
    pub(crate) fn is_denied(&self) -> bool {
        self.is_forbidden() || UNKNOWN.iter().any(|name| self.is(name))
    }

    /// Whether the service knows who asks, and does not allow it.
    pub(crate) fn is_forbidden(&self) -> bool {
        FORBIDDEN.iter().any(|name| self.is(name))
    }
}

const THROTTLED: &[&str] = &[
    "BandwidthLimitExceeded",
    "KmsThrottled",
    "OverLimit",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
];

const FORBIDDEN: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "KmsAccessDenied",
    "NotAuthorized",
];

/// The service does not accept who asks.
const UNKNOWN: &[&str] = &[
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// What was signed is repeated in messages of these.
const REPEATS_REQUEST: &[&str] = &[
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
];

/// What an error of the SDK means.
pub(crate) fn fault<E>(error: &SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ConstructionFailure(_) => Fault::Unsent(chain(error)),
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or("an error without a name");
            let name = code.rsplit(['.', '#']).next().unwrap_or(code);
            let why = match REPEATS_REQUEST.contains(&name) {
                true => "the signature does not match the secret key".to_owned(),
                false => cut(service.err().message().unwrap_or("no reason was given")),
            };
            if THROTTLED.contains(&name) {
                return Fault::Throttled(format!("{name}: {why}"));
            }
            if service.raw().status().as_u16() >= 500 {
                return Fault::Lost(format!("{name}: {why}"));
            }
            let code = code.to_owned();
            Fault::Refused { code, why }
        }
        _ => Fault::Lost(chain(error)),
    }
}

/// What an error and its causes say, one after the other.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !said.ends_with(&more) {
            said = format!("{said}: {more}");
        }
        cause = error.source();
    }
    cut(&said)
}

/// The first line, as far as a message may be long.
fn cut(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let mut bytes = 0;
    let within = line.chars().take_while(|c| {
        bytes += c.len_utf8();
        bytes <= AWS_MESSAGE_BYTES
    });
    within.collect()
}

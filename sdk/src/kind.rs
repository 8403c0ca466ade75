use russet_core::Status;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;
use crate::wire::TaskView;

/// A kind of task: the implementing type is its payload.
///
/// ```
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Thumbnail {
///     image: String,
/// }
///
/// impl russet::TaskKind for Thumbnail {
///     const TYPE: &'static str = "thumbnail";
///     type Output = String;
/// }
/// ```
pub trait TaskKind: Serialize + DeserializeOwned + Send + 'static {
    /// The `type` of such tasks.
    const TYPE: &'static str;
    /// What their handler returns; kept as the task's `result`.
    type Output: Serialize + DeserializeOwned + Send + 'static;
}

/// The output of a task that has ended.
pub(crate) fn output<T: TaskKind>(task: TaskView) -> Result<T::Output, Error> {
    match task.status {
        Status::Succeeded => {
            let result = task.result.as_ref().map_or("null", |json| json.as_str());
            serde_json::from_str(result).map_err(|e| Error::json("the task's result", e))
        }
        status if status.is_terminal() => Err(Error::Ended {
            status,
            error: task.last_error,
        }),
        status => Err(Error::NotEnded { status }),
    }
}

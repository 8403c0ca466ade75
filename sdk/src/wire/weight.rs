use super::{
    CompleteLease, ExtendLease, FailLease, Json, ProgressReport, ReleaseLease, SubmitTask,
};

/// How much room an item takes in a request, apart from what is small in every item.
pub(crate) trait Weighed {
    fn bytes(&self) -> usize;
}

fn length(json: Option<&Json>) -> usize {
    json.map_or(0, |json| json.as_str().len())
}

fn checkpoint(progress: Option<&ProgressReport>) -> usize {
    length(progress.and_then(|progress| progress.checkpoint.as_ref()))
}

impl Weighed for SubmitTask {
    fn bytes(&self) -> usize {
        length(self.payload.as_ref()) + length(self.metadata.as_ref())
    }
}

impl Weighed for ExtendLease {
    fn bytes(&self) -> usize {
        checkpoint(self.progress.as_ref())
    }
}

impl Weighed for CompleteLease {
    fn bytes(&self) -> usize {
        let follow_ups: usize = self.follow_ups.iter().map(Weighed::bytes).sum();
        length(self.result.as_ref()) + follow_ups + checkpoint(self.progress.as_ref())
    }
}

impl Weighed for FailLease {
    fn bytes(&self) -> usize {
        self.message.len() + checkpoint(self.progress.as_ref())
    }
}

impl Weighed for ReleaseLease {
    fn bytes(&self) -> usize {
        checkpoint(self.progress.as_ref())
    }
}

use std::process::ExitCode;

use clap::Args;
use russet::Client;
use russet::wire::CancelledWorkflowView;
use russet_core::WorkflowId;

use super::super::{CliError, Global, report};
use crate::text::counted;

/// `russet workflows cancel`
#[derive(Debug, Args)]
pub struct Cancel {
    /// The workflow.
    pub id: WorkflowId,
    /// Why, for people to read.
    #[arg(long)]
    pub reason: Option<String>,
}

impl Cancel {
    pub(super) async fn run(&self, client: &Client, global: &Global) -> Result<ExitCode, CliError> {
        let done = client
            .cancel_workflow(self.id, self.reason.as_deref())
            .await?;
        report::either(global, &done, told)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What was cancelled, and what still runs.
fn told(done: &CancelledWorkflowView) -> String {
    let name = done.name.as_ref();
    let name = name.map(|name| format!(" {name}")).unwrap_or_default();
    let mut text = format!(
        "{}{name}: {} cancelled",
        done.workflow,
        counted(done.cancelled, "task")
    );
    if done.asked > 0 {
        text.push_str(&format!(
            ", {} still running: the workers are asked to stop",
            done.asked
        ));
    }
    text.push('\n');
    text
}

use std::process::ExitCode;

use clap::Args;
use russet::Client;
use russet::wire::RedrivenWorkflowView;
use russet_core::WorkflowId;

use super::super::{CliError, Global, report};
use crate::text::{aside, counted, gist};

/// `russet workflows redrive`
#[derive(Debug, Args)]
pub struct Redrive {
    /// The workflow.
    pub id: WorkflowId,
    /// Tasks that somebody cancelled are meant too.
    #[arg(long)]
    pub cancelled: bool,
    /// Wait until all tasks have ended; fails unless they succeeded.
    #[arg(long)]
    pub wait: bool,
}

impl Redrive {
    pub(super) async fn run(&self, client: &Client, global: &Global) -> Result<ExitCode, CliError> {
        let done = client.redrive_workflow(self.id, self.cancelled).await?;
        if self.wait {
            if !global.quiet && !global.json {
                aside(told(&done).trim_end());
            }
            return super::wait(client, self.id, global).await;
        }
        report::either(global, &done, told)?;
        Ok(match (done.redriven, done.refused) {
            (0, 1..) => ExitCode::FAILURE,
            _ => ExitCode::SUCCESS,
        })
    }
}

/// What came back to life, and what did not and why.
fn told(done: &RedrivenWorkflowView) -> String {
    let name = done.name.as_ref();
    let name = name.map(|name| format!(" {name}")).unwrap_or_default();
    let mut text = format!(
        "{}{name}: {} redriven, {} kept as succeeded, {} not redriven\n",
        done.workflow,
        counted(done.redriven, "task"),
        done.counts.succeeded,
        done.refused
    );
    for refusal in &done.refusals {
        let name = refusal.name.as_ref();
        let name = name.map(|name| format!("{name}: ")).unwrap_or_default();
        text.push_str(&format!("  {name}{}\n", gist(&refusal.detail)));
    }
    let more = done.refused.saturating_sub(done.refusals.len() as u64);
    if more > 0 {
        text.push_str(&format!("  and {more} more\n"));
    }
    if done.counts.purged > 0 {
        let purged = counted(done.counts.purged.into(), "task");
        text.push_str(&format!(
            "  {purged} had ended and are no longer kept: they stay as they are\n"
        ));
    }
    text
}

//! Many tasks from a file, in batches.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, stdin};
use std::process::ExitCode;

use russet::Client;
use russet::wire::{Problem, SubmitTask, SubmittedView, from_json};
use russet_core::TaskId;
use serde::Serialize;

use crate::cli::{CliError, Global, report};
use crate::text::{aside, counted};

/// Tasks sent together.
const BATCH: usize = russet::limits::BATCH_ITEMS;
/// Longest line, in bytes: a payload and everything beside it.
const LINE_BYTES: usize = 4 * 1024 * 1024;
/// Most refused lines that are told one by one.
const TOLD: u64 = 20;
/// Most different warnings that are told.
const TOLD_WARNINGS: usize = 20;

/// What became of one line.
#[derive(Serialize)]
#[serde(untagged)]
enum Line {
    Submitted {
        line: u64,
        task: TaskId,
        existing: bool,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        warnings: Vec<String>,
    },
    Refused {
        line: u64,
        error: Box<Problem>,
    },
}

/// Submits every line of `file`. A file is checked as a whole first, so that a line that is no
/// task costs nothing; standard input can only be checked batch by batch.
pub(super) async fn submit(file: &str, global: &Global) -> Result<ExitCode, CliError> {
    let client = global.client()?;
    if file == "-" {
        return send(
            Lines::new(file, Box::new(stdin().lock())),
            0,
            &client,
            global,
        )
        .await;
    }
    let open = || File::open(file).map_err(|error| CliError::file(file, &error));
    let opened = open()?;
    if !opened.metadata().is_ok_and(|data| data.is_file()) {
        // A pipe can be read once.
        let lines = Lines::new(file, Box::new(BufReader::new(opened)));
        return send(lines, 0, &client, global).await;
    }
    let mut total = 0;
    let mut lines = Lines::new(file, Box::new(BufReader::new(opened)));
    while lines.next_task(0)?.is_some() {
        total += 1;
    }
    let lines = Lines::new(file, Box::new(BufReader::new(open()?)));
    send(lines, total, &client, global).await
}

async fn send(
    mut lines: Lines<'_>,
    total: u64,
    client: &Client,
    global: &Global,
) -> Result<ExitCode, CliError> {
    let progress = report::progress(global, total, "tasks");
    let mut account = Account::default();
    loop {
        let batch = lines.batch(account.sent())?;
        let Some(last) = batch.last().map(|(line, _)| *line) else {
            break;
        };
        let (numbers, tasks): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        for (line, result) in numbers.into_iter().zip(client.submit_many(tasks).await) {
            account.take(line, result, global);
        }
        let sent = account.sent();
        if let Some(failure) = account.failure {
            failure.tell(sent, last);
            return Err(failure.error.into());
        }
        if let Some(unwritten) = account.unwritten {
            tell_of_rest(sent, account.refused, last);
            return Err(unwritten);
        }
        progress.set_position(sent + account.refused);
    }
    progress.finish_and_clear();
    account.end(global)
}

/// Says what became of a file that was sent up to its `last` line, of which nothing can be told one
/// by one any more, and how to go on.
fn tell_of_rest(sent: u64, refused: u64, last: u64) {
    let (sent, next) = (counted(sent, "task"), last + 1);
    aside(format_args!(
        "{sent} submitted and {refused} refused, up to line {last}; what follows was not sent: `tail -n +{next} FILE | russet submit --file -` goes on there"
    ));
}

/// What became of the lines so far.
#[derive(Default)]
struct Account {
    submitted: u64,
    existed: u64,
    refused: u64,
    failure: Option<Failure>,
    /// Why nothing is printed any more.
    unwritten: Option<CliError>,
    warned: BTreeSet<String>,
}

/// Why the file cannot be gone on with.
struct Failure {
    /// The first line that failed.
    line: u64,
    /// Why; of a line that may have been submitted, where there is one.
    error: russet::Error,
    /// Lines that may or may not have been submitted.
    in_doubt: u64,
    /// Lines that were not.
    not: u64,
}

impl Account {
    const fn sent(&self) -> u64 {
        self.submitted + self.existed
    }

    /// Counts and tells what became of a line. Where it failed, others of its batch may not have.
    fn take(&mut self, line: u64, result: Result<SubmittedView, russet::Error>, global: &Global) {
        match result {
            Ok(done) => {
                match done.existing {
                    true => self.existed += 1,
                    false => self.submitted += 1,
                }
                warn(line, &done.warnings, &mut self.warned, global);
                let told = Line::Submitted {
                    line,
                    task: done.task,
                    existing: done.existing,
                    warnings: done.warnings,
                };
                self.tell(&told, global);
            }
            Err(russet::Error::Refused(error)) if is_about_the_line(&error) => {
                self.refused += 1;
                self.tell(&Line::Refused { line, error }, global);
            }
            Err(error) => match &mut self.failure {
                Some(failure) => failure.add(error),
                none => *none = Some(Failure::new(line, error)),
            },
        }
    }

    /// Tells what became of a line, unless that failed for one before.
    fn tell(&mut self, line: &Line, global: &Global) {
        if self.unwritten.is_none() {
            self.unwritten = tell(line, self.refused, global).err();
        }
    }

    fn end(&self, global: &Global) -> Result<ExitCode, CliError> {
        if !global.json && !global.quiet {
            let (submitted, existed, refused) = (self.submitted, self.existed, self.refused);
            let end = format!("{submitted} submitted, {existed} existed, {refused} refused");
            report::line(&end)
                .inspect_err(|_| aside(format_args!("all lines were sent: {end}")))?;
        }
        Ok(match self.refused {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        })
    }
}

impl Failure {
    fn new(line: u64, error: russet::Error) -> Self {
        let in_doubt = u64::from(!error.is_unchanged());
        Self {
            line,
            error,
            in_doubt,
            not: 1 - in_doubt,
        }
    }

    fn add(&mut self, error: russet::Error) {
        if error.is_unchanged() {
            self.not += 1;
            return;
        }
        self.in_doubt += 1;
        if self.error.is_unchanged() {
            self.error = error;
        }
    }

    /// Says what became of a file that was sent up to its `last` line, of which so many tasks were
    /// submitted.
    fn tell(&self, sent: u64, last: u64) {
        if sent == 0 && self.in_doubt == 0 {
            return;
        }
        let (line, sent) = (self.line, counted(sent, "task"));
        let (in_doubt, not) = (self.in_doubt, self.not);
        aside(format_args!(
            "{sent} submitted; of lines {line} to {last}, {in_doubt} in doubt and {not} not submitted; what follows was not sent; submitting the file again does tasks twice that have neither id nor idempotency_key"
        ));
    }
}

/// Whether a refusal is one of this line, and not of all that are sent now or by this user.
fn is_about_the_line(problem: &Problem) -> bool {
    problem.status < 500 && !problem.is_temporary() && !matches!(problem.status, 401 | 403)
}

/// Tells each warning once, with the first line that it is for.
fn warn(line: u64, warnings: &[String], warned: &mut BTreeSet<String>, global: &Global) {
    for warning in warnings {
        if !global.json && warned.len() < TOLD_WARNINGS && warned.insert(warning.clone()) {
            aside(format_args!("line {line}: warning: {warning}"));
        }
    }
}

fn tell(line: &Line, refused: u64, global: &Global) -> Result<(), CliError> {
    match line {
        _ if global.json => report::json(line),
        Line::Submitted { task, .. } if global.quiet => report::line(task),
        Line::Refused { line, error } if refused <= TOLD => {
            aside(format_args!("line {line}: {}", error.detail));
            Ok(())
        }
        Line::Refused { .. } if refused == TOLD + 1 => {
            aside("further refused lines are only counted; --json tells them all");
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The lines of a file, as tasks.
struct Lines<'a> {
    name: &'a str,
    from: Box<dyn BufRead>,
    number: u64,
}

impl<'a> Lines<'a> {
    const fn new(name: &'a str, from: Box<dyn BufRead>) -> Self {
        Self {
            name,
            from,
            number: 0,
        }
    }

    /// The next tasks, each with the number of its line.
    fn batch(&mut self, submitted: u64) -> Result<Vec<(u64, SubmitTask)>, CliError> {
        let mut batch = Vec::with_capacity(BATCH);
        while batch.len() < BATCH {
            match self.next_task(submitted)? {
                Some(task) => batch.push(task),
                None => break,
            }
        }
        Ok(batch)
    }

    /// The next task; empty lines are passed over.
    fn next_task(&mut self, submitted: u64) -> Result<Option<(u64, SubmitTask)>, CliError> {
        loop {
            let mut line = Vec::new();
            let mut bounded = std::io::Read::take(&mut self.from, LINE_BYTES as u64 + 1);
            let read = bounded.read_until(b'\n', &mut line);
            let read = read.map_err(|error| CliError::file(self.name, &error))?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            if line.len() > LINE_BYTES {
                let why = format!("is longer than {LINE_BYTES} bytes");
                return Err(self.refuse(Problem::new("too_large", 413, why), submitted));
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            if line.trim_ascii_start().starts_with(b"[") {
                let why = "is a JSON list: write one task a line, as `jq -c '.[]'` does";
                return Err(self.refuse(Problem::new("malformed", 400, why), submitted));
            }
            let task = from_json(line.trim_ascii());
            let task = task.map_err(|mut problem: Problem| {
                // The file's own line is named; the reader counts lines within it.
                problem.detail = problem.detail.replace(" at line 1 column ", " at column ");
                self.refuse(problem, submitted)
            })?;
            return Ok(Some((self.number, task)));
        }
    }

    fn refuse(&self, problem: Problem, submitted: u64) -> CliError {
        let sent = match submitted {
            0 => "nothing was submitted".to_owned(),
            1 => "1 task of an earlier line was submitted".to_owned(),
            sent => format!("{sent} tasks of earlier lines were submitted"),
        };
        let place = format!("{}:{}", self.name, self.number);
        CliError::document(place, problem).with_note(format!("; {sent}"))
    }
}

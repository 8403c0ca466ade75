use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use russet::core::TaskId;

/// A file to which all workers write, each line at once: what was written is there when its
/// writer is killed.
#[derive(Clone)]
pub struct Journal(Arc<File>);

/// A handler began an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    pub task: TaskId,
    pub attempt: u64,
    /// Which submission it is of.
    pub name: String,
    /// When the scheduler granted the attempt, in milliseconds.
    pub granted: u64,
}

/// A completion was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub task: TaskId,
    pub attempt: u64,
}

impl Journal {
    pub fn open(path: &Path) -> Self {
        let file = File::options().create(true).append(true).open(path);
        Self(Arc::new(file.expect("the journal opens")))
    }

    pub fn begun(&self, begun: &Begun) {
        let Begun {
            task,
            attempt,
            name,
            granted,
        } = begun;
        self.write(&format!("begun {task} {attempt} {granted} {name}\n"));
    }

    pub fn accepted(&self, accepted: &Accepted) {
        let Accepted { task, attempt } = accepted;
        self.write(&format!("accepted {task} {attempt}\n"));
    }

    fn write(&self, line: &str) {
        let mut file = self.0.as_ref();
        file.write_all(line.as_bytes())
            .expect("the journal takes a line");
        file.sync_data().expect("the journal is synced");
    }
}

/// What stands in a journal.
pub fn read(path: &Path) -> (Vec<Begun>, Vec<Accepted>) {
    let (mut begun, mut accepted) = (Vec::new(), Vec::new());
    let text = std::fs::read_to_string(path).expect("the journal is read");
    for line in text.lines() {
        let parts: Vec<&str> = line.split(' ').collect();
        let task = parts[1].parse().expect("an id");
        let number = |at: usize| parts[at].parse().expect("a number");
        let attempt = number(2);
        match parts[0] {
            "begun" => begun.push(Begun {
                task,
                attempt,
                granted: number(3),
                name: parts[4].to_owned(),
            }),
            "accepted" => accepted.push(Accepted { task, attempt }),
            _ => panic!("no such line: {line:?}"),
        }
    }
    (begun, accepted)
}

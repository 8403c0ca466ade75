//! The files of the repository, as they stand on disk.

use std::path::{Path, PathBuf};

/// Folders that builds and runs leave behind, or that git keeps for itself.
const SKIPPED: [&str; 5] = ["target", ".git", "corpus", "artifacts", "node_modules"];

/// A text file of the repository.
pub struct File {
    /// Its path below the root, with `/` between the parts.
    pub path: String,
    pub text: String,
}

impl File {
    /// Whether it is Rust code that ships: not a test, a benchmark or an example.
    pub fn ships(&self) -> bool {
        let path = self.path.as_str();
        let test = ["/tests.rs", "_tests.rs", "/testing.rs"];
        path.ends_with(".rs")
            && path.contains("src/")
            && !path.starts_with("tests/")
            && !path.contains("/tests/")
            && !test.iter().any(|end| path.ends_with(end))
    }

    /// Its lines with their numbers, without its test modules at the end.
    pub fn shipped_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines: Vec<_> = self.text.lines().collect();
        let tests = |pair: &[&str]| {
            pair[0].trim() == "#[cfg(test)]"
                && pair[1].starts_with("mod ")
                && pair[1].ends_with('{')
        };
        let end = lines.windows(2).position(tests).unwrap_or(lines.len());
        lines
            .into_iter()
            .take(end)
            .enumerate()
            .map(|(at, line)| (at + 1, line))
    }
}

pub fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    root.expect("the tests stand in the repository")
        .to_path_buf()
}

/// Every text file.
pub fn files() -> Vec<File> {
    let mut found = Vec::new();
    collect(&root(), &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(
        found.len() > 100,
        "only {} files: is {} the root?",
        found.len(),
        root().display()
    );
    found
}

/// Every text file whose name ends so.
pub fn ending(end: &str) -> Vec<File> {
    files()
        .into_iter()
        .filter(|file| file.path.ends_with(end))
        .collect()
}

fn collect(folder: &Path, found: &mut Vec<File>) {
    // Others may be at work in the tree: what vanishes meanwhile is not looked at.
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if SKIPPED.contains(&&*name) || name.ends_with(".russet-data") {
            continue;
        }
        if path.is_dir() {
            collect(&path, found);
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            let path = path.strip_prefix(root()).expect("is below the root");
            let path = path.to_string_lossy().replace('\\', "/");
            found.push(File { path, text });
        }
    }
}

/// Fails with every line of `wrong`, when there is any.
pub fn none(wrong: impl IntoIterator<Item = String>) {
    let wrong: Vec<_> = wrong.into_iter().collect();
    assert!(
        wrong.is_empty(),
        "{} untidy places:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

//! Links between documents.

use std::path::Path;

use crate::tree;

#[test]
fn every_link_between_documents_leads_somewhere() {
    let mut broken = Vec::new();
    for file in tree::ending(".md") {
        let here = tree::root().join(&file.path);
        for target in targets(&file.text) {
            if let Err(why) = follow(&here, &file.text, &target) {
                broken.push(format!("{}: ({target}) {why}", file.path));
            }
        }
    }
    tree::none(broken);
}

/// The targets of the inline links of a document, outside of code.
fn targets(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        // Every other piece between backticks is code.
        let prose: String = line.split('`').step_by(2).collect();
        let ends = prose
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split_once(')'));
        found.extend(ends.map(|(target, _)| target.trim().to_owned()));
    }
    found
}

fn follow(from: &Path, text: &str, target: &str) -> Result<(), String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return Ok(());
    }
    let (path, section) = target.split_once('#').unwrap_or((target, ""));
    let (there, text) = if path.is_empty() {
        (from.to_path_buf(), text.to_owned())
    } else {
        let there = from.parent().unwrap_or(from).join(path);
        let text = std::fs::read_to_string(&there).unwrap_or_default();
        (there, text)
    };
    if !there.exists() {
        return Err("does not exist".to_owned());
    }
    let known = section.is_empty() || headings(&text).any(|heading| heading == section);
    known
        .then_some(())
        .ok_or_else(|| "has no such section".to_owned())
}

/// The sections of a document, as links name them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        let kept = words
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}

#[test]
fn links_are_found_in_prose_only() {
    let text =
        "# A tour, first\nSee [a](b.md#c) and `[x](y)`.\n```\n[z](w)\n```\n[d](#a-tour-first)\n";
    assert_eq!(targets(text), ["b.md#c", "#a-tour-first"]);
    assert_eq!(headings(text).next().as_deref(), Some("a-tour-first"));
}

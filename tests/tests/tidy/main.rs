//! The house rules that a program can check.

mod links;
mod manifests;
mod promises;
mod source;
mod tree;

#[test]
fn a_new_reader_finds_the_papers_of_the_house() {
    let papers = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "check",
        ".ci/run",
    ];
    let missing = papers
        .iter()
        .filter(|paper| !tree::root().join(paper).is_file());
    tree::none(missing.map(|paper| format!("{paper} is missing")));
}

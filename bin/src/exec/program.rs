//! Which command to run.

use std::path::Path;

use tokio::process::Command;

/// Put before every text for a shell. It waits until the guard knows the process group: a
/// command whose guard is told of our end before that reads the end of its input instead, and
/// never begins.
const GATE: &str = "read -r _ || exit 125; ";
/// What opens the gate, before the command's own input.
const OPEN: &[u8] = b"\n";
/// How the names of this program's own variables begin.
const OWN_VARIABLES: &str = "RUSSET_";

/// Words that only a shell understands.
const SHELL_WORDS: [&str; 9] = ["|", "||", "&", "&&", ";", ">", ">>", "<", "2>&1"];

/// A command line, split into words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    name: String,
    arguments: Vec<String>,
    gated: bool,
}

/// Why a text is not a command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// There is no word in it.
    #[error("the command is empty: name a program")]
    Empty,
    /// A quote is not closed, or it ends with a backslash.
    #[error(
        "the command {0:?} has an open quote or a trailing backslash: close it, or escape it with \\"
    )]
    OpenQuote(String),
    /// There is no such program.
    #[error(
        "there is no program {0:?}: name one that is on the PATH or write its path; for shell syntax add --shell"
    )]
    NotFound(String),
}

impl Program {
    /// A command written as in a shell, with quotes and backslashes, but run without one:
    /// variables, pipes and wildcards mean nothing.
    ///
    /// # Errors
    /// A text without a word, or with an open quote.
    pub fn words(text: &str) -> Result<Self, ProgramError> {
        let words = shlex::split(text).ok_or_else(|| ProgramError::OpenQuote(text.to_owned()))?;
        let mut words = words.into_iter();
        let name = words.next().filter(|name| !name.is_empty());
        Ok(Self {
            name: name.ok_or(ProgramError::Empty)?,
            arguments: words.collect(),
            gated: false,
        })
    }

    /// A word of `text`, outside of quotes, that would mean something to a shell and is handed to
    /// the program as it is.
    pub fn shell_word(&self, text: &str) -> Option<&'static str> {
        let is_word = |known: &&str| self.arguments.iter().any(|word| word == known);
        let is_bare = |known: &&str| text.split_whitespace().any(|word| word == *known);
        let mut known = SHELL_WORDS.into_iter().filter(|_| !self.gated);
        known.find(|word| is_word(word) && is_bare(word))
    }

    /// A command that `sh -c` runs.
    ///
    /// # Errors
    /// A text without a word.
    pub fn shell(text: &str) -> Result<Self, ProgramError> {
        if text.trim().is_empty() {
            return Err(ProgramError::Empty);
        }
        Ok(Self {
            name: "sh".into(),
            arguments: vec!["-c".into(), format!("{GATE}{text}")],
            gated: true,
        })
    }

    /// Looks for the program where it would be run from.
    ///
    /// # Errors
    /// A name that is neither on the PATH nor the path of a file.
    pub fn find(&self) -> Result<(), ProgramError> {
        let found = if self.name.contains('/') {
            Path::new(&self.name).is_file()
        } else {
            let path = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&path).any(|folder| folder.join(&self.name).is_file())
        };
        match found {
            true => Ok(()),
            false => Err(ProgramError::NotFound(self.name.clone())),
        }
    }

    /// The program's name or path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its input begins with.
    pub(super) fn opening(&self) -> &'static [u8] {
        if self.gated { OPEN } else { b"" }
    }

    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.name);
        command.args(&self.arguments);
        keep_own_variables(&mut command);
        command
    }
}

/// Keeps what this process was told by its own variables, its tokens among them, from a command
/// of a task. What the command is to know is set afterwards.
pub fn keep_own_variables(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name
            .as_encoded_bytes()
            .starts_with(OWN_VARIABLES.as_bytes())
        {
            command.env_remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_split_into_words_like_in_a_shell() {
        let program = Program::words(r#"convert -resize '50% of it' "a b".png $HOME"#);
        let words = ["-resize", "50% of it", "a b.png", "$HOME"];
        assert_eq!(
            program,
            Ok(Program {
                name: "convert".into(),
                arguments: words.map(String::from).to_vec(),
                gated: false,
            })
        );
    }

    #[test]
    fn words_for_a_shell_are_found_outside_of_quotes() {
        let found = |text: &str| Program::words(text).expect("a command").shell_word(text);
        assert_eq!(found("jq .a | wc -l"), Some("|"));
        assert_eq!(found("make all && make test"), Some("&&"));
        assert_eq!(found("cat > file"), Some(">"));
        for quoted in ["jq '.a | .b'", "expr 1 '>' 2", "grep -e '|'", "echo a>b"] {
            assert_eq!(found(quoted), None, "{quoted}");
        }
        let text = "cat | wc";
        assert_eq!(
            Program::shell(text).expect("a command").shell_word(text),
            None
        );
    }

    #[test]
    fn a_text_that_is_no_command_is_refused() {
        assert_eq!(Program::words("  "), Err(ProgramError::Empty));
        assert_eq!(Program::words("''"), Err(ProgramError::Empty));
        assert_eq!(Program::shell(" \n"), Err(ProgramError::Empty));
        let open = Program::words("echo 'a");
        assert_eq!(open, Err(ProgramError::OpenQuote("echo 'a".into())));
    }

    #[test]
    fn a_program_is_looked_for_on_the_path_or_at_its_path() {
        let found = |text| Program::words(text).expect("a command").find();
        assert_eq!(found("sh"), Ok(()));
        assert_eq!(found("/bin/sh -c true"), Ok(()));
        assert!(found("no-such-program-anywhere").is_err() && found("./no/such/program").is_err());
    }
}

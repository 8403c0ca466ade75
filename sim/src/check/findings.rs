use super::Violation;

/// Most violations that one checker reports: the first ones show what is wrong.
const MOST: usize = 5;

/// What one checker finds.
pub(super) struct Findings {
    promise: &'static str,
    found: Vec<Violation>,
}

impl Findings {
    pub fn of(promise: &'static str) -> Self {
        Self {
            promise,
            found: Vec::new(),
        }
    }

    /// Writes down what is wrong, and the entries that show it.
    pub fn add(&mut self, what: String, shown_by: &[usize]) {
        if self.found.len() >= MOST {
            return;
        }
        let mut shown_by = shown_by.to_vec();
        shown_by.sort_unstable();
        shown_by.dedup();
        self.found.push(Violation {
            promise: self.promise,
            what,
            shown_by,
        });
    }

    pub fn done(self) -> Vec<Violation> {
        self.found
    }
}

use crate::aws::Fault;

/// What goes otherwise than one would like, until it is changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// What becomes of whole requests.
    pub fault: Option<Fault>,
    /// Entries of a batch that fail and are not carried out: the lowest bit is the first entry.
    pub failing: u16,
    /// Messages are delivered again while they are hidden.
    pub duplicates: bool,
    /// Messages are delivered in random order, instead of that in which they became visible.
    pub reordered: bool,
    /// Nothing is found by whoever asks for messages, who is told so at once.
    pub blind: bool,
    /// What is sent is lost, although the reply says otherwise.
    pub losing: bool,
    /// What is deleted is there again once it is visible, although the reply says otherwise.
    pub undeleted: bool,
}

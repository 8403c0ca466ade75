use super::call::Args;

/// Writes instructions, and collects the names of their keys.
pub(crate) struct Writer {
    pub(crate) names: Vec<Vec<u8>>,
    pub(crate) args: Args,
}

impl Writer {
    pub(crate) fn name(&mut self, name: Vec<u8>) -> usize {
        self.names.push(name);
        self.names.len()
    }

    pub(crate) fn instruction<M: AsRef<[u8]>>(
        &mut self,
        what: &str,
        number: usize,
        name: &[u8],
        members: impl IntoIterator<Item = M, IntoIter: Clone>,
    ) {
        let members = members.into_iter();
        let count = members.clone().count();
        if count == 0 {
            return;
        }
        self.args.push(what).number(number).push(name).number(count);
        for member in members {
            self.args.push(member);
        }
    }

    pub(crate) fn scored<S: std::fmt::Display, M: AsRef<[u8]>>(
        &mut self,
        what: &str,
        number: usize,
        name: &[u8],
        members: &[(S, M)],
    ) {
        if members.is_empty() {
            return;
        }
        self.args.push(what).number(number).push(name);
        self.args.number(members.len() * 2);
        for (score, member) in members {
            self.args.number(score).push(member);
        }
    }
}

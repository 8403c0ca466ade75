//! What credentials may not do of what a backend does, found out by trying it in ways that
//! change nothing.

use std::collections::BTreeMap;

use super::Fault;
use crate::limits::AWS_PLACES_NAMED;

/// What credentials may not do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// All that is not allowed, on what, and what to do.
    pub denied: Option<String>,
    /// What nobody knows, since the service did not say.
    pub untried: Option<String>,
}

/// Collects what became of what was tried.
pub(crate) struct Trials {
    /// What stands for all places where an action was tried.
    everywhere: String,
    /// At how many places each action was tried.
    tried: BTreeMap<&'static str, usize>,
    denied: Refusals,
    untried: Refusals,
}

/// Actions, each with the places where it was refused, and the first reason that was given.
#[derive(Default)]
struct Refusals {
    actions: BTreeMap<&'static str, Vec<String>>,
    why: Option<String>,
}

impl Trials {
    /// Nothing was tried yet.
    pub(crate) fn new(everywhere: impl Into<String>) -> Self {
        Self {
            everywhere: everywhere.into(),
            tried: BTreeMap::new(),
            denied: Refusals::default(),
            untried: Refusals::default(),
        }
    }

    /// What became of an action, as policies name it, at a place; the place is empty where there
    /// is only one. What is refused for another reason than permissions is allowed.
    pub(crate) fn note<T>(&mut self, action: &'static str, place: &str, answer: &Result<T, Fault>) {
        *self.tried.entry(action).or_default() += 1;
        let refusals = match answer {
            Ok(_) => return,
            Err(fault) if fault.is_forbidden() => &mut self.denied,
            Err(fault @ Fault::Refused { .. }) if !fault.is_denied() => return,
            Err(_) => &mut self.untried,
        };
        let places = refusals.actions.entry(action).or_default();
        places.push(place.to_owned());
        if let Err(fault) = answer {
            refusals.why.get_or_insert_with(|| fault.to_string());
        }
    }

    /// What was found, in words.
    pub(crate) fn found(&self) -> Permissions {
        let denied = self.say(&self.denied);
        let untried = self.say(&self.untried);
        Permissions {
            denied: denied.map(|said| {
                format!("not allowed: {said}: allow them in the policies of these credentials")
            }),
            untried: untried.map(|said| {
                format!("whether it is allowed could not be tried: {said}: check again later")
            }),
        }
    }

    fn say(&self, refusals: &Refusals) -> Option<String> {
        let why = refusals.why.as_ref()?;
        let actions = refusals.actions.iter();
        let actions = actions.map(|(action, places)| match places.as_slice() {
            [place] if place.is_empty() => (*action).to_owned(),
            places => format!("{action} on {}", self.name(action, places)),
        });
        let actions: Vec<_> = actions.collect();
        Some(format!("{} ({why})", actions.join(", ")))
    }

    fn name(&self, action: &str, places: &[String]) -> String {
        let everywhere = places.len() > 1 && self.tried.get(action) == Some(&places.len());
        match places {
            _ if everywhere => self.everywhere.clone(),
            [first, others @ ..] if places.len() > AWS_PLACES_NAMED => {
                format!("{first} and {} others", others.len())
            }
            few => few.join(" and "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: &str) -> Result<(), Fault> {
        let (code, why) = (code.to_owned(), "as the test says".to_owned());
        Err(Fault::Refused { code, why })
    }

    #[test]
    fn what_is_denied_is_said_at_once_with_its_places() {
        let mut trials = Trials::new("a-*");
        trials.note("s:List", "", &refused("AccessDenied"));
        trials.note("s:Key", "", &refused("KmsAccessDenied"));
        for place in ["a-1", "a-2", "a-3", "a-4"] {
            trials.note("s:All", place, &refused("x#AccessDeniedException"));
            let some = match place {
                "a-4" => Ok(()),
                _ => refused("AccessDenied"),
            };
            trials.note("s:Many", place, &some);
            let few = match place {
                "a-1" | "a-3" => refused("AccessDenied"),
                _ => refused("InvalidParameterValue"),
            };
            trials.note("s:Few", place, &few);
        }
        let found = trials.found();
        let denied = "not allowed: s:All on a-*, s:Few on a-1 and a-3, s:Key, s:List, s:Many on \
                      a-1 and 2 others (AccessDenied: as the test says): allow them in the policies of \
                      these credentials";
        assert_eq!(found.denied.as_deref(), Some(denied));
        assert_eq!(found.untried, None);
    }

    #[test]
    fn what_the_service_does_not_say_is_neither_allowed_nor_denied() {
        let mut trials = Trials::new("");
        trials.note("s:Lost", "", &Err::<(), _>(Fault::Lost("no reply".into())));
        trials.note("s:Expired", "", &refused("ExpiredTokenException"));
        trials.note("s:Fine", "", &refused("ConditionalCheckFailedException"));
        let found = trials.found();
        assert_eq!(found.denied, None);
        let untried = "whether it is allowed could not be tried: s:Expired, s:Lost (no reply): \
                       check again later";
        assert_eq!(found.untried.as_deref(), Some(untried));
    }
}

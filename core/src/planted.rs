//! Bugs on purpose, to prove that the simulator's checkers bite. One at a time can be planted,
//! and only in the simulated build: in every other the places of the bugs are compiled away.

/// Whether this bug is planted; `false`, known to the compiler, in a build for users.
#[macro_export]
macro_rules! planted {
    ($bug:ident) => {
        cfg!(madsim) && $crate::planted::is($crate::planted::Bug::$bug)
    };
}

macro_rules! bugs {
    ($($(#[$doc:meta])* $bug:ident = $name:literal,)*) => {
        /// A bug that can be planted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Bug {
            $($(#[$doc])* $bug,)*
        }

        impl Bug {
            /// All of them.
            pub const ALL: [Self; [$(Self::$bug),*].len()] = [$(Self::$bug),*];

            /// The name on the command line.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$bug => $name,)*
                }
            }
        }
    };
}

bugs! {
    /// A completion is accepted from whoever names the task, with any lease.
    AnyLeaseCompletes = "any-lease-completes",
}

#[cfg(madsim)]
mod switch {
    use core::sync::atomic::{AtomicUsize, Ordering};

    use super::Bug;

    /// One more than the position of the planted bug.
    static PLANTED: AtomicUsize = AtomicUsize::new(0);

    /// Plants a bug, instead of the one before.
    pub fn plant(bug: Bug) {
        PLANTED.store(bug as usize + 1, Ordering::Relaxed);
    }

    /// Whether this bug is planted.
    pub fn is(bug: Bug) -> bool {
        PLANTED.load(Ordering::Relaxed) == bug as usize + 1
    }
}

#[cfg(madsim)]
pub use switch::{is, plant};

/// There is nothing to plant in this build.
#[cfg(not(madsim))]
pub const fn plant(_: Bug) {}

/// Nothing is planted in this build.
#[cfg(not(madsim))]
pub const fn is(_: Bug) -> bool {
    false
}

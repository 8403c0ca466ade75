//! The world under madsim.

//! The judge held against answers reckoned by hand.

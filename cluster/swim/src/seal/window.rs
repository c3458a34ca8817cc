//! Which counters of one sender were seen: a sliding window, as in RFC 4303, section 3.4.3.

/// How far behind the highest a counter may be. A sender counts all it sends, to whomever; 1024 are more than a
/// minute of a busy node's gossip, far beyond any reordering.
const WIDTH: u64 = 1024;
const WORDS: usize = (WIDTH / 64) as usize;

/// Remembers the last 1024 counters exactly; older ones count as seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Window {
    highest: u64,
    /// Bit `counter % 1024`, for counters in `(highest - 1024, highest]`.
    bits: [u64; WORDS],
}

impl Window {
    /// Whether it was seen, or is too old to tell. Counters begin at 1.
    pub(crate) fn seen(&self, counter: u64) -> bool {
        if counter > self.highest {
            return false;
        }
        let behind = self.highest - counter;
        counter == 0 || behind >= WIDTH || self.bits[word(counter)] & bit(counter) != 0
    }

    /// Marks one that was not seen.
    pub(crate) fn mark(&mut self, counter: u64) {
        if counter > self.highest {
            if counter - self.highest >= WIDTH {
                self.bits = [0; WORDS];
            } else {
                for passed in self.highest + 1..counter {
                    self.bits[word(passed)] &= !bit(passed);
                }
            }
            self.highest = counter;
        }
        self.bits[word(counter)] |= bit(counter);
    }
}

fn word(counter: u64) -> usize {
    (counter % WIDTH / 64) as usize
}

fn bit(counter: u64) -> u64 {
    1 << (counter % 64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn counters_are_taken_once() {
        let mut window = Window::default();
        let mut check = |counter: u64, seen: bool| {
            assert_eq!(window.seen(counter), seen, "{counter}");
            if !seen {
                window.mark(counter);
                assert!(window.seen(counter), "{counter} marked");
            }
        };
        check(0, true);
        check(1, false);
        check(1, true);
        check(1024, false);
        check(2, false);
        check(1025, false);
        check(1, true);
        check(1_000_000, false);
        check(1_000_000 - 1024, true);
        check(1_000_000 - 1023, false);
        check(u64::MAX, false);
        check(u64::MAX, true);
    }

    proptest! {
        #[test]
        fn it_is_a_set_with_an_edge(counters in prop::collection::vec(1_u64..4000, 1..400)) {
            let mut window = Window::default();
            let mut set = BTreeSet::new();
            for counter in counters {
                let highest = set.last().copied().unwrap_or(0);
                let expected = set.contains(&counter) || counter + WIDTH <= highest;
                prop_assert_eq!(window.seen(counter), expected, "{}", counter);
                if !expected {
                    window.mark(counter);
                    set.insert(counter);
                }
            }
        }
    }
}

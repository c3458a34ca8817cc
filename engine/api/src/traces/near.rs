//! Spans near others: so many steps above them, by parents, or below them, by children.

/// How far up or down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// So many steps.
    Steps(u64),
    /// To the end.
    Any,
}

impl Reach {
    /// A number of steps, or `-1`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "-1" => Some(Reach::Any),
            _ => text.parse().ok().map(Reach::Steps),
        }
    }

    fn holds(self, steps: u64) -> bool {
        match self {
            Reach::Steps(most) => steps <= most,
            Reach::Any => true,
        }
    }
}

/// Keeps those also that are at most so many steps above or below one that is kept. `parents` has the place of each
/// one's parent.
pub(super) fn spread(kept: &mut [bool], parents: &[Option<u32>], above: Reach, below: Reach) {
    let matches = kept.to_vec();
    if above != Reach::Steps(0) {
        walk(&matches, above, kept, |span, see| {
            if let Some(parent) = parents[span] {
                see(parent as usize);
            }
        });
    }
    if below != Reach::Steps(0) {
        let mut children = vec![Vec::new(); parents.len()];
        for (span, parent) in parents.iter().enumerate() {
            if let Some(parent) = parent {
                children[*parent as usize].push(span);
            }
        }
        walk(&matches, below, kept, |span, see| children[span].iter().copied().for_each(see));
    }
}

/// Marks what is reached from the matches, nearest first; each is looked at once.
fn walk(matches: &[bool], reach: Reach, kept: &mut [bool], next: impl Fn(usize, &mut dyn FnMut(usize))) {
    let mut seen = matches.to_vec();
    let mut edge: Vec<usize> = (0..matches.len()).filter(|&span| matches[span]).collect();
    let mut steps = 1;
    while !edge.is_empty() && reach.holds(steps) {
        let mut beyond = Vec::new();
        for span in edge {
            next(span, &mut |near| {
                if !std::mem::replace(&mut seen[near], true) {
                    kept[near] = true;
                    beyond.push(near);
                }
            });
        }
        edge = beyond;
        steps += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Reach = Reach::Steps(0);

    #[test]
    fn steps_are_counted_from_the_nearest_match() {
        //  0 - 1 - 2 - 3
        //        \ 4
        let parents = [None, Some(0), Some(1), Some(2), Some(1)];
        let check = |matching: &[usize], above: Reach, below: Reach, expected: &[usize]| {
            let mut kept: Vec<bool> = (0..parents.len()).map(|place| matching.contains(&place)).collect();
            spread(&mut kept, &parents, above, below);
            let kept: Vec<usize> = (0..parents.len()).filter(|&place| kept[place]).collect();
            assert_eq!(kept, expected, "{matching:?} {above:?} {below:?}");
        };
        check(&[], Reach::Any, Reach::Any, &[]);
        check(&[2], NONE, NONE, &[2]);
        check(&[2], Reach::Steps(1), NONE, &[1, 2]);
        check(&[2], Reach::Any, NONE, &[0, 1, 2]);
        check(&[1], NONE, Reach::Steps(1), &[1, 2, 4]);
        check(&[1], NONE, Reach::Any, &[1, 2, 3, 4]);
        check(&[2], Reach::Steps(1), Reach::Any, &[1, 2, 3]);
        check(&[0, 3], Reach::Steps(1), NONE, &[0, 2, 3]);
        check(&[0, 3], Reach::Steps(u64::MAX), Reach::Steps(u64::MAX), &[0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_reach_is_a_number_or_minus_one() {
        assert_eq!(Reach::parse("-1"), Some(Reach::Any));
        assert_eq!(Reach::parse("3"), Some(Reach::Steps(3)));
        for wrong in ["", "-2", "x", "1.5", "99999999999999999999"] {
            assert_eq!(Reach::parse(wrong), None);
        }
    }
}

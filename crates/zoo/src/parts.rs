//! Work in parts that several workers share.

use std::collections::VecDeque;

/// The parts of a job, each done by one of several workers. Results come out in the order of the parts, so
/// the outcome does not depend on who does which, or how fast.
#[derive(Clone, Debug)]
pub struct Parts<T> {
    /// Parts that nobody has, in order.
    open: VecDeque<usize>,
    /// Results that have not come out, by part.
    results: Vec<Option<T>>,
    /// Whether a part has a result, also after it came out.
    done: Vec<bool>,
    /// Parts whose results came out.
    out: usize,
}

impl<T> Parts<T> {
    /// `count` parts that nobody has.
    pub fn new(count: usize) -> Self {
        Self {
            open: (0..count).collect(),
            results: (0..count).map(|_| None).collect(),
            done: vec![false; count],
            out: 0,
        }
    }

    /// The first part that nobody has, for a worker that asks for one.
    pub fn give(&mut self) -> Option<usize> {
        self.open.pop_front()
    }

    /// A part for the worker that is responsible for the whole: one that nobody has, else the last one that
    /// has no result, because its worker may be slow or lost. `None` once every part has a result.
    pub fn give_or_repeat(&mut self) -> Option<usize> {
        self.give().or_else(|| self.done.iter().rposition(|done| !done))
    }

    /// Takes back a part from a worker that was lost.
    pub fn take_back(&mut self, part: usize) {
        if self.done.get(part).is_some_and(|done| !done) && !self.open.contains(&part) {
            let place = self.open.partition_point(|open| *open < part);
            self.open.insert(place, part);
        }
    }

    /// A worker has done a part. A second result for the same part changes nothing.
    pub fn finish(&mut self, part: usize, result: T) {
        let Some(done) = self.done.get_mut(part) else { return };
        if !std::mem::replace(done, true) {
            self.open.retain(|open| *open != part);
            if let Some(place) = self.results.get_mut(part) {
                *place = Some(result);
            }
        }
    }

    /// The next part in order with its result, if it is done.
    pub fn next_result(&mut self) -> Option<(usize, T)> {
        let part = self.out;
        let result = self.results.get_mut(part)?.take()?;
        self.out += 1;
        Some((part, result))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Act {
        /// A helper takes a part.
        Take(usize),
        /// A helper does its oldest part.
        Do(usize),
        /// A helper is lost, known or not.
        Lose(usize, bool),
        /// The responsible worker does a part.
        Own,
    }

    fn act() -> impl Strategy<Value = Act> {
        let helper = 0usize..3;
        prop_oneof![
            4 => helper.clone().prop_map(Act::Take),
            4 => helper.clone().prop_map(Act::Do),
            1 => (helper, any::<bool>()).prop_map(|(helper, known)| Act::Lose(helper, known)),
            2 => Just(Act::Own),
        ]
    }

    proptest! {
        /// Whatever helpers do, every part comes out once, in order, and the responsible worker alone can
        /// bring the job to its end.
        #[test]
        fn every_part_comes_out_once_and_in_order(count in 0usize..30, acts in prop::collection::vec(act(), 0..150)) {
            let mut parts = Parts::new(count);
            let mut helpers = vec![VecDeque::new(); 3];
            let mut out = Vec::new();
            let ends = std::iter::repeat_n(Act::Own, count);
            for act in acts.into_iter().chain(ends) {
                match act {
                    Act::Take(helper) => helpers[helper].extend(parts.give()),
                    Act::Do(helper) => {
                        if let Some(part) = helpers[helper].pop_front() {
                            parts.finish(part, part * 10);
                        }
                    }
                    Act::Lose(helper, known) => {
                        let lost = std::mem::take(&mut helpers[helper]);
                        lost.into_iter().filter(|_| known).for_each(|part| parts.take_back(part));
                    }
                    Act::Own => {
                        if let Some(part) = parts.give_or_repeat() {
                            parts.finish(part, part * 10);
                        }
                    }
                }
                while let Some(result) = parts.next_result() {
                    out.push(result);
                }
            }
            prop_assert_eq!(parts.give_or_repeat(), None);
            prop_assert_eq!(out, (0..count).map(|part| (part, part * 10)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn nobody_does_what_another_has_before_all_parts_are_given() {
        let mut parts = Parts::new(4);
        assert_eq!([parts.give(), parts.give_or_repeat(), parts.give()], [Some(0), Some(1), Some(2)]);
        parts.take_back(0);
        assert_eq!((parts.give_or_repeat(), parts.give(), parts.give()), (Some(0), Some(3), None));
        assert_eq!(parts.give_or_repeat(), Some(3));
        parts.finish(3, "three");
        parts.finish(3, "again");
        assert_eq!((parts.give_or_repeat(), parts.next_result()), (Some(2), None));
        for part in [2, 0, 1] {
            parts.finish(part, "rest");
        }
        assert_eq!(parts.give_or_repeat(), None);
        let out: Vec<_> = std::iter::from_fn(|| parts.next_result()).collect();
        assert_eq!(out, [(0, "rest"), (1, "rest"), (2, "rest"), (3, "three")]);
    }
}

//! A short list, mostly empty: a word where it is, and one allocation for each item.

use core::iter::successors;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A list of a few items, of which most sessions have none.
pub(super) struct Chain<T>(Option<Box<Link<T>>>);

struct Link<T> {
    item: T,
    rest: Chain<T>,
}

impl<T> Chain<T> {
    pub(super) const fn new() -> Self {
        Self(None)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        successors(self.0.as_deref(), |link| link.rest.0.as_deref()).map(|link| &link.item)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let mut next = self.0.as_deref_mut();
        core::iter::from_fn(move || {
            let link = next.take()?;
            next = link.rest.0.as_deref_mut();
            Some(&mut link.item)
        })
    }

    /// Adds an item at the end.
    pub(super) fn push(&mut self, item: T) {
        let mut place = &mut self.0;
        while let Some(link) = place {
            place = &mut link.rest.0;
        }
        *place = Some(Box::new(Link { item, rest: Self(None) }));
    }

    /// Adds an item at the front.
    pub(super) fn push_front(&mut self, item: T) {
        let rest = Self(self.0.take());
        self.0 = Some(Box::new(Link { item, rest }));
    }

    /// Takes the first such item away.
    pub(super) fn remove(&mut self, which: impl Fn(&T) -> bool) -> Option<T> {
        let mut place = &mut self.0;
        while place.as_ref().is_some_and(|link| !which(&link.item)) {
            place = &mut place.as_mut()?.rest.0;
        }
        let Link { item, mut rest } = *place.take()?;
        *place = rest.0.take();
        Some(item)
    }

    /// Keeps only such items.
    #[inline]
    pub(super) fn retain(&mut self, keep: impl FnMut(&mut T) -> bool) {
        if !self.is_empty() {
            self.sift(keep);
        }
    }

    fn sift(&mut self, mut keep: impl FnMut(&mut T) -> bool) {
        let mut place = &mut self.0;
        while let Some(mut link) = place.take() {
            if keep(&mut link.item) {
                place = &mut place.insert(link).rest.0;
            } else {
                *place = link.rest.0.take();
            }
        }
    }

    #[inline]
    pub(super) fn clear(&mut self) {
        // One after the other: a text may have named very many.
        let mut next = self.0.take();
        while let Some(mut link) = next {
            next = link.rest.0.take();
        }
    }
}

impl<T> Drop for Chain<T> {
    #[inline]
    fn drop(&mut self) {
        if self.0.is_some() {
            self.clear();
        }
    }
}

// As `Drop`: a text may have named more than a stack holds.
impl<T: Clone> Clone for Chain<T> {
    fn clone(&self) -> Self {
        self.iter().cloned().collect()
    }
}

impl<T> Default for Chain<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: PartialEq> PartialEq for Chain<T> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<T: Eq> Eq for Chain<T> {}

impl<T> FromIterator<T> for Chain<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut chain = Self::new();
        let mut end = &mut chain.0;
        for item in items {
            end = &mut end.insert(Box::new(Link { item, rest: Self(None) })).rest.0;
        }
        chain
    }
}

impl<T: Serialize> Serialize for Chain<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.iter())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Chain<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Vec::deserialize(from)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(items: &[u32]) -> Chain<u32> {
        items.iter().copied().collect()
    }

    #[test]
    fn items_stay_in_their_order() {
        let mut all = chain(&[2, 3]);
        all.push(4);
        all.push_front(1);
        assert!(all == chain(&[1, 2, 3, 4]) && all != chain(&[1, 2, 3]));
        all.iter_mut().for_each(|item| *item *= 10);
        assert_eq!(all.remove(|item| *item > 10), Some(20));
        assert_eq!(all.remove(|item| *item == 7), None);
        assert!(all == chain(&[10, 30, 40]));
        all.retain(|item| *item != 30);
        assert_eq!(all.iter().copied().collect::<Vec<_>>(), [10, 40]);
        all.retain(|_| false);
        assert!(all.is_empty());
    }

    #[test]
    fn a_long_list_needs_no_stack() {
        let long: Chain<u32> = (0..200_000).collect();
        assert!(long.clone() == long);
    }

    #[test]
    fn it_is_written_and_read_as_a_list() {
        let text = serde_json::to_string(&chain(&[1, 2])).unwrap();
        assert_eq!(text, "[1,2]");
        assert!(serde_json::from_str::<Chain<u32>>(&text).unwrap() == chain(&[1, 2]));
    }

    #[test]
    fn a_very_long_one_ends_without_a_deep_stack() {
        let all: Chain<u32> = (0..1_000_000).collect();
        assert_eq!(all.iter().count(), 1_000_000);
        drop(all);
    }
}

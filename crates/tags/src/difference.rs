//! What a changed file lacks of its old bytes.

/// The difference of two versions of a file: equal bytes at both ends, and the old bytes between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Number of equal bytes at the start.
    pub prefix: u64,
    /// Number of equal bytes at the end. The two parts overlap in neither version.
    pub suffix: u64,
    /// The old bytes between them.
    pub between: Vec<u8>,
}

impl Difference {
    /// The difference of the old and the new content.
    pub fn of(old: &[u8], new: &[u8]) -> Self {
        let prefix = old.iter().zip(new).take_while(|(a, b)| a == b).count();
        let (old_rest, new_rest) =
            (old.get(prefix..).unwrap_or_default(), new.get(prefix..).unwrap_or_default());
        let suffix = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
        let between = old_rest.get(..old_rest.len() - suffix).unwrap_or_default().to_vec();
        Self { prefix: prefix as u64, suffix: suffix as u64, between }
    }

    /// The old content, from the new one; `None` if the new one is too short.
    pub fn restore(&self, new: &[u8]) -> Option<Vec<u8>> {
        let prefix = new.get(..usize::try_from(self.prefix).ok()?)?;
        let suffix = new.get(new.len().checked_sub(usize::try_from(self.suffix).ok()?)?..)?;
        Some([prefix, &self.between, suffix].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_bytes_come_back() {
        let cases: [(&[u8], &[u8]); 7] = [
            (b"", b""),
            (b"abc", b"abc"),
            (b"abcabc", b"abc"),
            (b"aaa", b"aaaaaa"),
            (b"head old tail", b"head newer tail"),
            (b"sound", b"tag sound"),
            (b"x", b"y"),
        ];
        for (old, new) in cases {
            let difference = Difference::of(old, new);
            assert_eq!(difference.restore(new).as_deref(), Some(old), "{difference:?}");
        }
        let difference = Difference::of(b"head old tail", b"head newer tail");
        assert_eq!(
            (difference.prefix, difference.suffix, difference.between.as_slice()),
            (5, 5, &b"old"[..])
        );
        assert_eq!(difference.restore(b"head"), None);
    }
}

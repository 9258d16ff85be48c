//! Text that a test changes on purpose.

/// A text with one part replaced.
pub(crate) trait Tamper {
    /// Replaces every `from`. Without one the test would go on with what it meant to change, so that
    /// is a panic.
    fn tamper(&self, from: &str, to: &str) -> String;
}

impl Tamper for str {
    #[track_caller]
    fn tamper(&self, from: &str, to: &str) -> String {
        assert!(self.contains(from), "there is no {from:?} to replace in:\n{self}");
        self.replace(from, to)
    }
}

#[test]
#[should_panic(expected = "there is no")]
fn a_change_that_changes_nothing_is_a_panic() {
    drop("Timeout: 31".tamper("Timeout: 30", "Timeout: 2"));
}

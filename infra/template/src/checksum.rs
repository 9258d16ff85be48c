//! The checksum of a template, by which a change by hand is noticed before it is overwritten.

use sha2::{Digest as _, Sha256};

/// The words before the checksum, in a line of their own below the first.
const LABEL: &str = "# Checksum of the rest: ";

/// Whether a template was changed since it was written. One without a checksum counts as changed,
/// because nobody can tell.
pub fn is_edited(template: &str) -> bool {
    let Some((first, rest)) = template.split_once('\n') else { return true };
    let Some((line, rest)) = rest.split_once('\n') else { return true };
    line.strip_prefix(LABEL) != Some(&*checksum(first, rest))
}

/// Adds the checksum to a rendered template, below its first line.
pub(crate) fn with_checksum(template: &str) -> String {
    let (first, rest) = template.split_once('\n').unwrap_or((template, ""));
    format!("{first}\n{LABEL}{}\n{rest}", checksum(first, rest))
}

/// Sixteen digits, to recognise a change and not to prevent one.
fn checksum(first: &str, rest: &str) -> String {
    let digest = Sha256::new().chain_update(first).chain_update(rest).finalize();
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_every_change() {
        let template = with_checksum("# Written\nResources:\n  A: 1\n");
        assert!(!is_edited(&template), "{template}");
        for (words, by) in [("A: 1", "A: 2"), ("Written", "Edited"), (LABEL, "# "), ("\n", "")] {
            assert!(is_edited(&template.replacen(words, by, 1)), "{words}");
        }
        for other in ["", "A: 1", "A: 1\nB: 1\n"] {
            assert!(is_edited(other), "{other}");
        }
    }
}

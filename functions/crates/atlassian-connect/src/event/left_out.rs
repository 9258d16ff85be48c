//! The paths of malformed fields.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The paths of values in a body that were malformed and left out. It never contains values.
///
/// A path is written as in `issue.fields.labels[0]`. There are at most [`LeftOut::MAX_PATHS`] of them,
/// in the order of the text, each of at most [`LeftOut::LONGEST`] bytes; [`total`](Self::total)
/// counts all.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct LeftOut {
    paths: Vec<String>,
    total: usize,
}

impl LeftOut {
    /// The maximum number of paths.
    pub const MAX_PATHS: usize = 20;
    /// The maximum length of a path, in bytes.
    pub const LONGEST: usize = 200;

    /// The paths.
    pub fn paths(&self) -> impl ExactSizeIterator<Item = &str> {
        self.paths.iter().map(String::as_str)
    }

    /// The number of malformed values, those without a path included.
    pub fn total(&self) -> usize {
        self.total
    }

    /// Whether no value was left out.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    pub(super) fn push(&mut self, path: String) {
        let path = plain(path);
        if self.paths.contains(&path) {
            return;
        }
        self.total += 1;
        if self.paths.len() < Self::MAX_PATHS {
            self.paths.push(path);
        }
    }
}

/// The paths in one line.
impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.paths.join(", "))?;
        match self.total.saturating_sub(self.paths.len()) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// A path without control characters, shortened in the middle if it is too long.
fn plain(path: String) -> String {
    const GAP: &str = "…";
    let path = path.replace(char::is_control, "\u{FFFD}");
    if path.len() <= LeftOut::LONGEST {
        return path;
    }
    let half = (LeftOut::LONGEST - GAP.len()) / 2;
    let (head, tail) = (path.floor_char_boundary(half), path.ceil_char_boundary(path.len() - half));
    format!("{}{GAP}{}", &path[..head], &path[tail..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_a_bounded_number_of_bounded_paths() {
        let mut left_out = LeftOut::default();
        for number in 0..24 {
            left_out.push(format!("items[{number}]\n{}", "é".repeat(300)));
        }
        // Once more is no other place.
        left_out.push(left_out.paths[0].clone());
        left_out.push("short".into());
        assert_eq!((left_out.paths().len(), left_out.total()), (20, 25));
        for path in left_out.paths() {
            assert!(path.len() <= LeftOut::LONGEST, "{path}");
            assert!(path.contains('…') && !path.contains('\n'), "{path}");
        }
        assert!(left_out.to_string().ends_with(" and 5 more"), "{left_out}");
    }
}

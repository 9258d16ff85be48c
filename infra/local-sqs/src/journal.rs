//! The journal: a file with one JSON line for each change, which is read at the start.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a queue file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file cannot be read or written.
    #[error("cannot open the queue file {}; check the path and its permissions", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },

    /// Another server has the file open.
    #[error("the queue file {} is in use; stop the other server first", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },

    /// The file is not a journal.
    #[error("line {line} of {} is not a queue record; remove the file to start empty", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, the first being 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// A file that changes are appended to.
pub(crate) struct Journal {
    file: File,
    length: u64,
    /// The file that was replaced when the journal was rewritten. It stays locked for another
    /// process that opened it by name just before.
    _replaced: File,
}

impl Journal {
    /// Reads the changes in the file, in order, then replaces it by the fewer that `rewrite`
    /// returns.
    pub(crate) fn open<C, I>(
        path: &Path,
        rewrite: impl FnOnce(Vec<C>) -> I,
    ) -> Result<Self, OpenError>
    where
        C: Serialize + DeserializeOwned,
        I: Iterator<Item = C>,
    {
        let failed = |source| OpenError::Io { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        let mut replaced = options.open(path).map_err(failed)?;
        lock(&replaced, path)?;
        let mut text = Vec::new();
        replaced.read_to_end(&mut text).map_err(failed)?;
        let changes = parse(&text).map_err(|(line, source)| OpenError::Malformed {
            path: path.to_owned(),
            line,
            source,
        })?;

        let mut rewritten = path.as_os_str().to_owned();
        rewritten.push(".new");
        let rewritten = PathBuf::from(rewritten);
        let file = options.open(&rewritten).map_err(failed)?;
        lock(&file, &rewritten)?;
        let length = write(&file, rewrite(changes)).map_err(failed)?;
        std::fs::rename(&rewritten, path).map_err(failed)?;
        Ok(Self { file, length, _replaced: replaced })
    }

    /// Appends a change. When this returns, the change survives the process.
    pub(crate) fn append(&mut self, change: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(change)?;
        line.push(b'\n');
        if let Err(error) = self.file.write_all(&line) {
            // Half a line would make the next one unreadable.
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += line.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
impl Journal {
    /// A journal that continues in an open file.
    pub(crate) fn appending_to(file: File) -> Self {
        let replaced = file.try_clone().unwrap();
        Self { file, length: 0, _replaced: replaced }
    }
}

fn lock(file: &File, path: &Path) -> Result<(), OpenError> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => OpenError::InUse { path: path.to_owned() },
        TryLockError::Error(source) => OpenError::Io { path: path.to_owned(), source },
    })
}

fn parse<C: DeserializeOwned>(text: &[u8]) -> Result<Vec<C>, (usize, serde_json::Error)> {
    let lines = text.split_inclusive(|byte| *byte == b'\n').enumerate();
    lines
        // A last line without an end was being written when the process died: no client was told that
        // it had been.
        .filter(|(_, line)| line.ends_with(b"\n"))
        .map(|(index, line)| serde_json::from_slice(line).map_err(|error| (index + 1, error)))
        .collect()
}

fn write<C: Serialize>(file: &File, changes: impl Iterator<Item = C>) -> io::Result<u64> {
    // A process that died while rewriting leaves its half behind.
    file.set_len(0)?;
    let mut writer = BufWriter::new(file);
    for change in changes {
        serde_json::to_writer(&mut writer, &change)?;
        writer.write_all(b"\n")?;
    }
    writer.flush()?;
    drop(writer);
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reopened(path: &Path) -> Result<Vec<String>, OpenError> {
        let mut found = Vec::new();
        Journal::open(path, |changes: Vec<String>| {
            found.clone_from(&changes);
            changes.into_iter()
        })?;
        Ok(found)
    }

    #[test]
    fn reads_appended_records_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let mut journal = Journal::open(&path, Vec::<String>::into_iter).unwrap();
        for change in ["a", "line\nbreak", ""] {
            journal.append(&change).unwrap();
        }
        drop(journal);
        assert_eq!(reopened(&path).unwrap(), ["a", "line\nbreak", ""]);
        assert_eq!(reopened(&path).unwrap(), ["a", "line\nbreak", ""]);
    }

    #[test]
    fn opening_replaces_the_file_with_the_given_records() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        std::fs::write(&path, "\"a\"\n\"b\"\n").unwrap();
        let mut journal =
            Journal::open(&path, |_: Vec<String>| ["c".to_owned()].into_iter()).unwrap();
        journal.append(&"d").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "\"c\"\n\"d\"\n");
    }

    #[test]
    fn a_line_that_was_not_finished_does_not_count() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        std::fs::write(&path, "\"a\"\n\"b").unwrap();
        std::fs::write(directory.path().join("journal.new"), "\"half").unwrap();
        assert_eq!(reopened(&path).unwrap(), ["a"]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "\"a\"\n");
    }

    #[test]
    fn a_file_of_another_kind_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notes");
        std::fs::write(&path, "\"a\"\nDear diary\n").unwrap();
        let error = reopened(&path).unwrap_err();
        assert!(matches!(error, OpenError::Malformed { line: 2, .. }), "{error:?}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "\"a\"\nDear diary\n");
    }

    #[test]
    fn a_file_in_use_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let journal = Journal::open(&path, Vec::<String>::into_iter).unwrap();
        assert!(matches!(reopened(&path), Err(OpenError::InUse { .. })));
        drop(journal);
        reopened(&path).unwrap();
    }
}

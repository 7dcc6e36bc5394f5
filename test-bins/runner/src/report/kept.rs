//! A report's file, which keeps what it holds until a run is over: one that fails early leaves the last one's.

use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use fs_err::{File, OpenOptions};

/// A file that is open and keeps its content.
#[derive(Debug)]
pub struct Kept(File);

impl Kept {
    /// Opens a file to be written, and makes it where there is none. One of the others is refused.
    pub fn open(path: &Path, others: &[Self]) -> io::Result<Self> {
        let file = Self(OpenOptions::new().write(true).create(true).truncate(false).open(path)?);
        for other in others {
            if file.is(other)? {
                let (path, other) = (path.display(), other.0.path().display());
                return Err(io::Error::new(ErrorKind::InvalidInput, format!("{path} is the same file as {other}")));
            }
        }
        Ok(file)
    }

    /// A file that is read, which no report may replace.
    pub fn read(path: &Path) -> io::Result<Self> {
        File::open(path).map(Self)
    }

    /// Where a table or JSON goes.
    pub fn stdout() -> io::Result<Self> {
        let stdout = io::stdout().as_fd().try_clone_to_owned()?;
        Ok(Self(File::from_parts(stdout.into(), PathBuf::from("stdout"))))
    }

    /// The same file.
    pub fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    /// Its name.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a text in the place of what is there.
    pub fn replace(&mut self, text: &str) -> io::Result<()> {
        if self.0.metadata()?.is_file() {
            self.0.set_len(0)?;
        }
        self.0.write_all(text.as_bytes())
    }

    /// Whether both are one regular file. Pipes and devices take whatever comes.
    fn is(&self, other: &Self) -> io::Result<bool> {
        let (one, other) = (self.0.metadata()?, other.0.metadata()?);
        Ok(one.is_file() && (one.dev(), one.ino()) == (other.dev(), other.ino()))
    }
}

#[cfg(test)]
mod tests {
    use fs_err as fs;
    use fs_err::os::unix::fs::symlink;

    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn the_content_stays_until_it_is_replaced() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.join("report");
        fs::write(&path, "a long report").unwrap();
        let mut file = Kept::open(&path, &[]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a long report");
        file.replace("short").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "short");
        Kept::open(Path::new("/dev/null"), &[]).unwrap().replace("x").unwrap();
    }

    #[test]
    fn one_file_is_not_two_reports() {
        let scratch = Scratch::new().unwrap();
        let (path, link) = (scratch.join("report"), scratch.join("link"));
        let others = [Kept::open(&path, &[]).unwrap()];
        symlink("report", &link).unwrap();
        let same = Kept::open(&link, &others).unwrap_err().to_string();
        assert!(same.contains("/link is the same file as /"), "{same}");
        Kept::open(&scratch.join("other"), &others).unwrap();
        let null = [Kept::open(Path::new("/dev/null"), &[]).unwrap()];
        Kept::open(Path::new("/dev/null"), &null).unwrap();
    }
}

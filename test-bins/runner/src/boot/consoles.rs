//! Where a run keeps consoles, archives and links to a kernel's tree: never where another run has its own now.

use std::path::{Path, PathBuf};

use anyhow::Context;
use fs_err as fs;

use crate::lock;

/// A directory that is this run's own until it ends.
#[derive(Debug)]
pub struct Consoles {
    directory: PathBuf,
    /// The system unlocks it when the process ends, however that is.
    _lock: std::fs::File,
}

impl Consoles {
    /// The directory `all` for a run that is alone; for one beside it the first that is free below, by number.
    pub fn take(all: &Path) -> anyhow::Result<Self> {
        let (mut directory, mut number) = (all.to_owned(), 1);
        loop {
            fs::create_dir_all(&directory)?;
            let file = fs::File::create(directory.join("lock"))?.into_file();
            if lock::is_taken(&file).with_context(|| format!("cannot lock {}", directory.display()))? {
                if number > 1 {
                    note!("another boot runs: consoles of this one are in {}", directory.display());
                }
                return Ok(Self { directory, _lock: file });
            }
            number += 1;
            directory = all.join(number.to_string());
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.directory
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn runs_side_by_side_have_directories_of_their_own() {
        let scratch = Scratch::new().unwrap();
        let all = scratch.join("boot/consoles");
        let take = || Consoles::take(&all).unwrap();
        let (first, second, third) = (take(), take(), take());
        assert_eq!(first.path(), all);
        assert_eq!((second.path(), third.path()), (&*all.join("2"), &*all.join("3")));
        drop(second);
        assert_eq!(take().path(), all.join("2"));
        drop(first);
        assert_eq!(take().path(), all);
    }
}

//! Files that keep other processes out.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};

/// Whether the lock is ours now. A file system without locks holds nothing up, as cargo's target directory does not.
pub fn is_taken(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_lock_is_taken_once() {
        let scratch = Scratch::new().unwrap();
        let open = || File::create(scratch.join("lock")).unwrap();
        let (first, second) = (open(), open());
        assert!(is_taken(&first).unwrap());
        assert!(!is_taken(&second).unwrap());
        drop(first);
        assert!(is_taken(&second).unwrap());
    }
}

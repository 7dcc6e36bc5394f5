//! Names of a guest's results: `init` writes them, the runner finds programs by them.

use core::fmt;

use crate::list::{Kind, is_assignment};
use crate::text::Text;

/// Bytes that a name has room in; a longer one is cut.
pub const ROOM: usize = 160;

/// Which of the times that a list runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// With the kernel's own rseq checks off, or as they are where it has no switch for them.
    First,
    /// With them on.
    Checked,
}

impl Pass {
    /// How the names of its results end.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::First => "",
            Self::Checked => " (rseq debug on)",
        }
    }
}

/// A result's name: the program with its arguments, after the variables that are set for it; of a user's program only
/// its name, for its arguments may be anything.
#[derive(Debug, Clone, Copy)]
pub struct ResultName<I> {
    /// What the program is.
    pub kind: Kind,
    /// Variables, path and arguments.
    pub words: I,
    /// Which time it is.
    pub pass: Pass,
}

impl<'w, I: Iterator<Item = &'w str> + Clone> ResultName<I> {
    /// As it stands in a result.
    pub fn text(&self) -> Text<ROOM> {
        Text::of(format_args!("{self}"))
    }
}

impl<'w, I: Iterator<Item = &'w str> + Clone> fmt::Display for ResultName<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_variable = |word: &&str| is_assignment(word.as_bytes());
        self.words.clone().take_while(is_variable).try_for_each(|variable| write!(f, "{variable} "))?;
        let mut words = self.words.clone().skip_while(is_variable);
        f.write_str(words.next().map_or("", file_name))?;
        if self.kind != Kind::Program {
            words.try_for_each(|word| write!(f, " {word}"))?;
        }
        f.write_str(self.pass.suffix())
    }
}

/// What follows a path's last slash.
pub fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(kind: Kind, pass: Pass) -> String {
        let words = ["/bin/a_test", "--short", "-x"].into_iter();
        ResultName { kind, words, pass }.to_string()
    }

    #[test]
    fn results_are_called_after_words_and_pass() {
        assert_eq!(name(Kind::Test, Pass::First), "a_test --short -x");
        assert_eq!(name(Kind::Report, Pass::Checked), "a_test --short -x (rseq debug on)");
        assert_eq!(name(Kind::Program, Pass::First), "a_test");
        let words = ["A=1", "B=/2", "/bin/b", "c=/d"].into_iter();
        let name = ResultName { kind: Kind::Test, words, pass: Pass::First }.to_string();
        assert_eq!(name, "A=1 B=/2 b c=/d");
    }
}

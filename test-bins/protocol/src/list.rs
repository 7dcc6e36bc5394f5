//! The list of programs that the runner puts into a guest for `init`.
//!
//! Its fields end with a NUL byte. The first one is `1` if all of it is to run again with the kernel's rseq checks on;
//! then for each program: its kind, its limit in seconds, the number of words, and the words: variables of its
//! environment as `NAME=VALUE`, its path, which is absolute, its arguments.

use core::ffi::CStr;
use core::fmt;

use crate::text::Text;

/// Where the list is in a guest.
pub const LIST: &CStr = c"/suite";
/// Where the paths of modules are, in loading order; fields that end with a NUL byte too.
pub const MODULES: &CStr = c"/modules";
/// Bytes that `init` has for the list, which is shorter.
pub const CAPACITY: usize = 64 * 1024;
/// Words of one program at most, a null pointer at the end included.
pub const MAX_WORDS: usize = 64;

/// How a program's output and exit code are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// KTAP and kselftest's codes.
    Test,
    /// A text; 0 is good, 4 a skip.
    Report,
    /// Whatever a user's program prints; 0 is good.
    Program,
}

impl Kind {
    /// What `init` puts before each line of output: nested KTAP, a comment, or a user's text.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Test => "  ",
            Self::Report => "  # ",
            Self::Program => "  | ",
        }
    }
}

/// One program as the runner lists it.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'w, W> {
    /// How to read it.
    pub kind: Kind,
    /// Whether it is left out when the list runs again with the kernel's checks on.
    pub once: bool,
    /// Seconds until it is killed.
    pub seconds: u64,
    /// Variables, path and arguments.
    pub words: &'w [W],
}

/// Why a list would not be read as it was meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlistable {
    /// A program without a path, or with this many words.
    Words(usize),
    /// A word with a NUL byte in it.
    Nul,
    /// All of it is longer than [`CAPACITY`] allows.
    Long,
}

impl fmt::Display for Unlistable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words(count) => write!(f, "{count} words for a program: a guest takes 1 to {}", MAX_WORDS - 1),
            Self::Nul => write!(f, "a word with a NUL byte"),
            Self::Long => write!(f, "a list of {CAPACITY} bytes or more"),
        }
    }
}

/// Writes a list in pieces.
///
/// # Errors
///
/// What keeps [`List::parse`] from reading the same again.
pub fn write<'w, W: AsRef<str> + 'w>(
    twice: bool,
    programs: impl IntoIterator<Item = Listed<'w, W>>,
    mut put: impl FnMut(&[u8]),
) -> Result<(), Unlistable> {
    let mut length = 0;
    let mut field = |text: &str| {
        length += text.len() + 1;
        put(text.as_bytes());
        put(b"\0");
        match () {
            () if text.contains('\0') => Err(Unlistable::Nul),
            () if length >= CAPACITY => Err(Unlistable::Long),
            () => Ok(()),
        }
    };
    field(if twice { "1" } else { "0" })?;
    for Listed { kind, once, seconds, words } in programs {
        if words.is_empty() || words.len() >= MAX_WORDS {
            return Err(Unlistable::Words(words.len()));
        }
        field(word(kind, once))?;
        field(Text::<24>::of(format_args!("{seconds}")).as_str())?;
        field(Text::<24>::of(format_args!("{}", words.len())).as_str())?;
        words.iter().try_for_each(|word| field(word.as_ref()))?;
    }
    Ok(())
}

/// The kinds' words; a user's program runs once anyway.
const fn word(kind: Kind, once: bool) -> &'static str {
    match (kind, once) {
        (Kind::Test, false) => "test",
        (Kind::Test, true) => "once",
        (Kind::Report, false) => "report",
        (Kind::Report, true) => "report-once",
        (Kind::Program, _) => "program",
    }
}

fn kind(word: &[u8]) -> Option<(Kind, bool)> {
    match word {
        b"test" => Some((Kind::Test, false)),
        b"once" => Some((Kind::Test, true)),
        b"report" => Some((Kind::Report, false)),
        b"report-once" => Some((Kind::Report, true)),
        b"program" => Some((Kind::Program, false)),
        _ => None,
    }
}

/// A list whose fields have been checked.
#[derive(Debug, Clone)]
pub struct List<'b> {
    /// Whether to run all of it again with the kernel's checks on.
    pub twice: bool,
    runs: Fields<'b>,
}

/// Why there is no list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It fills [`CAPACITY`] and may go on.
    Long,
    /// No program is in it.
    Empty,
    /// A field is not what has to be there.
    Damaged,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Long => write!(f, "longer than {} bytes", CAPACITY - 1),
            Self::Empty => f.write_str("no program in it"),
            Self::Damaged => f.write_str("damaged"),
        }
    }
}

impl<'b> List<'b> {
    /// Reads what [`write()`] has written.
    ///
    /// # Errors
    ///
    /// Why it is no list.
    pub fn parse(bytes: &'b [u8]) -> Result<Self, Unreadable> {
        if bytes.len() >= CAPACITY {
            return Err(Unreadable::Long);
        }
        let mut fields = Fields(bytes);
        let twice = fields.next() == Some(c"1");
        let list = Self { twice, runs: fields };
        let mut runs = list.runs();
        match runs.by_ref().count() {
            _ if !runs.0.0.is_empty() => Err(Unreadable::Damaged),
            0 => Err(Unreadable::Empty),
            _ => Ok(list),
        }
    }

    /// The programs.
    pub fn runs(&self) -> Runs<'b> {
        Runs(self.runs.clone())
    }
}

/// Programs until the end, or until a field that makes no sense.
#[derive(Debug, Clone)]
pub struct Runs<'b>(Fields<'b>);

impl<'b> Iterator for Runs<'b> {
    type Item = Run<'b>;

    fn next(&mut self) -> Option<Run<'b>> {
        let mut fields = self.0.clone();
        let (kind, once) = kind(fields.next()?.to_bytes())?;
        let seconds = number(fields.next()?)?;
        let count = number(fields.next()?)? as usize;
        let words = fields.clone();
        if count == 0 || count >= MAX_WORDS || fields.by_ref().take(count).count() != count {
            return None;
        }
        self.0 = fields;
        Some(Run { kind, once, seconds, words, count })
    }
}

/// One program of a list.
#[derive(Debug, Clone)]
pub struct Run<'b> {
    /// How to read it.
    pub kind: Kind,
    /// Whether it is left out when the list runs again with the kernel's checks on.
    pub once: bool,
    /// Seconds until it is killed.
    pub seconds: u64,
    words: Fields<'b>,
    count: usize,
}

impl<'b> Run<'b> {
    /// Variables, path and arguments.
    pub fn words(&self) -> impl Iterator<Item = &'b CStr> + Clone {
        self.words.clone().take(self.count)
    }

    /// Variables of the environment, as `NAME=VALUE`.
    pub fn assignments(&self) -> impl Iterator<Item = &'b CStr> + Clone {
        self.words().take_while(|word| is_assignment(word.to_bytes()))
    }

    /// The path, then the arguments.
    pub fn command(&self) -> impl Iterator<Item = &'b CStr> + Clone {
        self.words().skip_while(|word| is_assignment(word.to_bytes()))
    }

    /// The path.
    pub fn path(&self) -> &'b CStr {
        self.command().next().unwrap_or(c"")
    }
}

/// Whether a word before the path is a variable: a path is absolute.
pub fn is_assignment(word: &[u8]) -> bool {
    !word.starts_with(b"/") && word.contains(&b'=')
}

/// Strings as `execve` wants them, and how many entries count, the null pointer at the end included.
pub fn pointers<'b>(words: impl Iterator<Item = &'b CStr>) -> ([*const u8; MAX_WORDS], usize) {
    let mut pointers = [core::ptr::null(); MAX_WORDS];
    let mut count = 1;
    for (pointer, word) in pointers.iter_mut().zip(words).take(MAX_WORDS - 1) {
        *pointer = word.as_ptr().cast();
        count += 1;
    }
    (pointers, count)
}

fn number(field: &CStr) -> Option<u64> {
    field.to_str().ok()?.parse().ok()
}

/// Fields that end with NUL.
#[derive(Debug, Clone)]
pub struct Fields<'b>(pub &'b [u8]);

impl<'b> Iterator for Fields<'b> {
    type Item = &'b CStr;

    fn next(&mut self) -> Option<&'b CStr> {
        let field = CStr::from_bytes_until_nul(self.0).ok()?;
        self.0 = self.0.get(field.to_bytes_with_nul().len()..)?;
        Some(field)
    }
}

//! The list of programs.

use core::ffi::CStr;

use harness::sys::file::File;
use harness::text::Text;

/// Arguments of one program at most, its name and the null pointer at the end included.
const MAX_WORDS: usize = 64;

/// How a program's output and exit code are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// KTAP and kselftest's codes.
    Test,
    /// A text; 0 is good, 4 a skip.
    Report,
    /// Whatever a user's program prints; 0 is good.
    Program,
}

/// A list whose fields have been checked.
pub struct List<'b> {
    /// Whether to run all of it again with the kernel's checks on.
    pub twice: bool,
    runs: Fields<'b>,
}

/// One program.
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

impl<'b> List<'b> {
    /// Reads `/suite` into `room`.
    pub fn read(room: &'b mut [u8]) -> Result<Self, Text<100>> {
        let whole = room.len();
        let file = File::open(c"/suite").map_err(|errno| Text::of(format_args!("{errno}")))?;
        let bytes = file.read(room).map_err(|errno| Text::of(format_args!("{errno}")))?;
        if bytes.len() == whole {
            return Err(Text::of(format_args!("longer than {} bytes", whole - 1)));
        }
        let mut fields = Fields(bytes);
        let twice = fields.next() == Some(c"1");
        let list = Self { twice, runs: fields };
        match list.runs().count() {
            0 => Err(Text::of(format_args!("no program in it"))),
            _ if list.is_whole() => Ok(list),
            _ => Err(Text::of(format_args!("damaged"))),
        }
    }

    /// The programs.
    pub fn runs(&self) -> Runs<'b> {
        Runs(self.runs.clone())
    }

    fn is_whole(&self) -> bool {
        let mut runs = self.runs();
        runs.by_ref().for_each(drop);
        runs.0.0.is_empty()
    }
}

/// Programs until the end, or until a field that makes no sense.
pub struct Runs<'b>(Fields<'b>);

impl<'b> Iterator for Runs<'b> {
    type Item = Run<'b>;

    fn next(&mut self) -> Option<Run<'b>> {
        let mut fields = self.0.clone();
        let (kind, once) = match fields.next()?.to_bytes() {
            b"test" => (Kind::Test, false),
            b"once" => (Kind::Test, true),
            b"report" => (Kind::Report, false),
            b"report-once" => (Kind::Report, true),
            b"program" => (Kind::Program, false),
            _ => return None,
        };
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

impl<'b> Run<'b> {
    /// Assignments, then the path, then the arguments.
    pub fn words(&self) -> impl Iterator<Item = &'b CStr> + Clone {
        self.words.clone().take(self.count)
    }

    /// Variables of the environment, as `NAME=VALUE`.
    pub fn assignments(&self) -> impl Iterator<Item = &'b CStr> + Clone {
        self.words().take_while(|word| is_assignment(word))
    }

    /// The path.
    pub fn path(&self) -> &'b CStr {
        self.command().next().unwrap_or(c"")
    }

    /// The path, then the arguments.
    pub fn command(&self) -> impl Iterator<Item = &'b CStr> + Clone {
        self.words().skip_while(|word| is_assignment(word))
    }
}

/// Strings as `execve` wants them, and how many entries count, the null pointer at the end included.
pub fn pointers<'b>(words: impl Iterator<Item = &'b CStr>) -> ([*const u8; MAX_WORDS], usize) {
    let mut pointers = [core::ptr::null(); MAX_WORDS];
    let mut count = 0;
    for (pointer, word) in pointers.iter_mut().zip(words).take(MAX_WORDS - 1) {
        *pointer = word.as_ptr().cast();
        count += 1;
    }
    (pointers, count + 1)
}

/// Whether a word before the path is a variable: a path is absolute.
fn is_assignment(word: &CStr) -> bool {
    !word.to_bytes().starts_with(b"/") && word.to_bytes().contains(&b'=')
}

fn number(field: &CStr) -> Option<u64> {
    field.to_str().ok()?.parse().ok()
}

/// Fields that end with NUL.
#[derive(Clone)]
pub struct Fields<'b>(pub &'b [u8]);

impl<'b> Iterator for Fields<'b> {
    type Item = &'b CStr;

    fn next(&mut self) -> Option<&'b CStr> {
        let field = CStr::from_bytes_until_nul(self.0).ok()?;
        self.0 = self.0.get(field.to_bytes_with_nul().len()..)?;
        Some(field)
    }
}

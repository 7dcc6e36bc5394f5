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
    /// The path, then the arguments.
    pub fn words(&self) -> impl Iterator<Item = &'b CStr> {
        self.words.clone().take(self.count)
    }

    /// The path.
    pub fn path(&self) -> &'b CStr {
        self.words().next().unwrap_or(c"")
    }

    /// The words as `execve` wants them.
    pub fn pointers(&self) -> [*const u8; MAX_WORDS] {
        let mut pointers = [core::ptr::null(); MAX_WORDS];
        for (pointer, word) in pointers.iter_mut().zip(self.words()).take(MAX_WORDS - 1) {
            *pointer = word.as_ptr().cast();
        }
        pointers
    }

    /// How many entries of [`Run::pointers`] count, the null pointer included.
    pub fn pointer_count(&self) -> usize {
        self.count + 1
    }
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

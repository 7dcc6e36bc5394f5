//! A section as data: the steps that its assembly is made from, for whoever wants to interpret them.

use crate::{Committed, OwnArea, ThreadArea, Token};

/// A critical section as [`critical_section!`](crate::critical_section) read it, with `#![model]`.
///
/// Names are those of the statement: a step's operand is a parameter or a scratch register.
#[derive(Clone, Copy, Debug)]
pub struct Statement {
    /// The function's name.
    pub name: &'static str,
    /// What the caller gives, in order.
    pub parameters: &'static [Parameter],
    /// Registers, of unknown value when the section begins, and when it begins again.
    pub scratch: &'static [&'static str],
    /// Where an abort goes: None is the section's beginning.
    pub abort: Option<&'static str>,
    /// The steps, of which the last is the commit.
    pub steps: &'static [Step],
    /// The section as assembly, once for each memory order that it is generic over.
    pub forms: &'static [Form],
}

impl Statement {
    /// The stride of [`forms`](Self::forms), in bytes.
    pub const STRIDE: usize = 64;
}

/// A parameter of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Whether it is a pointer, not a number.
    pub pointer: bool,
}

/// A function that runs a section with its parameters as words, and gives the name of the exit by which it left.
///
/// # Safety
///
/// As the section's; there is a word for each parameter.
pub type Run<A> = for<'r> unsafe fn(Token<'r, A>, &[usize]) -> Result<Committed, &'static str>;

/// A section as assembly, by CPU, for both places where an area can be.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// On the core's own area.
    pub own: Run<OwnArea>,
    /// On an area behind a pointer.
    pub adopted: Run<ThreadArea>,
}

/// A place in memory: at an operand's value, or at the sum of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The operand.
    pub base: &'static str,
    /// The one added to it.
    pub offset: Option<&'static str>,
}

/// What a comparison looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An operand.
    Operand(&'static str),
    /// The word there.
    Memory(Place),
}

/// A step of a section: the table of [`arch`](crate::arch) says what each does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the operands of the table")]
pub enum Step {
    CheckIndex { expected: &'static str, exit: &'static str },
    LoadIndex { register: &'static str },
    Bound { register: &'static str, limit: &'static str, exit: &'static str },
    Scale { register: &'static str },
    Load { register: &'static str, from: Place },
    LeaveIfDifferent { left: Source, right: &'static str, exit: &'static str },
    LeaveIfEqual { left: Source, right: &'static str, exit: &'static str },
    LeaveIfZero { register: &'static str, exit: &'static str },
    Add { register: &'static str, value: &'static str },
    Store { to: Place, value: &'static str },
    Copy { to: Place, from: Place, length: &'static str, counter: &'static str },
    CommitStore { to: Place, value: &'static str },
    CommitAdd { to: Place, value: &'static str },
    CommitIncrement { to: Place },
}

/// What a parameter of a section can be.
#[doc(hidden)]
pub trait Word {
    const POINTER: bool;

    fn from_word(word: usize) -> Self;
}

impl Word for usize {
    const POINTER: bool = false;

    fn from_word(word: usize) -> Self {
        word
    }
}

impl<T> Word for *mut T {
    const POINTER: bool = true;

    fn from_word(word: usize) -> Self {
        core::ptr::with_exposed_provenance_mut(word)
    }
}

impl<T> Word for *const T {
    const POINTER: bool = true;

    fn from_word(word: usize) -> Self {
        core::ptr::with_exposed_provenance(word)
    }
}

/// A section as data, and as assembly from the same tokens.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_statement {
    (unsafe fn $name:ident($($input:ident: $type:ty),* $(,)?) -> $result:ty {
        exits($($exit:ident),*) scratch($($scratch:ident),*) abort($abort:ident)
            $(stride($stride:ident))? $(order($order:ident))?;
        $($steps:tt)*
    }) => {{
        $crate::__rseq_item! {
            plain [] unsafe fn $name($($input: $type),*) -> $result {
                exits($($exit),*) scratch($($scratch),*) abort($abort) $(stride($stride))? $(order($order))?;
                $($steps)*
            }
        }
        unsafe fn rseq_run<RseqOrder: $crate::Order, RseqArea: $crate::Area>(
            token: $crate::Token<'_, RseqArea>, words: &[usize]
        ) -> Result<$crate::Committed, &'static str> {
            let mut words = words.iter();
            $(let $input = <$type as $crate::section::Word>::from_word(words.next().copied().unwrap_or(0));)*
            // SAFETY: the contract of a form is the section's.
            let result = unsafe {
                $name::<
                    $($crate::__rseq_instead!($order RseqOrder),)?
                    $({ $crate::__rseq_instead!($stride $crate::section::Statement::STRIDE) },)?
                    RseqArea,
                    $crate::ByCpu,
                >(token, $($input),*)
            };
            result.map_err(|error| {
                let _ = &error;
                let exits: &[(&str, bool)] = &[$((stringify!($exit), error == From::from($exit)),)*];
                exits.iter().find(|(_, left)| *left).map_or("none of its exits", |(name, _)| *name)
            })
        }
        $crate::section::Statement {
            name: stringify!($name),
            parameters: &[$($crate::section::Parameter {
                name: stringify!($input),
                pointer: <$type as $crate::section::Word>::POINTER,
            }),*],
            scratch: &[$(stringify!($scratch)),*],
            abort: $crate::__rseq_abort_name!($abort),
            steps: $crate::__rseq_statement_steps! {
                [$($order)?] { [token ByCpu] model $abort [] [] [] [] } $($steps)*
            },
            forms: $crate::__rseq_forms!($($order)?),
        }
    }};
}

/// The second of two, where a repetition needs to name the first.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_instead {
    ($name:ident $($instead:tt)+) => {
        $($instead)+
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_abort_name {
    (restart) => {
        None
    };
    ($exit:ident) => {
        Some(stringify!($exit))
    };
}

/// A form for each memory order.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_forms {
    () => {
        &[$crate::section::Form { own: rseq_run::<$crate::Relaxed, _>, adopted: rseq_run::<$crate::Relaxed, _> }]
    };
    ($order:ident) => {
        &[
            $crate::section::Form { own: rseq_run::<$crate::Relaxed, _>, adopted: rseq_run::<$crate::Relaxed, _> },
            $crate::section::Form { own: rseq_run::<$crate::Release, _>, adopted: rseq_run::<$crate::Release, _> },
        ]
    };
}

/// The way of the steps to `__rseq_emit!` is that of all sections.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_statement_steps {
    ([] $head:tt $($steps:tt)*) => {
        $crate::__rseq_first! { $head none [1 2 3 4 5 6 7 8 9 10 11 12] $($steps)* }
    };
    ([$order:ident] $head:tt $($steps:tt)*) => {
        $crate::__rseq_first! { $head release [1 2 3 4 5 6 7 8 9 10 11 12] $($steps)* }
    };
}

/// A step of `__rseq_step!` as data.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_statement_step {
    ((check_index $x:ident $exit:ident)) => {
        $crate::section::Step::CheckIndex { expected: stringify!($x), exit: stringify!($exit) }
    };
    ((load_index $r:ident)) => {
        $crate::section::Step::LoadIndex { register: stringify!($r) }
    };
    ((cbae $r:ident $x:ident $exit:ident)) => {
        $crate::section::Step::Bound { register: stringify!($r), limit: stringify!($x), exit: stringify!($exit) }
    };
    ((scale $r:ident $k:ident)) => {
        $crate::section::Step::Scale { register: stringify!($r) }
    };
    ((load $r:ident $m:tt)) => {
        $crate::section::Step::Load { register: stringify!($r), from: $crate::__rseq_statement_place!($m) }
    };
    ((cbne $a:tt $x:ident $exit:ident)) => {
        $crate::section::Step::LeaveIfDifferent {
            left: $crate::__rseq_statement_source!($a), right: stringify!($x), exit: stringify!($exit),
        }
    };
    ((cbeq $a:tt $x:ident $exit:ident)) => {
        $crate::section::Step::LeaveIfEqual {
            left: $crate::__rseq_statement_source!($a), right: stringify!($x), exit: stringify!($exit),
        }
    };
    ((cbz $r:ident $exit:ident)) => {
        $crate::section::Step::LeaveIfZero { register: stringify!($r), exit: stringify!($exit) }
    };
    ((add $r:ident $x:ident)) => {
        $crate::section::Step::Add { register: stringify!($r), value: stringify!($x) }
    };
    ((store $m:tt $x:ident)) => {
        $crate::section::Step::Store { to: $crate::__rseq_statement_place!($m), value: stringify!($x) }
    };
    ((copy $d:tt $s:tt $n:ident $i:ident)) => {
        $crate::section::Step::Copy {
            to: $crate::__rseq_statement_place!($d),
            from: $crate::__rseq_statement_place!($s),
            length: stringify!($n),
            counter: stringify!($i),
        }
    };
    ((commit_store $m:tt $x:ident)) => {
        $crate::section::Step::CommitStore { to: $crate::__rseq_statement_place!($m), value: stringify!($x) }
    };
    ((commit_release $m:tt $x:ident)) => { $crate::__rseq_statement_step!((commit_store $m $x)) };
    ((commit_add $m:tt $x:ident)) => {
        $crate::section::Step::CommitAdd { to: $crate::__rseq_statement_place!($m), value: stringify!($x) }
    };
    ((commit_increment $m:tt)) => {
        $crate::section::Step::CommitIncrement { to: $crate::__rseq_statement_place!($m) }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_statement_place {
    ([$a:ident]) => {
        $crate::section::Place { base: stringify!($a), offset: None }
    };
    ([$a:ident + $b:ident]) => {
        $crate::section::Place { base: stringify!($a), offset: Some(stringify!($b)) }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_statement_source {
    ([$($m:tt)+]) => {
        $crate::section::Source::Memory($crate::__rseq_statement_place!([$($m)+]))
    };
    ($r:ident) => {
        $crate::section::Source::Operand(stringify!($r))
    };
}

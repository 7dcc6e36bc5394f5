//! A section as data: the steps that its assembly is made from, for interpreters.

use crate::{Committed, OwnArea, ThreadArea, Token};

/// A critical section as [`critical_section!`](crate::critical_section) read it, with `#![model]`.
///
/// Names are those of the statement: a step's operand is a parameter, the output or a scratch register.
#[derive(Clone, Copy, Debug)]
pub struct SectionIr {
    /// The function's name.
    pub name: &'static str,
    /// The caller's arguments, in order.
    pub parameters: &'static [Parameter],
    /// The operand that is the address of the word that the function returns.
    pub output: Option<&'static str>,
    /// Registers, whose values are undefined whenever the section begins.
    pub scratch: &'static [&'static str],
    /// The exit that an abort leaves by; None if the section begins again.
    pub abort: Option<&'static str>,
    /// The steps, of which the last is the commit.
    pub steps: &'static [Step],
    /// The section as assembly, once for each memory order that it is generic over.
    pub compiled: &'static [Compiled],
}

impl SectionIr {
    /// Every stride of [`compiled`](Self::compiled), in bytes.
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

/// A step, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name, with the mark before it, such as `commit store`.
    pub name: &'static str,
    /// The operands in its parentheses.
    pub operands: &'static [Operand],
    /// The exit that it may leave by.
    pub exit: Option<&'static str>,
}

/// An operand of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A register, or a stride.
    Name(&'static str),
    /// A literal.
    Literal(usize),
    /// An address.
    Address(Address),
}

/// An address: the sum of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The operand that it begins with.
    pub base: &'static str,
    /// The operand that is added, and the factor that it is multiplied by.
    pub index: Option<(&'static str, usize)>,
    /// What is added, in bytes.
    pub displacement: usize,
}

impl Address {
    /// The address `base`.
    pub const fn new(base: &'static str) -> Self {
        Self { base, index: None, displacement: 0 }
    }
}

/// A function that runs a section with its parameters as words, and returns its output, if it has one, or the name of
/// the exit by which it left.
///
/// # Safety
///
/// As the section's; there is a word for each parameter.
pub type Run<A> = for<'r> unsafe fn(Token<'r, A>, &[usize]) -> Result<Option<usize>, &'static str>;

/// A section as assembly, by CPU, for both kinds of area.
#[derive(Clone, Copy, Debug)]
pub struct Compiled {
    /// On the core's own area.
    pub own: Run<OwnArea>,
    /// On an area at a pointer.
    pub adopted: Run<ThreadArea>,
}

/// What a parameter of a section can be.
#[doc(hidden)]
pub trait ParameterWord {
    const POINTER: bool;

    fn from_word(word: usize) -> Self;
}

impl ParameterWord for usize {
    const POINTER: bool = false;

    fn from_word(word: usize) -> Self {
        word
    }
}

impl<T> ParameterWord for *mut T {
    const POINTER: bool = true;

    fn from_word(word: usize) -> Self {
        core::ptr::with_exposed_provenance_mut(word)
    }
}

impl<T> ParameterWord for *const T {
    const POINTER: bool = true;

    fn from_word(word: usize) -> Self {
        core::ptr::with_exposed_provenance(word)
    }
}

/// What a section returns when it commits.
#[doc(hidden)]
pub trait Returned {
    fn output(self) -> Option<usize>;
}

impl Returned for Committed {
    fn output(self) -> Option<usize> {
        None
    }
}

impl Returned for usize {
    fn output(self) -> Option<usize> {
        Some(self)
    }
}

/// Sections as data, and as assembly from the same tokens.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_ir {
    (@item $checked:ident {
        $meta:tt $vis:tt $name:ident [$($input:ident: $type:ty,)*] $result:tt
        [$($exit:ident)*] [$($scratch:ident)*] $abort:ident [$($stride:ident)*] [$($order:ident)?] [$($output:ident)?]
        [$(([$($word:ident)+] [$($arg:tt),* $(,)?] [$($to:ident)?]))+]
    }) => {{
        $crate::__rseq_function! {
            @item { $checked "" "" plain [] [] } {
                [] [] $name [$($input: $type,)*] $result
                [$($exit)*] [$($scratch)*] $abort [$($stride)*] [$($order)?] [$($output)?]
                [$(([$($word)+] [$($arg),*] [$($to)?]))+]
            }
        }
        unsafe fn rseq_run<RseqOrder: $crate::Order, RseqArea: $crate::Area>(
            token: $crate::Token<'_, RseqArea>, words: &[usize]
        ) -> Result<Option<usize>, &'static str> {
            let mut words = words.iter();
            $(let $input = <$type as $crate::testing::ParameterWord>::from_word(words.next().copied().unwrap_or(0));)*
            // SAFETY: the contract of a compiled section is the section's.
            let result = unsafe {
                $name::<
                    $($crate::__rseq_ir!(@instead $order RseqOrder),)?
                    $({ $crate::__rseq_ir!(@instead $stride $crate::testing::SectionIr::STRIDE) },)*
                    RseqArea,
                    $crate::ByCpu,
                >(token, $($input),*)
            };
            result.map($crate::testing::Returned::output).map_err(|error| {
                let _ = &error;
                let exits: &[(&str, bool)] = &[$((stringify!($exit), error == From::from($exit)),)*];
                exits.iter().find(|(_, left)| *left).map_or("none of its exits", |(name, _)| *name)
            })
        }
        $crate::testing::SectionIr {
            name: stringify!($name),
            parameters: &[$($crate::testing::Parameter {
                name: stringify!($input),
                pointer: <$type as $crate::testing::ParameterWord>::POINTER,
            }),*],
            output: $crate::__rseq_ir!(@optional $($output)?),
            scratch: &[$(stringify!($scratch)),*],
            abort: $crate::__rseq_ir!(@abort $abort),
            steps: &[$($crate::testing::Step {
                name: $crate::__rseq_ir!(@name $($word)+),
                operands: &[$($crate::__rseq_ir!(@operand $arg)),*],
                exit: $crate::__rseq_ir!(@optional $($to)?),
            }),+],
            compiled: $crate::__rseq_ir!(@compiled $($order)?),
        }
    }};
    (@instead $name:ident $($instead:tt)+) => { $($instead)+ };
    (@optional) => { None };
    (@optional $name:ident) => { Some(stringify!($name)) };
    (@abort restart) => { None };
    (@abort restart_unbounded) => { None };
    (@abort $exit:ident) => { Some(stringify!($exit)) };
    (@name $word:ident) => { stringify!($word) };
    (@name $mark:ident $word:ident) => { concat!(stringify!($mark), " ", stringify!($word)) };
    (@operand $name:ident) => { $crate::testing::Operand::Name(stringify!($name)) };
    (@operand $k:literal) => { $crate::testing::Operand::Literal($k) };
    (@operand [$a:ident]) => { $crate::testing::Operand::Address($crate::testing::Address::new(stringify!($a))) };
    (@operand [$a:ident + $b:ident]) => { $crate::__rseq_ir!(@operand [$a + $b * 1]) };
    (@operand [$a:ident + $b:ident * $k:literal]) => {
        $crate::testing::Operand::Address($crate::testing::Address {
            index: Some((stringify!($b), $k)),
            ..$crate::testing::Address::new(stringify!($a))
        })
    };
    (@operand [$a:ident + $k:literal]) => {
        $crate::testing::Operand::Address($crate::testing::Address {
            displacement: $k,
            ..$crate::testing::Address::new(stringify!($a))
        })
    };
    (@compiled) => {
        &[$crate::testing::Compiled { own: rseq_run::<$crate::Relaxed, _>, adopted: rseq_run::<$crate::Relaxed, _> }]
    };
    (@compiled $order:ident) => {
        &[
            $crate::testing::Compiled { own: rseq_run::<$crate::Relaxed, _>, adopted: rseq_run::<$crate::Relaxed, _> },
            $crate::testing::Compiled { own: rseq_run::<$crate::Release, _>, adopted: rseq_run::<$crate::Release, _> },
        ]
    };
    ($checked:ident $($item:tt)+) => {
        /// The sections as data.
        pub const SECTIONS: &[$crate::testing::SectionIr] = &[$($crate::__rseq_ir! { @item $checked $item }),+];
    };
}

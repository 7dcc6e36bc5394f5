//! The rules, each with a code that stays the same.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use thiserror::Error;

macro_rules! rules {
    ($($name:ident $code:literal { $title:literal, cause: $cause:literal, cure: $cure:literal })*) => {
        /// What a finding or a note is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Rule {
            $(#[doc = concat!($code, ": ", $title, ".")] $name,)*
        }

        impl Rule {
            /// All of them, by code.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// What DynamoRIO wants of sections beyond the ABI: looked for where it is denied.
            pub const DYNAMORIO: &[Self] = &[Self::OtherMachine, Self::SideEffect, Self::ReadBack, Self::OtherInput];

            /// The code: `RC`, the group and the number in it. A code is never used again for something else.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// What is found, without the addresses.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// Where it comes from, and what it leads to.
            pub const fn cause(self) -> &'static str {
                match self { $(Self::$name => $cause,)* }
            }

            /// What to change.
            pub const fn cure(self) -> &'static str {
                match self { $(Self::$name => $cure,)* }
            }

            /// The rule's section of README.md, which `--explain` prints.
            pub fn explanation(self) -> String {
                format!("### {self}: {}\n\n* Cause: {}.\n* Cure: {}.\n", self.title(), self.cause(), self.cure())
            }
        }
    };
}

rules! {
    PartialEntry "RC0101" {
        "a list is not a whole number of entries",
        cause: "something else is in the section, or an entry was cut; tools misread the list from there on",
        cure: "emit descriptors of 32 bytes, pointers of 8 and exit points of 16, and nothing else, into these sections"
    }
    StrayPointer "RC0102" {
        "`__rseq_cs_ptr_array` points to no descriptor",
        cause: "a descriptor was dropped by the linker, or its label is not the one of the descriptor",
        cure: "keep `__rseq_cs` with the linker script `rseq.ld`, and point to the descriptor's first byte"
    }
    RepeatedPointer "RC0103" {
        "`__rseq_cs_ptr_array` points to a descriptor more than once",
        cause: "the pointer is emitted for each use of a section, the descriptor once; debuggers stop there repeatedly",
        cure: "emit both in the same place"
    }
    LostPointer "RC0104" {
        "`__rseq_cs_ptr_array` does not point to a descriptor",
        cause: "the pointer was not emitted, or was dropped as garbage; debuggers step into the unknown section",
        cure: "emit a pointer with each descriptor, and keep the array with the linker script `rseq.ld`"
    }
    StrayExit "RC0105" {
        "an exit point belongs to no section",
        cause: "the first word of the entry is not the start of a section: wrong label, or the descriptor was dropped",
        cure: "record the section's start and the address that is left to"
    }
    InnerExit "RC0106" {
        "an exit point lies inside its section",
        cause: "the entry records the branch, not where it leads to",
        cure: "record the address that is left to"
    }
    ExitToNoCode "RC0107" {
        "an exit point is not in code",
        cause: "the label is one of data, or lies in a section that is not linked as code",
        cure: "put what is left to into an executable section"
    }
    Misaligned "RC0201" {
        "a descriptor is not aligned to 32 bytes",
        cause: "the ABI wants it, so that the kernel reads it with one access at a time",
        cure: "`.balign 32` before it"
    }
    Version "RC0202" {
        "a descriptor's version or flags are not 0",
        cause: "up to Linux 6.18, and later with rseq/debug on, the kernel kills the process (for flags, since 6.0)",
        cure: "write two zeroes; no kernel knows another version, and the flags are gone"
    }
    NoCode "RC0203" {
        "a descriptor does not cover code",
        cause: "the length is 0, or start and length reach over the end of an executable section",
        cure: "take both from labels of the same assembly block"
    }
    AbortToNoCode "RC0204" {
        "an abort handler is not in code",
        cause: "the label is wrong, or the handler's section (`__rseq_failure`) is not linked as code",
        cure: "put the handler into an executable section"
    }
    AbortInside "RC0205" {
        "an abort handler lies inside its section",
        cause: "up to Linux 6.18, and later with rseq/debug on, the kernel kills the process that uses it",
        cure: "move the handler out of the section, as a rule into `__rseq_failure`"
    }
    Signature "RC0206" {
        "the word before an abort handler is not the signature",
        cause: "the kernel compares it with what the registration gave, and kills the process where they differ",
        cure: "put the architecture's `RSEQ_SIG` right before the handler's first instruction"
    }
    NoBoundary "RC0207" {
        "a section or handler begins inside an instruction",
        cause: "start or handler is computed, and wrong by some bytes",
        cure: "take the address from a label"
    }
    TooLong "RC0301" {
        "a section is too long to be looked at",
        cause: "sections are a few instructions; one of 64 KiB has a wrong length",
        cure: "take the length from labels"
    }
    Undecodable "RC0302" {
        "a section contains an invalid instruction",
        cause: "data lies in the section, or it begins in the wrong place",
        cure: "move data out, or jump over it as a far jump's constant is jumped over"
    }
    CutInstruction "RC0303" {
        "a section ends inside an instruction",
        cause: "the length is computed, and wrong by some bytes: the commit may be interrupted half way",
        cure: "take the end from the label after the commit"
    }
    Calls "RC0304" {
        "a section calls",
        cause: "inside the callee the address is outside of the section, so that nothing restarts it",
        cure: "inline what is called, or call before or after the section"
    }
    SystemCall "RC0305" {
        "a section makes a system call",
        cause: "the kernel may kill a process that does so (with `CONFIG_DEBUG_RSEQ`, and rseq/debug since Linux 6.19)",
        cure: "make the call before or after the section"
    }
    UnknownTarget "RC0306" {
        "a section has an indirect branch",
        cause: "nothing shows that the target is an exit, or the start of an instruction",
        cure: "branch to a label"
    }
    InnerBranch "RC0307" {
        "a branch leads into the middle of an instruction of its section",
        cause: "the branch's distance is wrong",
        cure: "branch to a label"
    }
    UnrecordedExit "RC0308" {
        "a branch leaves by an unrecorded exit",
        cause: "a debugger that steps over the section misses this way out and loses the thread",
        cure: "record the target in `__rseq_exit_point_array`"
    }
    NoCommit "RC0309" {
        "a section does not end with a store",
        cause: "the end lies before or after the commit: what follows the store restarts although it was published",
        cure: "end the section with the one store that publishes"
    }
    StackCommit "RC0310" {
        "a section ends with a store to its own stack",
        cause: "the compiler spilled a register after the commit, or the end's label is too late",
        cure: "put the end right after the commit, in the same assembly block"
    }
    RepeatedCommit "RC0311" {
        "a section stores where it commits to, before its commit",
        cause: "an abort between the two leaves the first store in place, and the section runs again on top of it",
        cure: "store there once, last"
    }
    EarlyStore "RC0312" {
        "a section stores before its commit",
        cause: "an abort repeats the store. That is right for a buffer that the commit publishes, and wrong elsewhere",
        cure: "nothing, where each such store bears repetition; else move it into the commit"
    }
    Unarmed "RC0401" {
        "no store arms a section right before it",
        cause: "the thread's `rseq_cs` does not hold the descriptor there, so that nothing restarts the section",
        cure: "store the descriptor's address to the area as the last instruction before the section"
    }
    Entered "RC0402" {
        "code leads into the middle of a section",
        cause: "code that enters there has not armed the section, or skips its checks",
        cure: "branch to the instruction that arms it"
    }
    NoPointers "RC0501" {
        "there is no `__rseq_cs_ptr_array`",
        cause: "linkers drop it as garbage: no code refers to it",
        cure: "link with `rseq.ld`; needed by debuggers, not by the program"
    }
    PackedRelocations "RC0502" {
        "a list of packed relocations cannot be read",
        cause: "Android's format APS2 is damaged or of another version: addresses that the loader fills in may be 0",
        cure: "link without `--pack-dyn-relocs=android`, or look at the other findings with care"
    }
    OtherMachine "RC0601" {
        "DynamoRIO does not run sections on this machine",
        cause: "it supports them on x86 and aarch64",
        cure: "run the program with `-disable_rseq`"
    }
    SideEffect "RC0602" {
        "a store of a section changes a register too",
        cause: "DynamoRIO runs a section once without its stores: what else such an instruction does is left out too",
        cure: "store with an instruction that only stores, or writes the address back to its register"
    }
    ReadBack "RC0603" {
        "a section reads where it has stored",
        cause: "DynamoRIO runs a section once without its stores, and finds there what was there before",
        cure: "keep the value in a register"
    }
    OtherInput "RC0604" {
        "a section reads a vector register or flags that it has not set",
        cause: "DynamoRIO runs a section twice and puts back general-purpose registers alone in between",
        cure: "load or compare inside the section"
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Rule {
    type Err = UnknownRule;

    fn from_str(code: &str) -> Result<Self, UnknownRule> {
        let found = Self::ALL.iter().find(|rule| rule.code().eq_ignore_ascii_case(code));
        found.copied().ok_or_else(|| UnknownRule(code.to_owned()))
    }
}

/// No rule has this code.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "no rule has the code '{0}': they are {first} to {last}, `--explain` lists all",
    first = Rule::ALL[0],
    last = Rule::ALL[Rule::ALL.len() - 1]
)]
pub struct UnknownRule(String);

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

/// A rule that something breaks, or that is worth a note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which one.
    #[serde(rename = "code")]
    pub rule: Rule,
    /// What breaks it where.
    pub message: String,
}

impl Finding {
    /// A finding with its message.
    pub fn new(rule: Rule, message: impl Into<String>) -> Self {
        Self { rule, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.rule, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_lead_back_to_their_rules() {
        assert!(Rule::ALL.is_sorted_by(|one, next| one.code() < next.code()));
        for rule in Rule::ALL {
            assert_eq!(rule.code().parse(), Ok(*rule));
        }
        assert!("RC9999".parse::<Rule>().unwrap_err().to_string().contains("RC0101 to RC0604"));
    }

    #[test]
    fn each_rule_is_documented() {
        let readme = include_str!("../README.md");
        for rule in Rule::ALL {
            let section = rule.explanation();
            assert!(readme.contains(&section), "README.md lacks what `rseq-check --explain` prints:\n{section}");
        }
    }
}

//! Where the TLS block and the thread pointer go, computed as linkers compute local-exec offsets.

use crate::before_main::BeforeMain;
use crate::eprintln;
use crate::headers::Headers;
use crate::process::{PANICKED, exit_now};
use core::fmt;
use core::ptr::{copy_nonoverlapping, null};
use linux_raw_sys::elf::{Elf_Phdr, PT_TLS};
use rseq_core::arch;

/// Bytes reserved after the thread pointer if the block is below it, and before the block if it is above: the thread
/// control block, with the self pointer, the stack canary and [`own_word`].
const CONTROL_BLOCK: usize = 128;

static IMAGE: BeforeMain<Image> = BeforeMain::new();

/// The two ways to place a TLS block (ELF handling for thread-local storage, variants I and II).
#[derive(Clone, Copy)]
pub enum Variant {
    /// The block begins `reserved` bytes above the thread pointer less `bias`, rounded up to the block's alignment.
    #[allow(dead_code, reason = "every architecture has one of the two")]
    Above {
        /// Bytes between the thread pointer and the block that the ABI keeps for itself.
        reserved: usize,
        /// The distance by which the ABI advances the thread pointer, to reach more with 16-bit offsets.
        bias: usize,
    },
    /// The block ends at the thread pointer, at which the thread pointer itself is stored.
    #[allow(dead_code, reason = "every architecture has one of the two")]
    Below,
}

/// The address of a word in the control block around a thread pointer from [`Image::place`] that neither the ABI nor
/// the stack canary uses.
pub const fn own_word(pointer: usize, variant: Variant) -> usize {
    match variant {
        // Farther below the block than the canary of powerpc64 (16 bytes) and what glibc has there.
        Variant::Above { bias, .. } => pointer - bias - CONTROL_BLOCK / 2,
        Variant::Below => pointer + CONTROL_BLOCK / 2,
    }
}

/// The program's initial TLS block, from its `PT_TLS` header.
#[derive(Clone, Copy)]
pub struct Image {
    start: *const u8,
    file_size: usize,
    size: usize,
    align: usize,
    /// The block's link-time address modulo its alignment, which the block keeps at every address.
    skew: usize,
}

// SAFETY: the image is read-only memory of the executable.
unsafe impl Sync for Image {}

const EMPTY: Image = Image { start: null(), file_size: 0, size: 0, align: 1, skew: 0 };

impl Image {
    /// Reads the executable's program headers.
    pub fn of_program(headers: Headers) -> Self {
        headers.find(PT_TLS).map_or(EMPTY, |header| Self::from_header(header, headers.bias()))
    }

    fn from_header(header: &Elf_Phdr, bias: usize) -> Self {
        let align = header.p_align.max(1);
        Self {
            start: bias.wrapping_add(header.p_vaddr) as *const u8,
            file_size: header.p_filesz,
            size: header.p_memsz,
            align,
            skew: header.p_vaddr & (align - 1),
        }
    }

    /// Distance from the thread pointer to the block, in bytes, modulo the address space.
    fn offset(&self, variant: Variant) -> usize {
        match variant {
            Variant::Above { reserved, bias } => {
                let padding = self.skew.wrapping_sub(reserved) & (self.align - 1);
                (reserved + padding).wrapping_sub(bias)
            }
            Variant::Below => {
                let padding = self.skew.wrapping_add(self.size).wrapping_neg() & (self.align - 1);
                (self.size + padding).wrapping_neg()
            }
        }
    }

    /// Bytes that [`place`](Self::place) needs.
    pub fn reserve(&self) -> usize {
        self.size + 3 * self.align.max(16) + 2 * CONTROL_BLOCK
    }

    /// Copies the block into fresh memory and returns the thread pointer that belongs to it.
    ///
    /// # Safety
    ///
    /// [`reserve`](Self::reserve) bytes at `memory` are zeroed and writable, and belong to the caller.
    pub unsafe fn place(&self, memory: *mut u8, variant: Variant) -> usize {
        let align = self.align.max(16);
        let round_up = |address: usize| (address + align - 1) & !(align - 1);
        let pointer = match variant {
            Variant::Above { bias, .. } => round_up(memory as usize + CONTROL_BLOCK) + bias,
            Variant::Below => round_up(memory as usize + self.size + self.align),
        };
        let block = pointer.wrapping_add(self.offset(variant)) as *mut u8;
        // SAFETY: the block, and the word at the thread pointer in variant II, lie within the reserved bytes: above,
        // the block begins at most 128 + align + reserved (16 at most) + align bytes into them; below, the thread
        // pointer is at most size + 2 * align bytes into them. The image is readable for `file_size` bytes; the rest
        // stays zero.
        unsafe {
            if self.file_size > 0 {
                copy_nonoverlapping(self.start, block, self.file_size);
            }
            if let Variant::Below = variant {
                *(pointer as *mut usize) = pointer;
            }
        }
        pointer
    }

    /// Whether the block is where local-exec code expects it, relative to the thread pointer: aligned as `PT_TLS`
    /// requires, and around `area`, an address that such code has computed.
    pub fn check(&self, pointer: usize, variant: Variant, area: usize) -> Result<(), Misplaced> {
        let block = pointer.wrapping_add(self.offset(variant));
        if block & (self.align - 1) != self.skew {
            return Err(Misplaced::Unaligned { block, align: self.align });
        }
        if area.wrapping_sub(block) >= self.size {
            return Err(Misplaced::Elsewhere { block, size: self.size, area });
        }
        Ok(())
    }
}

/// A TLS block at an address that compiled code does not expect.
#[derive(Clone, Copy)]
pub enum Misplaced {
    /// The block is not aligned.
    Unaligned { block: usize, align: usize },
    /// A thread-local is outside of the block.
    Elsewhere { block: usize, size: usize, area: usize },
}

impl fmt::Display for Misplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Unaligned { block, align } => {
                write!(f, "the TLS block at {block:#x} is not aligned to the {align} bytes that PT_TLS asks for")
            }
            Self::Elsewhere { block, size, area } => {
                write!(f, "the rseq area at {area:#x} is not among the {size} bytes of the TLS block at {block:#x}")
            }
        }
    }
}

/// Keeps the image for later threads.
///
/// # Safety
///
/// The process has one thread, and the image has not been read yet.
pub unsafe fn remember(image: Image) {
    // SAFETY: the caller's contract is the cell's.
    unsafe { IMAGE.set(image) };
}

/// The program's image.
pub fn image() -> Image {
    IMAGE.get().copied().unwrap_or(EMPTY)
}

/// Ends the program if the calling thread's block is not where its code expects it.
pub fn check_thread_pointer(variant: Variant) {
    let area = arch::own_area().as_ptr() as usize;
    if let Err(misplaced) = image().check(arch::thread_pointer(), variant, area) {
        eprintln!("rseq-rt: {misplaced}");
        exit_now(PANICKED);
    }
}

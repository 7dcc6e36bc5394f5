//! What becomes of freed memory, and of blocks of any size.

use alloc::alloc::{alloc_zeroed, dealloc, realloc};
use alloc::boxed::Box;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::alloc::Layout;
use core::hint::black_box;

use anyhow::{Context, Result, ensure};

const MIB: usize = 1 << 20;

/// Bytes in memory, by the page tables. On many kernels `/proc/self/statm` is up to some hundred pages off, as each CPU
/// keeps a part of its count to itself.
fn resident() -> Result<usize> {
    use linux_raw_sys::general as raw;
    use rseq_core::sys::syscall;
    let mut text = [0_u8; 256];
    let path = c"/proc/self/smaps_rollup".as_ptr() as usize;
    // SAFETY: the path is a C string; the kernel writes at most the array's bytes, and the descriptor is this
    // function's.
    let read = unsafe {
        syscall(raw::__NR_openat, [raw::AT_FDCWD as usize, path, 0, 0, 0, 0]).and_then(|file| {
            let read = syscall(raw::__NR_read, [file, text.as_mut_ptr() as usize, text.len(), 0, 0, 0]);
            syscall(raw::__NR_close, [file, 0, 0, 0, 0, 0]).and(read)
        })
    };
    let read = read.context("/proc/self/smaps_rollup")?;
    let text = core::str::from_utf8(&text[..read])?;
    let kilobytes = text.split_ascii_whitespace().skip_while(|word| *word != "Rss:").nth(1);
    let kilobytes = kilobytes.and_then(|number| number.parse::<usize>().ok());
    kilobytes.map(|kilobytes| kilobytes * 1024).with_context(|| format!("/proc/self/smaps_rollup: {text}"))
}

/// Large blocks go back to the kernel, whole or in part.
pub fn returned() -> Result<()> {
    let before = resident()?;
    let mut bytes = vec![1_u8; 256 * MIB];
    let full = resident()?;
    bytes.truncate(64 * MIB);
    bytes.shrink_to_fit();
    let shrunk = resident()?;
    let intact = black_box(&bytes).iter().all(|byte| *byte == 1);
    drop(bytes);
    let after = resident()?;
    let ok = intact && full >= 256 * MIB && shrunk < 80 * MIB && after < before + 4 * MIB;
    let [before, full, shrunk, after] = [before, full, shrunk, after].map(|bytes| bytes / MIB);
    ensure!(ok, "{before} MiB, full {full}, shrunk {shrunk}, freed {after}");
    Ok(())
}

/// Spans of small blocks go back to the kernel when they are freed, the last ones by a trim.
pub fn small() -> Result<()> {
    const COUNT: usize = 400_000;
    let before = resident()?;
    let boxes: Vec<_> = (0..COUNT).map(|number| Box::new([number; 20])).collect();
    let full = resident()?;
    let intact = black_box(&boxes).iter().enumerate().all(|(number, words)| **words == [number; 20]);
    drop(boxes);
    let freed = resident()?;
    let bytes = rseq_rt::heap::trim();
    let after = resident()?;
    let ok = intact && full > before + COUNT * 160 && freed < before + 4 * MIB && after < before + MIB;
    ensure!(ok, "{before} bytes, full {full}, freed {freed}, after a trim of {bytes} {after}");
    Ok(())
}

/// Blocks keep their alignment and what is in them, from a size to the next.
pub fn blocks() -> Result<()> {
    let sizes = [1, 40, 4000, 100_000, 131_072, 131_073, 300_000, 3 * MIB, 200_000, 60_000, 100];
    for align in [1, 16, 64, 4096, 65536, MIB] {
        let layout = |size| Layout::from_size_align(size, align);
        // SAFETY: the size is not 0.
        let mut block = unsafe { alloc_zeroed(layout(sizes[0])?) };
        let mut old = sizes[0];
        for size in sizes {
            // SAFETY: the block has this layout, and the size is not 0.
            block = unsafe { realloc(block, layout(old)?, size) };
            let is_aligned = !block.is_null() && (block as usize).is_multiple_of(align);
            ensure!(is_aligned, "{size} bytes, aligned to {align}: {block:?}");
            if size > old {
                // SAFETY: the block has `size` bytes.
                unsafe { block.add(old).write_bytes(old as u8, size - old) };
            }
            // SAFETY: the block has `size` bytes, all written but the first one, which was zeroed.
            let bytes = unsafe { core::slice::from_raw_parts(block, size) };
            ensure!(bytes[0] == 0, "{size} bytes, aligned to {align}: the first is {}", bytes[0]);
            let is_intact = size <= old || bytes[old] == old as u8 && bytes[size - 1] == old as u8;
            ensure!(is_intact, "{size} bytes, aligned to {align}: what was written is lost");
            old = size;
        }
        // SAFETY: the block has this layout.
        unsafe { dealloc(block, layout(old)?) };
    }
    Ok(())
}

//! Size classes: multiples of 16 bytes up to 128, then four sizes to each doubling. Above 128 bytes, less than a fifth
//! of a block is unused.

use core::alloc::Layout;

/// The most bytes of a block with a class.
pub const LARGEST: usize = 128 << 10;

/// Number of classes.
pub const CLASSES: usize = 48;

/// Classes of blocks that CPUs cache: up to 8 KiB.
pub const CACHED: usize = 32;

/// The most bytes of a block that CPUs cache.
const LARGEST_CACHED: usize = size(CACHED - 1);

/// Classes that are multiples of 16 bytes.
const LINEAR: usize = 8;
const _: () = assert!(LARGEST_CACHED == 8 << 10 && size(CLASSES - 1) == LARGEST);

/// The class of most layouts that have a cached one, for those who cannot wait.
#[inline]
pub fn of_common(layout: Layout) -> Option<usize> {
    (layout.align() <= 16 && layout.size() <= LARGEST_CACHED).then(|| of_size(layout.size()))
}

/// The class of blocks for this layout; none where a block is a mapping.
pub fn of(layout: Layout) -> Option<usize> {
    if layout.align() > 16 {
        return of_aligned(layout);
    }
    (layout.size() <= LARGEST).then(|| of_size(layout.size()))
}

/// The class of the smallest blocks that have `size` bytes, at most [`LARGEST`].
#[inline]
fn of_size(size: usize) -> usize {
    let last = size.saturating_sub(1);
    if last < 16 * LINEAR {
        return last / 16;
    }
    let doubling = last.ilog2() as usize;
    LINEAR + 4 * (doubling - 7) + (last >> (doubling - 2) & 3)
}

/// [`of`] for an alignment above 16.
#[cold]
fn of_aligned(layout: Layout) -> Option<usize> {
    let (size, align) = (layout.size(), layout.align());
    if size > LARGEST || align > LARGEST {
        return None;
    }
    let mut class = of_size(size.max(align));
    // The last class of each doubling is a power of two, so this ends at `align` at the latest.
    while align_of(class) < align {
        class += 1;
    }
    Some(class)
}

/// Bytes of the blocks of a class.
pub const fn size(class: usize) -> usize {
    match class {
        0..LINEAR => 16 * (class + 1),
        _ => (5 + (class - LINEAR) % 4) << ((class - LINEAR) / 4 + 5),
    }
}

/// What addresses of a class's blocks are multiples of.
pub const fn align_of(class: usize) -> usize {
    1 << size(class).trailing_zeros()
}

/// Bytes of a span of blocks of a class, and the span's alignment.
#[inline]
pub const fn span(class: usize) -> usize {
    if class < CACHED { 64 << 10 } else { 1 << 20 }
}

/// Blocks of a class that a CPU caches: fewer of large ones.
pub const fn capacity(class: usize) -> usize {
    if usize::BITS == 64 { 128 >> (class / 8) } else { [48, 24, 16, 8][class / 8] }
}

/// Blocks that all cached classes have room for on a CPU.
pub const CAPACITIES: usize = if usize::BITS == 64 { 1920 } else { 768 };

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn a_block_has_its_size_and_little_more() {
        for bytes in 1..=LARGEST {
            let class = of_size(bytes);
            assert!(size(class) >= bytes && (class == 0 || size(class - 1) < bytes), "{bytes} bytes in class {class}");
            let waste = size(class) - bytes;
            assert!(waste < 16 || 5 * waste <= size(class), "{waste} bytes of {} are unused", size(class));
        }
        assert_eq!(of_size(0), 0);
    }

    #[test]
    fn a_block_has_its_alignment_in_less_than_twice_its_size() {
        for align in (0..=17).map(|shift| 1 << shift) {
            for bytes in (1..LARGEST).step_by(37).chain([16, align, LARGEST]) {
                let class = of(Layout::from_size_align(bytes, align).unwrap()).unwrap();
                assert!(size(class) >= bytes && align_of(class).max(16) >= align, "{bytes} bytes aligned to {align}");
                assert!(size(class) < 2 * bytes.max(align).max(16), "{bytes} bytes aligned to {align}");
            }
        }
    }

    #[test]
    fn common_layouts_have_their_class_and_no_other() {
        for (bytes, align) in (0..=LARGEST).flat_map(|bytes| [(bytes, 1), (bytes, 16), (bytes, 32)]) {
            let layout = Layout::from_size_align(bytes, align).unwrap();
            let (common, class) = (of_common(layout), of(layout));
            assert!(common.is_none() || common == class, "{layout:?}: {common:?}, {class:?}");
            assert_eq!(common.is_some(), align <= 16 && class.is_some_and(|class| class < CACHED), "{layout:?}");
        }
    }

    #[test]
    fn larger_blocks_are_mappings() {
        let class = |size, align| of(Layout::from_size_align(size, align).unwrap());
        assert_eq!([class(LARGEST + 1, 1), class(1, 2 * LARGEST)], [None; 2]);
        assert_eq!(class(LARGEST, LARGEST), Some(CLASSES - 1));
    }

    #[test]
    fn capacities_add_up() {
        let all: Vec<_> = (0..CACHED).map(capacity).collect();
        assert_eq!(all.iter().sum::<usize>(), CAPACITIES);
        assert!(all.iter().all(|&capacity| capacity >= 8));
    }
}

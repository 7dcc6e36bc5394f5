//! Sizes of items: powers of two.

use core::alloc::Layout;

/// Addresses of items have three low bits of 0.
const SMALLEST: usize = 3;

/// As many as there are powers of two.
pub(super) const CLASSES: usize = usize::BITS as usize;

/// The most items that move at a time between a CPU's stack and the lists that all CPUs share.
pub(super) const MOST_AT_A_TIME: usize = 63;

/// The most of these that are cut from unused memory, where the next items may belong to other CPUs.
pub(super) const MOST_CUT: usize = 15;

/// What an arena needs to know about a layout: computed once for its stride, or at compile time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) layout: Layout,
    /// The logarithm of the size of items.
    pub(super) class: usize,
    /// The most items on the stack of a CPU.
    pub(super) most: usize,
}

impl Size {
    /// None if items cannot be that large.
    #[inline]
    pub(super) const fn of(layout: Layout, stride: usize) -> Option<Self> {
        let (size, align) = (layout.size(), layout.align());
        let larger = if size < align { align } else { size };
        let size = if larger < 1 << SMALLEST { 1 << SMALLEST } else { larger };
        if size > stride {
            return None;
        }
        let class = (usize::BITS - (size - 1).leading_zeros()) as usize;
        Some(Self { layout, class, most: 2 * at_a_time(class, stride) })
    }
}

/// Items of `class` that move at a time: few if they are large, because other CPUs cannot use what a CPU keeps.
#[inline]
pub(super) const fn at_a_time(class: usize, stride: usize) -> usize {
    match (stride / 8) >> class {
        0 => 1,
        few if few < MOST_AT_A_TIME => few,
        _ => MOST_AT_A_TIME,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_up_to_powers_of_two() {
        let layout = |size, align| Layout::from_size_align(size, align).unwrap();
        let of = |size, align| Size::of(layout(size, align), 4096).map(|size| size.class);
        let expected = [(0, 1, 3), (1, 1, 3), (8, 8, 3), (9, 1, 4), (48, 8, 6), (8, 64, 6), (64, 64, 6), (4096, 1, 12)];
        for (size, align, class) in expected {
            assert_eq!(of(size, align), Some(class), "{size} bytes aligned to {align}");
        }
        assert_eq!((of(4097, 1), of(1, 8192)), (None, None));
    }

    #[test]
    fn a_cpu_keeps_few_large_items() {
        assert_eq!([3, 7, 8, 9, 10, 13, 16].map(|class| at_a_time(class, 1 << 16)), [63, 63, 32, 16, 8, 1, 1]);
    }
}

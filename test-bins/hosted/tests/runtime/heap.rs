//! The allocator.

use crate::build::expect_success;

#[test]
fn children_of_a_threaded_process_can_allocate() {
    expect_success("forks");
}

#[test]
fn large_blocks_go_back_to_the_kernel() {
    expect_success("heap");
}

#[test]
fn small_blocks_go_back_to_the_kernel() {
    expect_success("small-blocks");
}

#[test]
fn blocks_of_all_sizes_keep_what_is_in_them() {
    expect_success("blocks");
}

//! Random operations against a model: which addresses are whose, and what they hold.

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rseq_core::percpu::{Region, RegionOptions};
use std::alloc::Layout;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::ptr::NonNull;
use std::slice;

const STRIDE: usize = 4096;
/// CPUs whose copies are looked at, of those that there are.
const CPUS: [usize; 3] = [0, 1, 31];

struct Held {
    item: NonNull<u8>,
    layout: Layout,
    value: u8,
}

struct Model<'r> {
    region: &'r Region<STRIDE>,
    held: BTreeMap<usize, Held>,
}

impl Model<'_> {
    fn cpus(&self) -> impl Iterator<Item = usize> + use<> {
        let copies = self.region.copies();
        CPUS.into_iter().filter(move |&cpu| cpu < copies)
    }

    /// The copy of a CPU.
    fn copy<'h>(&self, held: &'h mut Held, cpu: usize) -> &'h mut [u8] {
        let copy = self.region.copy_of(held.item, cpu);
        // SAFETY: the item is held, by this one alone.
        unsafe { slice::from_raw_parts_mut(copy.as_ptr(), held.layout.size()) }
    }

    fn alloc(&mut self, how: u8, layout: Layout, value: u8) {
        let initial = vec![value; layout.size().min(9)];
        let item = match how {
            0 => self.region.alloc(layout),
            1 => self.region.alloc_zeroed(layout),
            _ => self.region.alloc_copied(layout, &initial),
        };
        let item = item.expect("memory");
        let mut held = Held { item, layout, value };
        let (start, end) = (item.addr().get(), item.addr().get() + layout.size());
        assert_eq!(start % layout.align(), 0);
        let before = self.held.range(..end).next_back();
        assert!(before.is_none_or(|(&at, other)| at + other.layout.size().max(1) <= start), "items overlap");
        for cpu in self.cpus() {
            let copy = self.copy(&mut held, cpu);
            let begins = if how > 1 { initial.len() } else { 0 };
            assert!(copy[..begins].iter().all(|&byte| byte == value));
            assert!(how == 0 || copy[begins..].iter().all(|&byte| byte == 0));
            copy.fill(value ^ cpu as u8);
        }
        self.held.insert(start, held);
    }

    fn free(&mut self, choice: usize) {
        let Some(&key) = self.held.keys().nth(choice % self.held.len().max(1)) else { return };
        let mut held = self.held.remove(&key).expect("a key");
        let value = held.value;
        for cpu in self.cpus() {
            assert!(self.copy(&mut held, cpu).iter().all(|&byte| byte == value ^ cpu as u8), "written by another");
        }
        // SAFETY: it was allocated for this layout, and is held no more.
        unsafe { self.region.free(held.item, held.layout) };
    }
}

fn check(options: RegionOptions, cases: u32) {
    // Without proptest's "std" its own choice is always the same.
    let seed = match std::env::var("REGION_SEED") {
        Ok(seed) => seed.parse().expect("REGION_SEED is a number"),
        Err(_) => RandomState::new().hash_one(()),
    };
    println!("REGION_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let operations = vec((any::<u8>(), any::<u16>(), any::<u8>()), 1..300);
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let result = TestRunner::new_with_rng(config, random).run(&operations, |operations| {
        let region = Region::with(options);
        let mut model = Model { region: &region, held: BTreeMap::new() };
        for (what, number, value) in operations {
            // Most items are small, and some as large as a copy.
            let size = usize::from(number) % (1 << (number % 13));
            let layout = Layout::from_size_align(size, 1 << (value % 8)).expect("a small one");
            match what % 8 {
                how @ 0..5 => model.alloc(how.min(2), layout, value),
                _ => model.free(number.into()),
            }
        }
        while !model.held.is_empty() {
            model.free(0);
        }
        Ok(())
    });
    result.unwrap();
}

#[test]
fn plain() {
    check(RegionOptions::new(), 20);
}

#[test]
fn copied_on_write() {
    check(RegionOptions::new().copy_on_write(), 8);
}

#[test]
fn robust() {
    check(RegionOptions::new().robust(|finding| panic!("{finding}")), 4);
}

//! What a stack and stacks of several classes have in common.

use rseq_core::Index;
use rseq_core::percpu::{Batch, Full, RemoteError, Stack, Stacks};

/// Classes at most.
pub const CLASSES: usize = 3;

/// Items that an array of each class takes.
pub const CAPACITIES: [usize; CLASSES] = [28, 20, 12];

const ALL: usize = 60;

/// Stacks of one class or several.
pub trait Shelf: Sync {
    /// Of these many.
    const CLASSES: usize;

    fn capacity(class: usize) -> usize {
        CAPACITIES[class]
    }

    fn new() -> Self;
    fn push(&self, class: usize, word: usize) -> Result<(), Full<usize>>;
    fn pop(&self, class: usize) -> Option<usize>;
    fn push_batch(&self, class: usize, batch: &mut Batch<usize, 16>) -> usize;
    fn pop_batch(&self, class: usize, batch: &mut Batch<usize, 16>) -> usize;
    fn drain(&self, class: usize, cpu: u32, each: &mut dyn FnMut(usize)) -> Result<usize, RemoteError>;
    fn drain_all(&self, class: usize, each: &mut dyn FnMut(usize)) -> Result<usize, RemoteError>;
    fn resize(&self, class: usize, cpu: u32, to: usize, each: &mut dyn FnMut(usize)) -> Result<usize, RemoteError>;
    fn len_of(&self, class: usize, cpu: u32) -> usize;
    fn capacity_of(&self, class: usize, cpu: u32) -> usize;
    fn len(&self, class: usize) -> usize;
}

pub struct OneStack<K: Index>(Stack<usize, { CAPACITIES[0] }, K>);

pub struct ManyStacks<K: Index>(Stacks<usize, CLASSES, ALL, K>);

macro_rules! shelf {
    ($name:ident, $classes:expr, $new:expr, $($class:ident)?, $_class:ident) => {
        impl<K: Index> Shelf for $name<K> {
            const CLASSES: usize = $classes;

            fn new() -> Self {
                Self($new)
            }

            fn push(&self, $_class: usize, word: usize) -> Result<(), Full<usize>> {
                self.0.push($($class,)? word)
            }

            fn pop(&self, $_class: usize) -> Option<usize> {
                self.0.pop($($class)?)
            }

            fn push_batch(&self, $_class: usize, batch: &mut Batch<usize, 16>) -> usize {
                self.0.push_batch($($class,)? batch)
            }

            fn pop_batch(&self, $_class: usize, batch: &mut Batch<usize, 16>) -> usize {
                self.0.pop_batch($($class,)? batch)
            }

            fn drain(&self, $_class: usize, cpu: u32, each: &mut dyn FnMut(usize)) -> Result<usize, RemoteError> {
                self.0.drain($($class,)? cpu, each)
            }

            fn drain_all(&self, $_class: usize, each: &mut dyn FnMut(usize)) -> Result<usize, RemoteError> {
                self.0.drain_all($($class,)? each)
            }

            fn resize(
                &self, $_class: usize, cpu: u32, to: usize, each: &mut dyn FnMut(usize),
            ) -> Result<usize, RemoteError> {
                self.0.resize($($class,)? cpu, to, each)
            }

            fn len_of(&self, $_class: usize, cpu: u32) -> usize {
                self.0.len_of($($class,)? cpu)
            }

            fn capacity_of(&self, $_class: usize, cpu: u32) -> usize {
                self.0.capacity_of($($class,)? cpu)
            }

            fn len(&self, $_class: usize) -> usize {
                self.0.len($($class)?)
            }
        }
    };
}

shelf!(OneStack, 1, Stack::new(), , _class);
shelf!(ManyStacks, CLASSES, Stacks::new(CAPACITIES), class, class);

//! What one thread, on CPUs that it knows, finds in the arrays.

use std::collections::HashMap;

use super::shelf::CAPACITIES;

/// The items of a CPU's array of a class, and how many it takes.
struct Array {
    words: Vec<usize>,
    capacity: usize,
}

/// The arrays that were used, by CPU and class.
#[derive(Default)]
pub struct Model(HashMap<(u32, usize), Array>);

impl Model {
    fn array(&mut self, cpu: u32, class: usize) -> &mut Array {
        let new = || Array { words: Vec::new(), capacity: CAPACITIES[class] };
        self.0.entry((cpu, class)).or_insert_with(new)
    }

    /// Whether there is room.
    pub fn push(&mut self, cpu: u32, class: usize, word: usize) -> bool {
        let array = self.array(cpu, class);
        let has_room = array.words.len() < array.capacity;
        if has_room {
            array.words.push(word);
        }
        has_room
    }

    pub fn pop(&mut self, cpu: u32, class: usize) -> Option<usize> {
        self.array(cpu, class).words.pop()
    }

    pub fn resize(&mut self, cpu: u32, class: usize, capacity: usize) {
        self.array(cpu, class).capacity = capacity;
    }

    pub fn len(&self, cpu: u32, class: usize) -> usize {
        self.0.get(&(cpu, class)).map_or(0, |array| array.words.len())
    }

    /// Items of a class on all CPUs.
    pub fn all(&self, class: usize) -> usize {
        self.0.iter().filter(|((_, of), _)| *of == class).map(|(_, array)| array.words.len()).sum()
    }
}

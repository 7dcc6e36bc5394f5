//! The blocks that are not in a CPU's cache: spans, by class.

use crate::class::CLASSES;
use crate::span::Span;
use crate::{class, large};
use core::ptr::{self, NonNull};

/// The spans of one heap, accessed while its lock is held.
pub struct Central {
    /// The heap's number: a child process may have to begin another heap than its parent's.
    number: usize,
    /// Bytes of its spans.
    mapped: usize,
    /// Blocks that are not in their spans.
    out: usize,
    /// The first span of each class that has free blocks.
    spans: [*mut Span; CLASSES],
}

impl Central {
    /// No spans yet.
    pub const fn new(number: usize) -> Self {
        Self { number, mapped: 0, out: 0, spans: [ptr::null_mut(); CLASSES] }
    }

    /// The number of the next heap.
    pub fn next_number(&self) -> usize {
        self.number + 1
    }

    /// Bytes of all spans.
    pub fn mapped(&self) -> usize {
        self.mapped
    }

    /// Blocks that are not in their spans.
    pub fn out(&self) -> usize {
        self.out
    }

    /// Takes a block of a class below [`CLASSES`]; `None` without memory.
    pub fn take(&mut self, class: usize) -> Option<NonNull<u8>> {
        let span = match NonNull::new(*self.spans.get(class)?) {
            Some(span) => span,
            None => {
                let span = Span::map(self.number, class)?;
                self.mapped += class::span(class);
                self.link(span, class);
                span
            }
        };
        // SAFETY: spans in this list are of this heap and class, and only the lock's holder uses them.
        let (block, is_empty) = unsafe { (Span::take(span, class), span.as_ref().is_empty(class)) };
        if is_empty {
            self.unlink(span, class);
        }
        self.out += usize::from(block.is_some());
        block
    }

    /// Returns a block to its span. If the span then has all of its blocks, and the class has another span with free
    /// blocks, unmaps it. A block of an earlier heap is not returned. The result is the bytes that were unmapped.
    ///
    /// # Safety
    ///
    /// The block is of this class, and is no longer used.
    pub unsafe fn put(&mut self, block: NonNull<u8>, class: usize) -> usize {
        // SAFETY: the block is of this class, so its span can be computed. Spans that lack a block stay mapped; those
        // of earlier heaps stay mapped and do not change.
        let (span, heap, was_empty) = unsafe {
            let span = Span::of(block, class);
            (span, span.as_ref().heap(), span.as_ref().is_empty(class))
        };
        if heap != self.number {
            return 0;
        }
        // SAFETY: the block came from this span of this heap, which only the lock's holder uses.
        let is_whole = unsafe {
            Span::put(span, block);
            span.as_ref().is_whole()
        };
        self.out -= 1;
        if was_empty {
            self.link(span, class);
        }
        if !is_whole || self.is_only(span) {
            return 0;
        }
        self.unmap(span, class)
    }

    /// Unmaps the spans that have all of their blocks, and returns their size in bytes.
    pub fn trim(&mut self) -> usize {
        let mut bytes = 0;
        for class in 0..CLASSES {
            let mut next = self.spans.get(class).copied().and_then(NonNull::new);
            while let Some(span) = next {
                // SAFETY: spans in the lists are of this heap, which only the lock's holder uses.
                let is_whole = unsafe {
                    next = NonNull::new(span.as_ref().next);
                    span.as_ref().is_whole()
                };
                if is_whole {
                    bytes += self.unmap(span, class);
                }
            }
        }
        bytes
    }

    /// Whether no other span of its class is in the list.
    fn is_only(&self, span: NonNull<Span>) -> bool {
        // SAFETY: spans in the lists are of this heap, which only the lock's holder uses.
        let span = unsafe { span.as_ref() };
        span.next.is_null() && span.previous.is_null()
    }

    /// Unmaps a span that is in the list and has all of its blocks, and returns its size in bytes.
    fn unmap(&mut self, span: NonNull<Span>, class: usize) -> usize {
        self.unlink(span, class);
        self.mapped -= class::span(class);
        // SAFETY: the span has all of its blocks and is in no list, so nothing refers to it.
        unsafe { large::unmap_span(span.cast(), class::span(class)) };
        class::span(class)
    }

    /// Makes a span the first one of its class: it has the fewest free blocks, and the others may so get theirs back.
    fn link(&mut self, span: NonNull<Span>, class: usize) {
        let Some(head) = self.spans.get_mut(class) else { return };
        // SAFETY: this span and those in the list are of this heap, which only the lock's holder uses.
        unsafe {
            (*span.as_ptr()).next = *head;
            (*span.as_ptr()).previous = ptr::null_mut();
            if let Some(next) = head.as_mut() {
                next.previous = span.as_ptr();
            }
        }
        *head = span.as_ptr();
    }

    fn unlink(&mut self, span: NonNull<Span>, class: usize) {
        let Some(head) = self.spans.get_mut(class) else { return };
        // SAFETY: as in `link`.
        unsafe {
            let (next, previous) = (span.as_ref().next, span.as_ref().previous);
            if let Some(next) = next.as_mut() {
                next.previous = previous;
            }
            match previous.as_mut() {
                Some(previous) => previous.next = next,
                None => *head = next,
            }
        }
    }
}

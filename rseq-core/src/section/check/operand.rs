//! The operands of steps, as types.

use core::ops::{Add, Mul};

/// What a parameter of a section may be.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a word: parameters of a critical section are as wide as a pointer",
    label = "not a word",
    note = "pass a `usize`, an `isize` or a thin pointer: convert numbers with `as usize`"
)]
pub trait Word: Copy {}

impl Word for usize {}
impl Word for isize {}
impl<T> Word for *mut T {}
impl<T> Word for *const T {}

/// A register that steps write.
#[derive(Clone, Copy, Debug)]
pub struct ScratchRegister;

/// A scratch register that holds the index, until a step writes it again.
#[derive(Clone, Copy, Debug)]
pub struct IndexRegister;

/// A register that keeps its value, because an aborted section begins again with it.
#[derive(Clone, Copy, Debug)]
pub struct Parameter;

/// The sum of an address: `a + b`, `a + 8`, `a + b * 8`.
#[derive(Clone, Copy, Debug)]
pub struct Sum;

/// A register that is multiplied: `b * 8`.
#[derive(Clone, Copy, Debug)]
pub struct Product;

/// What a step takes in a register.
#[diagnostic::on_unimplemented(
    message = "not a register: this operand is a parameter or a scratch register",
    label = "neither a parameter nor a scratch register"
)]
pub trait Register: Copy {}

impl Register for ScratchRegister {}
impl Register for IndexRegister {}
impl Register for Parameter {}

/// A register that a step may write.
#[diagnostic::on_unimplemented(
    message = "a step may not write this: an aborted section begins again, with the parameters that it was called with",
    label = "not a scratch register"
)]
pub trait Writable: Copy {}

impl Writable for ScratchRegister {}
impl Writable for IndexRegister {}

/// What a step reads: a register, or a literal.
#[diagnostic::on_unimplemented(
    message = "not a value: this operand is a parameter, a scratch register or a literal from 0 to 255",
    label = "none of these"
)]
pub trait Value: Copy {}

impl Value for ScratchRegister {}
impl Value for IndexRegister {}
impl Value for Parameter {}
impl Value for u8 {}

/// The place of a load or a store.
#[diagnostic::on_unimplemented(
    message = "not an address: this operand is `[a]`, `[a + b]`, `[a + 8]` or `[a + b * 8]`",
    label = "not an address in brackets"
)]
pub trait Place: Copy {}

impl<R: Register> Place for [R; 1] {}
impl Place for [Sum; 1] {}

/// What a comparison reads: a register, or the word at an address.
#[diagnostic::on_unimplemented(
    message = "`cbne` and `cbeq` compare a register or an address with a value: the literal is the second operand",
    label = "neither a register nor an address"
)]
pub trait Compared: Copy {}

impl Compared for ScratchRegister {}
impl Compared for IndexRegister {}
impl Compared for Parameter {}
impl<P: Copy> Compared for [P; 1] where [P; 1]: Place {}

/// What an address may add to a register.
#[diagnostic::on_unimplemented(
    message = "an address adds a register, a literal from 0 to 255 or a register times a literal",
    label = "none of these"
)]
pub trait Addend: Copy {}

impl<V: Value> Addend for V {}
impl Addend for Product {}

macro_rules! sums {
    ($($left:ty)*) => {
        $(
            impl<V: Addend> Add<V> for $left {
                type Output = Sum;

                fn add(self, _: V) -> Sum {
                    Sum
                }
            }

            impl Mul<u8> for $left {
                type Output = Product;

                fn mul(self, _: u8) -> Product {
                    Product
                }
            }
        )*
    };
}
sums!(Parameter ScratchRegister IndexRegister);

/// Implemented for no number: a factor is 1, 2, 4 or 8.
#[diagnostic::on_unimplemented(message = "an index in an address is multiplied by 1, 2, 4 or 8", label = "not by this")]
pub trait AFactor {}

//! A machine with one vCPU and a guest of a few instructions.

use linux_raw_sys::general::__NR_ioctl;
use rseq_core::sys::Errno;

use super::abi::{self, MemoryRegion, Run};
use super::guest;
use super::ioctl::ioctl;
use crate::ktap::{OrFail, Unmet};
use crate::sys::file::File;
use crate::sys::memory::Mapping;
use crate::{ensure, skip};

/// Where guest memory is and how it has to lie; see [`guest`].
pub struct Layout {
    /// The guest-physical address.
    pub address: u64,
    /// Bytes, a multiple of every page size that the architecture's kernels have.
    pub size: usize,
    /// The alignment that the kernel wants in this process, at most `size`.
    pub align: usize,
    /// Where the program begins, in bytes from the start.
    pub entry: usize,
}

/// A machine that is ready to run. Its parts end in this order.
pub struct Machine {
    state: Mapping,
    vcpu: File,
    vm: File,
    _memory: Mapping,
}

/// `/dev/kvm`; a skip with the reason where there is none, or where it may not be opened.
pub fn open() -> Result<File, Unmet> {
    if guest::code().is_empty() {
        return Err(skip!("no guest program for this architecture"));
    }
    let path = c"/dev/kvm";
    match File::open_at(linux_raw_sys::general::AT_FDCWD, path, linux_raw_sys::general::O_RDWR) {
        Ok(kvm) => Ok(kvm),
        Err(Errno::EACCES | Errno::EPERM) => Err(skip!("no permission for /dev/kvm")),
        Err(Errno::ENOENT) => Err(skip!("no /dev/kvm")),
        Err(errno @ (Errno::ENXIO | Errno::ENODEV)) => Err(skip!("/dev/kvm opens, but KVM is not there: {errno}")),
        Err(errno) => Err(crate::fail!("opening /dev/kvm: {errno}")),
    }
}

impl Machine {
    /// A machine whose guest stands before its first instruction.
    pub fn new(kvm: &File) -> Result<Self, Unmet> {
        let version = number(kvm, abi::GET_API_VERSION, 0).or_fail("KVM_GET_API_VERSION")?;
        ensure!(version == abi::API_VERSION, "KVM's API has version {version}, not {}", abi::API_VERSION);
        let vm = create(kvm, abi::CREATE_VM).or_fail("KVM_CREATE_VM")?;
        guest::prepare_vm(&vm)?;
        let memory = guest_memory(&vm)?;
        let vcpu = create(&vm, abi::CREATE_VCPU).or_fail("KVM_CREATE_VCPU")?;
        let size = number(kvm, abi::GET_VCPU_MMAP_SIZE, 0).or_fail("KVM_GET_VCPU_MMAP_SIZE")?;
        ensure!(size >= size_of::<Run>(), "a vCPU's state has only {size} bytes");
        let state = Mapping::of_file(vcpu.descriptor(), size).or_fail("mapping the vCPU's state")?;
        let mut machine = Self { state, vcpu, vm, _memory: memory };
        guest::prepare_vcpu(&mut machine)?;
        Ok(machine)
    }

    /// The machine's descriptor.
    pub fn vm(&self) -> &File {
        &self.vm
    }

    /// The vCPU's descriptor.
    pub fn vcpu(&self) -> &File {
        &self.vcpu
    }

    /// What the vCPU shares with the kernel.
    pub fn state(&mut self) -> &mut Run {
        // SAFETY: the mapping is at least as long as a `Run`, which is all integers. The kernel touches it within
        // KVM_RUN only, which needs `&mut self` too.
        unsafe { &mut *(self.state.address() as *mut Run) }
    }

    /// `KVM_RUN`: the guest runs up to its next exit. A signal may send it back before that, which is no error.
    ///
    /// # Errors
    ///
    /// A failure that says how else the guest came back.
    pub fn run(&mut self) -> Result<(), Unmet> {
        match number(&self.vcpu, abi::RUN, 0) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(()),
            Err(errno) => return Err(crate::fail!("KVM_RUN: {errno}")),
        }
        let state = self.state();
        if guest::is_its_exit(state) { Ok(()) } else { Err(left_its_loop(state)) }
    }
}

/// Which other exit it was; of an access to no memory, also to where, as that tells a guest that ran on into zeros from
/// one whose memory was gone.
#[cold]
fn left_its_loop(state: &Run) -> Unmet {
    let reason = state.exit_reason;
    if reason != abi::EXIT_MMIO {
        return crate::fail!("the guest left its loop: exit reason {reason}");
    }
    // SAFETY: all of the union is integers.
    let abi::Mmio { address, length, is_write, .. } = unsafe { state.exit.mmio };
    let access = if is_write == 0 { "load" } else { "store" };
    crate::fail!("the guest left its loop: a {access} of {length} bytes at {address:#x}, where it has no memory")
}

/// Gives the machine its memory, with the program in it.
fn guest_memory(vm: &File) -> Result<Mapping, Unmet> {
    let Layout { address, size, align, entry } = guest::LAYOUT;
    let memory = Mapping::shared(size + align).or_fail("memory for the guest")?;
    let start = memory.address().next_multiple_of(align);
    let code = guest::code();
    ensure!(entry + code.len() <= size, "the program does not fit");
    // SAFETY: the target lies within the new mapping, which nothing else uses, as it is `align` longer than `size`.
    unsafe { core::ptr::copy_nonoverlapping(code.as_ptr(), (start + entry) as *mut u8, code.len()) };
    let region = MemoryRegion { slot: 0, flags: 0, guest_address: address, size: size as u64, address: start as u64 };
    // SAFETY: the kernel reads the region; the memory that it names stays mapped for as long as the machine is.
    unsafe { ioctl(vm, abi::SET_USER_MEMORY_REGION, &raw const region as usize) }
        .or_fail("KVM_SET_USER_MEMORY_REGION")?;
    Ok(memory)
}

/// An ioctl whose argument is a number.
fn number(file: &File, request: u32, argument: usize) -> Result<usize, Errno> {
    // SAFETY: every caller here passes a request whose argument is a number. KVM_RUN alone changes memory: that of the
    // guest and of the vCPU's state, both of which belong to the machine.
    unsafe { ioctl(file, request, argument) }
}

/// An ioctl that makes a machine or a vCPU, with the argument 0.
fn create(file: &File, request: u32) -> Result<File, Errno> {
    let args = [file.descriptor() as usize, request as usize, 0];
    // SAFETY: both callers pass a request whose argument is a number, and which returns a new descriptor.
    unsafe { File::of_call(__NR_ioctl, args) }
}

# Commands for the critical sections of a process and of its libraries, from the arrays that rseq.ld keeps:
#
#     gdb -batch -x sections.gdb -ex rseq-sections -p PID
#     gdb -batch -x sections.gdb -ex 'catch syscall exit_group' -ex run -ex rseq-sections PROGRAM
#
# rseq-sections    lists them
# rseq-abort       moves a thread that is stopped in one to its abort handler
# rseq-next        runs over one
#
# The process has to have come past the dynamic linker, which fills the arrays in.

python
import re


class Section:
    """A critical section: first instruction, address after the last one, abort handler, exit points."""

    def __init__(self, descriptor, words, exits):
        self.descriptor = descriptor
        self.start, length, self.abort = words
        self.end = self.start + length
        self.leaves = [to for begin, to in exits if begin == self.start]

    def has(self, address):
        return self.start <= address < self.end

    def __str__(self):
        range = f"{self.start:#x} to {self.end:#x}"
        return f"section {range}, aborts to {self.abort:#x}, descriptor {self.descriptor:#x}{place(self.start)}"


def place(address):
    symbol = gdb.execute(f"info symbol {address:#x}", to_string=True).strip()
    return "" if symbol.startswith("No symbol") else f", in {symbol}"


def rseq_words(start, end):
    order = "little" if "little endian" in gdb.execute("show endian", to_string=True) else "big"
    memory = bytes(gdb.selected_inferior().read_memory(start, end - start))
    return [int.from_bytes(memory[at : at + 8], order) for at in range(0, len(memory), 8)]


def rseq_sections():
    arrays = {"__rseq_cs_ptr_array": [], "__rseq_exit_point_array": []}
    listed = re.findall(r"(0x[0-9a-f]+) - (0x[0-9a-f]+) is (\S+)", gdb.execute("info files", to_string=True))
    for start, end, name in listed:
        if name in arrays:
            arrays[name] += rseq_words(int(start, 16), int(end, 16))
    pointers, exits = arrays.values()
    exits = list(zip(exits[::2], exits[1::2]))
    return [Section(pointer, rseq_words(pointer + 8, pointer + 32), exits) for pointer in pointers]


def program_counter():
    return gdb.newest_frame().pc()


def around(sections):
    """The section that the selected thread is in."""
    return next((section for section in sections if section.has(program_counter())), None)


def go_to_abort(section):
    # In another frame than the newest, this would change the address that the frame's function returns to.
    gdb.newest_frame().select()
    gdb.execute(f"set var $pc = {section.abort:#x}", to_string=True)


class RseqSections(gdb.Command):
    """List the critical sections of this program and its libraries.

Each with its first instruction, its end, its abort handler and its exit points."""

    def __init__(self):
        super().__init__("rseq-sections", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        sections = rseq_sections()
        for section in sections:
            print(section)
            for leave in section.leaves:
                print(f"    leaves to {leave:#x}")
        print(f"{len(sections)} sections, {sum(len(section.leaves) for section in sections)} exit points")


class RseqAbort(gdb.Command):
    """Move this thread, or all of them (rseq-abort all), to the abort handler of the section that it is stopped in.

The kernel does that where a thread goes on inside of the section. It does not where the debugger lets it run other code
first: a function that is called, or an instruction that is stepped over in another place, as breakpoints are."""

    def __init__(self):
        super().__init__("rseq-abort", gdb.COMMAND_RUNNING)

    def invoke(self, argument, from_tty):
        if argument not in ("", "all"):
            raise gdb.GdbError("rseq-abort or rseq-abort all")
        selected, sections = gdb.selected_thread(), rseq_sections()
        if not selected:
            raise gdb.GdbError("There is no thread to move: the program is not being run.")
        for thread in gdb.selected_inferior().threads() if argument else [selected]:
            thread.switch()
            section = around(sections)
            if section:
                go_to_abort(section)
                moved = f"from the section at {section.start:#x} to its abort handler, {section.abort:#x}"
                print(f"thread {thread.num}: {moved}")
        selected.switch()


class RseqNext(gdb.Command):
    """Run this thread over a critical section: the one that it is stopped in, or the next one of its function.

It stops after the section, at one of its exit points, or where the function returns. Breakpoints inside the section are
off meanwhile, because each of them would make it begin again; all threads that are stopped in sections begin theirs
again."""

    def __init__(self):
        super().__init__("rseq-next", gdb.COMMAND_RUNNING)

    def invoke(self, argument, from_tty):
        thread = gdb.selected_thread()
        if not thread:
            raise gdb.GdbError("There is no thread to run: the program is not being run.")
        sections = rseq_sections()
        section = around(sections) or following(sections)
        if not section:
            raise gdb.GdbError("This function has no critical section from here on.")
        # Before threads move: the caller of an abort handler is the section.
        ends = [ThreadStop(f"*{address:#x}", thread) for address in (section.end, *section.leaves)]
        ends += function_return(thread)
        inside = breakpoints_in(section)
        for other in gdb.selected_inferior().threads():
            other.switch()
            crossed = around(sections)
            if crossed:
                go_to_abort(crossed)
        thread.switch()
        try:
            for number in inside:
                gdb.execute(f"disable {number}")
            gdb.execute("continue")
        finally:
            for stop in ends:
                if stop.is_valid():
                    stop.delete()
            for number in inside:
                gdb.execute(f"enable {number}")


class ThreadStop(gdb.Breakpoint):
    """An unlisted breakpoint of one thread."""

    def __init__(self, location, thread):
        super().__init__(location, internal=True)
        self.silent = True
        self.thread = thread.num


def following(sections):
    """The section that begins next in the function of the selected thread."""
    here = program_counter()
    function = name_of(here)
    later = [section for section in sections if section.start >= here and name_of(section.start) == function]
    return min(later, key=lambda section: section.start, default=None)


def name_of(address):
    return place(address).split(" + ")[0].split(" in section")[0]


def function_return(thread):
    """Where the function of this thread returns to."""
    frame = gdb.newest_frame()
    while frame and frame.type() == gdb.INLINE_FRAME:
        frame = frame.older()
    caller = frame and frame.older()
    return [ThreadStop(f"*{caller.pc():#x}", thread)] if caller and caller.is_valid() else []


def breakpoints_in(section):
    """Numbers of the enabled breakpoints inside of a section."""
    listed = gdb.execute("info breakpoints", to_string=True)
    rows = re.findall(r"^(\d+(?:\.\d+)?)\s.*?\by\s+(0x[0-9a-f]+)", listed, re.MULTILINE)
    return [number for number, address in rows if section.has(int(address, 16))]


RseqSections()
RseqAbort()
RseqNext()
end

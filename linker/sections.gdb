# Lists the critical sections of a process and of its libraries, from the arrays that rseq.ld keeps:
#
#     gdb -batch -x sections.gdb -ex rseq-sections -p PID
#     gdb -batch -x sections.gdb -ex 'catch syscall exit_group' -ex run -ex rseq-sections PROGRAM
#
# The process has to have come past the dynamic linker, which fills the arrays in.

python
import re


class RseqSections(gdb.Command):
    """List the critical sections of this program and its libraries: first instruction, end, abort handler, exit points."""

    NAMES = ("__rseq_cs_ptr_array", "__rseq_exit_point_array")

    def __init__(self):
        super().__init__("rseq-sections", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        little = "little endian" in gdb.execute("show endian", to_string=True)
        self.order = "little" if little else "big"
        arrays = {name: [] for name in self.NAMES}
        listed = re.findall(r"(0x[0-9a-f]+) - (0x[0-9a-f]+) is (\S+)", gdb.execute("info files", to_string=True))
        for start, end, name in listed:
            if name in arrays:
                arrays[name] += self.words(int(start, 16), int(end, 16))
        pointers, exits = (arrays[name] for name in self.NAMES)
        leaves = list(zip(exits[::2], exits[1::2]))
        for address in pointers:
            start, length, abort = self.words(address + 8, address + 32)
            print(f"section {start:#x} to {start + length:#x}, aborts to {abort:#x}, descriptor {address:#x}{self.place(start)}")
            for leave in [to for begin, to in leaves if begin == start]:
                print(f"    leaves to {leave:#x}")
        print(f"{len(pointers)} sections, {len(leaves)} exit points")

    def words(self, start, end):
        memory = bytes(gdb.selected_inferior().read_memory(start, end - start))
        return [int.from_bytes(memory[at : at + 8], self.order) for at in range(0, len(memory), 8)]

    @staticmethod
    def place(address):
        symbol = gdb.execute(f"info symbol {address:#x}", to_string=True).strip()
        return "" if symbol.startswith("No symbol") else f", in {symbol}"


RseqSections()
end

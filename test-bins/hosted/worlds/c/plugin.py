"""Eight threads of Python that count by libworlds under signals: plugin.py LIBRARY."""

import ctypes
import signal
import sys
import threading

THREADS, TIMES, CPUS, STRIDE = 8, 20000, 4096, 16

worlds = ctypes.CDLL(sys.argv[1])
words = (ctypes.c_ulong * (CPUS * STRIDE))()
size = ctypes.c_ulong
worlds.worlds_sum.restype = size
aborts = [ctypes.c_ulong() for _ in range(THREADS)]
texts = [ctypes.create_string_buffer(256) for _ in range(THREADS)]
errors = []


def run(number):
    worlds.worlds_status(texts[number], size(256))
    error = worlds.worlds_storm(words, size(CPUS), size(STRIDE), size(TIMES), ctypes.byref(aborts[number]))
    if error:
        errors.append(error)
    worlds.worlds_count(size(TIMES))


signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 0.00005, 0.00005)
threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
for thread in threads:
    thread.start()
# The signals of the process go to the other threads.
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
for thread in threads:
    thread.join()
signal.setitimer(signal.ITIMER_REAL, 0)

total, counted, aborted = sum(words), worlds.worlds_sum(), sum(each.value for each in aborts)
assert len({text.value for text in texts}) == 1, texts
print(texts[0].value.decode())
print(f"sections {total} of {THREADS * TIMES}\ncounter {counted} of {THREADS * TIMES}\naborts {aborted}")
print("errors", errors) if errors else None
sys.exit(total != THREADS * TIMES or counted != THREADS * TIMES or aborted == 0)

// SPDX-License-Identifier: MIT OR Apache-2.0
// A per-CPU stack in C++: c++ stack.cpp $(pkg-config --cflags --libs librseq)
#include <cstdio>
#include <rseq/rseq.h>
#include <vector>

struct Node {
	Node *next;
	int value;
};

struct alignas(128) Stack {
	intptr_t head = 0;
};

// Pushes a node on the stack of the current CPU.
static void push(std::vector<Stack> &stacks, Node *node)
{
	for (;;) {
		int cpu = static_cast<int>(rseq_cpu_start());
		intptr_t head = RSEQ_READ_ONCE(stacks[cpu].head);

		node->next = reinterpret_cast<Node *>(head);
		if (!rseq_load_cbne_store__ptr(RSEQ_MO_RELAXED, RSEQ_PERCPU_CPU_ID, &stacks[cpu].head, head,
				reinterpret_cast<intptr_t>(node), cpu))
			return;
	}
}

// Pops a node from the stack of the current CPU; returns nullptr if it is empty.
static Node *pop(std::vector<Stack> &stacks)
{
	intptr_t node;
	int cpu, result;

	do {
		cpu = static_cast<int>(rseq_cpu_start());
		result = rseq_load_cbeq_store_add_load_store__ptr(RSEQ_MO_RELAXED, RSEQ_PERCPU_CPU_ID, &stacks[cpu].head, 0,
				offsetof(Node, next), &node, cpu);
	} while (result < 0);
	return result ? nullptr : reinterpret_cast<Node *>(node);
}

int main()
{
	if (rseq_register_current_thread())
		return 1;
	std::vector<Stack> stacks(rseq_get_max_nr_cpus());
	Node nodes[3] = { { nullptr, 1 }, { nullptr, 2 }, { nullptr, 3 } };
	for (Node &node : nodes)
		push(stacks, &node);
	while (Node *node = pop(stacks))
		std::printf("popped %d\n", node->value);
	return rseq_unregister_current_thread();
}

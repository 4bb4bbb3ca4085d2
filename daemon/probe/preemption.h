// probe/preemption.h: whether this kernel lets others run in the middle of a BPF program.
//
// Then a second call of that program on the same CPU is refused meanwhile, and what it would have told is missed:
// programs on the kernel's functions suffer from it wherever the kernel is preemptible, those on trace points from 7.0
// on. Kprobes hardly do: they run with preemption off. That a program may turn preemption off itself
// (bpf_preempt_disable) does not help: turning it on again, it gives the CPU away while its call still counts.
#pragma once

#include <string>

namespace aa {

// As debugfs has it, "none voluntary (full) lazy"; where it is not there, as the version's own words and number have
// it (uname -v, -r).
bool preempts(const std::string& debugfs, const std::string& version, const std::string& release);

bool kernel_preempts_programs();  // looked up once

}  // namespace aa

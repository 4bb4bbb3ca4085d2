/* A program's stack is its thread's own. Since 6.13 the kernel gives larger programs a stack for each CPU, taking for
 * granted that nothing else runs a program there before it has ended. Of programs on user space's functions that is not
 * true: they can be preempted, and whoever comes next on that CPU writes into what the first has on its stack. A
 * program in which there is a tail call, be it one that never happens, is left on its thread's stack
 * (bpf_enable_priv_stack() in the kernel's verifier). It costs nothing: the verifier takes out what cannot be reached.
 */
#ifndef AA_OWN_STACK_BPF_H
#define AA_OWN_STACK_BPF_H

#include "lib/maps.bpf.h"

#if AA_SINCE_5_17
const volatile __u32 aa_never = 0;

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} aa_nowhere SEC(".maps");

#define AA_OWN_STACK(context) \
  if (aa_never) bpf_tail_call(context, &aa_nowhere, 0)
#else
#define AA_OWN_STACK(context)
#endif

#endif

// event/event_fields.h: what of an event a capture holds: all of it.
//
// Every function names all members: one that is added and forgotten here does not compile. Their order is the format:
// changing it makes another version (capture_file.h).
#pragma once

#include "event/archive.h"
#include "event/event.h"

namespace aa {

template <class A>
void fields(A& archive, ProcessId& value) {
  auto& [pid, start_ns] = value;
  archive(pid, start_ns);
}

template <class A>
void fields(A& archive, ProcessRef& value) {
  auto& [id, tid, ns_pid, parent, source, uid, gid, image, cgroup_id, comm, cgroup, exe] = value;
  archive(id, tid, ns_pid, parent);
  archive.choice(source, 2);
  archive(uid, gid, image, cgroup_id, comm, cgroup, exe);
}

template <class A>
void fields(A& archive, TargetRef& value) {
  auto& [id, name] = value;
  archive(id, name);
}

template <class A>
void fields(A& archive, ForkBody& value) {
  auto& [child, child_ns_pid] = value;
  archive(child, child_ns_pid);
}

template <class A>
void fields(A& archive, ExecBody& value) {
  auto& [filename, argv, cwd, interpreter, result, argv_truncated, argv_unreadable, memfd, deleted, exe_truncated,
         cwd_truncated, cwd_deleted, filename_truncated, interpreter_truncated, stdin_inet, discovered, stdin_pipe,
         stdout_pipe, exe_ino, exe_dev] = value;
  archive(filename, argv, cwd, interpreter, result, argv_truncated, argv_unreadable, memfd, deleted, exe_truncated,
          cwd_truncated, cwd_deleted, filename_truncated, interpreter_truncated, stdin_inet, discovered, stdin_pipe,
          stdout_pipe, exe_ino, exe_dev);
}

template <class A>
void fields(A& archive, ExitBody& value) {
  auto& [status, runtime_ns] = value;
  archive(status, runtime_ns);
}

template <class A>
void fields(A& archive, RefusedBody& value) {
  auto& [child, child_ns_pid] = value;
  archive(child, child_ns_pid);
}

template <class A>
void fields(A& archive, FilePath& value) {
  auto& [path, ns_path, requested, deleted, outside_root, detached, too_long, changed, inner] = value;
  archive(path, ns_path, requested, deleted, outside_root, detached, too_long, changed, inner);
}

template <class A>
void fields(A& archive, MountedPath& value) {
  auto& [point, bound, within, on_path, all] = value;
  archive(point, bound, within, on_path, all);
}

template <class A>
void fields(A& archive, FileBody& value) {
  auto& [op, at, to, flags, mode, result, bytes, count, dev, ino, inode_generation, verdict, rule, generation,
         sensitive, resolution, hook, via, objects, mounted, sum_key, foreign, is_folder] = value;
  archive.choice(op, kFileOps);
  archive(at, to, flags, mode, result, bytes, count, dev, ino, inode_generation);
  archive.choice(verdict, kVerdictCount);
  archive(rule, generation, sensitive);
  archive.choice(resolution, 3);
  archive.choice(hook, 4);
  archive.choice(via, 2);
  archive(objects, mounted, sum_key, foreign, is_folder);
}

template <class A>
void fields(A& archive, SumKey& value) {
  auto& [process, file, ino, dev, inode_generation, generation] = value;  // the generation stands in the sum
  archive(process, file, ino, dev, inode_generation);
}

template <class A>
void fields(A& archive, FileSum& value) {
  auto& [key, slot, last_boot_ns, read_bytes, reads, write_bytes, writes] = value;
  archive(key, slot, last_boot_ns, key.generation, read_bytes, reads, write_bytes, writes);
}

template <class A>
void fields(A& archive, FileSumBody& value) {
  auto& [sum] = value;
  archive(sum);
}

template <class A>
void fields(A&, AdoptedBody&) {}

template <class A>
void fields(A& archive, TlsRedaction& value) {
  auto& [kind, offset, length] = value;
  archive(kind, offset, length);
}

template <class A>
void fields(A& archive, TlsBody& value) {
  auto& [function, direction, connection, inherited_from, peer, peer_source, from_start, offset, length, call_length,
         withheld, is_full, undone, stream, data, redactions] = value;
  archive(function);
  archive.choice(direction, 2);
  archive(connection, inherited_from, peer);
  archive.choice(peer_source, kPeerSourceCount);
  archive(from_start, offset, length, call_length);
  archive.choice(withheld, kWithheldCount);
  archive(is_full, undone, stream, data, redactions);
}

template <class A>
void fields(A& archive, TlsConnectionBody& value) {
  auto& [connection, inherited_from, peer, peer_source] = value;
  archive(connection, inherited_from, peer);
  archive.choice(peer_source, kPeerSourceCount);
}

template <class A>
void fields(A& archive, TlsClosedBody& value) {
  auto& [connection] = value;
  archive(connection);
}

template <class A>
void fields(A& archive, AncestryItem& value) {
  auto& [id, exe, argv] = value;
  archive(id, exe, argv);
}

template <class A>
void fields(A& archive, AlertBody& value) {
  auto& [kind, severity, rule, summary, ancestry, cause_seq, detect_class] = value;
  archive(kind);
  archive.choice(severity, 3);
  archive(rule, summary, ancestry, cause_seq, detect_class);
}

template <class A>
void fields(A& archive, LossBody& value) {
  auto& [family, cause, count, first_boot_ns, last_boot_ns] = value;
  archive(family, cause, count, first_boot_ns, last_boot_ns);
}

template <class A>
void fields(A& archive, GapBody& value) {
  auto& [from_boot_ns, to_boot_ns, reason] = value;
  archive(from_boot_ns, to_boot_ns, reason);
}

template <class A>
void fields(A& archive, TargetBody& value) {
  auto& [change, adopted] = value;
  archive.choice(change, 4);
  archive(adopted);
}

template <class A>
void fields(A& archive, ProbeBody& value) {
  auto& [family, program, hook, state, error_number, reason] = value;
  archive(family, program, hook);
  archive.choice(state, 5);
  archive(error_number, reason);
}

template <class A>
void fields(A& archive, Event& value) {
  auto& [seq, boot_ns, wall_ns, slot, target, process, body] = value;
  archive(seq, boot_ns, wall_ns, slot, target, process, body);
}

}  // namespace aa

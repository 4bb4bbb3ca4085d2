// tests/support/builders.h: events and raw records that read as sentences.
//
//   const Who agent = a_process(100, 5'000, "agent");
//   const Who curl = a_process(200, 9'000, "curl").child_of(agent);
//   Event event = an_exec().of(curl).argv({"curl", "-s"}).exe("/usr/bin/curl").event();
//   Bytes record = an_exec().of(curl).child_of(agent).argv({"curl"}).record();   // as the kernel would write it
//
// event() is what decode makes of record(): target, seq and wall time are unset. Header only; knows bpf/abi and event/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "abi/event.h"
#include "event/event.h"

namespace aa::test {

using Bytes = std::vector<std::byte>;

// A process as an event's header shows it. Every builder takes its identity from one.
struct Who : ProcessRef {
  Who child_of(const ProcessRef& parent_process) const {
    Who copy = *this;
    copy.parent = parent_process.id;
    return copy;
  }
  Who with_image(std::uint32_t execs) const {
    Who copy = *this;
    copy.image = execs;
    return copy;
  }
};

inline Who a_process(std::uint32_t pid, std::uint64_t start_ns, std::string_view comm = "proc") {
  Who who;
  who.id = {pid, start_ns};
  who.tid = pid;
  who.ns_pid = pid;
  who.uid = 1000;
  who.gid = 1000;
  who.cgroup_id = 77;
  who.comm = comm;
  return who;
}

template <class T>
void put(Bytes& out, const T& value) {
  const auto* first = reinterpret_cast<const std::byte*>(&value);
  out.insert(out.end(), first, first + sizeof(value));
}

inline void put_text(Bytes& out, std::string_view text) {
  const auto* first = reinterpret_cast<const std::byte*>(text.data());
  out.insert(out.end(), first, first + text.size());
}

// Overwrites a field of a record: patch(record, offsetof(aa_header, version), std::uint16_t{9}).
template <class T>
void patch(Bytes& record, std::size_t offset, T value) {
  std::memcpy(record.data() + offset, &value, sizeof(value));
}

// What every kernel event has: who, when, which slot.
template <class Self>
class RecordBuilder {
 public:
  Self& of(const ProcessRef& who) {
    who_ = who;
    return self();
  }
  Self& child_of(const ProcessRef& parent) {
    who_.parent = parent.id;
    return self();
  }
  Self& at(std::uint64_t boot_ns) {
    boot_ns_ = boot_ns;
    return self();
  }
  Self& in_slot(std::uint32_t slot) {
    slot_ = slot;
    return self();
  }

  operator Event() const { return self().event(); }

 protected:
  Event base_event() const {
    Event event;
    event.boot_ns = boot_ns_;
    event.slot = slot_;
    event.process = who_;
    return event;
  }

  aa_header base_header(std::uint16_t kind, std::size_t size) const {
    aa_header header{};
    header.version = AA_RECORD_VERSION;
    header.kind = kind;
    header.size = static_cast<std::uint32_t>(size);
    header.boot_ns = boot_ns_;
    header.start_ns = who_.id.start_ns;
    header.parent_start_ns = who_.parent.start_ns;
    header.cgroup_id = who_.cgroup_id;
    header.tgid = who_.id.pid;
    header.tid = who_.tid;
    header.parent_tgid = who_.parent.pid;
    header.ns_tgid = who_.ns_pid;
    header.uid = who_.uid;
    header.gid = who_.gid;
    header.image = who_.image;
    header.slot = slot_;
    header.flags = who_.parent_source == ParentSource::current ? AA_HEADER_PARENT_CURRENT : 0;
    who_.comm.copy(reinterpret_cast<char*>(header.comm), AA_COMM_LEN);
    return header;
  }

  ProcessRef who_ = a_process(4300, 98'123);
  std::uint64_t boot_ns_ = 1'000'000;
  std::uint32_t slot_ = 1;

 private:
  Self& self() { return static_cast<Self&>(*this); }
  const Self& self() const { return static_cast<const Self&>(*this); }
};

// fork and refused: `of` is the parent, `child` the new process.
template <class Body, std::uint16_t kKind>
class ForkBuilder : public RecordBuilder<ForkBuilder<Body, kKind>> {
 public:
  ForkBuilder& child(const ProcessRef& child) {
    child_ = child;
    return *this;
  }
  Event event() const {
    Event event = this->base_event();
    event.body = Body{child_.id, child_.ns_pid};
    return event;
  }
  Bytes record() const {
    aa_fork fork{};
    fork.header = this->base_header(kKind, sizeof(fork));
    fork.child_start_ns = child_.id.start_ns;
    fork.child_tgid = child_.id.pid;
    fork.child_ns_tgid = child_.ns_pid;
    Bytes out;
    put(out, fork);
    return out;
  }

 private:
  ProcessRef child_ = a_process(4301, 98'500);
};

class AdoptedBuilder : public RecordBuilder<AdoptedBuilder> {
 public:
  Event event() const {
    Event event = base_event();
    event.body = AdoptedBody{};
    return event;
  }
  Bytes record() const {
    aa_fork fork{};
    fork.header = base_header(AA_KIND_ADOPTED, sizeof(fork));
    Bytes out;
    put(out, fork);
    return out;
  }
};

// A successful exec unless failed_with() is told an errno. Like the kernel, of(who) means the state after the exec:
// its image counts this exec too.
class ExecBuilder : public RecordBuilder<ExecBuilder> {
 public:
  ExecBuilder() { who_.image = 1; }

  ExecBuilder& exe(std::string_view path) {
    who_.exe = path;
    return *this;
  }
  ExecBuilder& filename(std::string_view path) {
    body_.filename = path;
    return *this;
  }
  ExecBuilder& argv(std::vector<std::string> elements) {
    body_.argv = std::move(elements);
    return *this;
  }
  ExecBuilder& cwd(std::string_view path) {
    body_.cwd = path;
    return *this;
  }
  ExecBuilder& interpreter(std::string_view path) {
    body_.interpreter = path;
    return *this;
  }
  ExecBuilder& failed_with(int positive_errno) {
    body_.result = -positive_errno;
    who_.exe.clear();
    return *this;
  }
  // Pipes that standard input reads and standard output writes.
  ExecBuilder& between_pipes(std::uint64_t in, std::uint64_t out) {
    body_.stdin_pipe = in;
    body_.stdout_pipe = out;
    return *this;
  }
  // Any further mark: an_exec().marked([](ExecBody& body) { body.memfd = true; }).
  template <class Mark>
  ExecBuilder& marked(Mark mark) {
    mark(body_);
    return *this;
  }

  Event event() const {
    Event event = base_event();
    event.body = body_;
    return event;
  }

  // A cut argv lacks its last NUL, as when the kernel stops in the middle of an element.
  Bytes record() const {
    std::string argv;
    for (const std::string& element : body_.argv) argv.append(element).push_back('\0');
    if (body_.argv_truncated && !argv.empty()) argv.pop_back();
    const std::string text = argv + body_.filename + body_.interpreter + who_.exe + body_.cwd;
    aa_exec exec{};
    exec.header = base_header(body_.result == 0 ? AA_KIND_EXEC : AA_KIND_EXEC_FAILED, sizeof(exec) + text.size());
    exec.argv_len = static_cast<std::uint32_t>(argv.size());
    exec.argv_total = exec.argv_len + (body_.argv_truncated ? 100 : 0);
    exec.argc = static_cast<std::uint32_t>(body_.argv.size());
    exec.filename_len = static_cast<std::uint32_t>(body_.filename.size());
    exec.interp_len = static_cast<std::uint32_t>(body_.interpreter.size());
    exec.exe_len = static_cast<std::uint32_t>(who_.exe.size());
    exec.cwd_len = static_cast<std::uint32_t>(body_.cwd.size());
    exec.flags = flags();
    exec.result = body_.result;
    exec.stdin_pipe = body_.stdin_pipe;
    exec.stdout_pipe = body_.stdout_pipe;
    exec.exe_ino = body_.exe_ino;
    exec.exe_dev = body_.exe_dev;
    Bytes out;
    put(out, exec);
    put_text(out, text);
    return out;
  }

 private:
  std::uint32_t flags() const {
    return (body_.argv_truncated ? AA_EXEC_ARGV_CUT : 0) | (body_.argv_unreadable ? AA_EXEC_ARGV_FAULT : 0) |
           (body_.memfd ? AA_EXEC_MEMFD : 0) | (body_.deleted ? AA_EXEC_DELETED : 0) |
           (body_.exe_truncated ? AA_EXEC_EXE_CUT : 0) | (body_.cwd_truncated ? AA_EXEC_CWD_CUT : 0) |
           (body_.filename_truncated ? AA_EXEC_FILENAME_CUT : 0) |
           (body_.interpreter_truncated ? AA_EXEC_INTERP_CUT : 0) | (body_.stdin_inet ? AA_EXEC_STDIN_INET : 0) |
           (body_.cwd_deleted ? AA_EXEC_CWD_DELETED : 0);
  }

  ExecBody body_;
};

class ExitBuilder : public RecordBuilder<ExitBuilder> {
 public:
  ExitBuilder& code(std::uint32_t code) {
    status_ = code << 8;
    return *this;
  }
  ExitBuilder& killed_by(std::uint32_t signal, bool core_dumped = false) {
    status_ = signal | (core_dumped ? 0x80u : 0u);
    return *this;
  }
  Event event() const {
    Event event = base_event();
    const std::uint64_t start = who_.id.start_ns;
    event.body = ExitBody{status_, boot_ns_ > start ? boot_ns_ - start : 0};
    return event;
  }
  Bytes record() const {
    aa_exit exit{};
    exit.header = base_header(AA_KIND_EXIT, sizeof(exit));
    exit.status = status_;
    Bytes out;
    put(out, exit);
    return out;
  }

 private:
  std::uint32_t status_ = 0;
};

inline ForkBuilder<ForkBody, AA_KIND_FORK> a_fork() {
  return {};
}
inline ForkBuilder<RefusedBody, AA_KIND_REFUSED> a_refusal() {
  return {};
}
inline AdoptedBuilder an_adoption() {
  return {};
}
// The program that says whether files are seen at all.
inline ProbeBody a_file_probe(ProbeState state) {
  return {"file", "aa_file_exit", "raw_tp/sys_exit", state, 0, ""};
}
inline ExecBuilder an_exec() {
  return {};
}
inline ExitBuilder an_exit() {
  return {};
}

}  // namespace aa::test

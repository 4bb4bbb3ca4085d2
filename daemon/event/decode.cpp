// event/decode.cpp: with decode_file.cpp and decode_tls.cpp the only reader of bpf/abi/event.h. Nothing in a record is
// believed before it is checked.
#include "event/decode.h"

#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "abi/event.h"
#include "event/bad_record.h"
#include "event/decode_file.h"
#include "event/decode_tls.h"

namespace aa {
namespace {

std::string expected(std::string_view what, std::uint64_t got, std::uint64_t wanted) {
  return std::string(what) + " " + std::to_string(got) + " instead of " + std::to_string(wanted);
}

std::string too_long(std::string_view what, std::uint64_t got, std::uint64_t limit) {
  return std::string(what) + " claims " + std::to_string(got) + " bytes, at most " + std::to_string(limit) + " allowed";
}

// Records need not be aligned: copied out, never cast.
template <class T>
T copy_of(std::span<const std::byte> record) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  std::memcpy(&value, record.data(), sizeof(value));
  return value;
}

std::string comm_of(const aa_header& header) {
  const auto* text = reinterpret_cast<const char*>(header.comm);
  return {text, strnlen(text, AA_COMM_LEN)};
}

Event event_of(const aa_header& header) {
  ProcessRef process;
  process.id = {header.tgid, header.start_ns};
  process.tid = header.tid;
  process.ns_pid = header.ns_tgid;
  if (header.parent_tgid != 0) process.parent = {header.parent_tgid, header.parent_start_ns};
  if ((header.flags & AA_HEADER_PARENT_CURRENT) != 0) process.parent_source = ParentSource::current;
  process.uid = header.uid;
  process.gid = header.gid;
  process.image = header.image;
  process.cgroup_id = header.cgroup_id;
  process.comm = comm_of(header);
  Event event;
  event.boot_ns = header.boot_ns;
  event.slot = header.slot;
  event.process = std::move(process);
  return event;
}

// Every record begins with its version and its kind.
constexpr std::size_t kKindEnd = offsetof(aa_header, kind) + sizeof(aa_header::kind);
static_assert(offsetof(aa_header, kind) == offsetof(aa_tls, kind));

std::uint16_t kind_of(std::span<const std::byte> record) {
  return copy_of<std::uint16_t>(record.subspan(offsetof(aa_header, kind)));
}

Result<Event> decode_fork(const aa_header& header, std::span<const std::byte> record) {
  if (record.size() != sizeof(aa_fork))
    return bad_record(expected("fork record's size is", record.size(), sizeof(aa_fork)));
  const auto fork = copy_of<aa_fork>(record);
  Event event = event_of(header);
  if (header.kind == AA_KIND_ADOPTED) {
    event.body = AdoptedBody{};
    return event;
  }
  if (fork.child_tgid == 0) return bad_record("a fork without a child");
  const ProcessId child{fork.child_tgid, fork.child_start_ns};
  if (header.kind == AA_KIND_FORK) {
    event.body = ForkBody{child, fork.child_ns_tgid};
  } else {
    event.body = RefusedBody{child, fork.child_ns_tgid};
  }
  return event;
}

Result<Event> decode_exit(const aa_header& header, std::span<const std::byte> record) {
  if (record.size() != sizeof(aa_exit))
    return bad_record(expected("exit record's size is", record.size(), sizeof(aa_exit)));
  Event event = event_of(header);
  ExitBody body;
  body.status = copy_of<aa_exit>(record).status;
  body.runtime_ns = header.boot_ns > header.start_ns ? header.boot_ns - header.start_ns : 0;
  event.body = body;
  return event;
}

// Every length within its limit, and all of them together exactly what follows the struct. The sum cannot overflow:
// it is only taken once each is known to be small.
Status check_lengths(const aa_exec& exec, std::size_t text_size) {
  if (exec.argv_len > AA_ARGV_LIMIT) return bad_record(too_long("argv", exec.argv_len, AA_ARGV_LIMIT));
  if (exec.filename_len > AA_PATH_MAX) return bad_record(too_long("filename", exec.filename_len, AA_PATH_MAX));
  if (exec.interp_len > AA_INTERP_MAX) return bad_record(too_long("interpreter", exec.interp_len, AA_INTERP_MAX));
  if (exec.exe_len > AA_PATH_MAX) return bad_record(too_long("exe", exec.exe_len, AA_PATH_MAX));
  if (exec.cwd_len > AA_PATH_MAX) return bad_record(too_long("cwd", exec.cwd_len, AA_PATH_MAX));
  const std::size_t sum =
      std::size_t{exec.argv_len} + exec.filename_len + exec.interp_len + exec.exe_len + exec.cwd_len;
  if (sum != text_size) return bad_record(expected("the strings together are", sum, text_size));
  return Done{};
}

Status check_outcome(const aa_exec& exec) {
  const bool failed = exec.header.kind == AA_KIND_EXEC_FAILED;
  if (failed ? exec.result >= 0 : exec.result != 0) {
    return bad_record("an exec of kind " + std::to_string(exec.header.kind) + " with result " +
                      std::to_string(exec.result));
  }
  if ((exec.flags & AA_EXEC_ARGV_FAULT) != 0 && exec.argv_len != 0) {
    return bad_record("argv marked unreadable, yet " + std::to_string(exec.argv_len) + " bytes of it");
  }
  return Done{};
}

// NUL after every element; the last may lack it when argv was cut. No bytes: no elements.
std::vector<std::string> split_argv(std::string_view bytes) {
  std::vector<std::string> argv;
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\0');
    argv.emplace_back(bytes.substr(0, end));
    if (end == std::string_view::npos) break;
    bytes.remove_prefix(end + 1);
  }
  return argv;
}

Result<Event> decode_exec(const aa_header& header, std::span<const std::byte> record) {
  if (record.size() < sizeof(aa_exec))
    return bad_record(expected("exec record's size is", record.size(), sizeof(aa_exec)));
  const auto exec = copy_of<aa_exec>(record);
  std::string_view text(reinterpret_cast<const char*>(record.data()) + sizeof(aa_exec),
                        record.size() - sizeof(aa_exec));
  if (Status status = check_lengths(exec, text.size()); !status) return status.error();
  if (Status status = check_outcome(exec); !status) return status.error();
  const auto take = [&text](std::size_t length) {
    const std::string_view part = text.substr(0, length);
    text.remove_prefix(length);
    return part;
  };
  const auto flag = [&exec](std::uint32_t bit) { return (exec.flags & bit) != 0; };
  ExecBody body;
  body.argv = split_argv(take(exec.argv_len));
  body.filename = take(exec.filename_len);
  body.interpreter = take(exec.interp_len);
  Event event = event_of(header);
  event.process->exe = take(exec.exe_len);
  body.cwd = take(exec.cwd_len);
  body.result = exec.result;
  body.argv_truncated = flag(AA_EXEC_ARGV_CUT) || exec.argv_total > exec.argv_len;
  body.argv_unreadable = flag(AA_EXEC_ARGV_FAULT);
  body.discovered = (header.flags & AA_HEADER_DISCOVERED) != 0;
  body.stdin_pipe = exec.stdin_pipe;
  body.stdout_pipe = exec.stdout_pipe;
  body.exe_ino = exec.exe_ino;
  body.exe_dev = exec.exe_dev;
  body.stdin_inet = flag(AA_EXEC_STDIN_INET);
  body.memfd = flag(AA_EXEC_MEMFD);
  body.deleted = flag(AA_EXEC_DELETED);
  body.exe_truncated = flag(AA_EXEC_EXE_CUT);
  body.cwd_truncated = flag(AA_EXEC_CWD_CUT);
  body.cwd_deleted = flag(AA_EXEC_CWD_DELETED);
  body.filename_truncated = flag(AA_EXEC_FILENAME_CUT);
  body.interpreter_truncated = flag(AA_EXEC_INTERP_CUT);
  event.body = std::move(body);
  return event;
}

}  // namespace

Result<Event> decode(std::span<const std::byte> record) {
  if (record.size() >= kKindEnd && is_tls_kind(kind_of(record))) return decode_tls(record);
  if (record.size() < sizeof(aa_header)) return bad_record(expected("its size is", record.size(), sizeof(aa_header)));
  const auto header = copy_of<aa_header>(record);
  if (header.version != AA_RECORD_VERSION)
    return bad_record(expected("its version is", header.version, AA_RECORD_VERSION));
  if (header.size != record.size()) return bad_record(expected("it claims a size of", header.size, record.size()));
  if (header.tgid == 0) return bad_record("it names no process");
  switch (header.kind) {
    case AA_KIND_FORK:
    case AA_KIND_REFUSED:
    case AA_KIND_ADOPTED:
      return decode_fork(header, record);
    case AA_KIND_EXEC:
    case AA_KIND_EXEC_FAILED:
      return decode_exec(header, record);
    case AA_KIND_EXIT:
      return decode_exit(header, record);
    case AA_KIND_FILE:
      return decode_file(event_of(header), record);
    case AA_KIND_FILE_SUM:
      return decode_file_sum(event_of(header), record);
    default:
      return bad_record("unknown kind " + std::to_string(header.kind));
  }
}

}  // namespace aa

// event/event.h: what happened, as plain values.
//
// Comes in: nothing. Goes out: the Event every room right of `decode` speaks. Strings hold the exact bytes the kernel
// gave, whatever their encoding; `json` and the D-Bus rooms make them presentable. No I/O, no clock, no kernel types.
#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace aa {

// A thread group for the whole life of this boot: id in the initial pid namespace and start in CLOCK_BOOTTIME ns.
struct ProcessId {
  std::uint32_t pid = 0;
  std::uint64_t start_ns = 0;

  auto operator<=>(const ProcessId&) const = default;
  explicit operator bool() const { return pid != 0; }
  std::string text() const;  // "4242-98123456789"
};

// Parses "pid-start" (both decimal, nothing else); nullopt otherwise.
std::optional<ProcessId> parse_process_id(std::string_view text);

enum class ParentSource : std::uint8_t { birth, current };

// The process an event is about, as it was when it happened.
struct ProcessRef {
  ProcessId id;
  std::uint32_t tid = 0;
  std::uint32_t ns_pid = 0;  // in its own pid namespace; equals id.pid in the initial one
  ProcessId parent;          // {} when unknown
  ParentSource parent_source = ParentSource::birth;
  std::uint32_t uid = 0;  // effective
  std::uint32_t gid = 0;
  std::uint32_t image = 0;  // successful execs so far
  std::uint64_t cgroup_id = 0;
  std::string comm;
  std::string cgroup;  // path below the cgroup v2 root, "" when it could not be resolved
  std::string exe;     // of record's `image`; filled by the Monitor except for exec, where decode fills it
};

struct TargetRef {
  std::string id;
  std::string name;
};

struct ForkBody {
  ProcessId child;
  std::uint32_t child_ns_pid = 0;
};

struct ExecBody {
  std::string filename;  // as requested
  std::vector<std::string> argv;
  std::string cwd;
  std::string interpreter;  // "" when the kernel ran `filename` itself
  std::int32_t result = 0;  // 0, or a negative errno
  bool argv_truncated = false;
  bool argv_unreadable = false;
  bool memfd = false;
  bool deleted = false;
  bool exe_truncated = false;
  bool cwd_truncated = false;
  bool cwd_deleted = false;
  bool filename_truncated = false;
  bool interpreter_truncated = false;
  bool stdin_inet = false;  // standard input is a network connection
  bool discovered = false;  // it started its target, by its name; ends in the Monitor
  // Never shown:
  std::uint64_t stdin_pipe = 0;   // which pipe standard input reads, and
  std::uint64_t stdout_pipe = 0;  // standard output writes: the same number at both ends, 0 none
  std::uint64_t exe_ino = 0;      // the executable's file, the kernel's own pair
  std::uint32_t exe_dev = 0;
};

struct ExitBody {
  std::uint32_t status = 0;  // wait status: code << 8 | signal | 0x80 when core dumped
  std::uint64_t runtime_ns = 0;
};

// Kernel-only bodies: they feed the Monitor and never reach a sink.
struct RefusedBody {  // the header's process forked a child that found no room in the watched set
  ProcessId child;
  std::uint32_t child_ns_pid = 0;
};
// Names reads and writes summed by the kernel: one process's use of one open file.
struct SumKey {
  ProcessId process;
  std::uint64_t file = 0;
  std::uint64_t ino = 0;
  std::uint32_t dev = 0;
  std::uint32_t inode_generation = 0;
  std::uint64_t generation = 0;  // of the rules: calls judged by others are in another sum

  auto operator<=>(const SumKey&) const = default;
};
struct FileSum {
  SumKey key;
  std::uint32_t slot = 0;
  std::uint64_t last_boot_ns = 0;
  std::uint64_t read_bytes = 0;
  std::uint64_t reads = 0;
  std::uint64_t write_bytes = 0;
  std::uint64_t writes = 0;
};
struct FileSumBody {  // a sum ended with its file's last descriptor
  FileSum sum;
};
struct AdoptedBody {};  // the header's process entered the watched set while its tree was being enrolled

enum class FileOp : std::uint8_t {
  open,
  read,
  write,
  create,
  unlink,
  rmdir,
  mkdir,
  mknod,
  rename,
  link,
  symlink,
  truncate,
  chmod,
  chown,
  mmap,
  mprotect,
};
inline constexpr std::size_t kFileOps = 16;

enum class Verdict : std::uint8_t { none, allow, deny, watch };
inline constexpr std::size_t kVerdictCount = 4;
enum class Resolution : std::uint8_t { kernel, user, unresolved };
enum class FileHook : std::uint8_t { tracepoint, kprobe, fentry, lsm };
enum class FileVia : std::uint8_t { syscall, io_uring };

// Where a path leads, and how sure that is. Paths are exact bytes.
struct FilePath {
  std::string path;       // as the process's root shows it; "" unknown
  std::string ns_path;    // from the mount namespace's root, "" when it is the same
  std::string requested;  // what the program passed, "" when it passed none or the very path
  bool deleted = false;
  bool outside_root = false;  // the process's root was not met on the way up
  bool detached = false;      // no place in this mount namespace's tree: memfd, pipe, unmounted, another namespace
  bool too_long = false;      // a tail
  bool changed = false;       // the string was another one when the call returned
  std::string inner = {};     // from its file system's root (a procfs's: from /proc), where that differs; never shown

  const std::string& from_namespace() const { return ns_path.empty() ? path : ns_path; }
  std::string root() const;  // the process's own, from the namespace's; "" where they are the same
  // Resolved to the end: may be matched as a path.
  bool whole() const { return !path.empty() && !detached && !too_long; }
};

// Whether a path can be taken at its word, for somebody may have mounted something on it.
struct MountedPath {
  std::uint32_t point = 0;  // bytes of the path that its last mount point takes; 0: the root's own
  bool bound = false;       // a part of another tree is mounted on it
  // Of the rule objects that were met the first so many: in what is mounted there or its root; further up on the path
  // as well; and in the folders that a bound part really lies in.
  std::uint32_t within = 0, on_path = 0, all = 0;
};

struct FileBody {
  FileOp op = FileOp::open;
  FilePath at;
  std::optional<FilePath> to;          // the second path of rename, link and symlink
  std::optional<std::uint32_t> flags;  // open's, as the kernel took them; prot of mmap and mprotect; rename's, if any
  std::optional<std::uint32_t> mode;   // open with O_CREAT, mkdir, mknod, chmod
  std::int64_t result = 0;             // descriptor, bytes, or a negative errno
  std::optional<std::uint64_t> bytes;  // read, write: moved
  std::uint64_t count = 1;             // calls this event stands for
  std::uint32_t dev = 0;               // the kernel's own pair, 0 when no object was seen
  std::uint64_t ino = 0;
  std::uint32_t inode_generation = 0;
  Verdict verdict = Verdict::none;  // set by the Monitor, with rule and sensitive
  std::string rule;
  std::uint64_t generation = 0;  // of the rules it was judged by
  bool sensitive = false;
  Resolution resolution = Resolution::unresolved;
  FileHook hook = FileHook::tracepoint;
  FileVia via = FileVia::syscall;
  std::vector<std::uint32_t> objects;  // rule objects the kernel met; never shown
  MountedPath mounted;                 // never shown
  std::uint64_t sum_key = 0;           // names the kernel's sum this opened, 0 none; never shown
  bool foreign = false;    // its process lives in another mount namespace than the machine's first; never shown
  bool is_folder = false;  // what gets another name, where it was seen; never shown
};

enum class TlsDirection : std::uint8_t { send, recv };
// Why bytes of the stream are not in `data`: none is missing; the target's level; more than is taken of one call; their
// memory could not be read; they came from a file and not from memory. Of coded bytes: what they hold is no text;
// nobody here undoes that coding; it could not be undone from some place on; undoing it would take too much.
enum class Withheld : std::uint8_t { nothing, level, limit, unreadable, file, binary, coding, broken, bound };
inline constexpr std::size_t kWithheldCount = 9;

// What was undone to get at a text: a set of bits, the outermost first.
using Undone = std::uint8_t;
inline constexpr Undone kHttp2 = 1, kHpack = 2, kWebSocket = 4, kChunked = 8, kGzip = 16, kDeflate = 32, kBrotli = 64,
                        kZstd = 128;
inline constexpr std::size_t kUndoneCount = 8;

// Bytes that are not shown, in the middle of others.
struct TlsRedaction {
  std::string kind;          // what they were taken for
  std::uint64_t offset = 0;  // as TlsBody's; where something was undone, in `data`
  std::uint64_t length = 0;

  bool operator==(const TlsRedaction&) const = default;
};

// How a connection's other end is known: AA_TLS_PEER_* of bpf/abi/event.h.
enum class PeerSource : std::uint8_t { none, descriptor, call, thread };
inline constexpr std::size_t kPeerSourceCount = 4;

// Bytes that a TLS library took from its program, or gave to it, in clear.
struct TlsBody {
  std::uint8_t function = 0;  // a row of bpf/abi/tls.h; decode has checked it
  TlsDirection direction = TlsDirection::send;
  std::uint32_t connection = 0;
  std::optional<std::uint32_t> inherited_from;  // the connection a fork copied; set by the Monitor, as
  std::string peer;                             // the other end: "127.0.0.1:443", "[::1]:443", "" unknown
  PeerSource peer_source = PeerSource::none;
  bool from_start = false;        // the connection was seen since its first byte
  std::uint64_t offset = 0;       // in this direction of the connection
  std::uint64_t length = 0;       // bytes of the stream this stands for
  std::uint64_t call_length = 0;  // bytes the whole call moved
  Withheld withheld = Withheld::nothing;
  bool is_full = false;      // its target's level: nothing is to be redacted; never shown
  Undone undone = 0;         // 0: `data` is the stream's own bytes; else the text that they hold
  std::uint32_t stream = 0;  // of HTTP/2, 0 none
  std::string data;
  std::vector<TlsRedaction> redactions;  // their bytes are '*' in data
};

// Kernel-only: where a connection comes from and leads; it has ended.
struct TlsConnectionBody {
  std::uint32_t connection = 0;
  std::uint32_t inherited_from = 0;  // 0: it is no copy
  std::string peer;
  PeerSource peer_source = PeerSource::none;
};
struct TlsClosedBody {
  std::uint32_t connection = 0;
};

enum class Severity : std::uint8_t { info, warning, critical };

struct AncestryItem {
  ProcessId id;
  std::string exe;
  std::vector<std::string> argv;
};

struct AlertBody {
  std::string kind;  // "sensitive-path", "shell-injection", "watched-set-full", "events-lost", "probe-lost"
  Severity severity = Severity::warning;
  std::string rule;
  std::string summary;  // one plain sentence
  std::vector<AncestryItem> ancestry;
  std::optional<std::uint64_t> cause_seq;
  std::string detect_class = {};  // of a shell-injection: "shell" … "escape"; of a file "escape" or ""
};

struct LossBody {
  std::string family;  // "exec"
  std::string cause;   // "ring-full", "scratch", "watched-full", "share-full", "recursion", "sink-stalled" …
  std::uint64_t count = 0;
  std::uint64_t first_boot_ns = 0;
  std::uint64_t last_boot_ns = 0;

  // So many more, of that time. Events are not told in the order of their times: neither is what is lost of them.
  void add(std::uint64_t more, std::uint64_t first_ns, std::uint64_t last_ns) {
    first_boot_ns = count == 0 ? first_ns : std::min(first_boot_ns, first_ns);
    last_boot_ns = count == 0 ? last_ns : std::max(last_boot_ns, last_ns);
    count += more;
  }

  bool operator==(const LossBody&) const = default;
};

struct GapBody {
  std::uint64_t from_boot_ns = 0;
  std::uint64_t to_boot_ns = 0;
  std::string reason;
};

enum class TargetChange : std::uint8_t { added, removed, exited, adopted };

struct TargetBody {
  TargetChange change = TargetChange::added;
  std::uint64_t adopted = 0;  // added: pre-existing descendants taken in; adopted: those taken in later
};

enum class ProbeState : std::uint8_t { attached, standby, degraded, failed, unavailable };

struct ProbeBody {
  std::string family;   // "exec"
  std::string program;  // "aa_exec"
  std::string hook;     // "tp_btf/sched_process_exec"
  ProbeState state = ProbeState::unavailable;
  int error_number = 0;
  std::string reason;

  bool operator==(const ProbeBody&) const = default;
};

using EventBody =
    std::variant<ForkBody, ExecBody, ExitBody, FileBody, AlertBody, LossBody, GapBody, TargetBody, ProbeBody,
                 RefusedBody, AdoptedBody, FileSumBody, TlsBody, TlsConnectionBody, TlsClosedBody>;

struct Event {
  std::uint64_t seq = 0;      // order of delivery; set by the Monitor
  std::uint64_t boot_ns = 0;  // CLOCK_BOOTTIME when it happened
  std::int64_t wall_ns = 0;   // CLOCK_REALTIME of the same; set by the Monitor from its clock offset
  std::uint32_t slot = 0;     // kernel's target slot (row | generation << 8); 0 when the event has none
  std::optional<TargetRef> target;
  std::optional<ProcessRef> process;
  EventBody body;
};

// The `type` member: "fork" "exec" "exit" "file" "tls" "alert" "loss" "gap" "target" "probe"; bodies that end in the
// Monitor have names too, never shown.
std::string_view type_name(const EventBody& body);
std::string_view name_of(Severity severity);    // "info" "warning" "critical"
std::string_view name_of(ProbeState state);     // "attached" …
std::string_view name_of(TargetChange change);  // "added" …
std::optional<Severity> parse_severity(std::string_view name);
std::string_view name_of(FileOp op);  // "open" …
std::optional<FileOp> parse_file_op(std::string_view name);
std::string_view name_of(Verdict verdict);         // "none" "allow" "deny" "watch"
std::string_view name_of(Resolution resolution);   // "kernel" "user" "unresolved"
std::string_view name_of(FileHook hook);           // "tracepoint" …
std::string_view name_of(FileVia via);             // "syscall" "io_uring"
std::string_view name_of(TlsDirection direction);  // "send" "recv"
std::string_view name_of(PeerSource source);       // "descriptor" "call" "thread"; "" of none
std::string_view name_of(Withheld withheld);       // "level" "limit" …; "" of nothing
std::vector<std::string> names_of(Undone undone);

}  // namespace aa

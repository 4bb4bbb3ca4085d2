// Renders a fixed set of events: every type and every optional member at least once, compared byte by byte with
// events.jsonl. `golden_events FILE` compares; `golden_events` alone prints what FILE should then hold.
#include <errno.h>

#include <fstream>
#include <iostream>
#include <sstream>

#include "event/json.h"
#include "support/builders.h"

using namespace aa;
using namespace aa::test;

namespace {

constexpr std::int64_t kBootWallNs = 1'795'352'401'000'000'000;  // 2026-11-22T13:00:01Z at boot time zero
const TargetRef kTarget{"6f0c7b1e-52a5-5d2c-9d43-0d6b8a3a6c11", "claude"};

Who agent() {
  Who who = a_process(4242, 9'000, "claude").with_image(1);
  who.exe = "/usr/bin/claude";
  who.cgroup = "/user.slice/user-1000.slice";
  return who;
}

Who shell() {
  Who who = a_process(4300, 98'123, "bash").child_of(agent()).with_image(2);
  who.exe = "/usr/bin/bash";
  who.cgroup = "/user.slice/user-1000.slice";
  return who;
}

Event plain(EventBody body) {
  Event event;
  event.boot_ns = 5'000'000'000;
  event.body = std::move(body);
  return event;
}

Event about(const Who& who, EventBody body) {
  Event event = plain(std::move(body));
  event.process = who;
  return event;
}

ExecBuilder bash() {
  return an_exec().of(shell()).exe("/usr/bin/bash").filename("/bin/bash").argv({"bash", "-c", "ls"}).cwd("/home/u");
}

std::vector<Event> forks_and_exits() {
  Who contained = shell();
  contained.ns_pid = 7;
  Who inner = a_process(4301, 99'000, "bash").child_of(contained);
  inner.ns_pid = 8;
  Who adopted = agent();
  adopted.parent = {1, 100};
  adopted.parent_source = ParentSource::current;
  Who thread = shell();
  thread.tid = 4310;
  return {a_fork().of(agent()).child(shell()),
          a_fork().of(contained).child(inner),
          a_fork().of(adopted).child(shell()),
          an_exit().of(shell()).at(2'000'000).code(0),
          an_exit().of(shell()).at(2'000'000).code(127),
          an_exit().of(thread).at(2'000'000).killed_by(15),
          an_exit().of(a_process(9, 9, "old")).at(2'000'000).killed_by(11, true)};
}

std::vector<Event> execs() {
  Who odd = shell();
  odd.comm = "caf\xE9";
  odd.cgroup = "/odd\xFF";
  return {bash(),
          bash().interpreter("/bin/sh").filename("./script.sh").argv({"./script.sh"}),
          bash().argv({}),
          bash().argv({"", "a\nb", "tab\t\"quote\" back\\slash", "\x1B[31m\x7F", "na\xC3\xAFve \xF0\x9F\x98\x80"}),
          bash().argv({"plain", "\xFF\xC0\x80", "cut \xE2\x82"}),
          bash().argv({"long"}).marked([](ExecBody& body) { body.argv_truncated = true; }),
          bash().argv({}).marked([](ExecBody& body) { body.argv_unreadable = true; }),
          bash().exe("memfd:x").marked([](ExecBody& body) { body.memfd = body.deleted = true; }),
          bash().interpreter("/bin/sh").marked([](ExecBody& body) {
            body.stdin_inet = body.exe_truncated = body.cwd_truncated = body.cwd_deleted = true;
            body.filename_truncated = body.interpreter_truncated = true;
          }),
          bash().of(odd).exe("/e\xFF").filename("/f\xFF").interpreter("/i\xFF").cwd("/c\xFF"),
          bash().filename("/bin/nothing").failed_with(ENOENT).exe("/usr/bin/bash")};
}

FileBody a_file(FileOp op) {
  FileBody body;
  body.op = op;
  body.at.path = "/home/u/notes";
  body.dev = 266'338'304;
  body.ino = 4711;
  body.generation = 3;
  body.resolution = Resolution::kernel;
  return body;
}

std::vector<Event> files() {
  std::vector<Event> out;
  for (std::size_t op = 0; op < kFileOps; ++op) out.push_back(about(shell(), a_file(static_cast<FileOp>(op))));
  FileBody open = a_file(FileOp::open);
  open.at = {"/etc/shadow", "/srv/jail/etc/shadow", "../link", true, true, true, true, true};
  open.flags = 02000100u | 2u;
  open.mode = 0640;
  open.result = 5;
  open.verdict = Verdict::deny;
  open.rule = "/srv/jail/etc/shadow";
  open.sensitive = true;
  open.hook = FileHook::lsm;
  FileBody write = a_file(FileOp::write);
  write.bytes = 1'234'567;
  write.count = 89;
  write.result = 1'234'567;
  write.verdict = Verdict::allow;
  write.rule = "/home/u/\xFF/";
  write.hook = FileHook::fentry;
  write.via = FileVia::io_uring;
  FileBody rename = a_file(FileOp::rename);
  rename.at = {"/a\xFF", "/n/a\xFF", "a\xFF"};
  rename.to = {"/b\xFF", "/n/b\xFF", "b\xFF", true};
  rename.result = -ENOENT;
  rename.ino = 0;
  rename.resolution = Resolution::user;
  rename.hook = FileHook::kprobe;
  FileBody map = a_file(FileOp::mmap);
  map.flags = 7;
  map.verdict = Verdict::watch;
  map.rule = "/srv/";
  FileBody lost = a_file(FileOp::read);
  lost.at = {};
  lost.resolution = Resolution::unresolved;
  for (const FileBody& body : std::vector<FileBody>{open, write, rename, map, lost})
    out.push_back(about(shell(), body));
  return out;
}

TlsBody some_tls(std::uint8_t function, TlsDirection direction, const std::string& data) {
  TlsBody body;
  body.function = function;
  body.direction = direction;
  body.connection = 7;
  body.from_start = true;
  body.offset = 1000;
  body.length = body.call_length = data.size();
  body.data = data;
  return body;
}

std::vector<Event> tls() {
  const TlsBody request = some_tls(1, TlsDirection::send, "GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  const TlsBody answer = some_tls(2, TlsDirection::recv, std::string("\x1F\x8B\0\xFF", 4));
  TlsBody copied = some_tls(0, TlsDirection::recv, "cut");
  copied.inherited_from = 6;
  copied.peer = "[::1]:443";
  copied.peer_source = PeerSource::thread;
  copied.from_start = false;
  copied.length = copied.call_length = 2'000'000;
  copied.withheld = Withheld::limit;
  TlsBody redacted = some_tls(3, TlsDirection::send, "cookie: ***\r\n***");
  redacted.redactions = {{"cookie", 1008, 3}, {"binary", 1013, 3}};
  TlsBody lines = some_tls(3, TlsDirection::send, ":path: /\ncookie: ***\n");
  lines.undone = kHttp2 | kHpack;
  lines.stream = 5;
  lines.length = 19;
  lines.redactions = {{"cookie", 17, 3}};
  TlsBody message = some_tls(2, TlsDirection::recv, "");
  message.undone = kWebSocket | kDeflate;
  message.length = 300;
  message.withheld = Withheld::broken;
  std::vector<Event> out = {about(shell(), request),  about(shell(), answer), about(shell(), copied),
                            about(shell(), redacted), about(shell(), lines),  about(shell(), message)};
  for (const Withheld why :
       {Withheld::level, Withheld::unreadable, Withheld::file, Withheld::binary, Withheld::coding, Withheld::bound}) {
    TlsBody body = some_tls(7, TlsDirection::send, "");
    body.length = body.call_length = 5;
    body.withheld = why;
    out.push_back(about(shell(), body));
  }
  return out;
}

std::vector<Event> notices() {
  AlertBody full{"watched-set-full", Severity::warning, "", "3 processes of claude could not be watched.", {}, {}};
  AlertBody access{"sensitive-path", Severity::critical, "/etc/shadow", "bash asked for /etc/shadow.", {}, 17};
  access.ancestry = {{{4300, 98'123}, "/usr/bin/bash", {"bash", "-c", "ls"}}, {{4242, 9'000}, "/o\xFF", {"\xFF", "b"}}};
  AlertBody started{"shell-injection", Severity::info, "shell", "bash: A shell was started.", {}, 16, "shell"};
  AlertBody lost{"events-lost", Severity::info, "", "2 events were lost.", {}, 18};
  return {about(shell(), access),
          plain(full),
          plain(lost),
          about(shell(), started),
          plain(LossBody{"exec", "ring-full", 2, 4'000'000'000, 4'500'000'000}),
          plain(GapBody{1'000'000'000, 4'000'000'000, "the daemon was not running"}),
          about(agent(), TargetBody{TargetChange::added, 3}),
          about(agent(), TargetBody{TargetChange::adopted, 1}),
          about(agent(), TargetBody{TargetChange::removed, 0}),
          about(agent(), TargetBody{TargetChange::exited, 0}),
          plain(ProbeBody{"exec", "aa_exec", "tp_btf/sched_process_exec", ProbeState::attached, 0, ""}),
          plain(ProbeBody{"exec", "aa_execve", "tp/sys_enter_execve", ProbeState::standby, 0, "nothing is watched"}),
          plain(ProbeBody{"exec", "aa_exit", "raw_tp/sched_process_exit", ProbeState::degraded, 0, "raw tracepoint"}),
          plain(ProbeBody{"exec", "aa_fork", "tp_btf/sched_process_fork", ProbeState::failed, EPERM, "attach refused"}),
          plain(ProbeBody{"file", "", "", ProbeState::unavailable, ENOSYS, "this kernel has no BTF"})};
}

std::string rendered() {
  std::string out;
  std::uint64_t seq = 0;
  for (const auto& group : {forks_and_exits(), execs(), files(), tls(), notices()}) {
    for (Event event : group) {
      event.seq = ++seq;
      event.wall_ns = kBootWallNs + static_cast<std::int64_t>(event.boot_ns);
      const bool has_target = event.process || std::holds_alternative<LossBody>(event.body);
      if (has_target) event.target = kTarget;
      if (seq == 7) event.target->name = "\xFFname";
      append_json(out, event);
      out.push_back('\n');
    }
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string now = rendered();
  if (argc < 2) {
    std::cout << now;
    return 0;
  }
  std::ifstream file(argv[1], std::ios::binary);
  std::stringstream golden;
  golden << file.rdbuf();
  std::stringstream got(now);
  for (int line = 1;; ++line) {
    std::string want_line, got_line;
    const bool want = static_cast<bool>(std::getline(golden, want_line));
    const bool have = static_cast<bool>(std::getline(got, got_line));
    if (!want && !have) break;
    if (want == have && want_line == got_line) continue;
    std::cerr << argv[1] << " line " << line << "\n  wanted: " << want_line << "\n  got:    " << got_line << "\n";
    return 1;
  }
  return golden.str() == now ? 0 : 1;
}

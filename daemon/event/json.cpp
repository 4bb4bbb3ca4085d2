// event/json.cpp: members in the order docs/events.md lists them; a test compares both with the schema.
#include "event/json.h"

#include <array>
#include <chrono>

#include "event/json_object.h"

namespace aa {
namespace {

void append_padded(std::string& out, unsigned value, int width) {
  std::array<char, 9> digits;
  for (int at = width - 1; at >= 0; --at, value /= 10) digits[static_cast<std::size_t>(at)] = char('0' + value % 10);
  out.append(digits.data(), static_cast<std::size_t>(width));
}

// RFC 3339, UTC, nanoseconds. Any int64 of nanoseconds lies within the years 1677 to 2262: four digits always do.
void append_time(std::string& out, std::int64_t wall_ns) {
  using namespace std::chrono;
  const sys_time<nanoseconds> time{nanoseconds{wall_ns}};
  const auto day = floor<days>(time);
  const year_month_day date{day};
  // Not `time - day`: the first day's midnight does not fit into nanoseconds.
  const auto second = floor<seconds>(time);
  const hh_mm_ss clock{second - day};
  const auto fraction = wall_ns % 1'000'000'000 + (wall_ns % 1'000'000'000 < 0 ? 1'000'000'000 : 0);
  out.push_back('"');
  append_padded(out, static_cast<unsigned>(static_cast<int>(date.year())), 4);
  out.push_back('-');
  append_padded(out, static_cast<unsigned>(date.month()), 2);
  out.push_back('-');
  append_padded(out, static_cast<unsigned>(date.day()), 2);
  out.push_back('T');
  append_padded(out, static_cast<unsigned>(clock.hours().count()), 2);
  out.push_back(':');
  append_padded(out, static_cast<unsigned>(clock.minutes().count()), 2);
  out.push_back(':');
  append_padded(out, static_cast<unsigned>(clock.seconds().count()), 2);
  out.push_back('.');
  append_padded(out, static_cast<unsigned>(fraction), 9);
  out.append("Z\"");
}

void append_target(std::string& out, const TargetRef& target) {
  JsonObject object(out);
  object.words("id", target.id);
  object.bytes("name", target.name);
  object.close();
}

void append_process(std::string& out, const ProcessRef& process) {
  JsonObject object(out);
  object.id("id", process.id);
  object.number("pid", process.id.pid);
  object.number("tid", process.tid);
  object.number("ppid", process.parent.pid);
  if (process.parent) object.id("parent_id", process.parent);
  object.number("uid", process.uid);
  object.number("gid", process.gid);
  object.bytes("comm", process.comm);
  object.bytes("exe", process.exe);
  object.number("image", process.image);
  object.bytes("cgroup", process.cgroup);
  if (process.ns_pid != 0 && process.ns_pid != process.id.pid) object.number("ns_pid", process.ns_pid);
  if (process.parent_source == ParentSource::current) object.words("parent_source", "current");
  object.close();
}

// One overload a body: the event's own member.
void append_body(JsonObject& event, std::string& out, const ForkBody& body) {
  event.key("fork");
  JsonObject object(out);
  object.id("child_id", body.child);
  object.number("child_pid", body.child.pid);
  if (body.child_ns_pid != 0 && body.child_ns_pid != body.child.pid) object.number("child_ns_pid", body.child_ns_pid);
  object.close();
}

void append_body(JsonObject& event, std::string& out, const ExecBody& body) {
  event.key("exec");
  JsonObject object(out);
  object.bytes("filename", body.filename);
  object.list("argv", body.argv);
  object.boolean("argv_truncated", body.argv_truncated);
  object.only_true("argv_unreadable", body.argv_unreadable);
  object.bytes("cwd", body.cwd);
  if (!body.interpreter.empty()) object.bytes("interpreter", body.interpreter);
  object.boolean("memfd", body.memfd);
  object.boolean("deleted", body.deleted);
  object.only_true("stdin_inet", body.stdin_inet);
  object.number("result", body.result);
  object.only_true("exe_truncated", body.exe_truncated);
  object.only_true("cwd_truncated", body.cwd_truncated);
  object.only_true("cwd_deleted", body.cwd_deleted);
  object.only_true("filename_truncated", body.filename_truncated);
  object.only_true("interpreter_truncated", body.interpreter_truncated);
  object.close();
}

void append_body(JsonObject& event, std::string& out, const ExitBody& body) {
  event.key("exit");
  JsonObject object(out);
  object.number("code", body.status >> 8 & 0xFF);
  object.number("signal", body.status & 0x7F);
  object.boolean("core_dumped", (body.status & 0x80) != 0);
  object.number("runtime_ns", body.runtime_ns);
  object.close();
}

void append_body(JsonObject& event, std::string& out, const AlertBody& body) {
  event.key("alert");
  JsonObject object(out);
  object.words("kind", body.kind);
  if (!body.detect_class.empty()) object.words("class", body.detect_class);
  object.words("severity", name_of(body.severity));
  if (!body.rule.empty()) object.words("rule", body.rule);
  object.words("summary", body.summary);
  object.key("ancestry").push_back('[');
  for (const AncestryItem& item : body.ancestry) {
    if (&item != &body.ancestry.front()) out.push_back(',');
    JsonObject entry(out);
    entry.id("id", item.id);
    entry.bytes("exe", item.exe);
    entry.list("argv", item.argv);
    entry.close();
  }
  out.push_back(']');
  if (body.cause_seq) object.number("cause_seq", *body.cause_seq);
  object.close();
}

void append_body(JsonObject& event, std::string& out, const LossBody& body) {
  event.key("loss");
  JsonObject object(out);
  object.words("family", body.family);
  object.words("cause", body.cause);
  object.number("count", body.count);
  object.number("first_boot_ns", body.first_boot_ns);
  object.number("last_boot_ns", body.last_boot_ns);
  object.close();
}

void append_body(JsonObject& event, std::string& out, const GapBody& body) {
  event.key("gap");
  JsonObject object(out);
  object.number("from_boot_ns", body.from_boot_ns);
  object.number("to_boot_ns", body.to_boot_ns);
  object.words("reason", body.reason);
  object.close();
}

void append_body(JsonObject& event, std::string& out, const TargetBody& body) {
  event.key("target_change");
  JsonObject object(out);
  object.words("change", name_of(body.change));
  if (body.change == TargetChange::added || body.change == TargetChange::adopted) {
    object.number("adopted", body.adopted);
  }
  object.close();
}

void append_body(JsonObject& event, std::string& out, const ProbeBody& body) {
  event.key("probe");
  JsonObject object(out);
  object.words("family", body.family);
  object.words("program", body.program);
  object.words("hook", body.hook);
  object.words("state", name_of(body.state));
  object.number("errno", body.error_number);
  object.words("reason", body.reason);
  object.close();
}

// Kernel-only: they end in the Monitor.
void append_body(JsonObject&, std::string&, const RefusedBody&) {}
void append_body(JsonObject&, std::string&, const AdoptedBody&) {}
void append_body(JsonObject&, std::string&, const FileSumBody&) {}
void append_body(JsonObject&, std::string&, const TlsConnectionBody&) {}
void append_body(JsonObject&, std::string&, const TlsClosedBody&) {}

}  // namespace

void append_json(std::string& out, const Event& event) {
  JsonObject object(out);
  object.number("v", 1);
  object.number("seq", event.seq);
  append_time(object.key("time"), event.wall_ns);
  object.number("boot_ns", event.boot_ns);
  object.words("type", type_name(event.body));
  if (event.target) append_target(object.key("target"), *event.target);
  if (event.process) append_process(object.key("process"), *event.process);
  std::visit([&](const auto& body) { append_body(object, out, body); }, event.body);
  object.close();
}

std::string to_json(const Event& event) {
  std::string out;
  append_json(out, event);
  return out;
}

}  // namespace aa

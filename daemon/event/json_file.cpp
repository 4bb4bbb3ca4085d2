// event/json_file.cpp: the own member of `file` events, and the names of its flags.
#include <array>

#include "event/json_object.h"

namespace aa {
namespace {

struct Flag {
  std::uint32_t bit;
  std::string_view name;
};

// include/uapi/asm-generic/fcntl.h, as x86 and arm64 have them where they agree; O_SYNC holds O_DSYNC's bit, O_TMPFILE
// O_DIRECTORY's: the longer first.
constexpr std::array kOpenFlags = {
    Flag{0100, "O_CREAT"},        Flag{0200, "O_EXCL"},        Flag{0400, "O_NOCTTY"},      Flag{01000, "O_TRUNC"},
    Flag{02000, "O_APPEND"},      Flag{04000, "O_NONBLOCK"},   Flag{04010000, "O_SYNC"},    Flag{010000, "O_DSYNC"},
    Flag{020000, "O_ASYNC"},      Flag{01000000, "O_NOATIME"}, Flag{02000000, "O_CLOEXEC"}, Flag{010000000, "O_PATH"},
#if defined(__aarch64__)
    Flag{020040000, "O_TMPFILE"}, Flag{040000, "O_DIRECTORY"}, Flag{0100000, "O_NOFOLLOW"}, Flag{0200000, "O_DIRECT"},
    Flag{0400000, "O_LARGEFILE"},
#else
    Flag{020200000, "O_TMPFILE"}, Flag{0200000, "O_DIRECTORY"}, Flag{0400000, "O_NOFOLLOW"}, Flag{040000, "O_DIRECT"},
    Flag{0100000, "O_LARGEFILE"},
#endif
};

constexpr std::array kRenames = {Flag{1, "RENAME_NOREPLACE"}, Flag{2, "RENAME_EXCHANGE"}, Flag{4, "RENAME_WHITEOUT"}};

constexpr std::array kProtections = {Flag{1, "PROT_READ"}, Flag{2, "PROT_WRITE"}, Flag{4, "PROT_EXEC"}};

template <class Flags>
void append_flags(std::vector<std::string>& names, const Flags& flags, std::uint32_t value) {
  for (const Flag& flag : flags) {
    if ((value & flag.bit) != flag.bit) continue;
    names.emplace_back(flag.name);
    value &= ~flag.bit;
  }
}

std::vector<std::string> flag_names(FileOp op, std::uint32_t value) {
  std::vector<std::string> names;
  if (op == FileOp::mmap || op == FileOp::mprotect) {
    append_flags(names, kProtections, value);
    return names;
  }
  if (op == FileOp::rename) {
    append_flags(names, kRenames, value);
    return names;
  }
  constexpr std::array<std::string_view, 4> kAccess = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};
  names.emplace_back(kAccess[value & 3]);
  append_flags(names, kOpenFlags, value & ~3u);
  return names;
}

std::vector<std::string> path_flags(const FilePath& at) {
  std::vector<std::string> names;
  if (at.deleted) names.emplace_back("deleted");
  if (at.outside_root) names.emplace_back("outside_root");
  if (at.detached) names.emplace_back("detached");
  if (at.too_long) names.emplace_back("too_long");
  if (at.changed) names.emplace_back("changed");
  return names;
}

void append_path(JsonObject& object, const FilePath& at, bool second) {
  const auto name = [second](const char* first, const char* other) { return second ? other : first; };
  object.bytes(name("path", "path2"), at.path);
  if (!at.ns_path.empty()) object.bytes(name("ns_path", "ns_path2"), at.ns_path);
  if (const auto flags = path_flags(at); !flags.empty()) object.list(name("flags_path", "flags_path2"), flags);
  if (!at.requested.empty()) object.bytes(name("requested", "requested2"), at.requested);
}

}  // namespace

void append_body(JsonObject& event, std::string& out, const FileBody& body) {
  event.key("file");
  JsonObject object(out);
  object.words("op", name_of(body.op));
  append_path(object, body.at, false);
  if (body.to) append_path(object, *body.to, true);
  if (body.flags) object.list("flags", flag_names(body.op, *body.flags));
  if (body.mode) object.number("mode", *body.mode);
  object.number("result", body.result);
  if (body.bytes) {
    object.number("bytes", *body.bytes);
    object.number("count", body.count);
  }
  if (body.ino != 0) {
    object.number("dev", body.dev);
    object.number("ino", body.ino);
  }
  object.words("verdict", name_of(body.verdict));
  if (!body.rule.empty()) object.bytes("rule", body.rule);
  object.number("generation", body.generation);
  object.boolean("sensitive", body.sensitive);
  object.words("resolution", name_of(body.resolution));
  object.words("hook", name_of(body.hook));
  object.words("via", name_of(body.via));
  object.close();
}

}  // namespace aa
